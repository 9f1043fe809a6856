"""The page as a file: what it holds, what it may do, how large it gets."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from array import array
from dataclasses import replace
from typing import Any

import pytest

from tests.report import samples
from tunekit.report import Report, data_of, page_of, wrapped
from tunekit.report.model import Answer, Scorecard, Series
from tunekit.report.page import MOST_BYTES


def island(page: bytes) -> Any:
    """Return the page's data as a browser reads it."""
    text = page.decode()
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script', text, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def column(data: Any, name: str) -> list[Any]:
    place = data["fields"].index(name)
    return [row[place] for row in data["jobs"]]


def shared(data: Any, name: str) -> list[Any]:
    assert name in data["shared"]
    return [data["texts"][place] for place in column(data, name)]


def test_the_data_say_what_the_report_says() -> None:
    report = samples.team()
    data = island(page_of(report))
    assert column(data, "title") == [job.title for job in report.jobs]
    assert shared(data, "state") == [job.state for job in report.jobs]
    assert shared(data, "notice")[3] == report.jobs[3].notice
    flat = column(data, "spec")[0]
    spec = [data["texts"][place] for place in flat]
    assert dict(zip(spec[::2], spec[1::2], strict=True)) == dict(report.jobs[0].spec)
    chart, split, per, steps, means = column(data, "series")[-1][1]
    assert (chart, split, per) == ("loss", "validation", 1)
    assert [sum(steps[: i + 1]) for i in range(len(steps))] == [285, 570, 855, 1140, 1425]
    assert means == [float(f"{v:.4g}") for v in report.jobs[-1].series[1].values]


def test_no_string_can_leave_the_data_island() -> None:
    report = samples.hostile()
    text = data_of(report)
    assert not set("<>&\u2028\u2029") & set(text)
    data = island(page_of(report))
    assert shared(data, "notice")[0] == samples.HOSTILE
    assert data["title"] == samples.HOSTILE
    page = page_of(report).decode()
    assert "<title>&lt;/script&gt;&lt;script&gt;window.pwned=1" in page
    assert page.count("<script") == 3  # the data, uPlot, ours
    assert page.count("</script") == 3


@pytest.mark.parametrize("is_live", [False, True])
def test_the_policy_names_every_script_and_style_by_its_hash(is_live: bool) -> None:
    page = wrapped("{}", title="x", is_live=is_live).decode()
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = dict(part.split(" ", 1) for part in html.unescape(found[1]).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == ("'self'" if is_live else "'none'")
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
        assert len(hashes) == 2
        assert policy[rule].split() == hashes
    assert not re.search(r"""<[^>]*\s(on\w+|style|src)\s*=""", page.split("<script")[0])


def test_the_plotting_library_is_as_published() -> None:
    """uPlot 1.6.32 from the npm registry, MIT; byte for byte."""
    from tunekit.report.page import _asset

    digests = {
        name: hashlib.sha256(_asset(f"vendor/{name}").encode()).hexdigest()
        for name in ("uPlot.iife.min.js", "uPlot.min.css")
    }
    assert digests == UPLOT
    assert "MIT License" in _asset("vendor/uPlot.LICENSE")


UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


def test_five_hundred_jobs_stay_under_a_megabyte() -> None:
    report = samples.large(500)
    page = page_of(report)
    assert len(page) < MOST_BYTES
    data = island(page)
    assert len(data["jobs"]) == 500
    # Each job keeps a curve, its scores and its spec.
    assert all(len(series[0][4]) >= 12 for series in column(data, "series"))
    assert all(len(cards) == 2 for cards in column(data, "scorecards"))


def test_few_jobs_keep_more_points() -> None:
    few, many = (island(page_of(samples.large(count))) for count in (3, 500))
    points = [len(column(data, "series")[0][0][4]) for data in (few, many)]
    assert points[0] >= 150
    assert points[1] < 60


def test_long_texts_are_cut_before_the_page_grows_too_large() -> None:
    report = samples.large(60)
    jobs = tuple(
        replace(job, spec={**job.spec, "dataset.prompt": f"{i} " + "long " * 5000})
        for i, job in enumerate(report.jobs)
    )
    page = page_of(replace(report, jobs=jobs))
    assert len(page) < MOST_BYTES
    assert "…" in page.decode()


def test_many_classes_are_told_once_and_rare_pairs_left_out() -> None:
    labels = tuple(f"intent number {number}" for number in range(77))
    counts = [[a, b, 1 + (a == b) * 40] for a in range(77) for b in range(0, 77, 7)]
    card = Scorecard(
        target="tuned",
        split="test",
        rows=3080,
        scores={"accuracy": 0.91},
        confusion={"labels": labels, "counts": counts},
    )
    report = samples.large(200)
    jobs = tuple(replace(job, scorecards=(card,)) for job in report.jobs)
    page = page_of(replace(report, jobs=jobs))
    assert len(page) < MOST_BYTES
    assert page.decode().count("intent number 76") == 1
    confusion = column(island(page), "scorecards")[0][0][5]
    kept = confusion["counts"]
    assert min(rows for *_, rows in kept) == 1 or all(a == b for a, b, _ in kept)
    assert len(kept) + confusion["left_out"] == len(counts)


def test_what_is_no_number_and_no_text_is_still_told() -> None:
    series = Series("loss", "train", array("q", [1, 2, 3]), array("d", [1.0, math.nan, math.inf]))
    card = Scorecard(
        target="tuned",
        split="test",
        rows=1,
        scores={"exact_match": math.nan},
        answers=(Answer(1, "a lone \udc80 surrogate", "\x00\x1b[31m", False),),
    )
    odd = replace(samples.job(), loss=math.nan, series=(series,), scorecards=(card,))
    data = island(page_of(Report("x\udc80", samples.MADE_S, (odd,))))
    assert column(data, "loss") == [None]
    assert column(data, "series")[0][0][4] == [1, None, None]
    assert column(data, "scorecards")[0][0][-1] == [
        [1, "a lone \udc80 surrogate", "\x00\x1b[31m", False]
    ]


def test_an_empty_report_is_a_page_too() -> None:
    assert island(page_of(Report("x", samples.MADE_S, ())))["jobs"] == []
