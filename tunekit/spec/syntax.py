"""YAML syntax errors in plain words: what is wrong on the line, and how to write it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tunekit.model import Location, Problem

# libyaml counts these as line breaks; lines must be cut as it counts them.
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_OPENINGS = re.compile(r"quoted scalar|simple key|flow (mapping|sequence)")
_NO_SPACE = re.compile(r"\s*[A-Za-z_]+:[^\s/]")


class _Fault(NamedTuple):
    """The parser's words with the line they are about; `column` counts from 0."""

    problem: str
    context: str
    line: str
    column: int
    number: int  # of that line, from 1
    opened: int  # the line that the unfinished construct began on, 0 where unknown
    before: str  # the nearest line above with something on it

    @property
    def character(self) -> str:
        return self.line[self.column : self.column + 1]

    @property
    def is_of_an_opening(self) -> bool:
        """True where a bracket, a quote or a key was begun on an earlier line."""
        return 0 < self.opened < self.number and bool(_OPENINGS.search(self.context))


class _Sentence(NamedTuple):
    fact: str
    remedy: str


def explain_syntax(error: Any, text: str, path: str) -> Problem:
    """Return a YAML error as fact and remedy. `error`: what either of PyYAML's parsers raised."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        # The reader's errors have no mark; `decode` has refused such characters before.
        reason = getattr(error, "reason", None) or "it is not YAML"
        return Problem(f"the file can't be read as YAML: {reason}", "", Location(path))
    lines = _BREAKS.split(text)
    context_mark = getattr(error, "context_mark", None)
    fault = _Fault(
        problem=getattr(error, "problem", None) or "",
        context=getattr(error, "context", None) or "",
        line=lines[mark.line] if mark.line < len(lines) else "",
        column=mark.column,
        number=mark.line + 1,
        opened=context_mark.line + 1 if context_mark else 0,
        before=next((line for line in reversed(lines[: mark.line]) if line.strip()), ""),
    )
    sentence = _sentence(fault)
    if context_mark and fault.is_of_an_opening:
        # The parser only notices later; where it began is what a person must mend.
        mark = context_mark
    where = Location(path, mark.line + 1, mark.column + 1)
    return Problem(sentence.fact, sentence.remedy, where)


def _sentence(fault: _Fault) -> _Sentence:
    for pattern, explain in _SENTENCES:
        if re.search(pattern, f"{fault.context}: {fault.problem}") and (sentence := explain(fault)):
            return sentence
    return _Sentence(f"this is not YAML ({fault.problem})", "look for a missing quote or colon")


# --- one function a kind of error --------------------------------------------------------------


def _bad_start(fault: _Fault) -> _Sentence | None:
    if fault.character == "\t":
        return _Sentence("a tab stands where YAML needs spaces", "indent with spaces")
    if fault.character.strip():
        fact = f"a value can't begin with {fault.character} here"
        return _Sentence(fact, "put the value in quotes")
    return None


def _colon_in_flow(fault: _Fault) -> _Sentence:
    return _Sentence(
        "a colon inside {...} or [...] stands where none can be",
        "put a space after it, or quote the text that holds it",
    )


def _second_colon(fault: _Fault) -> _Sentence:
    before = fault.line[: fault.column]
    if ": " in before.strip():
        fact = "a second `: ` in one line begins a mapping where none can be"
        return _Sentence(fact, 'put the value in quotes, e.g. description: "first: second"')
    if _NO_SPACE.match(fault.before):
        fact = "the line above has no space after its colon"
        return _Sentence(fact, "write key: value")
    fact = "a key stands where the value above it still goes on"
    return _Sentence(fact, "indent it like the keys it belongs with")


def _dash_after_key(fault: _Fault) -> _Sentence:
    return _Sentence(
        "a list can't begin on its key's line", "begin it on the next line, or write [a, b]"
    )


def _missing_colon(fault: _Fault) -> _Sentence:
    remedy = "write key: value; indent text that goes on below a key"
    return _Sentence("this line has no `: ` after its key", remedy)


def _missing_key(fault: _Fault) -> _Sentence:
    before = fault.line[: fault.column].rstrip()
    if before.endswith(("}", "]")):
        fact = f"text follows the closing {before[-1]}"
        return _Sentence(fact, "put the whole value in quotes, or write it as a block: key: |")
    if before.endswith(('"', "'")):
        fact = "text follows the closing quote"
        return _Sentence(fact, "quote the whole value; inside '...' write '' for one '")
    if fault.character == "-":
        return _Sentence("the list item is not indented like the others", "align the dashes")
    fact = "this line is not indented like the keys it belongs with"
    return _Sentence(fact, "align it with them, using spaces")


def _missing_dash(fault: _Fault) -> _Sentence:
    fact = "a list goes on without a dash"
    return _Sentence(fact, "begin each item with `- `, or align the key with its mapping")


def _unclosed_flow(fault: _Fault) -> _Sentence:
    bracket, name = ("}", "{") if "mapping" in fault.context else ("]", "[")
    remedy = f"add it; quote text that begins with {name}"
    if fault.is_of_an_opening:
        return _Sentence(f"this {name} is not closed: a {bracket} or a comma is missing", remedy)
    return _Sentence(f"a {bracket} or a comma is missing here", remedy)


def _missing_node(fault: _Fault) -> _Sentence:
    if fault.character and fault.character in "]},":
        fact = f"{fault.character} stands where a value is expected"
        return _Sentence(fact, f"write the value, or quote text that begins with {fault.character}")
    return _Sentence("the value is not finished", "close each { and [, and quote text with # in it")


def _unclosed_quote(fault: _Fault) -> _Sentence:
    return _Sentence("this quote is never closed", "add the closing quote")


def _bad_escape(fault: _Fault) -> _Sentence:
    return _Sentence(
        'a backslash inside "..." begins an escape that YAML does not know',
        "use single quotes, or write \\\\ for a backslash",
    )


def _bad_name(fault: _Fault) -> _Sentence:
    mark = "*" if "alias" in fault.context else "&"
    return _Sentence(f"a value can't begin with {mark}", "put the value in quotes")


def _bad_tag(fault: _Fault) -> _Sentence:
    return _Sentence("a value that begins with ! is a tag", "put the value in quotes")


def _bad_block(fault: _Fault) -> _Sentence:
    sign = fault.line[: fault.column].rstrip()[-1:] or "|"
    fact = f"text follows the {sign} of a block" if sign in "|>" else "the block's header is wrong"
    return _Sentence(fact, "begin the text on the next line, indented; or quote it")


def _bad_directive(fault: _Fault) -> _Sentence:
    return _Sentence("a line that begins with % is a directive", "remove the line")


_OUTSIDE = _Sentence(
    "the document ended on an earlier line", "indent this line, or begin a new document with ---"
)

_SENTENCES: tuple[tuple[str, Callable[[_Fault], _Sentence | None]], ...] = (
    (r"incompatible YAML|duplicate %?YAML|directive", _bad_directive),
    (r"\btag\b", _bad_tag),
    (r"tab character", lambda _: _Sentence("a tab indents this line", "indent with spaces")),
    (r"cannot start any token", _bad_start),
    (r"unexpected ':'", _colon_in_flow),
    (r"mapping (values|keys) are not allowed", _second_colon),
    (r"sequence entries are not allowed", _dash_after_key),
    (r"could not find expected ':'", _missing_colon),
    (r"expected key|expected <block end>", _missing_key),
    (r"expected '-' indicator", _missing_dash),
    (r"expected ',' or", _unclosed_flow),
    (r"expected (the )?node content", _missing_node),
    (r"unexpected (end of stream|document)", _unclosed_quote),
    (r"unknown escape|hexa?decimal|Unicode character escape|escape sequence", _bad_escape),
    (r"comment or a? ?line break|indentation indicator", _bad_block),
    (r"expected <?'?<?document start", lambda _: _OUTSIDE),
    (r"alphabetic or numeric", _bad_name),
)
