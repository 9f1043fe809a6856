"""Rows that occur again: within a split, across splits, with another answer.

A row is 20 bytes here: hashes of its prompt, with all in it that is no text, and its answers, and
its line. Two different prompts of
two million share a 64-bit hash once in ten million data sets.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from itertools import chain
from typing import TYPE_CHECKING, Any

from tunekit.dataset.preflight.batch import Batch, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Up to so many, a set of them takes less time than to load numpy, and some 40 MB at most.
_FEW = 1 << 19

SPLITS = ("train", "validation", "test")


class Repeats:
    """Duplicates, contradictions and held-out rows whose prompt is trained on.

    `leaked` holds the lines of the last ones, by split, once it has finished.
    """

    def __init__(self, *, has_pairs: bool) -> None:
        # Preferences may well rank several pairs of answers to one prompt.
        self._has_pairs = has_pairs
        self._prompts = {split: array("q") for split in SPLITS}
        self._answers = {split: array("q") for split in SPLITS}
        self._lines = {split: array("I") for split in SPLITS}
        self.leaked: dict[str, set[int]] = {}

    def take(self, batch: Batch, tally: Tally) -> None:
        if any(batch.beyond):  # the same question may be asked of another image
            asked = zip(batch.prompts, batch.beyond, strict=True)
            keys = [hash((text, more) if more else text) for text, more in asked]
        else:
            keys = list(map(hash, batch.prompts))
        self._prompts[batch.split].extend(keys)
        if batch.rejected:
            pairs = zip(batch.responses, batch.rejected, strict=True)
            self._answers[batch.split].extend(map(hash, pairs))
        else:
            self._answers[batch.split].extend(map(hash, batch.responses))
        self._lines[batch.split].extend(batch.lines)

    def finish(self, tally: Tally) -> None:
        if _has_repeats(self._prompts.values()):
            self._say(tally)
        for columns in (self._prompts, self._answers, self._lines):
            columns.clear()  # the checks after this one need the room

    def _say(self, tally: Tally) -> None:
        import numpy as np

        prompts = _joined(self._prompts)
        answers, lines = _joined(self._answers), _joined(self._lines)
        sizes = [len(self._lines[split]) for split in SPLITS]
        splits = np.repeat(np.arange(len(SPLITS), dtype=np.int8), sizes)
        first = _first_of_each(prompts)
        # A wrap-around is meant: one number that stands for both.
        whole = prompts.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + answers.view(np.uint64)
        same = _first_of_each(whole.view(np.int64))
        own = np.arange(len(prompts))
        is_held_out = splits > 0
        is_leaked = is_held_out & (splits[first] == 0)
        is_repeat = (same != own) & (splits[same] == splits) & ~is_leaked
        for number, split in enumerate(SPLITS):
            mine = splits == number
            self.leaked[split] = set(lines[is_leaked & mine].tolist())
            repeats, leaked = lines[is_repeat & mine], lines[is_leaked & mine]
            tally.add_many("duplicate-row", split, "equal to an earlier row", repeats.tolist())
            tally.add_many("leaked-row", split, "with a prompt of train", leaked.tolist())
        if not self._has_pairs:
            clash = (splits == 0) & (first != own) & (answers != answers[first])
            fact = "with another answer to an earlier prompt"
            tally.add_many("conflicting-answers", "train", fact, lines[clash].tolist())


def _joined(parts: dict[str, array[int]]) -> NDArray[Any]:
    import numpy as np

    return np.concatenate(
        [np.frombuffer(part, dtype=part.typecode) for part in (parts[split] for split in SPLITS)]
    )


def _has_repeats(parts: Collection[array[int]]) -> bool:
    count = sum(map(len, parts))
    if count <= _FEW:
        return len(set(chain.from_iterable(parts))) < count
    import numpy as np

    ordered = np.concatenate([np.frombuffer(part, dtype=np.int64) for part in parts])
    ordered.sort()
    return bool((ordered[1:] == ordered[:-1]).any())


def _first_of_each(values: NDArray[Any]) -> NDArray[Any]:
    """Return for each place the first place that holds the same value."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    starts = order[is_new][np.cumsum(is_new) - 1]
    first = np.empty_like(order)
    first[order] = starts
    return first
