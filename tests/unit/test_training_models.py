"""Training, checkpoints and generation of the local trainer."""

import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tunekit.providers.local import training
from tunekit.providers.local.training import StepReport

TEMPLATE = "Mask the names below.\n\nInput:\n{}\n\nOutput:\n"
NAMES = ["Judy Smith", "Bob", "Ann Lee Fox", "Zoë", "Max", "Eve Adams", "Tom", "Ida"]
LABELS = ["card_lost", "top_up", "refund"]
EDITOR, CLASSIFIER = "text-editor", "text-classifier"


def masking_rows(count: int) -> list[tuple[str, str]]:
    rows = []
    for i in range(count):
        name = NAMES[i % len(NAMES)]
        text = [
            f"Hello {name}, we meet at {i % 23}:30\r\n tomorrow.",
            f"My name is {name}!",
            f"There is nothing to hide in row {i}",
        ][i % 3]
        rows.append((TEMPLATE.format(text), text.replace(name, "{{name}}")))
    return rows


def label_rows(count: int) -> list[tuple[str, str]]:
    texts = ["I lost my card {}", "how to top up {} pounds", "give me my money back {}"]
    return [(texts[i % 3].format(i), LABELS[i % 3]) for i in range(count)]


ROWS = {EDITOR: masking_rows(60), CLASSIFIER: label_rows(60)}
BOTH = pytest.mark.parametrize("base_model", [EDITOR, CLASSIFIER])


def run(
    base_model: str,
    folder: Path,
    rows: list[tuple[str, str]] | None = None,
    validation: list[tuple[str, str]] | None = None,
    **settings: float,
) -> list[StepReport]:
    reports: list[StepReport] = []
    training.train(
        base_model,
        ROWS[base_model] if rows is None else rows,
        validation or [],
        epochs=int(settings.get("epochs", 2)),
        batch_size=int(settings.get("batch_size", 8)),
        learning_rate=settings.get("learning_rate", 0.1),
        seed=int(settings.get("seed", 7)),
        folder=folder,
        on_step=reports.append,
    )
    return reports


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- the loop


@BOTH
def test_every_step_is_reported_and_an_epoch_scored_at_its_end(
    base_model: str, tmp_path: Path
) -> None:
    reports = run(base_model, tmp_path / "m", ROWS[base_model][:50], ROWS[base_model][50:])
    assert [report.step for report in reports] == list(range(1, 15))
    assert {report.total_steps for report in reports} == {14}
    assert [report.epoch for report in reports] == [1] * 7 + [2] * 7
    ends = [report for report in reports if report.mean_loss is not None]
    assert [report.step for report in ends] == [7, 14]
    assert [report.step for report in reports if report.evaluation] == [7, 14]
    epoch = reports[:7]
    weighted = sum(report.loss * report.predictions for report in epoch)
    total = sum(report.predictions for report in epoch)
    assert ends[0].mean_loss == pytest.approx(weighted / total)
    assert all(0 <= report.correct <= 1 for report in reports)


def test_predictions_are_rows_for_the_classifier_and_tokens_for_the_editor(
    tmp_path: Path,
) -> None:
    assert [report.predictions for report in run(CLASSIFIER, tmp_path / "c", epochs=1)] == [
        *[8] * 7,
        4,
    ]
    rows = [("a b c", "a b c")] * 4
    # The end of the input is a prediction too: text may be added there.
    assert run(EDITOR, tmp_path / "e", rows, epochs=1)[0].predictions == 4 * 4


def test_there_is_no_evaluation_without_validation_rows(tmp_path: Path) -> None:
    assert {report.evaluation for report in run(CLASSIFIER, tmp_path / "m")} == {None}


@BOTH
def test_the_loss_starts_at_that_of_a_guess_and_falls(base_model: str, tmp_path: Path) -> None:
    reports = run(base_model, tmp_path / "m", epochs=4)
    means = [report.mean_loss for report in reports if report.mean_loss is not None]
    assert means[-1] < means[0] / 4
    if base_model == CLASSIFIER:
        assert reports[0].loss == pytest.approx(np.log(3), abs=1e-6)


