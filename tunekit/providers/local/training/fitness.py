"""Whether training data suits a base model, decided from the rows alone, without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .edits import PHRASE_MIN_ROWS, EditedRow, edit_rows
from .interface import Fit

MAX_UNFIT_SHARE = 0.5
"""Data are refused where more of the rows than this cannot be expressed.

An unfit row can never be answered exactly, so that past one half the model is wrong more often than
right whatever it learns. Real data are far from the line on either side: of a PII data set 0.1% of
the rows are unfit for text-editor, of translations or free-form answers nearly all.
"""
MAX_REWRITTEN_SHARE = 0.5
"""Where more rows than this keep nothing of their input, such rows are unfit for text-editor.

Below it they are masking at its extreme (a signature that is nothing but personal data); past it
the outputs are labels or prose, not edits.
"""
LABEL_MIN_ROWS = 2
"""A label seen in fewer rows cannot be told from free text."""
MAX_LABELS = 1000
"""The most frequent labels are learned; a data set of more is free text."""
_UNFIT_ROWS_SHOWN = 5


def check_editor(train: Sequence[tuple[str, str]]) -> Fit:
    """Return how many rows are edits of their input with phrases that recur."""
    unfit, reason = _unfit_for_editor(train)
    is_refused = _is_refused(unfit, train)
    better = None
    if is_refused and train and not _is_refused(unfit_for_classifier(train), train):
        better = "text-classifier"
    return _fit(train, unfit, reason, better, is_refused)


def check_classifier(train: Sequence[tuple[str, str]]) -> Fit:
    """Return how many rows answer with a label that recurs."""
    unfit = unfit_for_classifier(train)
    is_refused = _is_refused(unfit, train)
    better = None
    if is_refused and train and not _is_refused(_unfit_for_editor(train)[0], train):
        better = "text-editor"
    labels = len({response for _, response in train})
    reason = (
        f"answer with a text that no other row has ({labels:,} distinct outputs in all), and "
        "text-classifier answers only with labels that recur"
    )
    return _fit(train, unfit, reason, better, is_refused)


def unfit_for_classifier(train: Sequence[tuple[str, str]]) -> list[int]:
    """Return the rows, from 0, whose response is not a label that recurs."""
    counts = Counter(response for _, response in train)
    labels = {label for label, rows in counts.most_common(MAX_LABELS) if rows >= LABEL_MIN_ROWS}
    return [row for row, (_, response) in enumerate(train) if response not in labels]


def _unfit_for_editor(train: Sequence[tuple[str, str]]) -> tuple[list[int], str]:
    edited = edit_rows(train)
    vocabulary = set(edited.vocabulary)
    unfit = {i for i, row in enumerate(edited.rows) if not vocabulary.issuperset(row.edits)}
    reason = (
        f"need a phrase or change that fewer than {PHRASE_MIN_ROWS} rows have in common, and "
        "text-editor only keeps, deletes or replaces words by phrases that recur"
    )
    rewritten = {i for i, row in enumerate(edited.rows) if _is_rewritten(row)}
    if len(rewritten) > MAX_REWRITTEN_SHARE * len(train):
        unfit |= rewritten
        reason = (
            "keep little or nothing of their input, or need a phrase that does not recur, and "
            "text-editor only keeps, deletes or replaces words of the input"
        )
    return sorted(unfit), reason


def _is_rewritten(row: EditedRow) -> bool:
    """True where the output is not empty and less than half of its plain words are the input's."""
    if row.is_emptied:
        return False
    return row.kept_words == 0 or 2 * row.kept_words < row.output_words


def _is_refused(unfit: Sequence[int], train: Sequence[tuple[str, str]]) -> bool:
    return not train or len(unfit) > MAX_UNFIT_SHARE * len(train)


def _fit(
    train: Sequence[tuple[str, str]],
    unfit: Sequence[int],
    reason: str,
    better: str | None,
    is_refused: bool,
) -> Fit:
    if not train:
        reason = "there are no training rows"
    elif not unfit:
        reason = ""
    else:
        reason = f"{len(unfit) / len(train):.1%} of the rows {reason}"
    shown = tuple(unfit[:_UNFIT_ROWS_SHOWN])
    return Fit(len(train), len(unfit), shown, reason, better, is_refused)
