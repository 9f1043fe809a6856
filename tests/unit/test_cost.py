"""What a job will probably cost, and when that is too much."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import gemini_line, make_experiment, write_rows
from tests.unit.test_plan import job
from tunekit import dataset
from tunekit.model import (
    Capabilities,
    Cost,
    DataStats,
    DroppedRow,
    JobState,
    Limits,
    Price,
    RecordedTrial,
    Trial,
    TunedBase,
    Tuning,
)
from tunekit.plan.cost import estimate, over_budget, root_base
from tunekit.views.cost import billed_line, cost_line, cost_notes

PRICE = Price(10.0, "https://prices.example", "2026-11-21", "second-hand")
CAN = Capabilities(frozenset({"supervised"}), {}, prices={"m": PRICE})
FREE = replace(CAN, prices={}, is_free=True)


def trial(root: Path, *, text: str = "x" * 40, rows: int = 10, **changes: Any) -> Trial:
    """Return a trial on rows of 6 + 40 characters asked and 40 answered."""
    preferred = {"chosen": text, "rejected": text + "!!!!"}
    given = {"text": text, "masked": text, **preferred}
    write_rows(root / "data.jsonl", [given] * rows)
    method = changes.pop("method", "supervised")
    columns = {"input": "text", "output": "masked"}
    if method == "preference":
        columns = {"input": "text", "chosen": "chosen", "rejected": "rejected"}
    limit = changes.pop("limit", None)
    epochs = changes.pop("epochs", 2)
    experiment = make_experiment(columns=columns, split={"train": rows}, **changes)
    experiment = replace(
        experiment,
        base_model="m",
        tuning=Tuning(method=method, epochs=epochs),
        limits=Limits(max_cost_usd=limit),
    )
    return Trial.of(experiment, dataset.prepare(experiment, root=root))


def cost(one: Trial, can: Capabilities = CAN) -> Cost:
    return estimate(one, can, base_model="m")


def test_supervised_tokens_are_billed_once_an_epoch(tmp_path: Path) -> None:
    found = cost(trial(tmp_path))
    assert found.tokens == 10 * 22  # (6 + 40 + 40) / 4, rounded
    assert found.usd == pytest.approx(10 * 22 * 2 * 10 / 1e6)
    assert found.tokens_low == round(10 * 22 * 4 / 5)
    assert found.tokens_high == round(10 * 22 * 4 / 2.5)


def test_preference_tokens_are_twice_the_prompt_and_both_answers(tmp_path: Path) -> None:
    found = cost(trial(tmp_path, method="preference"))
    # (46 + 40 + 44) / 4 rounded, and the prompt once more.
    assert found.tokens == 10 * (33 + 12)


def test_the_system_instruction_goes_with_every_row(tmp_path: Path) -> None:
    plain = cost(trial(tmp_path)).tokens
    assert cost(trial(tmp_path, system_instruction="s" * 20)).tokens == plain + 10 * 5
    asked = {"method": "preference", "system_instruction": "s" * 20}
    both = cost(trial(tmp_path, **asked)).tokens
    assert both == cost(trial(tmp_path, method="preference")).tokens + 10 * 2 * 5


def test_scripts_of_many_bytes_widen_the_range_upwards(tmp_path: Path) -> None:
    latin, japanese = cost(trial(tmp_path)), cost(trial(tmp_path, text="日" * 40))
    assert japanese.tokens == latin.tokens
    assert japanese.tokens_low == latin.tokens_low
    assert japanese.tokens_high > 2.8 * latin.tokens_high


@pytest.mark.parametrize(
    ("can", "epochs", "limit", "says"),
    [
        (CAN, 2, None, None),
        (CAN, 2, 0.00705, None),
        (CAN, 2, 0.00703, "up to 0.007 USD"),  # between the likely and the most
        (CAN, 2, 0, "up to"),
        (CAN, None, 99, "set tuning.epochs"),
        (replace(CAN, prices={}), 2, 99, "no price of m is known"),
        (replace(CAN, prices={}), 2, None, None),
        (FREE, None, 0, None),
    ],
)
def test_a_limit_is_a_promise(
    tmp_path: Path, can: Capabilities, epochs: int | None, limit: float | None, says: str | None
) -> None:
    one = trial(tmp_path, epochs=epochs, limit=limit)
    problem = over_budget(one, cost(one, can))
    if says is None:
        assert problem is None
    else:
        assert problem is not None
        assert says in str(problem)
        assert problem.key == "limits.max_cost_usd"


def test_a_tuned_model_is_priced_as_what_tuning_began_with(tmp_path: Path) -> None:
    one = trial(tmp_path)
    first = replace(job(1, "A", JobState.SUCCEEDED), model="models/1@1", base_model="m")
    second = replace(job(2, "B", JobState.SUCCEEDED), model="models/2@1", base_model="models/1@1")
    recorded = [
        RecordedTrial("a", "main", "A", {}, (first,), base_model="m"),
        RecordedTrial("b", "main", "B", {}, (second,), base_model="models/1@1"),
    ]
    assert root_base(replace(one, base=TunedBase("models/2@1")), recorded) == "m"
    assert root_base(replace(one, base=TunedBase("models/9")), recorded) == "models/9"
    assert root_base(one, recorded) == "m"


def test_an_estimate_survives_being_recorded(tmp_path: Path) -> None:
    for can in (CAN, FREE, replace(CAN, prices={})):
        found = cost(trial(tmp_path), can)
        assert Cost.from_json(found.to_json()) == found


def test_an_estimate_says_its_range_and_where_its_price_is_from(tmp_path: Path) -> None:
    found = cost(trial(tmp_path))
    assert cost_line(found) == (
        "cost: about 0.0044 USD (0.0035 to 0.007): "
        "220 tokens (176 to 352) x 2 epochs at 10 USD a million"
    )
    notes = "\n".join(cost_notes([found, found]))
    assert "In all about 0.0088 USD (0.007 to 0.014)." in notes
    assert "nobody has counted the tokens" in notes
    assert "Prices as of 2026-11-21, second-hand: https://prices.example" in notes
    assert cost_line(cost(trial(tmp_path), FREE)) == ""
    assert cost_notes([cost(trial(tmp_path), FREE)]) == []
    assert "an epoch" in cost_line(cost(trial(tmp_path, epochs=None)))
    assert "not known" in cost_line(cost(trial(tmp_path), replace(CAN, prices={})))


def media_trial(root: Path, *, limit: float | None, more: bool = True) -> Trial:
    """Return a trial on ten ready-made rows, two of which hold more than text."""
    plain = gemini_line("what is this?", "a cat")
    image = gemini_line("what is this?", "a cat")
    image["contents"][0]["parts"].append({"fileData": {"fileUri": "gs://bucket/cat.png"}})
    tools = {**plain, "tools": [{"functionDeclarations": [{"name": "look"}]}]}
    write_rows(root / "data.jsonl", [plain] * 8 + ([image, tools] if more else [plain] * 2))
    spec = {"columns": {}, "prompt": "", "ready_made": "vertex", "split": {"train": 10}}
    experiment = make_experiment(**spec, shuffle_seed=3)
    experiment = replace(
        experiment, base_model="m", tuning=Tuning(epochs=2), limits=Limits(max_cost_usd=limit)
    )
    made = dataset.prepare(experiment, root=root)
    record = json.loads(json.dumps(dataset.to_record(made)))
    assert list(made.read("train"))
    return Trial.of(experiment, dataset.from_record(experiment, root=root, record=record))


def test_rows_of_more_than_text_have_no_price(tmp_path: Path) -> None:
    one = media_trial(tmp_path, limit=1000)
    assert one.dataset.splits["train"].unpriced_rows == 2
    found = cost(one)
    assert (found.usd, found.usd_low, found.usd_high) == (None, None, None)
    assert Cost.from_json(json.loads(json.dumps(found.to_json()))) == found
    why = "2 rows hold more than text, so what they cost is not known"
    assert why in cost_line(found)
    assert not any("In all" in note for note in cost_notes([found, cost(trial(tmp_path))]))
    problem = over_budget(one, found)
    assert problem is not None
    assert why in problem.fact
    assert over_budget(one, cost(one, FREE)) is None
    assert over_budget(media_trial(tmp_path, limit=None), found) is None
    plain = media_trial(tmp_path, limit=1000, more=False)
    assert over_budget(plain, cost(plain)) is None


def test_records_of_before_rows_without_a_price_were_counted_are_read(tmp_path: Path) -> None:
    made = trial(tmp_path).dataset
    record = dataset.to_record(made)
    for info in record["splits"].values():
        del info["unpriced_rows"]
    again = dataset.from_record(make_experiment(), root=tmp_path, record=record)
    assert again.splits == made.splits
    old = cost(trial(tmp_path)).to_json()
    del old["unpriced_rows"]
    assert Cost.from_json(old) == cost(trial(tmp_path))


def test_what_was_billed_stands_beside_the_estimate(tmp_path: Path) -> None:
    found = cost(trial(tmp_path))
    text = billed_line(DataStats(10, 275, 2), found)
    assert "275 tokens an epoch x 2 = 550, 0.0055 USD" in text
    assert "+25% against the estimate of 220, inside its range" in text
    assert "outside its range" in billed_line(DataStats(10, 900, 2), found)
    assert billed_line(DataStats(10, 900, 2), None) == "900 tokens an epoch x 2 = 1,800"
    assert billed_line(DataStats(10), found) == ""


@pytest.mark.parametrize(
    ("rows", "dropped", "is_flagged"),
    [(100, 0, False), (100, 5, False), (100, 6, True), (None, 1, True), (None, 0, False)],
)
def test_a_job_is_flagged_past_one_row_in_twenty(
    rows: int | None, dropped: int, is_flagged: bool
) -> None:
    named = tuple(DroppedRow(n + 1) for n in range(dropped))
    assert DataStats(rows, dropped=dropped, dropped_rows=named).is_flagged is is_flagged
