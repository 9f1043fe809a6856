"""The local provider keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, read_all
from tunekit.model import JobSpec, JobState
from tunekit.providers.base import Provider
from tunekit.providers.contract import PatientCaller, ProviderContract, Trained, sample_job
from tunekit.providers.local import open_provider


class TestLocal(ProviderContract):
    base_model = "text-editor"
    hyperparameters = {"epochs": 2, "batch_size": 8, "learning_rate_multiplier": 0.5}
    slow_hyperparameters = {"epochs": 1000, "batch_size": 1}
    validation_rows = 8

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Provider:
        return open_provider({}, tmp_path_factory.mktemp("local"), {})

    def refused_jobs(self) -> Mapping[str, JobSpec]:
        job = self.job()
        return {
            "an unknown base model": replace(job, base_model="no-such-model"),
            "a hyperparameter that is not taken": replace(job, hyperparameters={"adapter_size": 4}),
            "a hyperparameter out of bounds": replace(job, hyperparameters={"epochs": 0}),
            "data without recurring labels": replace(job, base_model="text-classifier"),
        }

    def test_nothing_that_check_refuses_is_started(self, calls: PatientCaller) -> None:
        for number, job in enumerate([*self.refused_jobs().values()][:3]):
            error = calls.refuses(lambda job=job, n=number: calls.provider.submit(job, f"tk-{n}"))
            assert "; " in str(error)
            assert calls.find(f"tk-{number}") is None

    def test_a_spec_can_train_on_the_rows_that_describe_names(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        told = calls.provider.describe(trained.name)
        assert told.source is not None
        path = Path(told.source["path"])
        rows = list(self.job().dataset.read("train"))
        experiment = make_experiment(
            path.name, columns=told.columns, prompt="{input}", split={"train": len(rows)}
        )
        read = read_all(path.parent, experiment)
        assert [(row.prompt, row.response) for row in read] == [
            (row.prompt, row.response) for row in rows
        ]

    def test_describe_gives_tags_back(self, calls: PatientCaller, trained: Trained) -> None:
        assert calls.provider.describe(trained.name).tags == self.job().tags


def test_a_cancel_that_meets_an_import_is_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal inside an import comes out as an ImportError, seen with numpy: not a failure."""
    (tmp_path / "numpy.py").write_text(
        "import os, pathlib, signal, sys, time\n"
        "pathlib.Path(sys.argv[1], 'cancel').touch()\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(10)\n"
        "except BaseException as error:\n"
        "    raise ImportError from error\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    calls = PatientCaller(open_provider({}, tmp_path / "local", {}), patience_s=30)
    job = sample_job(base_model="text-editor", hyperparameters={})
    end = calls.until_ended(calls.submit(job, "tk-0").name)
    assert (end.state, end.error) == (JobState.CANCELLED, "")
