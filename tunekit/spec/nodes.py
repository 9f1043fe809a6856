"""Plain data with the place of every key and value: what a YAML document becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunekit.model import Location

# A step into a document: a mapping's key or a list's index.
Step = str | int


class Node:
    """One value with its place, from 1. `children` holds a mapping's entries or a list's items."""

    __slots__ = ("children", "column", "height", "line", "size", "value")

    def __init__(self, value: Any, line: int, column: int) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.children: dict[str, Entry] | list[Node] | None = None
        # Expanded nodes and levels below; size stays 0 while the parser is still inside.
        self.size = 1
        self.height = 0


class Entry:
    """One key of a mapping: the key's place and its value."""

    __slots__ = ("column", "line", "node")

    def __init__(self, line: int, column: int, node: Node) -> None:
        self.line = line
        self.column = column
        self.node = node


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of the file `path`. `faulty_lines` already have a problem of their own."""

    path: str
    root: Node
    faulty_lines: frozenset[int] = frozenset()

    @property
    def where(self) -> Location:
        """The place where the document's data begins."""
        return Location(self.path, self.root.line, self.root.column)

    def at(self, steps: Sequence[Step]) -> Location:
        """Return the place of a key (an item: of its value), or of its nearest written parent."""
        node, line, column = self.root, self.root.line, self.root.column
        for step in steps:
            match node.children:
                case dict() as entries if step in entries:
                    entry = entries[str(step)]
                    node, line, column = entry.node, entry.line, entry.column
                case list() as items if isinstance(step, int) and step < len(items):
                    node = items[step]
                    line, column = node.line, node.column
                case _:
                    break
        return Location(self.path, line, column)


class Places(Mapping[str, Location]):
    """The places of a document by dotted path, worked out when first asked for.

    A no-op plan over thousands of specs never asks.
    """

    __slots__ = ("_document", "_places")

    def __init__(self, document: Document) -> None:
        self._document = document
        self._places: dict[str, Location] | None = None

    def _all(self) -> dict[str, Location]:
        if self._places is None:
            self._places = dict(_walk(self._document))
        return self._places

    def __getitem__(self, path: str) -> Location:
        return self._all()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _walk(document: Document) -> Iterator[tuple[str, Location]]:
    """Yield each dotted path with its place; depth and size were bounded by the parser."""
    waiting: list[tuple[str, Node]] = [("", document.root)]
    while waiting:
        prefix, node = waiting.pop()
        match node.children:
            case dict() as entries:
                for key, entry in entries.items():
                    yield prefix + key, Location(document.path, entry.line, entry.column)
                    waiting.append((f"{prefix}{key}.", entry.node))
            case list() as items:
                for index, item in enumerate(items):
                    yield f"{prefix}{index}", Location(document.path, item.line, item.column)
                    waiting.append((f"{prefix}{index}.", item))


def strings(node: Node) -> Iterator[tuple[tuple[Step, ...], Node]]:
    """Yield every text value with the steps that lead to it, in the order written."""
    waiting: list[tuple[tuple[Step, ...], Node]] = [((), node)]
    while waiting:
        steps, current = waiting.pop()
        match current.children:
            case dict() as entries:
                waiting.extend(((*steps, k), e.node) for k, e in reversed(entries.items()))
            case list() as items:
                waiting.extend(((*steps, i), n) for i, n in reversed(list(enumerate(items))))
            case None if isinstance(current.value, str):
                yield steps, current
