"""Edits of tokens: what turns an input into its output, one edit a token (LaserTagger).

Source: Malmi et al. 2019, https://arxiv.org/abs/1909.01187
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from .frame import NO_FRAME, Frame, find_frame
from .tokens import Token, join, tokenize

PHRASE_MIN_ROWS = 2
"""An edit seen in fewer distinct rows cannot be learned."""
MAX_EDITS = 500
"""The most frequent edits are kept (LaserTagger's own number), and the deletions in their spans."""

FRAME_MAX_UNFIT_SHARE = 0.1
"""The frame of the prompts is dropped where it alone makes more of the rows than this unfit.

A few rows can always borrow a word of the frame by chance; dropping it for them would make the
model read the whole frame in every prompt.
"""

_FORMS: dict[str, Callable[[str], str]] = {
    "keep": str,
    "lower": str.lower,
    "upper": str.upper,
    "title": lambda core: core[:1].upper() + core[1:],
    "capitalize": str.capitalize,
}


class Edit(NamedTuple):
    """What becomes of one token: `insert`, then its space if `has_space`, then its core in `form`.

    `form` is keep, lower, upper, title, capitalize or phrase; `phrase` is printed for the last.
    `inside` names the phrase that an earlier token was replaced by, so that the tokens of a
    replaced span are told from those of a plain deletion.
    """

    insert: str = ""
    has_space: bool = True
    form: str = "keep"
    phrase: str = ""
    inside: str = ""

    def apply(self, token: Token) -> str:
        """Return the text that the token becomes."""
        core = self.phrase if self.form == "phrase" else _FORMS[self.form](token.core)
        return self.insert + (token.space if self.has_space else "") + core


MAX_COMPARISONS = 4_000_000
"""Two texts of 2,000 tokens; aligning them takes about half a second."""

KEEP = Edit()
DELETE = Edit(has_space=False, form="phrase")
END = Token("", "")
"""Stands after the last token of every input, so that text can be added at the end."""


def apply_edits(tokens: Sequence[Token], edits: Sequence[Edit]) -> str:
    """Return the output that the edits make of the tokens."""
    return "".join(edit.apply(token) for token, edit in zip(tokens, edits, strict=True))


def source_tokens(text: str) -> list[Token]:
    """Cut an input into tokens, with the end token last."""
    return [*tokenize(text), END]


def align(tokens: Sequence[Token], output: str) -> list[Edit]:
    """Return one edit a token; applying them gives `output` exactly, for any output.

    Texts too long to compare token by token are taken as replaced whole: comparing is quadratic.
    """
    source = tokens[:-1]
    target = tokenize(output)
    if source and target and len(source) * len(target) > MAX_COMPARISONS:
        return [*_replace(source, target), KEEP]
    matcher = SequenceMatcher(
        None, [t.core.lower() for t in source], [t.core.lower() for t in target], autojunk=False
    )
    edits: list[Edit] = []
    insert = ""
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            for token, wanted in zip(source[i1:i2], target[j1:j2], strict=True):
                edits.append(_keep(token, wanted, insert))
                insert = ""
        elif kind == "insert":
            insert += join(target[j1:j2])
        elif kind == "delete":
            edits.extend([DELETE] * (i2 - i1))
        else:
            edits.extend(_replace(source[i1:i2], target[j1:j2]))
    return [*edits, KEEP._replace(insert=insert)]


def _keep(token: Token, wanted: Token, insert: str) -> Edit:
    has_space = token.space == wanted.space
    if not has_space:
        insert += wanted.space
    for form, function in _FORMS.items():
        if function(token.core) == wanted.core:
            return Edit(insert, has_space, form)
    return Edit(insert, has_space, "phrase", wanted.core)


def _replace(source: Sequence[Token], target: Sequence[Token]) -> list[Edit]:
    """Print a phrase at the first token of each line of the span and delete the others."""
    edits: list[Edit] = []
    for old, new in _lines(source, target):
        phrase = join(new)
        has_space = new[0].space == old[0].space
        if has_space:
            phrase = phrase[len(new[0].space) :]
        edits.append(Edit("", has_space, "phrase", phrase))
        edits.extend([DELETE._replace(inside=phrase)] * (len(old) - 1))
    return edits


def _lines(
    source: Sequence[Token], target: Sequence[Token]
) -> list[tuple[Sequence[Token], Sequence[Token]]]:
    """Pair the lines of a replaced span where input and output break at the same white space."""
    old, new = _breaks(source), _breaks(target)
    if [source[i].space for i in old] != [target[j].space for j in new]:
        return [(source, target)]
    starts = list(zip([0, *old], [0, *new], strict=True))
    ends = list(zip([*old, len(source)], [*new, len(target)], strict=True))
    return [(source[i:k], target[j:m]) for (i, j), (k, m) in zip(starts, ends, strict=True)]


def _breaks(tokens: Sequence[Token]) -> list[int]:
    return [i for i, token in enumerate(tokens) if i and "\n" in token.space]


class EditedRow(NamedTuple):
    """A row's input as tokens, the edits to its output, and how much of the output is kept."""

    tokens: list[Token]
    edits: list[Edit]
    kept_words: int
    output_words: int
    is_emptied: bool


class EditedRows(NamedTuple):
    """All rows as edits, their frame, and the edits frequent enough to be learned."""

    frame: Frame
    rows: list[EditedRow]
    vocabulary: tuple[Edit, ...]


def edit_rows(rows: Sequence[tuple[str, str]]) -> EditedRows:
    """Align all (prompt, response) rows, inside their frame unless the outputs need its words."""
    frame = find_frame([prompt for prompt, _ in rows], [response for _, response in rows])
    framed = _edit_framed(rows, frame)
    if frame == NO_FRAME or not (unfit := count_unfit(framed)):
        return framed
    whole = _edit_framed(rows, NO_FRAME)
    return whole if unfit - count_unfit(whole) > FRAME_MAX_UNFIT_SHARE * len(rows) else framed


def count_unfit(edited: EditedRows) -> int:
    """Return how many rows need an edit that is not in the vocabulary."""
    vocabulary = set(edited.vocabulary)
    return sum(not vocabulary.issuperset(row.edits) for row in edited.rows)


def _edit_framed(rows: Sequence[tuple[str, str]], frame: Frame) -> EditedRows:
    edited = [edit_row(frame.remove(prompt), response) for prompt, response in rows]
    # A row given twice teaches an edit no better than once.
    distinct = {row: i for i, row in enumerate(rows)}.values()
    counts = Counter(edit for i in distinct for edit in dict.fromkeys(edited[i].edits))
    frequent = (
        edit
        for edit, count in counts.most_common()
        if count >= PHRASE_MIN_ROWS and not edit.inside and edit not in (KEEP, DELETE)
    )
    chosen = (KEEP, DELETE, *islice(frequent, MAX_EDITS - 2))
    # A phrase that can be learned may replace several tokens, however seldom it did.
    phrases = {edit.phrase for edit in chosen if edit.form == "phrase"}
    inside = (edit for edit in counts if edit.inside and edit.inside in phrases)
    return EditedRows(frame, edited, (*chosen, *inside))


def edit_row(text: str, output: str) -> EditedRow:
    """Align one input with its output."""
    tokens = source_tokens(text)
    edits = align(tokens, output)
    kept = sum(
        edit.form != "phrase" and _is_word(token) for token, edit in zip(tokens, edits, strict=True)
    )
    words = sum(_is_word(token) for token in tokenize(output))
    return EditedRow(tokens, edits, kept, words, not output.strip())


def _is_word(token: Token) -> bool:
    return token.core[:1].isalnum()
