"""What the provider gemini-api refuses offline, and how it reads what the service says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import Service, labelled, pairs
from tests.providers.gemini import BASE, TOKEN, dataset, job, opened
from tunekit.errors import ProviderError
from tunekit.model import JobSpec, JobState, PreparedDataset, Problem, Severity, SplitInfo
from tunekit.providers.gemini_api import limits, reading
from tunekit.providers.gemini_api.provider import open_provider
from tunekit.providers.gemini_api.rows import row_bytes

LOCAL = "http://127.0.0.1:1"


def check(asked: JobSpec, url: str = LOCAL) -> Sequence[Problem]:
    return opened(url).check(asked)


def test_a_good_job_has_no_problem() -> None:
    assert check(job()) == []
    assert check(job(base_model=f"models/{BASE}")) == []


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("", True),
        ("https://generativelanguage.googleapis.com", True),
        ("https://generativelanguage.googleapis.com:443/x", True),
        ("https://gateway.example.com", False),
        (LOCAL, False),
    ],
)
def test_the_live_service_is_said_to_tune_nothing(url: str, is_warned: bool) -> None:
    problems = check(job(), url)
    assert [problem.severity for problem in problems] == [Severity.WARNING] * is_warned
    if is_warned:
        assert "since May 2025" in problems[0].fact
        assert "vertex" in problems[0].remedy
        assert "tunekit emulator" in problems[0].remedy


@pytest.mark.parametrize(
    ("changes", "severity", "key", "says"),
    [
        ({"method": "preference"}, Severity.ERROR, "tuning.method", "preference"),
        ({"hyperparameters": {"seed": 1}}, Severity.ERROR, "tuning.seed", "not taken"),
        ({"base_model": "tunedModels/x"}, Severity.ERROR, "base_model", "further"),
        ({"base_checkpoint": "3"}, Severity.ERROR, "base_model", "further"),
        ({"base_model": "publishers/google/x"}, Severity.ERROR, "base_model", "no name"),
        ({"base_model": "models/"}, Severity.ERROR, "base_model", "no name"),
        ({"display_name": "x" * 41}, Severity.WARNING, "display_name", "41 characters"),
        ({"rows": labelled(19)}, Severity.WARNING, "dataset.split", "19 training rows"),
    ],
)
def test_each_fault_points_at_its_key(
    changes: dict[str, Any], severity: Severity, key: str, says: str
) -> None:
    (problem,) = check(job(**changes))
    assert (problem.severity, problem.key) == (severity, key)
    assert says in problem.fact


def test_validation_rows_are_said_to_stay_behind() -> None:
    data = dataset(pairs(20), validation=pairs(5), test=pairs(5))
    (problem,) = check(job(dataset=data))
    assert (problem.severity, problem.key) == (Severity.WARNING, "dataset.split")


def test_cloud_storage_is_not_read() -> None:
    def read(name: str) -> Any:
        raise AssertionError("read")

    data = PreparedDataset("f", {"train": SplitInfo(9, 9, "d")}, read, uris={"train": "gs://b/o"})
    (problem,) = check(job(dataset=data))
    assert (problem.severity, problem.key) == (Severity.ERROR, "dataset.source")


def test_bad_rows_are_named_by_number_and_never_shown() -> None:
    rows = [("canary", "canary")] * 60
    rows[2] = ("canary" * 7000, "y")
    rows[4] = ("x", "canary" * 1000)
    for number in range(10, 30):
        rows[number] = ("canary", "")
    problems = check(job(rows))
    numbers = ", ".join(map(str, range(11, 21)))
    assert [problem.fact for problem in problems] == [
        f"there are 20 training rows ({numbers}, …) without a prompt or without a response",
        "there is 1 training row (3) with a prompt of more than 40,000 characters",
        "there is 1 training row (5) with a response of more than 5,000 characters",
    ]
    assert all(problem.severity is Severity.ERROR for problem in problems)
    assert not any("canary" in str(problem) for problem in problems)


def test_the_limits_themselves_are_allowed() -> None:
    assert check(job([("x" * 40_000, "y" * 5_000)] * 20)) == []


def test_a_huge_data_set_is_refused_unread() -> None:
    def read(name: str) -> Any:
        raise AssertionError("read")

    data = PreparedDataset("f", {"train": SplitInfo(10**6, 10**8, "d")}, read)
    (problem,) = check(job(dataset=data))
    assert "100,000,000 characters" in problem.fact


@pytest.mark.parametrize("text", ["plain", "naïve", "日本語", 'quo"te\\\n\t\x01', "😀"])
def test_the_size_is_that_of_the_request(text: str) -> None:
    from google.ai import generativelanguage_v1beta as wire
    from google.protobuf.json_format import MessageToJson

    rows = [(text * (n % 9 + 1), text) for n in range(400)]
    asked = job(rows, description="Où?")
    examples = [{"text_input": a, "output": b} for a, b in rows]
    model = wire.TunedModel(
        base_model=f"models/{BASE}",
        display_name="x" * 40,
        description=asked.description,
        tuning_task={
            "training_data": {"examples": {"examples": examples}},
            "hyperparameters": {"epoch_count": 1000, "batch_size": 99, "learning_rate": 0.001},
        },
    )
    # As the client makes it.
    sent = len(MessageToJson(wire.TunedModel.pb(model), use_integers_for_enums=True))
    told = limits.request_bytes(asked) + sum(row_bytes(a, b) for a, b in rows)
    assert sent <= told <= sent + 1024


def test_what_passes_the_check_passes_the_service(serve: Callable[..., Service]) -> None:
    """The largest request that is let through, and one a row longer."""
    service = serve(time_scale=1)  # it is only accepted, never trained
    provider = opened(service.url)
    row = ("é" * 6_500, "y")  # 6 bytes each on the wire
    count = (limits.MOST_BYTES - 1200) // row_bytes(*row)
    fits, exceeds = job([row] * count), job([row] * (count + 1))
    assert provider.check(fits) == []
    assert provider.submit(fits, TOKEN).total_steps is not None
    provider.delete_model(f"tunedModels/{TOKEN}")
    (problem,) = provider.check(exceeds)
    assert "bytes in the request" in problem.fact
    with pytest.raises(ProviderError, match="payload size"):
        provider.submit(exceeds, TOKEN)


def test_a_profile_says_how_long_a_job_may_stay_hidden() -> None:
    plain = open_provider({}, Path("unused"), {}).capabilities
    assert (plain.listing_lag_s, plain.can_continue, plain.has_system_instruction) == (
        90.0,
        False,
        False,
    )
    given = {"request_timeout_s": 5, "listing_lag_s": 0}
    assert open_provider(given, Path("unused"), {}).capabilities.listing_lag_s == 5


# --- reading ---------------------------------------------------------------------------------


def test_the_fuller_account_of_the_steps_counts() -> None:
    steps = [{"step": n, "epoch": 1, "meanLoss": 1 / n} for n in (2, 1, 3)]
    model = {"name": f"tunedModels/{TOKEN}", "state": "CREATING"}
    operation = {"name": "o", "metadata": {"snapshots": steps, "totalSteps": 9}}
    seen = reading.observe(model, operation)
    assert (seen.state, seen.completed_steps, seen.total_steps) == (JobState.RUNNING, 3, 9)
    assert seen.loss == pytest.approx(1 / 3)
    told = {**model, "tuningTask": {"snapshots": [*steps, {"step": 4}]}}
    assert reading.observe(told, operation).completed_steps == 4
    assert reading.observe(told).loss == 0  # zero is left out of JSON


def test_a_loss_that_is_no_number_is_read() -> None:
    steps = [{"step": 1, "meanLoss": "NaN"}, {"step": 2, "meanLoss": "Infinity"}]
    found = list(reading.points({"tuningTask": {"snapshots": steps}}, None, after_step=0))
    assert math.isnan(found[0].value)
    assert math.isinf(found[1].value)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2026-11-21T00:00:00Z", 1795219200.0),
        ("2026-11-21T00:00:00.500Z", 1795219200.5),
        ("2026-11-21T00:00:00.123456789Z", 1795219200.123456),
        ("yesterday", None),
        ("", None),
        (5, None),
    ],
)
def test_times_are_read(time: Any, seconds: float | None) -> None:
    assert reading.observe({"state": "ACTIVE", "createTime": time}).created_s == seconds


@pytest.mark.parametrize(
    ("key", "token"),
    [(TOKEN, TOKEN), ("tk-short", None), ("tk-" + "z" * 26, None), ("my-model", None)],
)
def test_a_token_is_read_from_the_id(key: str, token: str | None) -> None:
    assert reading.observe({"name": f"tunedModels/{key}", "state": "ACTIVE"}).token == token
