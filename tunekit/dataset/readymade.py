"""Ready-made rows: lines in Vertex AI's own formats, checked and read as examples. Pure.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from tunekit.dataset.gcs import Line
from tunekit.dataset.jsontext import DECODER, fault_of
from tunekit.dataset.sources import BadSource
from tunekit.model import Example, Location, Problem

_ROLES = ("user", "model", "system", "function")
# Keys of a part that is nothing but text.
_OF_TEXT = frozenset({"text", "thought", "thoughtSignature", "thought_signature"})
_BOM = b"\xef\xbb\xbf"
# Other formats that people have, by a key of theirs.
_ELSEWHERE = {
    "messages": "the chat format of open models",
    "prompt": "the format of open models",
    "input_text": "the format of former text models",
    "textInput": "the format of the Gemini API",
    "text_input": "the format of the Gemini API",
}


class Misfit(Exception):
    """A line that is not of its format."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy


def example_of(line: Line, *, uri: str, method: str) -> Example | None:
    """Return the example that a line holds, None where it is blank.

    The prompt is the text of all turns before the answer, a line break between them; `source` is
    that of the user's last turn. BadSource names the line, never what it holds.
    """
    if not line.raw or line.raw.isspace():
        return None
    where = Location(uri, line.number)
    try:
        data = _decoded(line.raw, is_first=line.number == 1)
        return example_from(data, line.number, method=method)
    except Misfit as misfit:
        raise BadSource(Problem(misfit.fact, misfit.remedy, where)) from None


def example_from(data: Mapping[str, Any], number: int, *, method: str) -> Example:
    """Return the example that a line's object holds; Misfit says what is wrong with it."""
    read = _preference if method == "preference" else _supervised
    return read(data, number)


def _refuse(fact: str, remedy: str) -> NoReturn:
    raise Misfit(fact, remedy)