@BOTH
def test_the_same_seed_gives_the_same_bytes_and_losses(base_model: str, tmp_path: Path) -> None:
    one = run(base_model, tmp_path / "one")
    two = run(base_model, tmp_path / "two")
    other = run(base_model, tmp_path / "other", seed=8)
    assert one == two
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert [report.loss for report in one] != [report.loss for report in other]
    assert digests(tmp_path / "one") != digests(tmp_path / "other")


@BOTH
def test_a_larger_learning_rate_moves_faster(base_model: str, tmp_path: Path) -> None:
    curves = [
        [report.loss for report in run(base_model, tmp_path / str(rate), learning_rate=rate)]
        for rate in (0.001, 0.01, 0.1)
    ]
    assert curves[0][-1] > curves[1][-1] > curves[2][-1]


@BOTH
def test_rows_are_shuffled_anew_every_epoch(base_model: str, tmp_path: Path) -> None:
    # With next to no learning, the same batches in the same order would give the same losses.
    reports = run(base_model, tmp_path / "m", learning_rate=1e-9)
    first, second = reports[:8], reports[8:]
    key = [(round(report.loss, 4), report.correct, report.predictions) for report in first]
    again = [(round(report.loss, 4), report.correct, report.predictions) for report in second]
    assert key != again


