"""Tokens, frames, edits and whether data fit: the parts of the local trainer without numpy."""

import random
import subprocess
import sys

import pytest

from tunekit.providers.local.training import check, total_steps
from tunekit.providers.local.training.edits import (
    PHRASE_MIN_ROWS,
    align,
    apply_edits,
    edit_rows,
    source_tokens,
)
from tunekit.providers.local.training.frame import NO_FRAME, Frame, find_frame
from tunekit.providers.local.training.tokens import Token, join, tokenize

TEMPLATE = "Mask the names below.\n\nInput:\n{}\n\nOutput:\n"
NASTY = [
    *"aZé9_ \t\n\r.,{}<>[]-'\"",
    "\r\n",
    "\u2028",
    "\u2029",
    "\u0085",
    "\x1c",
    "\x00",
    "\u00a0",
    "\u3000",
    "\u200b",
    "\u200d",
    "\ufeff",
    "e\u0301",
    "\u0301",
    "शि",
    "שלום",
    "مرحبا",
    "\u202e",
    "👩‍👩‍👧",
    "🇩🇪",
    "İ",
    "ß",
    "ŉ",
    "Ǆ",
    "²",
    "½",
    "漢字",
    "\ud800",
    "{{name}}",
    "<NAME>",
    "[EMAIL_1]",
]


def nasty_text(rng: random.Random) -> str:
    return "".join(rng.choices(NASTY, k=rng.randrange(0, 30)))


def masked(count: int) -> list[tuple[str, str]]:
    names = ["Judy Smith", "Bob", "Ann Lee Fox", "Zoë"]
    rows = []
    for i in range(count):
        name, hour = names[i % len(names)], i % 23
        text = f"Hello {name}, we meet at {hour}:30\r\n tomorrow."
        rows.append((TEMPLATE.format(text), text.replace(name, "{{name}}")))
    return rows


# --- tokens


@pytest.mark.parametrize("seed", range(300))
def test_tokens_join_to_the_text_they_were_cut_from(seed: int) -> None:
    text = nasty_text(random.Random(seed))
    assert join(tokenize(text)) == text


def test_words_keep_their_marks_and_placeholders_stay_whole() -> None:
    text = "Zoe\u0308 {{first_name}}  x_1\n"
    assert tokenize(text) == [
        Token("", "Zoe\u0308"),
        Token(" ", "{{first_name}}"),
        Token("  ", "x_"),
        Token("", "1"),
        Token("\n", ""),
    ]


# --- alignment


@pytest.mark.parametrize("seed", range(300))
def test_edits_give_any_output_exactly(seed: int) -> None:
    rng = random.Random(seed)
    text = nasty_text(rng)
    parts = list(text)
    for _ in range(rng.randrange(0, 6)):
        parts[rng.randrange(0, len(parts) + 1) :][:1] = [nasty_text(rng)]
    output = rng.choice(["".join(parts), nasty_text(rng), text.upper(), text.title(), ""])
    tokens = source_tokens(text)
    assert apply_edits(tokens, align(tokens, output)) == output


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("Judy Smith came", "{{name}} came"),
        ("so he came", "He came"),
        ("he came", "He came ."),
        ("", "nothing"),
        ("all of it", ""),
        ("a  b", "a b"),
        ("mr. o'hara of ibm", "Mr. O'Hara of IBM"),
        ("to 1 Main St\n Apt 2\n Paris 75001", "to {{street}}\n {{flat}}\n {{city}} {{code}}"),
    ],
)
def test_edits_give_the_output(text: str, output: str) -> None:
    tokens = source_tokens(text)
    assert apply_edits(tokens, align(tokens, output)) == output


def test_a_replaced_span_prints_its_phrase_once_and_its_other_tokens_are_inside() -> None:
    edits = align(source_tokens("I am Judy Ann Smith today"), "I am {{name}} today")
    assert [(edit.form, edit.phrase, edit.inside) for edit in edits[2:5]] == [
        ("phrase", "{{name}}", ""),
        ("phrase", "", "{{name}}"),
        ("phrase", "", "{{name}}"),
    ]


# --- frames


def test_the_frame_is_the_whole_lines_that_all_prompts_share() -> None:
    rows = [(TEMPLATE.format(f"The {word} fox.\nEnd."), "x") for word in ("red", "brown")]
    prompts = [prompt for prompt, _ in rows]
    frame = find_frame(prompts, ["x", "y"])
    assert frame == Frame("Mask the names below.\n\nInput:\n", "\nEnd.\n\nOutput:\n")
    assert frame.remove(prompts[0]) == "The red fox."
    assert frame.remove("no frame here") == "no frame here"
    assert frame.remove("") == ""


