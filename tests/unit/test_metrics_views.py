"""Curves as tables, pictures and files: right numbers, harmless names, read back by their tools."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from tests.unit.test_views import HOSTILE, output, written
from tunekit.evaluate.advice import Advice
from tunekit.model import EVAL_LOSS, MEAN_LOSS, TRAIN_LOSS, MetricPoint
from tunekit.views.curves import Measured, is_log, lines_of
from tunekit.views.figure import figure
from tunekit.views.metrics import print_advice, print_metrics
from tunekit.views.plot import plot, value_ticks
from tunekit.views.points import csv_rows, file_of, metrics_json


def curve(count: int = 400, *, title: str = "x@1", scale: float = 1.0) -> Measured:
    points = [MetricPoint(TRAIN_LOSS, s, scale / s, 0.0) for s in range(1, count + 1)]
    points += [MetricPoint(MEAN_LOSS, s, 0.5, 0.0) for s in (count // 2, count)]
    points += [MetricPoint(EVAL_LOSS, s, scale / s, 0.0) for s in (count // 2, count)]
    advice = Advice("plateau", "info", "flat from 1 on", "epochs: 1 would have done", {"epoch": 1})
    return Measured(title, points, epochs=2, advice=[advice])


def hostile() -> Measured:
    points = [MetricPoint("$x^2$\x1b[2Jy", step, 1.0 / step, 0.0) for step in (1, 2, 3)]
    return Measured(f"_$\\frac{{1}}$ {HOSTILE}", points)


def test_a_metrics_table_keeps_the_ends_of_epochs() -> None:
    out = output(is_terminal=False)
    print_metrics(out, curve(950), limit=20)
    steps = [int(text.split()[0]) for text in written(out).splitlines()[1:-1]]
    assert steps[0] == 1
    assert {475, 950} <= set(steps)
    assert len(steps) <= 22
    assert "left out" in written(out)


def test_a_curve_is_drawn_within_the_width_without_colour_codes() -> None:
    out = output(is_terminal=True, width=60)
    plot(out, [curve()])
    shown = written(out)
    assert "\x1b" not in shown
    assert all(len(text) <= 60 for text in shown.splitlines())
    assert "x@1 train loss (mean of 8 steps)" in shown
    assert "x@1 eval loss\n" in shown
    assert "log scale" in shown


@pytest.mark.parametrize("has_colour", [True, False])
def test_jobs_are_drawn_over_each_other_and_told_apart(has_colour: bool) -> None:
    out = output(is_terminal=True, width=80, has_colour=has_colour)
    plot(out, [curve(title="low@1"), curve(title="high@2", scale=3.0)])
    shown = written(out)
    assert "low@1, high@2 (log scale)" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    if has_colour:
        colours = re.findall(r"\x1b\[([0-9;]+)m⠒⠒", shown)
        assert len(set(colours)) == 2
    else:
        picture, _, legend = shown.partition("step")
        marks = [text.split()[0] for text in legend.splitlines() if "loss" in text]
        assert marks == ["aa", "bb", "cc", "dd"]
        assert all(mark[0] in picture for mark in marks)


def test_smoothing_is_asked_for_and_said() -> None:
    lines = lines_of([curve()], most=1000, window=5)
    assert [drawn.label for drawn in lines] == [
        "x@1 train loss (mean of 5 steps)",
        "x@1 eval loss (mean of 2 steps)",
    ]
    assert lines[0].values[4] == pytest.approx(sum(1 / s for s in range(1, 6)) / 5)
    (plain, _) = lines_of([curve()], most=1000, window=1)
    assert plain.label == "x@1 train loss"
    assert plain.values == plain.raw


def test_a_long_curve_is_thinned_and_keeps_its_spike() -> None:
    points = [MetricPoint(TRAIN_LOSS, s, 1.0) for s in range(1, 100_001)]
    points[77_777] = MetricPoint(TRAIN_LOSS, 77_778, 50.0)
    (drawn,) = lines_of([Measured("x@1", points)], most=300)
    assert len(drawn.steps) <= 600
    assert max(drawn.raw) == 50.0
    assert (drawn.steps[0], drawn.steps[-1]) == (1, 100_000)


def test_by_epoch_the_axis_counts_epochs() -> None:
    out = output(is_terminal=False)
    means = curve(400).each_epoch(steps=400)
    assert [(p.metric, p.step) for p in means.points if p.metric == TRAIN_LOSS] == [
        (TRAIN_LOSS, 1),
        (TRAIN_LOSS, 2),
    ]
    print_metrics(out, means, limit=20)
    plot(out, [means])
    shown = written(out)
    assert shown.splitlines()[0].split()[0] == "EPOCH"
    assert "epoch" in shown
    assert "mean of" not in shown
    assert metrics_json([means])["jobs"][0]["series"][TRAIN_LOSS]["epochs"] == [1, 2]


def test_names_of_series_from_a_server_stay_text() -> None:
    out = output(is_terminal=True, width=120, has_colour=True)
    print_metrics(out, hostile(), limit=20)
    plot(out, [hostile()])
    out.csv(*reversed(csv_rows([hostile()])))
    for bad in ("\x1b[2J", "\x1b]52", "\x9b", "\u202e", "\x07"):
        assert bad not in written(out)


def test_names_are_no_formulas_in_a_picture() -> None:
    """Neither mathtext, which would raise, nor an underscore, which would hide the line."""
    picture = figure([hostile(), replace(curve(), title="$\\nonsense{$")], "svg").decode()
    assert picture.startswith("<?xml")
    assert "\x1b" not in picture


@pytest.mark.parametrize("form", ["png", "svg"])
def test_equal_curves_are_equal_pictures(form: str) -> None:
    both = [figure([curve(), curve(title="y@2", scale=2.0)], form) for _ in range(2)]
    assert both[0] == both[1]
    start = {"png": b"\x89PNG", "svg": b"<?xml"}[form]
    assert both[0].startswith(start)
    assert figure([curve(scale=9.0)], form) != both[0]


def test_a_picture_of_nothing_is_still_one() -> None:
    empty = Measured("x@1", [])
    assert figure([empty], "png").startswith(b"\x89PNG")
    assert lines_of([empty], most=10) == []


def test_a_curve_with_values_that_are_no_numbers_is_shown() -> None:
    out = output(is_terminal=False)
    diverged = Measured(
        "x@1",
        [
            MetricPoint(TRAIN_LOSS, s, v, 0.0)
            for s, v in enumerate([1.0, math.nan, math.inf, 2.0], start=1)
        ],
    )
    print_metrics(out, diverged, limit=20)
    plot(out, [diverged])
    assert "nan" in written(out)
    assert figure([diverged], "png")
    assert metrics_json([diverged])["jobs"][0]["series"][TRAIN_LOSS]["values"] == [
        *(1.0, None, None, 2.0)
    ]
    assert not is_log(lines_of([diverged], most=10))


def test_csv_has_a_row_a_job_and_step() -> None:
    rows = list(csv.DictReader(io.StringIO(file_of([curve(4), curve(2)], ".csv").decode())))
    assert [(row["job"], row["step"]) for row in rows[:2]] == [("x@1", "1"), ("x@1", "2")]
    assert len(rows) == 6
    assert rows[3][EVAL_LOSS] == "0.25"
    assert rows[0][EVAL_LOSS] == ""


def test_json_carries_advice_with_rule_and_numbers() -> None:
    document = json.loads(file_of([curve()], ".json"))
    assert document["schema"] == "tunekit.metrics/1"
    (job,) = document["jobs"]
    assert (job["job"], job["epochs"]) == ("x@1", 2)
    assert len(job["series"][TRAIN_LOSS]["steps"]) == 400
    (advice,) = job["advice"]
    assert (advice["rule"], advice["numbers"]) == ("plateau", {"epoch": 1})


def test_parquet_has_a_row_a_point() -> None:
    diverged = Measured("y@1", [MetricPoint(TRAIN_LOSS, 1, math.inf, None)])
    table = pq.read_table(io.BytesIO(file_of([curve(4), diverged], ".parquet")))
    assert table.column_names == ["job", "series", "step", "value", "time_s"]
    rows = table.to_pylist()
    assert len(rows) == 9
    assert list(rows[1].values()) == ["x@1", TRAIN_LOSS, 2, 0.5, 0.0]
    assert rows[-1]["value"] == math.inf
    assert rows[-1]["time_s"] is None


def test_advice_names_its_job_where_there_are_several() -> None:
    out = output(is_terminal=False)
    print_advice(out, [curve()])
    print_advice(out, [curve(title="a@1"), curve(title="b@1")])
    line = "plateau: flat from 1 on; epochs: 1 would have done"
    assert written(out).splitlines() == [line, f"a@1: {line}", f"b@1: {line}"]


@pytest.mark.parametrize("largest", [3.25e15, 1e30, 1e308])
def test_levels_of_a_plot_stay_short_however_large_a_loss_grew(largest: float) -> None:
    points = [MetricPoint(TRAIN_LOSS, step, 0.5 if step < 50 else largest) for step in range(1, 99)]
    drawn = lines_of([Measured("a@1", points)], most=500, window=1)
    levels = value_ticks(drawn)
    assert levels[0] == pytest.approx(0.5)
    assert levels[-1] == pytest.approx(largest)
    assert max(len(f"{level:.3g}") for level in levels) <= 9
