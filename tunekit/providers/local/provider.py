"""The local provider. A job is a folder and a detached worker process that outlives the command."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit.errors import NotFound, ProviderError
from tunekit.model import (
    Capabilities,
    Checkpoint,
    Completion,
    Diagnosis,
    Generation,
    Hyperparameter,
    JobDescription,
    JobSpec,
    JobState,
    MetricPoint,
    Observation,
    Problem,
    Severity,
)
from tunekit.providers.local import training
from tunekit.providers.local.folder import JobFolder, make_folder, open_private
from tunekit.providers.local.rows import line_of, write_rows

_CAPABILITIES = Capabilities(
    methods=frozenset({"supervised"}),
    hyperparameters={
        "epochs": Hyperparameter(minimum=1, maximum=1000),
        "batch_size": Hyperparameter(minimum=1, maximum=100_000),
        "learning_rate": Hyperparameter(minimum=1e-9, maximum=1e3),
        "learning_rate_multiplier": Hyperparameter(minimum=1e-6, maximum=1e6),
        "seed": Hyperparameter(minimum=0, maximum=2**32 - 1),
    },
    base_models=tuple(training.BASE_MODELS),
    knows_all_base_models=True,
    has_system_instruction=False,
    is_free=True,
)

_JOBS, _MODELS = "jobs/", "models/"
_DRAFT = ".draft-"


def open_provider(
    options: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> LocalProvider:
    """Return the provider whose jobs live in `folder`."""
    return LocalProvider(
        folder, max_concurrent_jobs=options.get("max_concurrent_jobs") or os.cpu_count() or 1
    )


class LocalProvider:
    """Trains on this machine; `max_concurrent_jobs` train at once, the others stay PENDING."""

    capabilities = _CAPABILITIES

    def __init__(self, folder: Path, *, max_concurrent_jobs: int) -> None:
        self._folder = folder
        self._max_concurrent_jobs = max_concurrent_jobs

    def check(self, job: JobSpec) -> Sequence[Problem]:
        """Return what can't be tuned here, or why a base model could not learn this data."""
        if refused := list(_refusals(job)):
            return refused
        pairs = [(row.prompt, row.response) for row in job.dataset.read("train")]
        fit = training.check(job.base_model, pairs)
        if not fit.unfit and not fit.is_refused:
            return []
        rows = ", ".join(str(row + 1) for row in fit.unfit_rows)
        more = ", …" if fit.unfit > len(fit.unfit_rows) else ""
        noun = "row" if fit.unfit == 1 else "rows"
        share = f"{fit.unfit:,} of {fit.rows:,} training rows ({noun} {rows}{more})"
        fact = f"{job.base_model} can't express {share}: {fit.reason}"
        if not fit.is_refused:
            warning = Severity.WARNING
            return [Problem(fact, "it learns the others", severity=warning, rule="unfit-rows")]
        remedy = (
            f"set base_model: {fit.better}" if fit.better else "no local model could; see README"
        )
        return [Problem(fact, remedy, rule="unfit-rows")]

    def lines(self, job: JobSpec, split: str) -> Iterator[bytes]:
        """Yield a split's rows as they lie in a job's folder."""
        return (line_of(row.prompt, row.response) for row in job.dataset.read(split))

    def submit(self, job: JobSpec, token: str) -> Observation:
        """Start a detached worker and return at once; a token that has a job gets that job."""
        folder = self._job(token)
        if folder.is_job():
            return self._observe(folder)
        if refused := list(_refusals(job)):
            raise ProviderError("\n".join(map(str, refused)))
        try:
            return self._start(folder, job, token)
        except OSError as error:
            raise ProviderError(
                f"can't write the job's folder: {error.strerror} ({error.filename})"
            ) from error

    def _start(self, folder: JobFolder, job: JobSpec, token: str) -> Observation:
        make_folder(folder.path.parent)
        self._sweep(folder)
        draft = JobFolder(Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder.path.parent)))
        lock = None
        try:
            self._fill(draft, job, token)
            # The lock goes to the worker by inheritance: there is no moment without a holder.
            lock = os.open(draft.alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(draft.path, folder.path)
            _start_worker(
                folder, lock, slots=self._folder / "slots", limit=self._max_concurrent_jobs
            )
        finally:
            if lock is not None:
                os.close(lock)
            shutil.rmtree(draft.path, ignore_errors=True)
        return self._observe(folder)

    def _sweep(self, folder: JobFolder) -> None:
        """Remove what submits left that died before their worker lived; nothing was trained."""
        shutil.rmtree(folder.path, ignore_errors=True)
        # One applier at a time submits, so that every draft is of a process that is gone.
        for draft in folder.path.parent.glob(_DRAFT + "*"):
            shutil.rmtree(draft, ignore_errors=True)

    def _fill(self, folder: JobFolder, job: JobSpec, token: str) -> None:
        base = training.BASE_MODELS[job.base_model]
        given = job.hyperparameters
        epochs = int(given.get("epochs", base.epochs))
        batch_size = int(given.get("batch_size", base.batch_size))
        rate = given.get("learning_rate", base.learning_rate)
        rate *= given.get("learning_rate_multiplier", 1.0)
        for split in ("train", "validation"):
            if split in job.dataset.splits:
                rows = ((row.prompt, row.response) for row in job.dataset.read(split))
                write_rows(folder.path / f"{split}.jsonl", rows)
        count = job.dataset.splits["train"].rows
        folder.write(
            "job.json",
            {
                "token": token,
                "asked": {
                    "base_model": job.base_model,
                    "method": job.method,
                    "hyperparameters": dict(given),
                    "export_last_checkpoint_only": job.export_last_checkpoint_only,
                    "display_name": job.display_name,
                    "description": job.description,
                    "tags": dict(job.tags),
                },
                "base_model": job.base_model,
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": rate,
                "seed": int(given.get("seed", 0)),
                "total_steps": training.total_steps(count, epochs=epochs, batch_size=batch_size),
            },
        )

    def find(self, token: str) -> Observation | None:
        """Return the token's job; one whose worker never lived does not count as a job."""
        folder = self._job(token)
        return self._observe(folder) if folder.is_job() else None

    def get(self, name: str) -> Observation:
        """Return a job as it is now. NotFound where its folder is gone."""
        folder = self._named(name)
        if not folder.job.exists():
            raise NotFound(f"{name}: this machine has no such job")
        return self._observe(folder)

    def list(self) -> Iterator[Observation]:
        """Yield every job, newest first."""
        folders = [JobFolder(p) for p in (self._folder / "jobs").glob("[!.]*")]
        for folder in sorted(folders, key=JobFolder.created_s, reverse=True):
            if folder.is_job():
                yield self._observe(folder)

    def cancel(self, name: str) -> None:
        """Tell the worker to end; it does so at once, and keeps its finished checkpoints."""
        folder = self._named(name)
        # Only the holder of the lock is surely our worker: process numbers are used again.
        if not folder.is_job() or not folder.is_worker_alive():
            return
        open_private(folder.cancel).close()
        process = folder.read("started.json").get("process")
        if process:
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                return

    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        """Yield every step's points past `after_step`."""
        yield from self._named(name).points(after_step)

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Yield the model's answers. NotFound where it has no such checkpoint."""
        learned = training.load(self._checkpoint(model))
        try:
            answers = learned.generate(
                prompts,
                temperature=config.temperature or 0.0,
                top_p=1.0 if config.top_p is None else config.top_p,
                top_k=config.top_k or 0,
                max_output_tokens=config.max_output_tokens,
            )
        except ValueError as error:  # it looks at the options before the first prompt
            raise ProviderError(f"{model} can't answer: {error}") from error
        return (Completion(text) for text in answers)

    def delete_model(self, name: str) -> None:
        """Remove a job's model; its record and metrics stay."""
        token = name.removeprefix(_MODELS).partition("@")[0]
        shutil.rmtree(self._job(token).model, ignore_errors=True)

    def describe(self, name: str) -> JobDescription:
        """Return what a job was asked to do; its rows are in its folder, already rendered."""
        folder = self._named(name)
        if not folder.job.exists():
            raise NotFound(f"{name}: this machine has no such job")
        return JobDescription(
            source={"path": str(folder.path / "train.jsonl")},
            columns={"input": "prompt", "output": "response"},
            **folder.read("job.json")["asked"],
        )

    def diagnose(self, base_models: Sequence[str]) -> Iterator[Diagnosis]:
        """Look at the folder that jobs live in, and at the base models."""
        parent = next(p for p in (self._folder, *self._folder.parents) if p.exists())
        is_writable = os.access(parent, os.W_OK | os.X_OK)
        yield Diagnosis(
            "job folder",
            is_writable,
            f"{self._folder} {'can' if is_writable else 'can not'} be written",
            "" if is_writable else f"give yourself the right to write in {parent}",
        )
        for model in base_models:
            is_known = model in training.BASE_MODELS
            yield Diagnosis(
                f"base model {model}",
                is_known,
                "is there" if is_known else "is not one of this machine's",
                "" if is_known else f"write {' or '.join(training.BASE_MODELS)}",
            )

    # --- names and folders -------------------------------------------------------------------

    def _job(self, token: str) -> JobFolder:
        if not token or "/" in token or token.startswith("."):
            raise NotFound(f"{token!r} is no job of this machine")
        return JobFolder(self._folder / "jobs" / token)

    def _named(self, name: str) -> JobFolder:
        return self._job(name.removeprefix(_JOBS))

    def _checkpoint(self, model: str) -> Path:
        token, _, epoch = model.removeprefix(_MODELS).partition("@")
        path = self._job(token).model / f"epoch-{epoch}"
        if not epoch.isdigit() or not path.is_dir():
            raise NotFound(f"{model}: this machine has no such model")
        return path

    def _observe(self, folder: JobFolder) -> Observation:
        """Say how a job is now, from its files and from whether its worker lives."""
        is_alive = folder.is_worker_alive()  # first: a worker writes its end, then dies
        asked, state = folder.read("job.json"), folder.read("state.json")
        now = JobState(state.get("state", JobState.PENDING))
        error, detail = state.get("error", ""), state.get("detail", "")
        ended_s = state.get("ended_s")
        if now.is_terminal:
            pass
        elif not is_alive:
            now, error = _death(folder)
            ended_s = _last_change(folder)
        elif folder.cancel.exists():
            now = JobState.CANCELLING
        token = folder.path.name
        checkpoints = tuple(_checkpoints(folder, token, state.get("steps_per_epoch")))
        has_model = now is JobState.SUCCEEDED and checkpoints
        return Observation(
            name=_JOBS + token,
            token=token,
            state=now,
            detail=detail if now is JobState.PENDING or now is JobState.RUNNING else "",
            error=error,
            base_model=asked["base_model"],
            display_name=asked["asked"]["display_name"],
            model=checkpoints[-1].model if has_model else None,
            checkpoints=checkpoints,
            completed_steps=state.get("step", 0) if is_alive else folder.last_step(),
            total_steps=asked["total_steps"],
            epoch=state.get("epoch"),
            loss=state.get("loss"),
            created_s=folder.created_s(),
            started_s=state.get("started_s"),
            ended_s=ended_s,
        )


def _refusals(job: JobSpec) -> Iterator[Problem]:
    """Say what of a job is beyond this provider, whatever its data."""
    can = _CAPABILITIES
    if job.method not in can.methods:
        remedy = f"write {' or '.join(sorted(can.methods))}"
        yield Problem(f"this machine can't tune by {job.method}", remedy, key="tuning.method")
    if job.base_model not in can.base_models:
        remedy = f"write {' or '.join(can.base_models)}"
        yield Problem(f"this machine can't tune {job.base_model}", remedy, key="base_model")
    for key, value in job.hyperparameters.items():
        limits = can.hyperparameters.get(key)
        if limits is None:
            yield Problem(f"this machine takes no {key}", "remove it", key=f"tuning.{key}")
        elif not (limits.minimum or 0) <= value <= (limits.maximum or value):
            remedy = f"write {limits.minimum:g} to {limits.maximum:g}"
            yield Problem(f"{key} is {value}", remedy, key=f"tuning.{key}")


def _start_worker(folder: JobFolder, lock: int, *, slots: Path, limit: int) -> None:
    make_folder(slots)
    command = [sys.executable, "-P", "-m", "tunekit.providers.local.worker"]
    command += [str(folder.path.absolute()), str(slots.absolute()), str(limit)]
    # One thread a job: jobs share the cores, not each core's threads.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        with open_private(folder.log, append=True) as log:
            worker = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **threads},
                start_new_session=True,
                pass_fds=(lock,),
            )
        worker.returncode = 0  # it outlives this process, and nobody here waits for it
    except OSError as error:
        raise ProviderError(f"can't start a worker: {error.strerror}") from error


def _death(folder: JobFolder) -> tuple[JobState, str]:
    """Say how a job ended whose worker is gone without having written its end."""
    if folder.cancel.exists():
        return JobState.CANCELLED, ""
    if not folder.was_started():
        return JobState.FAILED, "the worker never started: the submit was interrupted"
    step = folder.last_step()
    steps = f"after step {step}" if step else "before its first step"
    process = folder.read("started.json").get("process")
    return JobState.FAILED, (
        f"the worker (process {process}) died {steps} without a word: killed, or out of memory; "
        f"its log is {folder.log}"
    )


def _last_change(folder: JobFolder) -> float:
    files = [folder.path / name for name in ("state.json", "started.json", "job.json")]
    return max(file.stat().st_mtime for file in files if file.exists())


def _checkpoints(folder: JobFolder, token: str, steps: int | None) -> Iterator[Checkpoint]:
    try:
        names = os.listdir(folder.model)
    except FileNotFoundError:
        return
    prefix = "epoch-"
    numbers = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    for epoch in sorted(int(number) for number in numbers if number.isdigit()):
        yield Checkpoint(
            id=str(epoch),
            model=f"{_MODELS}{token}@{epoch}",
            epoch=epoch,
            step=epoch * steps if steps else None,
        )
