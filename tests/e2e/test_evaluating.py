"""Judging tuned models against an emulator, through real processes: nothing asked twice."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project, rows
from tests.e2e.cloud import Cloud
from tests.emulator.service import Service

TEST_ROWS = 60
MASKING = "metrics: [exact_match, token_f1, rouge_l, placeholder_f1, leak_rate]"


def judged(cloud: Cloud, evaluate: str = "", *, provider: str = "vertex") -> Project:
    """Return a project with one tuned model and 60 rows held out."""
    project = cloud.project
    project.write("data.jsonl", rows(60 + TEST_ROWS))
    cloud.spec(provider)
    respec(project, evaluate, f"test: {TEST_ROWS}")
    project.ok("apply", "-y", "--wait")
    return project


def respec(project: Project, evaluate: str, test: str | None = None) -> None:
    """Write another `evaluate` section, and how many rows to hold out."""
    path = project.root / "experiments/mask.yaml"
    text = path.read_text().partition("evaluate:")[0]
    text = text.replace("test: 20", test) if test else text
    path.write_text(text + (f"evaluate: {{{evaluate}}}\n" if evaluate else ""))


def asked(cloud: Cloud) -> list[Any]:
    """Return the questions that the emulator answered."""
    return [r for r in cloud.requests() if r["path"].endswith(":generateContent")]


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve())


@pytest.mark.parametrize("provider", ["vertex", "gemini-api"])
def test_an_evaluation_that_was_killed_asks_only_what_is_missing(
    cloud: Cloud, provider: str
) -> None:
    project = judged(cloud, provider=provider)
    cloud.service.set_faults(delay_s=0.05)
    running = project.start("evaluate", "mask", "--concurrency", "4")
    end = time.monotonic() + 60
    while recorded(project) < 0.4 * TEST_ROWS and time.monotonic() < end:
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    time.sleep(0.3)  # what was under way reaches the log
    before, kept = len(asked(cloud)), recorded(project)
    assert 0.4 * TEST_ROWS <= kept < TEST_ROWS
    assert before <= kept + 4  # all that is lost is what was under way
    assert project.sql("SELECT count(*) FROM evaluations") == [(0,)]

    cloud.service.set_faults(delay_s=0)
    said = project.json("evaluate", "mask")
    assert len(asked(cloud)) - before == said["asked"] == TEST_ROWS - kept
    assert said["rows"] == TEST_ROWS
    # And then nothing at all, with the same scores.
    again = project.json("evaluate", "mask")
    assert (again["asked"], again["scores"]) == (0, said["scores"])
    assert len(asked(cloud)) == before + TEST_ROWS - kept
    # Other settings are another question; so is asking again.
    assert project.json("evaluate", "mask", "--top-k", "2", "--rows", "5")["asked"] == 5
    assert project.json("evaluate", "mask", "--again", "--rows", "5")["asked"] == 5
    # Which would ask the same rows in every run, and never be done.
    endless = project.run("evaluate", "mask", "--again", "--max-rows", "5")
    assert endless.returncode == 2
    assert "--again asks anew in every run" in endless.stderr


def recorded(project: Project) -> int:
    try:
        ((count,),) = project.sql("SELECT count(*) FROM answered_rows")
    except Exception:  # not there yet, or being written
        return 0
    return int(count)


@pytest.mark.parametrize("is_killed", [False, True])
def test_two_evaluations_at_once_ask_each_row_once(cloud: Cloud, is_killed: bool) -> None:
    project = judged(cloud)
    cloud.service.set_faults(delay_s=0.3)
    first = project.start("evaluate", "mask", "--concurrency", "2", "-o", "json")
    end = time.monotonic() + 60
    while recorded(project) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    second = project.start("evaluate", "mask", "--concurrency", "2", "-o", "json")
    assert second.stderr is not None
    assert "Another evaluation asks about mask@1; waiting" in second.stderr.readline()
    cloud.service.set_faults(delay_s=0.02)
    if is_killed:
        first.kill()  # then the kernel frees the lock, and the second asks the rest
    done, _ = first.communicate(timeout=60)
    went_on, said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    count = json.loads(went_on)["asked"]
    if is_killed:
        assert 0 < count < TEST_ROWS
        assert TEST_ROWS <= len(asked(cloud)) <= TEST_ROWS + 2  # what was under way is lost
    else:
        assert (json.loads(done)["asked"], count) == (TEST_ROWS, 0)
        assert len(asked(cloud)) == TEST_ROWS


def test_ctrl_c_keeps_the_answers_and_says_so(cloud: Cloud) -> None:
    project = judged(cloud)
    cloud.service.set_faults(delay_s=0.05)
    running = project.start("evaluate", "mask", "--concurrency", "2")
    end = time.monotonic() + 60
    while recorded(project) < 10 and time.monotonic() < end:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "the same command asks only the rest" in said
    cloud.service.set_faults(delay_s=0)
    assert project.json("evaluate", "mask")["asked"] <= TEST_ROWS - 10


def test_base_tuned_and_checkpoints_are_compared_on_the_same_rows(cloud: Cloud) -> None:
    project = judged(cloud, MASKING)
    said = project.json("evaluate", "mask", "--target", "all")
    targets = {found["target"]: found for found in said["targets"]}
    assert list(targets)[:2] == ["tuned", "base"]
    assert any(name.startswith("checkpoint:") for name in targets)
    assert len(asked(cloud)) == said["asked"] == TEST_ROWS * len(targets)
    # The emulator's base models repeat the prompt.
    assert targets["base"]["scores"]["exact_match"] == 0
    assert targets["base"]["scores"]["leak_rate"] == 1
    differences = {d["metric"]: d for d in targets["tuned"]["differences"]}
    assert differences["exact_match"]["test"] == "mcnemar"
    assert differences["exact_match"]["p_value"] < 0.001
    assert differences["exact_match"]["difference"] == said["scores"]["exact_match"]
    assert differences["token_f1"]["test"] == "bootstrap"
    low, high = said["intervals"]["exact_match"]
    assert low <= said["scores"]["exact_match"] <= high
    assert set(said["entities"]) >= {"NAME", "ORDER"}
    stored = project.sql("SELECT target, rows, verdict FROM evaluations")
    assert stored == [(name, TEST_ROWS, None) for name in targets]

    saved = next(found for name, found in targets.items() if name.startswith("checkpoint:"))
    assert {d["than"] for d in saved["differences"]} == {"base", "tuned"}

    table = project.ok("evaluate", "mask", "--target", "all")
    assert "VS BASE" in table
    assert "VS TUNED" in table
    # The base model can be asked by hand as well.
    assert project.ok("predict", "mask", "x", "--target", "base") == "Mask: x\n"


def test_a_model_that_is_not_good_enough_ends_with_102_and_a_junit_file(cloud: Cloud) -> None:
    project = judged(cloud, f"{MASKING}, promote_if: exact_match >= 0.5 and leak_rate <= 0.1")
    promoted = project.run("evaluate", "mask", "--junit", "judged.xml")
    assert promoted.returncode == 0, promoted.stderr
    assert "tuned: promoted" in promoted.stdout
    suite = ElementTree.parse(project.root / "judged.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")

    respec(project, f"{MASKING}, promote_if: exact_match.low > 1 or token_f1 < 0.1")
    project.ok("apply", "-y")  # the spec alone: nothing is tuned or asked again
    refused = project.run("evaluate", "mask", "--junit", "judged.xml", "-o", "json")
    assert refused.returncode == 102
    said = json.loads(refused.stdout)
    assert (said["verdict"], said["asked"]) == ("refused", 0)
    assert [clause["is_met"] for clause in said["clauses"]] == [False, False]
    suite = ElementTree.parse(project.root / "judged.xml").getroot()[0]
    failures = [case.find("failure") for case in suite.iter("testcase")]
    assert all(failure is not None for failure in failures)
    assert suite.get("failures") == "2"
    assert len(asked(cloud)) == TEST_ROWS
    assert project.sql("SELECT verdict FROM evaluations") == [("promoted",), ("refused",)]


def test_an_edited_condition_that_is_not_applied_is_told(cloud: Cloud) -> None:
    project = judged(cloud, "promote_if: token_f1 >= 0.01")
    told = "warning: the `evaluate` section of mask has been edited"
    assert told not in project.run("evaluate", "mask").stderr
    respec(project, "promote_if: token_f1 > 1")
    edited = project.run("evaluate", "mask")
    assert edited.returncode == 0  # by the recorded one
    assert told in edited.stderr
    assert "`tunekit apply` records it" in edited.stderr
    path = project.root / "experiments/mask.yaml"
    path.write_text("name: [")
    assert project.run("evaluate", "mask").returncode == 0
    path.unlink()
    assert project.run("evaluate", "mask").returncode == 0


def test_a_junit_file_that_can_not_be_written_is_told_before_asking(cloud: Cloud) -> None:
    project = judged(cloud)
    refused = project.run("evaluate", "mask", "--junit", "nowhere/judged.xml")
    assert refused.returncode == 2
    assert "there is no folder nowhere" in refused.stderr
    assert asked(cloud) == []


def test_a_condition_on_the_base_model_asks_it_too(cloud: Cloud) -> None:
    project = judged(cloud, "promote_if: exact_match > base.exact_match + 0.2")
    said = project.json("evaluate", "mask")
    assert [target["target"] for target in said["targets"]] == ["tuned", "base"]
    assert said["verdict"] == "promoted"


def test_a_part_of_the_split_is_judged_and_not_promoted(cloud: Cloud) -> None:
    project = judged(cloud, "promote_if: token_f1 >= 0.01")
    part = project.run("evaluate", "mask", "--rows", "10")
    assert part.returncode == 0
    assert "tuned: met on 10 of 60 rows, not recorded as promoted" in part.stdout
    assert project.sql("SELECT verdict FROM evaluations") == [(None,)]
    assert "promoted" not in project.ok("history")
    assert project.json("evaluate", "mask")["verdict"] == "promoted"

    respec(project, "promote_if: token_f1 > 1")
    project.ok("apply", "-y")
    failed = project.run("evaluate", "mask", "--rows", "10")
    assert failed.returncode == 102
    assert "tuned: not met on 10 of 60 rows, not recorded as refused" in failed.stdout


def test_a_condition_on_masking_is_not_met_by_rows_without_an_entity(cloud: Cloud) -> None:
    project = judged(cloud, f"{MASKING}, promote_if: leak_rate <= 0.01")
    kept = [json.loads(line) for line in (project.root / "data.jsonl").read_text().splitlines()]
    first = next(n for n, row in enumerate(kept[60:]) if "[" in row["masked"])
    if first == 0:  # then the split must begin with a row that masks nothing
        plain = json.dumps({"message": "All is well", "masked": "All is well"})
        lines = [*map(json.dumps, kept[:60]), plain, *map(json.dumps, kept[60:-1])]
        project.write("data.jsonl", "\n".join(lines) + "\n")
    refused = project.run("evaluate", "mask", "--rows", "1")
    assert refused.returncode == 2
    assert "have nothing to be masked, so there is no leak_rate" in refused.stderr
    assert asked(cloud) == []
    assert project.json("evaluate", "mask")["scores"]["leak_rate"] >= 0


def test_a_condition_that_these_rows_can_not_tell_is_refused_before_asking(cloud: Cloud) -> None:
    project = judged(cloud, f"{MASKING}, promote_if: placeholder_f1.CITY > 0.5")
    refused = project.run("evaluate", "mask")
    assert refused.returncode == 2
    assert "the kinds of placeholder here are NAME, ORDER" in refused.stderr
    assert asked(cloud) == []


def test_answers_are_kept_only_where_the_spec_says_so(cloud: Cloud) -> None:
    project = judged(cloud, "keep_answers: true")
    file = project.root / ".tunekit/registry.db.answers"
    project.ok("evaluate", "mask")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = len(asked(cloud))
    # What is kept is shown, and scored anew, without asking.
    shown = project.json("evaluate", "mask", "--show", "3")["answers"]
    assert len(shown) == 3
    respec(project, "keep_answers: true, metrics: [exact_match, rouge_l, chrf]")
    project.ok("apply", "-y")
    assert set(project.json("evaluate", "mask")["scores"]) == {"exact_match", "rouge_l", "chrf"}
    assert len(asked(cloud)) == before

    file.unlink()
    respec(project, "metrics: [exact_match, normalised_match]")
    project.ok("apply", "-y")
    lost = project.run("evaluate", "mask")
    assert "60 rows of tuned are asked again: a metric is new" in lost.stderr
    assert len(asked(cloud)) == before + TEST_ROWS
    assert not file.exists()
    canary = shown[0]["expected"].encode()
    kept = b"".join(p.read_bytes() for p in file.parent.rglob("*") if p.is_file())
    assert canary not in kept
    # What is not kept is not shown, and never asked for behind the limits' back.
    again = project.run("evaluate", "mask", "--show", "2", "--max-rows", "1")
    assert again.returncode == 0
    assert "2 answers can't be shown" in again.stderr
    assert "  answered  " not in again.stdout
    assert len(asked(cloud)) == before + TEST_ROWS
    # What this run asked for is there, kept or not.
    anew = project.json("evaluate", "mask", "--again", "--rows", "3", "--show", "2")
    assert (anew["asked"], len(anew["answers"])) == (3, 2)


def test_an_answer_that_was_cut_stays_so_when_it_is_scored_anew(cloud: Cloud) -> None:
    project = judged(cloud, "keep_answers: true")
    told = "warning: answers of tuned that did not end by themselves: MAX_TOKENS 60"
    cut = project.run("evaluate", "mask", "--max-output-tokens", "1")
    assert told in cut.stderr
    respec(project, "keep_answers: true, metrics: [exact_match, rouge_l]")
    project.ok("apply", "-y")
    anew = project.run("evaluate", "mask", "--max-output-tokens", "1")
    assert "rouge_l" in anew.stdout
    assert told in anew.stderr
    assert len(asked(cloud)) == TEST_ROWS


def test_limits_stop_clearly_and_lose_nothing(cloud: Cloud) -> None:
    price = "price: {input_usd: 1000, output_usd: 1000}"
    project = judged(cloud, f"{price}, max_cost_usd: 0.001")
    refused = project.run("evaluate", "mask")
    assert refused.returncode == 2
    assert "evaluate.max_cost_usd is 0.001" in refused.stderr
    assert asked(cloud) == []

    respec(project, f"{price}, max_cost_usd: 100")
    project.ok("apply", "-y")
    stopped = project.run("evaluate", "mask", "--max-rows", "25")
    assert stopped.returncode == 1
    assert "stopped by --max-rows 25: 35 rows of tuned are still to be asked" in stopped.stderr
    assert len(asked(cloud)) == 25
    assert project.sql("SELECT count(*) FROM evaluations") == [(0,)]
    one = project.run("evaluate", "mask", "--max-rows", "34")
    assert "1 row of tuned is still to be asked" in one.stderr
    assert project.json("evaluate", "mask")["asked"] == 1
    assert len(asked(cloud)) == TEST_ROWS


def test_a_rate_is_kept(cloud: Cloud) -> None:
    project = judged(cloud, "max_requests_per_minute: 600")
    project.ok("evaluate", "mask", "--rows", "12")
    times = [request["time"] for request in asked(cloud)]
    assert seconds(times[-1]) - seconds(times[0]) >= 11 * 0.1 * 0.9
    project.ok("evaluate", "mask", "--rows", "24", "--rate", "6000")
    times = [request["time"] for request in asked(cloud)][12:]
    assert seconds(times[-1]) - seconds(times[0]) < 1.1


def seconds(timestamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def test_trouble_on_the_way_is_borne_and_every_row_asked_for(cloud: Cloud) -> None:
    project = judged(cloud)
    cloud.service.set_faults(fail_rate=0.2, retry_after_s=0.01)
    said = project.json("evaluate", "mask", "--concurrency", "16")
    assert (said["rows"], said["asked"]) == (TEST_ROWS, TEST_ROWS)
    assert recorded(project) == TEST_ROWS


def test_a_users_own_metric_is_an_entry_point(cloud: Cloud) -> None:
    project = judged(cloud, "custom_metrics: [short], promote_if: custom.short >= 0.5")
    folder = project.root / "plugin"
    write_plugin(folder, "def short(expected, answered, source):\n    return len(answered) < 99\n")
    project.extra_environment["PYTHONPATH"] = str(folder)
    said = project.json("evaluate", "mask")
    assert said["scores"]["custom.short"] == 1.0
    write_plugin(folder, "def short(expected, answered, source):\n    raise ValueError(source)\n")
    failed = project.run("evaluate", "mask", "--again")
    assert failed.returncode == 2
    assert "the metric custom.short raised ValueError on the row of line" in failed.stderr
    del project.extra_environment["PYTHONPATH"]
    missing = project.run("evaluate", "mask")
    assert missing.returncode == 2
    assert "no installed package has 'short'" in missing.stderr


def write_plugin(folder: Path, code: str) -> None:
    about = folder / "mine-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[tunekit.metrics]\nshort = mine:short\n")
    (folder / "mine.py").write_text(code)
    for cached in folder.glob("__pycache__/*"):
        os.unlink(cached)


def test_classes_are_told_apart_and_what_was_confused_is_shown(project: Project) -> None:
    words = {"card": "my card was stolen", "cash": "cash from a machine", "loan": "borrow money"}
    names = list(words)
    lines = [{"text": f"{words[names[n % 3]]} {n}", "label": names[n % 3]} for n in range(120)]
    project.write("data.jsonl", "".join(json.dumps(entry) + "\n" for entry in lines))
    project.write(
        "experiments/kinds.yaml",
        "name: kinds\nprovider: local\nbase_model: text-classifier\n"
        "dataset:\n  source: {path: data.jsonl}\n  columns: {input: text, output: label}\n"
        "  split: {train: 60, test: 60}\n"
        "evaluate: {metrics: [label_accuracy, macro_f1], promote_if: macro_f1 > 90%}\n",
    )
    project.ok("apply", "-y", "--wait")
    said = project.json("evaluate", "kinds")
    assert said["scores"] == {"label_accuracy": 1.0, "macro_f1": 1.0}
    assert said["confusion"] == {
        "labels": ["card", "cash", "loan"],
        "counts": [[0, 0, 20], [1, 1, 20], [2, 2, 20]],
    }
    assert said["baselines"]["majority"]["label_accuracy"] == pytest.approx(1 / 3)
    # There is no base model on this machine: alone it is an error, among all a note.
    alone = project.run("evaluate", "kinds", "--target", "base")
    assert alone.returncode == 5
    assert "local can't ask the base model text-classifier" in alone.stderr
    everything = project.run("evaluate", "kinds", "--target", "all")
    assert everything.returncode == 0
    assert "base is left out" in everything.stderr
    text = (project.root / "experiments/kinds.yaml").read_text()
    project.write("experiments/kinds.yaml", text.replace("> 90%", "> base.macro_f1"))
    project.ok("apply", "-y")
    needed = project.run("evaluate", "kinds", "--target", "all")
    assert needed.returncode == 5
    assert "local can't ask the base model text-classifier" in needed.stderr
