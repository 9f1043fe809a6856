"""A tuning job's life: states, waits, training, and what it leaves behind."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tunekit.providers.local.training import StepReport

from . import deployments, metadata, rows, trainer
from .trainer import Run, Stopped
from .wire import CANCELLED, INTERNAL, INVALID_ARGUMENT, JOB_STATES, JSON, NOT_FOUND, timestamp
from .world import World

# Simulated waits in seconds at time scale 1. The first is a published job's (facts of 2026-11).
PENDING_S = 23.0
QUOTA_S = 5.0
DATASET_S = 20.0
CAPACITY_S = 20.0
POST_S = 30.0
CANCELLING_S = 5.0

ENDED = tuple(
    f"JOB_STATE_{end}"
    for end in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
)
CANCELLED_TEXT = "The tuning job was cancelled."
MOST_CHECKPOINTS = 10
SPECS = ("supervisedTuningSpec", "preferenceOptimizationSpec")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a create asked for, checked and read.

    `base_model` is where tuning once began, `earlier` the job whose tuned model is tuned further.
    """

    base_model: str
    earlier: Job | None
    spec: str
    kind: str
    train_uri: str
    validation_uri: str
    epochs: int | None
    batch_size: int | None
    multiplier: float
    is_last_only: bool


class Job:
    """One tuning job: `wire` is what v1beta1 shows of it."""

    def __init__(self, world: World, name: str, wire: JSON, wanted: Wanted) -> None:
        self.world = world
        self.name = name
        self.wanted = wanted
        self.sequence = world.next_number()
        self.created_s = time.time()
        self.project, self.location = name.split("/")[1], name.split("/")[3]
        self.id = name.rsplit("/", 1)[1]
        now = timestamp(self.created_s)
        self.wire: JSON = {
            **wire,
            "name": name,
            "state": "JOB_STATE_PENDING",
            "createTime": now,
            "updateTime": now,
        }
        self.run = Run(self._live, f"tuning-job-{self.id}")
        # Bytes, URI and kind of each training file that the tuned model knows, its parents' first.
        self.files: list[tuple[bytes, str, str]] = []
        self.is_held = False
        self.metrics: metadata.Metrics | None = None
        self.last: StepReport | None = None

    @property
    def is_ended(self) -> bool:
        return self.wire["state"] in ENDED

    def shown(self, version: str) -> JSON:
        """Return the resource as a version of the API has it."""
        if version != "v1":
            return dict(self.wire)
        hidden = ("tuningJobState", "tuningJobMetadata", "outputUri", "customBaseModel")
        shown = {key: value for key, value in self.wire.items() if key not in hidden}
        spec = {k: v for k, v in shown[self.wanted.spec].items() if k != "tuningMode"}
        if "hyperParameters" in spec:
            hyper = spec["hyperParameters"].items()
            open_only = ("batchSize", "learningRate")
            spec["hyperParameters"] = {k: v for k, v in hyper if k not in open_only}
        return {**shown, self.wanted.spec: spec}

    def cancel(self) -> None:
        """Ask the job to end; it may still succeed or fail first."""
        with self.world.lock:
            if self.is_held:
                error = {"code": CANCELLED, "message": CANCELLED_TEXT}
                self.hold({"state": "JOB_STATE_CANCELLED", "error": error})
            elif not self.is_ended:
                self._state("CANCELLING")
        self.run.stop.set()

    def hold(self, fields: JSON) -> None:
        """Show these fields from now on; a `state` among them ends the job's own life."""
        with self.world.lock:
            self.wire = {k: v for k, v in {**self.wire, **fields}.items() if v is not None}
            self.wire["updateTime"] = self.world.now()
            if "state" not in fields:
                return
            self.is_held = True
            self.run.forget()
            if not self.is_ended:
                self.wire.pop("endTime", None)
                return
            self.wire.setdefault("endTime", self.world.now())
            if "tuningJobState" not in fields:
                self.wire.pop("tuningJobState", None)
            if self.metrics:
                self.metrics.end(fields["state"].removeprefix("JOB_STATE_"))

    def _state(self, state: str) -> None:
        value = f"JOB_STATE_{state}"
        assert value in JOB_STATES  # noqa: S101
        with self.world.lock:
            self.wire["state"] = value
            self.wire["updateTime"] = self.world.now()
            if value in ENDED:
                self.wire["endTime"] = self.world.now()
                self.wire.pop("tuningJobState", None)

    def _detail(self, state: str, wait_s: float) -> None:
        with self.world.lock:
            self._require_going()
            self.wire["tuningJobState"] = f"TUNING_JOB_STATE_{state}"
            self.wire["updateTime"] = self.world.now()
        self.run.wait(self.world.wait_s(wait_s))

    def _live(self) -> None:
        try:
            self.run.wait(self.world.wait_s(PENDING_S))
            self._begin()
            self._detail("WAITING_FOR_QUOTA", QUOTA_S)
            self._detail("PROCESSING_DATASET", DATASET_S)
            plan = self._read()
            self._detail("WAITING_FOR_CAPACITY", CAPACITY_S)
            trainer.train(
                plan,
                self.run,
                self.world.turns,
                folder=self.world.folder / self.id,
                step_s=self.world.wait_s(trainer.STEP_S),
                on_start=lambda: self._detail("TUNING", 0),
                on_step=self._on_step,
            )
            self._detail("POST_PROCESSING", POST_S)
            self._finish()
        except Stopped:
            self.run.forgotten.wait(self.world.wait_s(CANCELLING_S))
            self._end("CANCELLED", CANCELLED, CANCELLED_TEXT)
        except rows.RowsRefused as refused:
            self._end("FAILED", INVALID_ARGUMENT, str(refused))
        except FileNotFoundError as missing:
            self._end("FAILED", NOT_FOUND, str(missing))
        except Exception as error:
            # The thread must end in a state that a client can see, whatever happened.
            self._end("FAILED", INTERNAL, f"Internal error encountered: {type(error).__name__}.")

    def _begin(self) -> None:
        with self.world.lock:
            self._require_going()
            self._state("RUNNING")
            self.wire["startTime"] = self.world.now()
            self.metrics = metadata.begin_experiment(self.world, self.name, self.created_s)
            self.wire["experiment"] = self.metrics.experiment

    def _require_going(self) -> None:
        # What a cancel or the admin path set between two waits must not be overwritten.
        if self.run.stop.is_set():
            raise Stopped

    def _end(self, state: str, code: int, message: str) -> None:
        with self.world.lock:
            if self.is_held:
                return
            self.wire["error"] = {"code": code, "message": message}
            self._state(state)
            if self.metrics:
                self.metrics.end(state)

    def _read(self) -> trainer.Plan:
        own = self._file(self.wanted.train_uri)
        train = rows.read_rows(*own)
        # The small models can't be trained further: their vocabulary is their first data's. What
        # the parent learned from is learned again, with the new rows.
        earlier = self.wanted.earlier.files if self.wanted.earlier else []
        known = [row for file in earlier for row in rows.read_rows(*file)]
        self.files = [*earlier, own]
        validation: list[rows.Row] = []
        if self.wanted.validation_uri:
            validation = rows.read_rows(*self._file(self.wanted.validation_uri))
            rows.check_validation(train, validation)
        plan = trainer.make_plan(
            [(row.prompt, row.response) for row in known + train],
            [(row.prompt, row.response) for row in validation],
            epochs=self.wanted.epochs,
            batch_size=self.wanted.batch_size,
            multiplier=self.wanted.multiplier,
            seed=self.world.settings.seed,
        )
        stats = rows.data_stats(train, kind=self.wanted.kind, steps=plan.total_steps)
        with self.world.lock:
            self._require_going()
            self.wire["tuningDataStats"] = stats
            self.wire["tuningJobMetadata"] = {"completedEpochCount": "0", "completedStepCount": "0"}
            self._fill_in(plan)
        return plan

    def _fill_in(self, plan: trainer.Plan) -> None:
        spec = self.wire[self.wanted.spec]
        given = spec.get("hyperParameters", {})
        chosen: JSON = {"epochCount": str(plan.epochs), "adapterSize": "ADAPTER_SIZE_FOUR"}
        if self.wanted.kind == "open":
            chosen["batchSize"] = str(plan.batch_size)
        else:
            chosen["learningRateMultiplier"] = self.wanted.multiplier
        self.wire[self.wanted.spec] = {**spec, "hyperParameters": {**chosen, **given}}

    def _file(self, uri: str) -> tuple[bytes, str, str]:
        with self.world.lock:
            data = self.world.storage.read(uri)
        if data is None:
            raise FileNotFoundError(f"The dataset {uri} is not found.")
        return data, uri, self.wanted.kind

    def _on_step(self, step: StepReport) -> None:
        assert self.metrics  # noqa: S101
        with self.world.lock:
            self._require_going()
            self.last = step
            done = step.epoch if step.mean_loss is not None else step.epoch - 1
            self.wire["tuningJobMetadata"] = {
                "completedEpochCount": str(done),
                "completedStepCount": str(step.step),
            }
            self.metrics.record(step, is_preference=self.wanted.kind == "preference")

    def _finish(self) -> None:
        assert self.last  # noqa: S101
        epochs = self.last.epoch
        steps_an_epoch = self.last.total_steps // epochs
        kept = trainer.checkpoints(self.world.folder / self.id, most=MOST_CHECKPOINTS)
        if self.wanted.is_last_only:
            kept = kept[-1:]
        with self.world.lock:
            self._require_going()
            marks = [(epoch, epoch * steps_an_epoch, folder) for epoch, folder in kept]
            self.wire["tunedModel"] = deployments.deploy(self.world, self, marks)
            self._state("SUCCEEDED")
            assert self.metrics  # noqa: S101
            self.metrics.end("SUCCEEDED")
