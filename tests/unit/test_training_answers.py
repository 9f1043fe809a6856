"""What trained models answer, and how sampling changes it."""

from collections.abc import Iterator

import pytest

from tests.unit.test_training_models import BOTH, CLASSIFIER, EDITOR, LABELS, ROWS, TEMPLATE, run
from tunekit.providers.local import training


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, training.Model]:
    folder = tmp_path_factory.mktemp("models")
    for base_model in ROWS:
        run(base_model, folder / base_model, epochs=4, batch_size=4)
    return {base_model: training.load(folder / base_model / "epoch-4") for base_model in ROWS}


@BOTH
def test_what_was_trained_is_answered(base_model: str, models: dict[str, training.Model]) -> None:
    prompts = [prompt for prompt, _ in ROWS[base_model]]
    assert list(models[base_model].generate(prompts)) == [out for _, out in ROWS[base_model]]


def test_unseen_names_are_masked_and_white_space_is_kept(
    models: dict[str, training.Model],
) -> None:
    prompts = [
        TEMPLATE.format("Hello Ute Marie Kern, we meet at 9:30\r\n tomorrow."),
        "My name is Ute!",
    ]
    assert list(models[EDITOR].generate(prompts)) == [
        "Hello {{name}}, we meet at 9:30\r\n tomorrow.",
        "My name is {{name}}!",
    ]


@BOTH
def test_prompts_are_read_no_further_than_needed(
    base_model: str, models: dict[str, training.Model]
) -> None:
    read = []

    def prompts() -> Iterator[str]:
        for prompt, _ in ROWS[base_model] * 10:
            read.append(prompt)
            yield prompt

    answers = models[base_model].generate(prompts())
    assert read == []
    assert next(answers) == ROWS[base_model][0][1]
    assert len(read) < 100


@BOTH
def test_top_k_1_is_the_most_likely_answer(
    base_model: str, models: dict[str, training.Model]
) -> None:
    prompts = [*(prompt for prompt, _ in ROWS[base_model]), "", "card name Bob 🙂"]
    best = list(models[base_model].generate(prompts))
    assert list(models[base_model].generate(prompts, temperature=5.0, top_k=1)) == best
    assert list(models[base_model].generate(prompts, temperature=1e-3)) == best
    assert list(models[base_model].generate(prompts, temperature=2.0, top_p=1e-9)) == best


@BOTH
def test_a_high_temperature_samples_and_a_seed_repeats_it(
    base_model: str, models: dict[str, training.Model]
) -> None:
    model, prompts = models[base_model], [prompt for prompt, _ in ROWS[base_model]]
    hot = list(model.generate(prompts, temperature=20.0, seed=1))
    assert hot != list(model.generate(prompts))
    assert hot == list(model.generate(prompts, temperature=20.0, seed=1))
    assert hot != list(model.generate(prompts, temperature=20.0, seed=2))
    # The answer to a prompt depends on its place and the seed, not on the batch around it.
    assert hot[:3] == list(model.generate(prompts[:3], temperature=20.0, seed=1))


def test_labels_are_drawn_from_the_softmax(models: dict[str, training.Model]) -> None:
    model = models[CLASSIFIER]
    drawn = list(model.generate(["card"] * 600, temperature=1000.0))
    assert all(150 < drawn.count(label) < 250 for label in LABELS)
    two = list(model.generate(["card"] * 600, temperature=1000.0, top_k=2))
    assert sorted(map(two.count, LABELS))[0] == 0
    assert sorted(map(two.count, LABELS))[1] > 200


@pytest.mark.parametrize("temperature", [0.0, 1.0, 50.0])
def test_only_known_labels_are_answered(
    temperature: float, models: dict[str, training.Model]
) -> None:
    prompts = ["", "zzz", "🙂", "\u2028", "refund " * 500]
    answers = set(models[CLASSIFIER].generate(prompts, temperature=temperature))
    assert answers <= set(LABELS)


def test_a_sampled_span_prints_its_placeholder_once(models: dict[str, training.Model]) -> None:
    prompts = [TEMPLATE.format("My name is Judy Smith!")] * 200
    drawn = list(models[EDITOR].generate(prompts, temperature=1.5, top_k=2))
    assert "My name is {{name}}!" in drawn
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    ("tokens", "answer"), [(1, "My"), (3, "My name is"), (4, "My name is {{name}}"), (99, None)]
)
def test_max_output_tokens_cuts_the_editors_answer(
    tokens: int, answer: str | None, models: dict[str, training.Model]
) -> None:
    prompt = TEMPLATE.format("My name is Judy Smith!")
    found = list(models[EDITOR].generate([prompt], max_output_tokens=tokens))
    assert found == [answer or "My name is {{name}}!"]


def test_a_label_is_one_output_token(models: dict[str, training.Model]) -> None:
    assert list(models[CLASSIFIER].generate(["I lost my card"], max_output_tokens=1)) == [
        "card_lost"
    ]


@BOTH
@pytest.mark.parametrize(
    "option",
    [
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"max_output_tokens": 0},
    ],
)
def test_options_out_of_range_are_named_at_once(
    base_model: str, option: dict[str, float], models: dict[str, training.Model]
) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        models[base_model].generate([], **option)  # type: ignore[arg-type]


# --- odd data
