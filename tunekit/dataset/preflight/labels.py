"""Answers that are labels: few, short, and each often."""

from __future__ import annotations

from collections import Counter

from tunekit.dataset.preflight.batch import Batch, Tally

# More different answers, or longer ones, are no labels.
_MOST_LABELS = 1000
_LONGEST_LABEL = 100
# A label has so many rows on average, at the least.
_FEWEST_ROWS_A_LABEL = 5
# Our own bound, a careful one: for text classifiers Google advises against more than 100 times
# the rows, https://cloud.google.com/vertex-ai/docs/text-data/classification/prepare-data
IMBALANCE = 10


class Labels:
    """Labels that are rare, written in two ways, or only held out. Labels themselves stay unsaid.

    Rows are counted in train; of each label the first line is kept.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self._held: dict[tuple[str, str], list[int]] = {}
        self._are_labels = True

    def take(self, batch: Batch, tally: Tally) -> None:
        if not self._are_labels:
            return
        if batch.split == "train":
            self._counts.update(batch.responses)
            for label in set(batch.responses) - self._first.keys():
                self._first[label] = batch.lines[batch.responses.index(label)]
        else:
            for line, label in zip(batch.lines, batch.responses, strict=True):
                self._held.setdefault((batch.split, label), []).append(line)
        if len(self._counts) + len(self._held) > _MOST_LABELS:
            self._drop()

    def _drop(self) -> None:
        self._are_labels = False
        self._counts.clear()
        self._first.clear()
        self._held.clear()

    def finish(self, tally: Tally) -> None:
        counts = self._counts
        if (
            not self._are_labels
            or len(counts) < 2
            or counts.total() < _FEWEST_ROWS_A_LABEL * len(counts)
            or max(map(len, counts)) > _LONGEST_LABEL
        ):
            return
        ways = self._ways()
        self._say_variants(ways, tally)
        self._say_imbalance(ways, tally)
        for (split, label), lines in self._held.items():
            if label not in counts:
                fact = "with a label that train lacks"
                tally.add_many("unseen-label", split, fact, lines)

    def _ways(self) -> list[list[str]]:
        """Return labels that differ in case or white space only together, the commonest first."""
        ways: dict[str, list[str]] = {}
        for label in sorted(self._counts, key=lambda one: -self._counts[one]):
            ways.setdefault(" ".join(label.casefold().split()), []).append(label)
        return list(ways.values())

    def _say_variants(self, ways: list[list[str]], tally: Tally) -> None:
        fact = "with a label that others write in another case or with other spaces"
        others = [label for labels in ways for label in labels[1:]]
        lines = sorted(self._first[label] for label in others)
        tally.add_many("label-variants", "train", fact, lines)
        if others:
            total = sum(self._counts[label] for label in others)
            tally.raise_to("label-variants", "train", fact, total)

    def _say_imbalance(self, ways: list[list[str]], tally: Tally) -> None:
        rows = {labels[0]: sum(self._counts[label] for label in labels) for labels in ways}
        most, least = max(rows.values()), min(rows.values())
        rare = [label for label, count in rows.items() if count * IMBALANCE < most]
        if rare:
            fact = (
                f"of {len(rare):,} of {len(rows):,} labels that have less than a tenth of the "
                f"commonest one's rows: {most:,} are of that, {least:,} of the rarest"
            )
            lines = sorted(self._first[label] for label in rare)
            tally.add_many("label-imbalance", "train", fact, lines)
            total = sum(rows[label] for label in rare)
            tally.raise_to("label-imbalance", "train", fact, total)
