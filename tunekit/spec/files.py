"""Paths -> spec files -> text: what can't be found, read or decoded becomes a Problem."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunekit.model import Location, Problem

MAX_FILE_BYTES = 256 * 1024
PROJECT_FILE = "tunekit.yaml"
STDIN = "<stdin>"

_SUFFIXES = (".yaml", ".yml")
_BOMS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x00\x00\xfe\xff": "UTF-32",
}
# What YAML does not call printable. Source: https://yaml.org/spec/1.2.2/#51-character-set
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")


class Unreadable(Exception):
    """A file without usable text; `problem` says why."""

    def __init__(self, fact: str, remedy: str, where: Location) -> None:
        super().__init__(fact)
        self.problem = Problem(fact, remedy, where)


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One file to read. `shown`: its name in messages; `path` None: standard input."""

    shown: str
    path: Path | None
    is_named: bool = True

    @property
    def where(self) -> Location:
        return Location(self.shown)


def find_specs(paths: Sequence[str], root: Path) -> tuple[list[SpecFile], list[Problem]]:
    """Return the files that `paths` name, each once, and a problem for each path that has none.

    Relative paths start at `root`; `-` is standard input.
    """
    files: dict[str, SpecFile] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            found = _expand(path, root)
        except Unreadable as error:
            problems.append(error.problem)
            continue
        for file in found:
            files.setdefault(os.path.realpath(file.path) if file.path else "-", file)
    return list(files.values()), problems


def _expand(path: str, root: Path) -> list[SpecFile]:
    if path == "-":
        return [SpecFile(STDIN, None)]
    shown = shown_path(path, root)
    full = root / path
    if "\0" in path or not os.path.lexists(full):
        remedy = "check the path, or run `tunekit init` to begin a project"
        raise Unreadable("no such file or folder", remedy, Location(shown))
    if not os.path.isdir(full):
        return [SpecFile(shown, full)]
    found = sorted(_walk(full, shown), key=lambda file: file.shown.split("/"))
    if not found:
        remedy = "add an experiment, or run `tunekit init` to get one to begin with"
        raise Unreadable("no *.yaml file in this folder", remedy, Location(shown))
    return found


def _walk(folder: Path, shown: str) -> Iterator[SpecFile]:
    """Yield the specs below a folder; hidden files and folders and tunekit.yaml are none."""

    def refuse(error: OSError) -> None:
        name = shown_path(str(error.filename), folder)
        where = Location(shown if name == "." else f"{shown}/{name}")
        raise Unreadable(*_why(error, "folder"), where) from error

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".") or name == PROJECT_FILE:
                continue
            if name.lower().endswith(_SUFFIXES):
                full = Path(here, name)
                inside = _printable(full.relative_to(folder).as_posix())
                prefix = "" if shown == "." else f"{shown}/"
                yield SpecFile(prefix + inside, full, is_named=False)


def shown_path(path: str, root: Path) -> str:
    """Return a path as messages show it: relative to the root where below it, else as typed."""
    full = os.path.normpath(os.path.join(os.path.abspath(root), path))
    try:
        shown = Path(full).relative_to(os.path.abspath(root)).as_posix()
    except ValueError:
        shown = path
    return _printable(shown)


def _printable(name: str) -> str:
    """Return a file's name with what no terminal can write replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def read_text(file: SpecFile, stdin: Callable[[], bytes] | None = None) -> str:
    """Return a file's text without its byte order mark. Unreadable says what is wrong."""
    return decode(_read_bytes(file, stdin), file.shown)


def _read_bytes(file: SpecFile, stdin: Callable[[], bytes] | None) -> bytes:
    where = file.where
    if file.path is None:
        if stdin is None:
            raise Unreadable("standard input can't be read here", "name a file", where)
        return _bounded(stdin(), where)
    try:
        if not file.is_named and not stat.S_ISREG(os.stat(file.path).st_mode):
            raise Unreadable("not an ordinary file", "remove it from the folder", where)
        with open(file.path, "rb") as stream:
            # One byte more than allowed tells a large file without reading it all.
            return _bounded(stream.read(MAX_FILE_BYTES + 1), where)
    except OSError as error:
        raise Unreadable(*_why(error, "file"), where) from error


def _bounded(data: bytes, where: Location) -> bytes:
    if len(data) <= MAX_FILE_BYTES:
        return data
    fact = f"the file is larger than {MAX_FILE_BYTES // 1024} KiB"
    raise Unreadable(fact, "split it; training data belongs in files of its own", where)


def _why(error: OSError, noun: str) -> tuple[str, str]:
    reason = (error.strerror or type(error).__name__).lower()
    match error:
        case PermissionError():
            remedy = f"give yourself the right to read it: chmod u+r{'x' * (noun == 'folder')}"
        case FileNotFoundError():
            remedy = "remove the dangling link"
        case _:
            remedy = "check the path"
    return f"the {noun} can't be read: {reason}", remedy


def decode(data: bytes, shown: str) -> str:
    """Return UTF-8 text that YAML may hold. Unreadable names the first byte that is not so."""
    for bom, name in _BOMS.items():
        if data.startswith(bom):
            fact = f"the file is {name}, not UTF-8"
            raise Unreadable(fact, "save it as UTF-8", Location(shown))
    if b"\0" in data:
        raise Unreadable("the file is binary, not text", "name a YAML file", Location(shown))
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        fact = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise Unreadable(fact, "save the file as UTF-8", _place(before, shown)) from error
    if found := _UNPRINTABLE.search(text):
        fact = f"the control character U+{ord(found[0]):04X} can't stand in YAML"
        where = _place(text[: found.start()], shown)
        raise Unreadable(fact, "remove it, or write it as an escape inside double quotes", where)
    return text


def _place(before: str, shown: str) -> Location:
    lines = re.split("\r\n|[\n\r]", before.removeprefix("\ufeff"))
    return Location(shown, len(lines), len(lines[-1]) + 1)
