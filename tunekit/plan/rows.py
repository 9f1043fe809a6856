"""Which rows differ between two versions of a split, by what is kept of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunekit.model import RowIndex, SplitInfo

# Hashes that are compared at once: it bounds what a comparison of millions of rows holds.
_BATCH = 250_000


@dataclass(frozen=True, slots=True)
class RowChanges:
    """Rows by their position in their split, from 0.

    `changed` pairs old and new rows that were made of the same text. `tokens`: new less old.
    """

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    changed: tuple[tuple[int, int], ...] = ()
    tokens: int = 0
    is_reordered: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed or self.is_reordered)


def compare(old: RowIndex, new: RowIndex) -> RowChanges:
    """Return what differs. A row that occurs n times counts n times."""
    removed, added = _unmatched(old, new)
    waiting: dict[int, list[int]] = {}
    for place in reversed(removed):
        waiting.setdefault(old.keys[place], []).append(place)
    changed, fresh = [], []
    for place in added:
        if candidates := waiting.get(new.keys[place]):
            changed.append((candidates.pop(), place))
        else:
            fresh.append(place)
    gone = {before for before, _ in changed}
    is_reordered = not removed and not added and old.hashes != new.hashes
    return RowChanges(
        added=tuple(fresh),
        removed=tuple(place for place in removed if place not in gone),
        changed=tuple(changed),
        tokens=sum(new.tokens) - sum(old.tokens),
        is_reordered=is_reordered,
    )


def _unmatched(old: RowIndex, new: RowIndex) -> tuple[list[int], list[int]]:
    """Return the positions of old rows that new lacks, and the other way round."""
    head = _common(old.hashes, new.hashes)
    # Most edits leave the beginning and the end alone.
    most = min(len(old), len(new)) - head
    tail = min(most, _common(reversed(old.hashes), reversed(new.hashes)))
    olds, news = range(head, len(old) - tail), range(head, len(new) - tail)
    batches = 1 + max(len(olds), len(news)) // _BATCH
    removed: list[int] = []
    added: list[int] = []
    for batch in range(batches):
        spare = Counter(h for p in olds if (h := old.hashes[p]) % batches == batch)
        for place in news:
            value = new.hashes[place]
            if value % batches == batch:
                if spare[value]:
                    spare[value] -= 1
                else:
                    added.append(place)
        if not any(spare.values()):
            continue
        # Of equal rows the last ones are those that went.
        for place in reversed(olds):
            value = old.hashes[place]
            if value % batches == batch and spare[value]:
                spare[value] -= 1
                removed.append(place)
    return sorted(removed), sorted(added)


def _common(one: Iterable[int], other: Iterable[int]) -> int:
    """Return how many values are equal before the first that differs."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class DataChange:
    """How the data of a revision differ from those of the one before, split by split.

    `splits` where rows of both are kept; `sizes` before and after of the others.
    """

    splits: Mapping[str, RowChanges] = field(default_factory=dict)
    sizes: Mapping[str, tuple[SplitInfo | None, SplitInfo | None]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield `dataset: +12 -3 rows, +4,100 tokens`, and the same for validation rows."""
        for split, changes in self.splits.items():
            yield f"{_title(split)}: {summary(changes)}"
        for split, (before, after) in self.sizes.items():
            counts = [f"{info.rows:,}" if info else "none" for info in (before, after)]
            rows = f"{counts[0]} -> {counts[1]} rows"
            yield f"{_title(split)}: {rows}; which ones is not on record"

    def to_json(self) -> dict[str, Any]:
        """Return counts, no rows."""
        found: dict[str, Any] = {
            split: {
                "added": len(changes.added),
                "removed": len(changes.removed),
                "changed": len(changes.changed),
                "tokens": changes.tokens,
                "is_reordered": changes.is_reordered,
            }
            for split, changes in self.splits.items()
        }
        for split, sizes in self.sizes.items():
            found[split] = {"rows": [info.rows if info else None for info in sizes]}
        return found


def summary(changes: RowChanges) -> str:
    """Return `+12 -3 ~1 rows, +4,100 tokens`; the tokens are guessed, as all here."""
    if changes.is_reordered:
        return "the same rows in another order"
    counts = (("+", changes.added), ("-", changes.removed), ("~", changes.changed))
    rows = " ".join(_counts(counts))
    return f"{rows} rows, {changes.tokens:+,} tokens" if rows else "the same rows"


def _counts(counts: Iterable[tuple[str, tuple[Any, ...]]]) -> Iterator[str]:
    for sign, places in counts:
        if places:
            yield f"{sign}{len(places):,}"


def _title(split: str) -> str:
    return "dataset" if split == "train" else f"dataset ({split})"