def _decoded(raw: bytes, *, is_first: bool) -> Mapping[str, Any]:
    if is_first and raw.startswith(_BOM):
        _refuse("begins with a byte order mark", "save the file as UTF-8 without one")
    try:
        data = DECODER.decode(str(raw, "utf-8"))
    except UnicodeDecodeError as error:
        _refuse(f"not UTF-8 (byte {error.start + 1} of the line)", "save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        _refuse(fault_of(error), "each line must be one object")
    if not isinstance(data, dict):
        _refuse("not a JSON object", "each line must be one")
    return data


def _supervised(data: Mapping[str, Any], number: int) -> Example:
    if "completions" in data:
        fact = "has completions, which is the format of preference tuning"
        _refuse(fact, "write tuning.method: preference, or name another object")
    turns = _turns(data)
    if len(turns) < 2 or turns[-1].role != "model":
        _refuse("contents do not end with a turn of the model", "end with the answer to learn")
    return _example(data, turns[:-1], number, answer=turns[-1])


def _preference(data: Mapping[str, Any], number: int) -> Example:
    if "contents" in data and "completions" not in data:
        fact = "has no completions, which preference tuning learns from"
        _refuse(fact, "write tuning.method: supervised, or name another object")
    turns = _turns(data)
    if turns[-1].role != "user":
        _refuse("contents do not end with a turn of the user", "put answers in completions")
    completions = data["completions"]
    if not isinstance(completions, list):
        _refuse("completions are not a list", "write a list of two")
    scored: dict[float, _Turn] = {}
    for completion in completions:
        score = completion.get("score") if isinstance(completion, dict) else None
        if isinstance(score, int | float) and not isinstance(score, bool):
            scored[score] = _completion(completion)
    if len(completions) != 2 or scored.keys() != {0, 1}:
        _refuse("completions are not two, with the scores 1 and 0", "give a better and a worse one")
    if scored[1].text == scored[0].text:
        _refuse("both completions are the same text", "mend or remove the row")
    return _example(data, turns, number, answer=scored[1], rejected=scored[0])


def _completion(scored: Mapping[str, Any]) -> _Turn:
    turn = _turn(scored.get("completion"), "completion")
    if turn.role != "model":
        _refuse("a completion is no turn of the model", 'write "role": "model" in it')
    if not turn.is_text:
        _refuse("a completion is not all text", "preference tuning takes text only")
    return turn


class _Turn:
    """One turn of a conversation: whose it is and its text."""

    __slots__ = ("beyond", "is_text", "role", "text")

    def __init__(self, role: str, parts: list[Mapping[str, Any]]) -> None:
        self.role = role
        texts = [part["text"] for part in parts if "text" in part]
        self.text = "".join(texts)
        self.is_text = len(texts) == len(parts)
        # What is no text, each by its place; a table writes null for what a part does not have.
        self.beyond = [
            (place, key, value)
            for place, part in enumerate(parts)
            for key, value in part.items()
            if key not in _OF_TEXT and value is not None
        ]


def _turns(data: Mapping[str, Any]) -> list[_Turn]:
    """Return the turns of `contents`, one of them the user's."""
    if "contents" not in data:
        other = next((name for key, name in _ELSEWHERE.items() if key in data), "")
        fact = "has no contents" + (f"; this is {other}" if other else "")
        _refuse(fact, "write it in Gemini's format, with contents of turns")
    contents = data["contents"]
    if not isinstance(contents, list) or not contents:
        _refuse("contents are not a list of turns", "write a list of turns with role and parts")
    turns = [_turn(turn, f"turn {place} of contents") for place, turn in enumerate(contents, 1)]
    if all(turn.role != "user" for turn in turns):
        _refuse("contents have no turn of the user", "begin with what the user says")
    return turns


def _turn(turn: Any, name: str) -> _Turn:
    if not isinstance(turn, dict):
        _refuse(f"{name} is not an object", "write role and parts")
    role = turn.get("role")
    if role not in _ROLES:
        _refuse(f"{name} has no role that is known", 'write "role": "user" or "role": "model"')
    return _Turn(role, _parts(turn, name))


def _parts(turn: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    parts = turn.get("parts")
    if not isinstance(parts, list) or not parts:
        _refuse(f"{name} has no parts", 'write "parts": [{"text": "..."}]')
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("text", ""), str):
            _refuse(f"{name} has a part that is no text", 'write {"text": "..."}')
    return parts


def _system_turn(data: Mapping[str, Any]) -> _Turn:
    written = data.get("systemInstruction", data.get("system_instruction"))
    if written is None:
        return _Turn("system", [])
    if not isinstance(written, dict):
        _refuse("systemInstruction is not an object", "write its parts")
    return _Turn("system", _parts(written, "systemInstruction"))


def _beyond(data: Mapping[str, Any], turns: list[_Turn]) -> bytes:
    """Return a digest of what a line holds that is no text; empty where it is all text."""
    parts = [(place, turn.beyond) for place, turn in enumerate(turns) if turn.beyond]
    tools = data.get("tools")
    if not parts and not tools:
        return b""
    try:
        held = json.dumps([parts, tools], sort_keys=True, default=repr)
    except RecursionError as error:
        _refuse(fault_of(error), "each line must be one object")
    return hashlib.blake2b(held.encode(), digest_size=8).digest()


def _example(
    data: Mapping[str, Any],
    turns: list[_Turn],
    number: int,
    *,
    answer: _Turn,
    rejected: _Turn | None = None,
) -> Example:
    # A system turn counts for nothing in the service; the instruction does.
    asked = [_system_turn(data), *(turn for turn in turns if turn.role != "system")]
    texts = [turn.text for turn in asked]
    last = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    prompt = "\n".join(text for text in texts if text)
    other = rejected.text if rejected else None
    for text in (prompt, answer.text, other or ""):
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            _refuse("holds half a surrogate pair, which is no character", "mend the row")
    held = [*asked, answer, *([rejected] if rejected else [])]
    beyond = _beyond(data, held)
    return Example(prompt, answer.text, last, number, other, beyond=beyond)