def test_a_single_line_frame_ends_at_its_mark() -> None:
    assert find_frame(["Mask: The a", "Mask: The b"], ["", "x"]) == Frame("Mask: ", "")


@pytest.mark.parametrize(
    ("prompts", "responses"),
    [
        (["Hello", "World"], ["a", "b"]),
        (["only\none"], ["a"]),
        (["Dear all,\na", "Dear all,\nb"], ["Dear all,\nx", "Dear all,\ny"]),
    ],
)
def test_no_frame_where_none_is_shown(prompts: list[str], responses: list[str]) -> None:
    assert find_frame(prompts, responses) == NO_FRAME


def test_the_frame_is_dropped_where_outputs_need_it() -> None:
    words = ["alpha", "bravo", "delta", "echo", "golf", "hotel"]
    rows = [(" ".join(words) + f"\nbody {word}", f"{word}\nbody {word}") for word in words]
    assert find_frame(*zip(*rows, strict=True)).prefix
    edited = edit_rows(rows)
    assert edited.frame == NO_FRAME
    assert check("text-editor", rows).unfit == 0


# --- fit


def test_masking_fits_the_editor() -> None:
    fit = check("text-editor", masked(40))
    assert (fit.rows, fit.unfit, fit.unfit_rows, fit.is_refused) == (40, 0, (), False)
    assert (fit.reason, fit.better) == ("", None)


def test_a_phrase_of_one_row_is_unfit_but_does_not_refuse_the_others() -> None:
    rows = [*masked(20), (TEMPLATE.format("Hello Bob"), "Hello {{once}}")]
    fit = check("text-editor", rows)
    assert (fit.unfit, fit.unfit_rows, fit.is_refused) == (1, (20,), False)
    assert "once" not in fit.reason


def test_a_phrase_of_one_row_given_twice_is_still_unfit() -> None:
    rows = [*masked(20), *[("Hello Bob", "Hello {{once}}")] * PHRASE_MIN_ROWS]
    assert check("text-editor", rows).unfit_rows == (20, 21)


def test_labels_are_refused_by_the_editor_in_favour_of_the_classifier() -> None:
    rows = [(f"where is my card number {i}?", ["card_lost", "top_up"][i % 2]) for i in range(30)]
    fit = check("text-editor", rows)
    assert fit.is_refused
    assert fit.better == "text-classifier"
    assert "100.0%" in fit.reason
    assert not check("text-classifier", rows).is_refused


def test_free_text_is_refused_by_both() -> None:
    rng = random.Random(0)
    words = [f"w{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]}" for i in range(100)]
    rows = [
        (" ".join(rng.choices(words, k=8)), " ".join(rng.choices(words, k=8)).upper() + f" {i}")
        for i in range(60)
    ]
    for base_model in ("text-editor", "text-classifier"):
        fit = check(base_model, rows)
        assert fit.is_refused
        assert fit.better is None
        assert f"{fit.unfit / 60:.1%}" in fit.reason


def test_edits_are_refused_by_the_classifier_in_favour_of_the_editor() -> None:
    rows = [(f"call {i} Bob at {i * i}", f"call {i} NAME at {i * i}") for i in range(30)]
    fit = check("text-classifier", rows)
    assert fit.is_refused
    assert fit.better == "text-editor"
    assert fit.unfit == 30
    assert fit.unfit_rows == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("base_model", ["text-editor", "text-classifier"])
def test_no_rows_are_refused(base_model: str) -> None:
    fit = check(base_model, [])
    assert (fit.rows, fit.is_refused, fit.better) == (0, True, None)


def test_an_unknown_base_model_is_named() -> None:
    with pytest.raises(ValueError, match="unknown base model 'gpt'"):
        check("gpt", [])


# --- arithmetic and imports


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs", "steps"),
    [(1900, 4, 2, 950), (1901, 4, 2, 952), (1, 4, 3, 3), (4, 4, 1, 1), (5, 1, 1, 5)],
)
def test_steps_are_batches_times_epochs(
    rows: int, batch_size: int, epochs: int, steps: int
) -> None:
    assert total_steps(rows, epochs=epochs, batch_size=batch_size) == steps


def test_numpy_is_not_loaded_by_import_nor_by_check() -> None:
    code = (
        "import sys\n"
        "from tunekit.providers.local import training\n"
        "training.check('text-editor', [('a b', 'a'), ('c b', 'c')])\n"
        "training.check('text-classifier', [('a b', 'a'), ('c b', 'a')])\n"
        "assert not {'numpy', 'scipy', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
