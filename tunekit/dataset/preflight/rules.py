"""Every rule by its name, which never changes: how grave it is and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tunekit.model import Severity

# Raise it with any change of what is found: data sets are then looked at afresh.
VERSION = 2


class Rule(NamedTuple):
    """How grave a finding is and what to do about it."""

    severity: Severity
    remedy: str


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

RULES: Mapping[str, Rule] = {
    # Rows that can't be rendered.
    "unreadable-row": Rule(_ERROR, "mend the row"),
    "missing-value": Rule(_ERROR, "give it a value or remove the row"),
    "wrong-type": Rule(_ERROR, "a value must be a string, a number or true or false"),
    "equal-answers": Rule(_ERROR, "mend or remove the row: neither answer is the better"),
    # Values.
    "empty-input": Rule(_ERROR, "fill it or remove the row: there is nothing to answer"),
    "empty-answer": Rule(_ERROR, "fill it or remove the row: services refuse an empty turn"),
    "empty-value": Rule(_WARNING, "fill it, remove the row, or leave the column out of the prompt"),
    "null-text": Rule(_WARNING, "it looks like a missing value that was written as text"),
    "mixed-types": Rule(_WARNING, "write the column as one type: numbers lose zeros and form"),
    # Text.
    "control-character": Rule(_WARNING, "remove it; the model learns it like any other"),
    "replacement-character": Rule(_WARNING, "the text was decoded wrongly; export it as UTF-8"),
    "invisible-character": Rule(_WARNING, "remove it, unless it is meant"),
    "mojibake": Rule(_WARNING, "UTF-8 was read as another encoding; ftfy.fix_text mends it"),
    "html-escape": Rule(_WARNING, "unescape it (html.unescape), unless it is meant"),
    "unrendered-placeholder": Rule(_WARNING, "a template was not filled in; fill it, or escape it"),
    # Repeats.
    "duplicate-row": Rule(_WARNING, "remove the repeats: each is paid for and weighs double"),
    "conflicting-answers": Rule(_WARNING, "keep one answer to a prompt; no model can learn both"),
    "leaked-row": Rule(_WARNING, "keep it on one side: scores on it say nothing"),
    "near-leak": Rule(_WARNING, "keep them on one side: scores on them say little"),
    # Answers.
    "unmasked-entity": Rule(_WARNING, "mask it, or the model learns to leave such values"),
    "label-imbalance": Rule(_WARNING, "add rows of the rare labels, or join labels"),
    "label-variants": Rule(_WARNING, "write each label one way"),
    "unseen-label": Rule(_WARNING, "no model can know it; add it to train or remove it"),
}
# What a provider's own tables say of a data set: severity and remedy are theirs.
PROVIDER_RULES = (
    *("few-rows", "too-many-rows", "too-many-validation-rows", "too-large", "row-too-long"),
    "unfit-rows",
)