@pytest.mark.parametrize(
    "setting", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": np.inf}]
)
def test_settings_out_of_range_are_named(setting: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        run(CLASSIFIER, tmp_path / "m", **setting)
    with pytest.raises(ValueError, match="no training rows"):
        run(CLASSIFIER, tmp_path / "m", [])


@BOTH
def test_a_huge_learning_rate_stays_finite(base_model: str, tmp_path: Path) -> None:
    reports = run(base_model, tmp_path / "m", learning_rate=50.0)
    assert all(np.isfinite(report.loss) for report in reports)


# --- checkpoints


@BOTH
def test_each_epoch_leaves_a_private_checkpoint_before_its_last_report(
    base_model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "m"
    seen: list[list[str]] = []

    def on_step(report: StepReport) -> None:
        if report.mean_loss is not None:
            seen.append(sorted(os.listdir(folder)))

    training.train(
        base_model,
        ROWS[base_model],
        [],
        epochs=2,
        batch_size=16,
        learning_rate=0.1,
        seed=1,
        folder=folder,
        on_step=on_step,
    )
    assert seen == [["epoch-1"], ["epoch-1", "epoch-2"]]
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert sorted(os.listdir(folder / "epoch-1")) == ["model.json", "model.npz"]


@BOTH
def test_a_checkpoint_holds_json_and_plain_arrays_and_no_rows(
    base_model: str, tmp_path: Path
) -> None:
    run(base_model, tmp_path / "m", epochs=1)
    checkpoint = tmp_path / "m" / "epoch-1"
    text = (checkpoint / "model.json").read_text()
    assert json.loads(text)["base_model"] == base_model
    assert not any(word in text for word in ("Judy", "tomorrow", "pounds", "money"))
    with zipfile.ZipFile(checkpoint / "model.npz") as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())
    with np.load(checkpoint / "model.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fu" for name in arrays.files)


@BOTH
@pytest.mark.parametrize("stop_at", [1, 8, 9])
def test_raising_stops_the_training_and_leaves_whole_checkpoints_only(
    base_model: str, stop_at: int, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def on_step(report: StepReport) -> None:
        if report.step == stop_at:
            raise StopError

    with pytest.raises(StopError):
        training.train(
            base_model,
            ROWS[base_model],
            [],
            epochs=2,
            batch_size=8,
            learning_rate=0.1,
            seed=1,
            folder=tmp_path / "m",
            on_step=on_step,
        )
    assert os.listdir(tmp_path / "m") == ([] if stop_at < 8 else ["epoch-1"])
    if stop_at >= 8:
        assert list(training.load(tmp_path / "m" / "epoch-1").generate(["x"]))


@BOTH
def test_a_write_that_fails_leaves_nothing(
    base_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        run(base_model, tmp_path / "m")
    assert os.listdir(tmp_path / "m") == []


def test_training_again_replaces_a_checkpoint(tmp_path: Path) -> None:
    run(CLASSIFIER, tmp_path / "m", seed=1)
    before = digests(tmp_path / "m")
    run(CLASSIFIER, tmp_path / "m", seed=2)
    assert digests(tmp_path / "m").keys() == before.keys()
    assert digests(tmp_path / "m") != before


def test_what_is_no_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        training.load(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ValueError, match="not of the format"):
        training.load(tmp_path)
    (tmp_path / "model.json").write_text("no")
    with pytest.raises(ValueError, match="not JSON"):
        training.load(tmp_path)


# --- answers


@BOTH
@pytest.mark.parametrize(
    "rows",
    [
        [("", "")],
        [("", "x"), ("", "x")],
        [("a b", ""), ("c d", "")],
        [("one row", "one row")],
        [("one row", "nothing alike")],
        [("\ud800 a", "\ud800 a"), ("b\u2028", "b\u2028")],
    ],
)
def test_odd_rows_are_trained_on(
    base_model: str, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    reports = run(base_model, tmp_path / "m", rows, rows)
    assert all(np.isfinite(report.loss) for report in reports)
    answers = list(training.load(tmp_path / "m" / "epoch-2").generate(["", *(p for p, _ in rows)]))
    assert len(answers) == len(rows) + 1


@pytest.mark.parametrize("template", ["{}", "Mask: {}", "Mask the name in {} now"])
def test_the_editor_learns_with_any_frame(template: str, tmp_path: Path) -> None:
    texts = [(f"{name} came at {i}", f"{{{{name}}}} came at {i}") for i, name in enumerate(NAMES)]
    rows = [(template.format(text), output) for text, output in texts * 5]
    run(EDITOR, tmp_path / "m", rows, epochs=6, batch_size=4)
    model = training.load(tmp_path / "m" / "epoch-6")
    assert list(model.generate(prompt for prompt, _ in rows)) == [output for _, output in rows]
    assert list(model.generate([template.format("Ute came at 77")])) == ["{{name}} came at 77"]


def test_a_constant_output_is_learned_from_an_empty_prompt(tmp_path: Path) -> None:
    rows = [("", "hello there"), (" ", "hello there"), ("\n", "hello there")] * 5
    run(EDITOR, tmp_path / "m", rows, epochs=5)
    assert list(training.load(tmp_path / "m" / "epoch-5").generate([""])) == ["hello there"]


def test_rows_that_cannot_be_expressed_are_left_out_of_the_loss(tmp_path: Path) -> None:
    rows = [*masking_rows(10), ("some text", "an answer seen once")]
    reports = run(EDITOR, tmp_path / "m", rows, batch_size=1, epochs=1)
    left_out = [report for report in reports if not report.predictions]
    assert len(left_out) == 1
    assert (left_out[0].loss, left_out[0].correct) == (0.0, 0.0)


def test_labels_unknown_to_the_model_count_as_wrong(tmp_path: Path) -> None:
    reports = run(CLASSIFIER, tmp_path / "m", validation=[("I lost my card", "a_new_label")])
    evaluation = reports[-1].evaluation
    assert evaluation is not None
    assert (evaluation.correct, evaluation.predictions) == (0.0, 1)
    assert evaluation.loss > 10


@pytest.mark.parametrize(("epochs", "kept"), [(1, 1), (3, 3), (20, 20), (21, 11), (1000, 20)])
def test_checkpoints_are_spaced_past_twenty_epochs(epochs: int, kept: int) -> None:
    from tunekit.providers.local.training.loop import is_kept

    numbers = [epoch for epoch in range(1, epochs + 1) if is_kept(epoch, epochs)]
    assert len(numbers) == kept
    assert numbers[-1] == epochs


def test_rows_too_long_to_compare_are_unfit_and_quick_to_tell() -> None:
    words = " ".join(f"word{n}" for n in range(20_000))
    rows = [(f"call Ana{n} now", "call [NAME] now") for n in range(8)]
    rows += [(f"{n} {words}", f"{n} {words.upper()}") for n in range(2)]
    fit = training.check("text-editor", rows)
    assert (fit.rows, fit.unfit_rows, fit.is_refused) == (10, (8, 9), False)
