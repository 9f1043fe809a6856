"""Rendered rows, and what identifies them."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from tunekit.model.spec import Location, Problem, Severity


class Turn(NamedTuple):
    """What one side of a conversation says. `role`: system | user | model."""

    role: str
    text: str


class Example(NamedTuple):  # a tuple is made in a quarter of a frozen dataclass's time
    """One rendered row. `source` is the text that an unchanged copy would answer with.

    `rejected` is the answer that `response` is preferred to, for the method `preference`. `turns`
    is the conversation before the answer where it is more than the one prompt, which is then the
    text of it all. `raw` is a ready-made line without its end, to be sent as it is. `beyond` is a
    digest of what such a line holds that is no text (files, images, tools), empty where it is all.
    """

    prompt: str
    response: str
    source: str
    line: int
    rejected: str | None = None
    turns: tuple[Turn, ...] = ()
    raw: bytes | None = None
    beyond: bytes = b""


@dataclass(frozen=True, slots=True)
class SplitInfo:
    """Size and identity of one rendered split; `digest` hashes its bytes in order.

    `tokens` is an estimate: a row's characters / 4, rounded. Place n of `histogram` counts the rows
    of 2^(n-1) to 2^n - 1 such tokens, place 0 those of none. `prompt_tokens` are those of prompts
    alone, `size_bytes` those of all texts in UTF-8: what a price depends on. `unpriced_rows` hold
    more than text, whose tokens nobody here can tell.
    """

    rows: int
    characters: int
    digest: str
    tokens: int = 0
    histogram: tuple[int, ...] = ()
    prompt_tokens: int = 0
    size_bytes: int = 0
    # Follows from the digest, and former records lack it.
    unpriced_rows: int = field(default=0, compare=False)


# Told of every rendered row, some of one split at a time, in order: the split, the rows' bytes as
# they are hashed, their estimated tokens, and the rows themselves.
OnRows = Callable[[str, Sequence[bytes], Sequence[int], Sequence[Example]], None]


class RowCheck(Protocol):
    """What looks at every row while it is rendered; a preflight is one."""

    def see(
        self, split: str, examples: Sequence[Example], raws: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take in some rows of one split: as they are sent, and as the source has them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in a data set, all its rows together; never what they hold.

    `where` is the first row's place and `row` its line, 0 where it is about no row. `places` are
    those of the first of `count` rows, as FILE:LINE.
    """

    severity: Severity
    rule: str
    where: Location | None
    row: int
    fact: str
    remedy: str
    split: str = ""
    count: int = 0
    places: tuple[str, ...] = ()

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Finding:
        """Return what `dataclasses.asdict` made plain data of."""
        where = record["where"]
        return cls(
            **{
                **record,
                "severity": Severity(record["severity"]),
                "where": Location(**where) if where else None,
                "places": tuple(record["places"]),
            }
        )

    def problem(self) -> Problem:
        """Return it as people read it, by its rule."""
        return Problem(self.fact, self.remedy, self.where, self.severity, rule=self.rule)


def placed(line: int, files: Sequence[tuple[str, int]], *, source: str) -> Location:
    """Return the place of a line that counts through several files, each with the lines before it.

    Without files, it is that of the source.
    """
    if not files:
        return Location(source, line)
    name, before = files[max(bisect_left(files, line, key=itemgetter(1)) - 1, 0)]
    return Location(name, line - before)


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A data set rendered and split. `read(split)` yields its examples afresh each time.

    `uris` names the Cloud Storage object of a split that is ready-made and used where it lies.
    `findings` are what a preflight found when it was prepared. `files` are those of a source that
    is several, each with the number of lines before it. `commit` is the Hub's that was read.
    """

    fingerprint: str
    splits: Mapping[str, SplitInfo]
    read: Callable[[str], Iterator[Example]] = field(compare=False, repr=False)
    system_instruction: str | None = None
    uris: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
    commit: str | None = field(default=None, compare=False)
    files: tuple[tuple[str, int], ...] = field(default=(), compare=False)

    def place(self, split: str, line: int) -> Location:
        """Return where in the source an example's `line` is."""
        return placed(line, self.files, source=self.uris.get(split, self.source))

    def training_identity(self) -> dict[str, Any]:
        """Return what of the data affects training: the test split does not."""
        return {
            "train": self.splits["train"].digest,
            "validation": self.splits["validation"].digest if "validation" in self.splits else None,
            "system_instruction": self.system_instruction,
        }


def estimated_tokens(characters: int) -> int:
    """Return about how many tokens a row has: characters / 4, rounded half up.

    Source: https://ai.google.dev/gemini-api/docs/tokens ("a token is equivalent to about 4
    characters").
    """
    return (characters + 2) // 4


def digest(value: Any) -> str:
    """Hash plain data by its canonical JSON; 64 hexadecimal digits (SHA-256)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
