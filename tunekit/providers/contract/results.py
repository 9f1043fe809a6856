"""Promises about what jobs leave: metrics, models that answer, descriptions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import fmean

import pytest

from tunekit.errors import NotFound, ProviderError
from tunekit.model import EVAL_LOSS, MEAN_LOSS, TRAIN_LOSS, Diagnosis, Generation, MetricPoint
from tunekit.providers.base import Provider
from tunekit.providers.contract.caller import PatientCaller
from tunekit.providers.contract.fixtures import Terms, Trained
from tunekit.providers.contract.samples import absent, fresh_token

_PROMPTS = 6
_UNICODE = "Mask: Zoë 🦊 東京 wants order #4711 back — «\u202e»"


class ResultPromises(Terms):
    """Of a job that succeeded."""

    # --- metrics -----------------------------------------------------------------------------

    @pytest.fixture(scope="class")
    @classmethod
    def points(cls, calls: PatientCaller, trained: Trained) -> Sequence[MetricPoint]:
        """Give every point of the trained job."""
        return calls.metrics(trained.name)

    def test_points_are_finite_and_rise_by_step(self, points: Sequence[MetricPoint]) -> None:
        assert all(math.isfinite(point.value) for point in points)
        steps = [point.step for point in points]
        assert steps == sorted(steps)
        by_metric = sorted(points, key=lambda point: point.metric)
        for metric, series in groupby(by_metric, key=lambda point: point.metric):
            mine = [point.step for point in series]
            assert mine == sorted(set(mine)), metric

    def test_no_point_of_the_loss_is_missing(
        self, trained: Trained, points: Sequence[MetricPoint]
    ) -> None:
        total, every = trained.end.total_steps or 0, self.point_every_steps
        loss = _loss(points)
        assert [point.step for point in loss] == list(range(every, total + 1, every))
        assert {point.step for point in points} <= set(range(total + 1))

    def test_the_loss_falls(self, points: Sequence[MetricPoint]) -> None:
        values = [point.value for point in _loss(points)]
        quarter = max(len(values) // 4, 1)
        assert fmean(values[-quarter:]) < fmean(values[:quarter])

    def test_a_validation_split_is_measured(
        self, trained: Trained, points: Sequence[MetricPoint]
    ) -> None:
        has_split = "validation" in self.job().dataset.splits
        assert (EVAL_LOSS in {point.metric for point in points}) == has_split

    def test_metrics_answer_the_same_when_asked_again(
        self, calls: PatientCaller, trained: Trained, points: Sequence[MetricPoint]
    ) -> None:
        assert calls.metrics(trained.name) == points

    def test_points_seen_early_are_among_the_last(
        self, trained: Trained, points: Sequence[MetricPoint]
    ) -> None:
        assert set(trained.early_points) <= set(points)

    def test_metrics_past_a_step_are_those_past_it(
        self, calls: PatientCaller, trained: Trained, points: Sequence[MetricPoint]
    ) -> None:
        total = trained.end.total_steps or 0
        for step in (1, total // 2, total - 1, total):
            rest = tuple(point for point in points if point.step > step)
            assert calls.metrics(trained.name, after_step=step) == rest

    # --- answers -----------------------------------------------------------------------------

    def test_prompts_are_answered_one_by_one_in_order(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        prompts = self._prompts()
        texts = [answer.text for answer in calls.generate(trained.asks, prompts)]
        alone = [calls.generate(trained.asks, [prompt])[0].text for prompt in prompts]
        assert texts == alone
        assert len(set(texts)) > 1

    def test_no_prompt_has_no_answer(self, calls: PatientCaller, trained: Trained) -> None:
        assert list(calls.generate(trained.asks, [])) == []

    def test_any_text_is_answered(self, calls: PatientCaller, trained: Trained) -> None:
        (answer,) = calls.generate(trained.asks, [_UNICODE])
        assert isinstance(answer.text, str)
        assert answer.text.encode()

    def test_sampling_options_are_taken(self, calls: PatientCaller, trained: Trained) -> None:
        config = Generation(temperature=0.7, top_p=0.9, top_k=5, max_output_tokens=256)
        assert len(calls.generate(trained.asks, self._prompts(), config)) == _PROMPTS

    def test_an_answer_is_no_longer_than_asked_for(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        prompts = self._prompts()
        whole = calls.generate(trained.asks, prompts)
        cut = calls.generate(trained.asks, prompts, Generation(temperature=0, max_output_tokens=2))
        for long, short in zip(whole, cut, strict=True):
            assert len(short.text.split()) <= 2 < len(long.text.split())

    def test_impossible_options_are_refused(self, calls: PatientCaller, trained: Trained) -> None:
        for config in (Generation(temperature=-1.0), Generation(top_p=1.5)):
            with pytest.raises(ProviderError):
                calls.generate(trained.asks, self._prompts(), config)

    def test_an_unknown_model_is_not_found(self, calls: PatientCaller, trained: Trained) -> None:
        with pytest.raises(NotFound):
            calls.generate(absent(trained.asks, token=trained.token), self._prompts())

    def test_checkpoints_answer(self, calls: PatientCaller, trained: Trained) -> None:
        marks = trained.end.checkpoints
        assert len({mark.id for mark in marks}) == len(marks)
        for mark in {marks[0], marks[-1]} if marks else ():
            (answer,) = calls.generate(mark.model, self._prompts()[:1])
            assert answer.text

    def test_a_deleted_model_is_not_found(self, calls: PatientCaller) -> None:
        end = calls.until_ended(calls.submit(self.job(), fresh_token()).name)
        asks, model = end.endpoint or end.model or "", end.model or ""
        assert len(calls.generate(asks, self._prompts())) == _PROMPTS
        calls.delete_model(model)
        with pytest.raises(NotFound):
            calls.generate(asks, self._prompts())
        calls.delete_model(model)

    def test_deleting_an_unknown_model_is_fine(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        calls.delete_model(absent(trained.end.model or "", token=trained.token))
        assert calls.generate(trained.asks, self._prompts()[:1])

    def _prompts(self) -> list[str]:
        rows = self.job().dataset.read("train")
        return [row.prompt for row, _ in zip(rows, range(_PROMPTS), strict=False)]

    # --- descriptions ------------------------------------------------------------------------

    def test_a_job_is_described_as_it_was_asked_for(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        job, told = self.job(), calls.ask(lambda: calls.provider.describe(trained.name))
        assert (told.base_model, told.method) == (job.base_model, job.method)
        given = {key: told.hyperparameters.get(key) for key in job.hyperparameters}
        assert given == pytest.approx(dict(job.hyperparameters))
        assert told.base_checkpoint is None
        assert told.export_last_checkpoint_only == job.export_last_checkpoint_only
        assert told.display_name in ("", job.display_name)
        assert told.description in ("", job.description)

    def test_diagnose_says_what_to_do_about_what_is_wrong(self, provider: Provider) -> None:
        lines = list(provider.diagnose([self.job().base_model, "no-such-base-model"]))
        assert lines
        for line in lines:
            assert isinstance(line, Diagnosis)
            assert line.subject
            assert line.fact
            assert line.remedy or line.is_ok is not False


def _loss(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Return the training loss: of each step, or where there is none, the epochs' mean."""
    for metric in (TRAIN_LOSS, MEAN_LOSS):
        if series := [point for point in points if point.metric == metric]:
            return series
    raise AssertionError(f"no {TRAIN_LOSS} and no {MEAN_LOSS}")
