"""YAML text -> documents, by the parser's events and a stack of our own.

PyYAML's composer recurses: 25 kB of `[` kills the process inside the C library. Its event stream
does not recurse, so depth is refused here before anything deep is ever built.
"""

from __future__ import annotations

from typing import Any

from tunekit.model import Location, Problem
from tunekit.spec.nodes import Document, Entry, Node
from tunekit.spec.scalars import BadScalar, resolve
from tunekit.spec.syntax import explain_syntax
from tunekit.spec.wording import key_text

MAX_DEPTH = 64
# What aliases may add to a file, counted as if each were written out.
MAX_ALIASED_NODES = 10_000


def read_documents(text: str, path: str) -> tuple[list[Document], list[Problem]]:
    """Return every document of a file that is not empty, and every fault of its YAML.

    A syntax error ends the reading; documents before it are kept.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(path)
    handlers = {
        yaml.ScalarEvent: builder.scalar,
        yaml.MappingStartEvent: builder.start_mapping,
        yaml.SequenceStartEvent: builder.start_sequence,
        yaml.MappingEndEvent: builder.end,
        yaml.SequenceEndEvent: builder.end,
        yaml.AliasEvent: builder.alias,
        yaml.DocumentStartEvent: builder.start_document,
        yaml.DocumentEndEvent: builder.end_document,
    }
    try:
        for event in yaml.parse(text, Loader=loader):
            if handler := handlers.get(type(event)):
                handler(event)
    except _GiveUp as reason:
        builder.problems.append(reason.problem)
    except yaml.YAMLError as error:
        builder.problems.append(explain_syntax(error, text, path))
    return builder.documents, builder.problems


class _GiveUp(Exception):
    """The rest of the file is not worth reading."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Frame:
    """A mapping or list that the parser is inside of; `key` waits for its value."""

    __slots__ = ("key", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: _Key | None = None


class _Key:
    """A key and its place; text is None where the key was refused: its value is dropped."""

    __slots__ = ("column", "line", "text")

    def __init__(self, text: str | None, line: int, column: int) -> None:
        self.text = text
        self.line = line
        self.column = column


class _Builder:
    """Takes events, keeps documents and problems."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self._aliased = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._problems_before = len(self.problems)

    # --- events ------------------------------------------------------------------------------

    def start_document(self, event: Any) -> None:
        self._start_afresh()

    def end_document(self, event: Any) -> None:
        found = self.problems[self._problems_before :]
        root = self._root
        if root is None or (root.value is None and not found):
            return
        lines = frozenset(problem.where.line for problem in found if problem.where)
        self.documents.append(Document(self.path, root, lines))

    def scalar(self, event: Any) -> None:
        node = self._node(event.value, event)
        if event.tag is None and event.implicit[0]:
            self._resolve(node)
        elif _is_unprintable(event.value):
            self._note("the text holds a NUL or half a character pair", "remove it", node)
        self._add(node, event)

    def start_mapping(self, event: Any) -> None:
        self._start({}, {}, event)

    def start_sequence(self, event: Any) -> None:
        self._start([], [], event)

    def end(self, event: Any) -> None:
        node = self._stack.pop().node
        match node.children:
            case dict() as entries:
                below = [entry.node for entry in entries.values()]
            case items:
                below = items or []
        node.size = 1 + sum(child.size for child in below)
        node.height = 1 + max((child.height for child in below), default=0)
        self._add(node, event)

    def alias(self, event: Any) -> None:
        here = self._node(None, event, is_alias=True)
        name = key_text(event.anchor)
        target = self._anchors.get(event.anchor)
        if target is None:
            remedy = f"define &{name} before it, or quote text that begins with *"
            self._note(f"the alias *{name} names nothing", remedy, here)
            target = here
        elif target.size == 0:
            self._note(f"the alias *{name} contains itself", "write the value out", here)
            target = here
        self._aliased += target.size
        if self._aliased > MAX_ALIASED_NODES:
            fact = f"the file's aliases stand for more than {MAX_ALIASED_NODES:,} values"
            raise _GiveUp(Problem(fact, "write the values out", self._where(here)))
        if len(self._stack) + target.height > MAX_DEPTH:
            raise self._too_deep(here)
        self._add(target, event)

    # --- building ----------------------------------------------------------------------------

    def _node(self, value: Any, event: Any, *, is_alias: bool = False) -> Node:
        """Return a node at the event's place, with its tag refused and its anchor known."""
        mark = event.start_mark
        node = Node(value, mark.line + 1, mark.column + 1)
        if is_alias:
            return node
        if event.tag is not None:
            remedy = "remove it; quote text that begins with !"
            self._note(f"the tag {_shown_tag(event.tag)} is not supported", remedy, node)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _start(self, value: Any, children: dict[str, Entry] | list[Node], event: Any) -> None:
        node = self._node(value, event)
        if len(self._stack) >= MAX_DEPTH:
            raise self._too_deep(node)
        node.children, node.size = children, 0
        self._stack.append(_Frame(node))

    def _add(self, node: Node, event: Any) -> None:
        """Put a finished value where it belongs: the root, a list, or a mapping's key or value."""
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        match parent.children:
            case list() as items:
                items.append(node)
                parent.value.append(node.value)
            case dict() as entries if frame.key is None:
                frame.key = self._key(node, entries, event)
            case dict() as entries:
                key, frame.key = frame.key, None
                if key is not None and key.text is not None:
                    entries[key.text] = Entry(key.line, key.column, node)
                    parent.value[key.text] = node.value

    def _key(self, node: Node, known: dict[str, Entry], event: Any) -> _Key:
        """Return a mapping's next key; its text is None where it is refused and noted."""
        place = node
        if node.children is None:
            # The event's own place: an alias stands elsewhere than what it names.
            place = Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        fault = _fault_of_key(node, known, event)
        if fault is None:
            return _Key(node.value, place.line, place.column)
        self._note(*fault, place)
        return _Key(None, place.line, place.column)

    def _resolve(self, node: Node) -> None:
        try:
            node.value = resolve(node.value)
        except BadScalar as error:
            remedy = "write an ordinary number, or quote it where text is meant"
            self._note(str(error), remedy, node)

    # --- problems ----------------------------------------------------------------------------

    def _where(self, node: Node) -> Location:
        return Location(self.path, node.line, node.column)

    def _note(self, fact: str, remedy: str, node: Node) -> None:
        self.problems.append(Problem(fact, remedy, self._where(node)))

    def _too_deep(self, node: Node) -> _GiveUp:
        fact = f"the nesting is more than {MAX_DEPTH} levels deep"
        return _GiveUp(Problem(fact, "close what was opened, or flatten it", self._where(node)))


def _shown_tag(tag: str) -> str:
    return key_text(tag.replace("tag:yaml.org,2002:", "!!"))


def _fault_of_key(node: Node, known: dict[str, Entry], event: Any) -> tuple[str, str] | None:
    """Return fact and remedy where a key can't stand; values of refused keys are dropped."""
    key = node.value
    if node.children is not None:
        return "a key is a list or a mapping", "write text; quote a key that begins with { or ["
    if not isinstance(key, str):
        written = key_text(getattr(event, "value", None) or "null")
        return f"the key {written} is not text", f'quote it: "{written}"'
    if key == "<<":
        remedy = "write the keys out, or alias a whole value: `tuning: *shared`"
        return "merge keys (<<) are not supported", remedy
    if key in known:
        return (
            f"`{key_text(key)}` is given twice, first on line {known[key].line}",
            "keep one of the two",
        )
    return None


def _is_unprintable(text: str) -> bool:
    """True for what escapes can bring in but no JSON reader agrees on."""
    return "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text))
