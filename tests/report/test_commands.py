"""`tunekit report` and `tunekit ui`, as they are called."""

from __future__ import annotations

import json
import signal
import stat
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.report.samples import HOSTILE
from tests.report.test_page import column, island, shared


@pytest.fixture
def judged(tuned: Project) -> Project:
    """A project with one experiment that was tuned twice and evaluated once."""
    tuned.ok("evaluate", "mask")
    tuned.spec(epochs=3, more="description: Mask names\ntags: {team: privacy}\n")
    tuned.ok("apply", "-y", "--wait")
    return tuned


def report_of(project: Project, *arguments: str) -> Any:
    return island(project.ok("report", "-o", "-", *arguments).encode())


def test_a_report_holds_every_job_with_curve_score_and_lineage(judged: Project) -> None:
    done = judged.run("report")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "report.html: 2 jobs, " in done.stderr
    path = judged.root / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in judged.root.glob(".report*")] == []
    data = island(path.read_bytes())
    assert data["title"] == judged.root.name
    assert column(data, "title") == ["mask@2", "mask@1"]
    assert shared(data, "state") == ["SUCCEEDED", "SUCCEEDED"]
    assert shared(data, "description") == ["Mask names", "Mask names"]
    assert shared(data, "source") == ["data.jsonl", "data.jsonl"]
    assert shared(data, "why")[0] == "re-tunes: tuning.epochs changed"
    assert shared(data, "command") == ["tunekit apply -y --wait"] * 2
    splits = [data["texts"][place] for place in column(data, "splits")[0]]
    assert dict(zip(splits[::2], splits[1::2], strict=True)) == {
        "train": 60,
        "validation": 10,
        "test": 20,
    }
    charts = {(series[0], series[1]): series for series in column(data, "series")[0]}
    assert len(charts["loss", "train"][4]) == 24  # 60 rows by 8, three epochs
    assert len(charts["loss", "validation"][4]) == 3
    assert set(charts) == {(c, s) for c in ("loss", "accuracy") for s in ("train", "validation")}
    assert column(data, "scorecards")[0] == []
    card = dict(zip(data["card"], column(data, "scorecards")[1][0], strict=True))
    scores = {data["texts"][metric]: value for metric, value, *_ in card["scores"]}
    assert (
        scores["exact_match"]
        == judged.json("show", "mask@1")["evaluations"][0]["scores"]["exact_match"]
    )
    assert {data["texts"][name] for name, *_ in card["baselines"]} == {"copy", "majority"}
    # No row of data: nothing asked for any to be kept.
    assert card["answers"] == []
    row = json.loads((judged.root / "data.jsonl").read_text().splitlines()[0])
    assert row["message"] not in path.read_text()


def test_a_report_is_of_the_jobs_that_were_asked_for(judged: Project) -> None:
    judged.spec("other")
    judged.ok("apply", "-y", "--wait")
    assert column(report_of(judged, "mask@1"), "title") == ["mask@1"]
    assert column(report_of(judged, "mask@2", "other"), "title") == ["other@1", "mask@2"]
    assert column(report_of(judged, "-l", "team=privacy"), "title") == ["mask@2", "mask@1"]
    assert column(report_of(judged, "--since", "1h"), "title") == ["other@1", "mask@2", "mask@1"]
    assert column(report_of(judged, "--since", "2999-01-01"), "title") == []
    done = judged.run("report", "maks")
    assert done.returncode == 2
    assert "did you mean 'mask'?" in done.stderr


def test_an_older_report_is_replaced_whole(judged: Project) -> None:
    path = judged.write("out/page.html", "old")
    path.chmod(0o644)
    judged.ok("report", "-o", "out/page.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert island(path.read_bytes())["jobs"]
    done = judged.run("report", "-o", "missing/page.html")
    assert done.returncode == 2
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_registry_there_is_nothing_to_report(project: Project) -> None:
    for command in ("report", "ui"):
        done = project.run(command)
        assert done.returncode == 2
        assert "nothing was applied yet" in done.stderr
    assert not (project.root / "report.html").exists()


@pytest.fixture
def serve(project: Project) -> Iterator[Callable[..., Any]]:
    """Start `tunekit ui`; give its address and its process."""
    started = []

    def start(*arguments: str) -> Any:
        process = project.start("ui", "-o", "json", *arguments)
        started.append(process)
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        return json.loads(text), process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_live_page_follows_a_job_and_ctrl_c_ends_it(
    project: Project, serve: Callable[..., Any]
) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    said, process = serve()
    assert said["schema"] == "tunekit.ui/1"

    def steps() -> int:
        with urllib.request.urlopen(said["url"] + "data.json", timeout=10) as answer:
            data = json.load(answer)
        assert shared(data, "state") == ["RUNNING"]
        return int(column(data, "completed_steps")[0] or 0)

    before = steps()
    end = time.monotonic() + 20
    while steps() <= before and time.monotonic() < end:
        time.sleep(0.3)
    assert steps() > before
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "jobs go on" in errors
    assert said["url"] not in errors
    assert project.job()["state"] == "RUNNING"


def test_a_server_string_stays_text_from_the_registry_to_the_screen(
    tuned: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    browser = pytest.importorskip("tests.report.browser")
    if browser.CHROMIUM is None:
        pytest.skip("NO BROWSER: the report was not opened")
    from tunekit.model import Actor, JobState, Observation
    from tunekit.registry import Registry

    with Registry.open(tuned.root / ".tunekit/registry.db") as registry:
        from tests.unit.test_plan import trial

        actor = Actor(who="ana", command="tunekit apply")
        job = registry.write_intent(
            trial(name="victim"), attempt=1, reason="new", at_s=1.0, actor=actor
        )
        seen = Observation(
            name=HOSTILE, token=job.token, state=JobState.FAILED, error=HOSTILE, detail=HOSTILE
        )
        registry.record_observation(job, seen, at_s=2.0, actor=actor)
    tuned.ok("report", "--no-refresh")
    reader = request.getfixturevalue("read")()
    page = reader.open(tuned.root / "report.html", "#/job/victim%401")
    assert "window.pwned=1</script><img src=x" in page.locator(".notice.bad").inner_text()
    assert page.evaluate("window.pwned") is None
    assert reader.complaints == []


def test_a_browser_sees_a_job_move_without_reloading(
    project: Project, serve: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    browser = pytest.importorskip("tests.report.browser")
    if browser.CHROMIUM is None:
        pytest.skip("NO BROWSER: the live page was not opened")
    project.endless()
    project.ok("apply", "-y")
    project.running()
    said, process = serve()
    reader = request.getfixturevalue("read")()
    page = reader.page
    page.goto(said["url"])
    assert page.locator(".live").inner_text() == "Live"
    share = page.locator("table.jobs progress")
    before = float(share.get_attribute("value") or 0)
    page.get_by_label("Find").fill("mask")
    page.evaluate("window.isTheSame = true")
    end = time.monotonic() + 20
    while float(share.get_attribute("value") or 0) <= before and time.monotonic() < end:
        page.wait_for_timeout(200)
    assert float(share.get_attribute("value") or 0) > before
    # Under the reader's hands nothing was lost.
    assert page.evaluate("window.isTheSame") is True
    assert page.get_by_label("Find").input_value() == "mask"
    assert page.evaluate("document.activeElement.id") == "find"
    assert reader.complaints == []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    page.wait_for_selector(".stale")
