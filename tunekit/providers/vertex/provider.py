"""The provider `vertex`: tuning jobs over REST; files, metrics and clean-up by Google's clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError
from tunekit.model import (
    Capabilities,
    Completion,
    Diagnosis,
    Example,
    Generation,
    JobDescription,
    JobSpec,
    MetricPoint,
    Observation,
    Problem,
)
from tunekit.providers.base import Progress
from tunekit.providers.google.credentials import CLOUD_PLATFORM, credentials, login_command
from tunekit.providers.google.faults import Advice, Refused
from tunekit.providers.google.prices import prices
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import answers, checks, doctor, limits, wire
from tunekit.providers.vertex.cleanup import Cleanup
from tunekit.providers.vertex.counting import Counter, count_here
from tunekit.providers.vertex.gapic import Clients
from tunekit.providers.vertex.generation import IN_FLIGHT, Generator
from tunekit.providers.vertex.metrics import Metrics
from tunekit.providers.vertex.places import JOB, VERSION, require
from tunekit.providers.vertex.profile import Profile
from tunekit.providers.vertex.storage import ROLE, Store, spool

_PAGE = "100"
_POLL_S, _POLL_LOCAL_S = 10.0, 0.5
# A page token that comes again would make a list endless.
_MOST_PAGES = 10_000


def open_provider(
    options: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> VertexProvider:
    """Return the provider of one profile; asks for no credentials and loads no SDK."""
    return VertexProvider(Profile.of(options, environ), folder, environ)


class VertexProvider:
    """Tunes in one project and location of Vertex AI.

    `progress` is told of uploads: the object's name, bytes done, bytes in all.
    """

    def __init__(self, profile: Profile, folder: Path, environ: Mapping[str, str]) -> None:
        self._profile = profile
        self._folder = folder
        self._environ = environ
        self.progress: Progress = _say_nothing
        # job -> its experiment, which never changes once it is there
        self._experiments: dict[str, str] = {}
        self.capabilities = Capabilities(
            methods=limits.METHODS,
            hyperparameters=limits.HYPERPARAMETERS,
            base_models=tuple(limits.BASE_MODELS),
            prices=prices(profile.options, limits.PRICES),
            can_continue=True,
            has_checkpoint_choice=True,
            listing_lag_s=profile.timeout_s + profile.listing_lag_s,
            poll_every_s=_POLL_LOCAL_S if profile.is_local else _POLL_S,
            asks_at_once=IN_FLIGHT,
            place=profile.places.text,
        )

    def check(self, job: JobSpec) -> Sequence[Problem]:
        """Return what Vertex AI would refuse, by a dated table; asks nobody."""
        return checks.problems(job, self._profile)

    def check_profile(self, *, needs_upload: bool) -> Sequence[Problem]:
        """Return what the profile lacks."""
        return list(self._profile.problems(needs_bucket=needs_upload))

    # --- jobs ------------------------------------------------------------------------------------

    def submit(self, job: JobSpec, token: str) -> Observation:
        """Upload what is not there yet, and create the job: one request, never repeated."""
        places = self._profile.required()
        body = wire.create_body(
            job,
            token,
            uris=self._uris(job),
            service_account=self._profile.service_account,
            kms_key=self._profile.kms_key,
        )
        doing = f"create a tuning job of {job.base_model}"
        answer = self._rest.call("POST", self._jobs_url(), body=body, doing=doing, is_submit=True)
        if not JOB.fullmatch(str(answer.get("name"))):
            raise AmbiguousSubmit(f"{doing}: the answer of {places.parent} names no job")
        return answers.observation(answer)

    def lines(self, job: JobSpec, split: str) -> Iterator[bytes]:
        """Yield the lines of a training file as they are uploaded."""
        from tunekit.providers.vertex import rows  # brings orjson, which nothing else needs

        system = job.dataset.system_instruction
        for example in job.dataset.read(split):
            yield rows.line_of(example, method=job.method, system_instruction=system)

    def count_tokens(
        self, job: JobSpec, rows: Iterable[Example], *, on_machine: bool
    ) -> Iterator[int]:
        """Yield what an epoch bills for each row, by the base model's countTokens or tokenizer."""
        if on_machine:
            return count_here(job, rows)
        return Counter(self._rest, self._profile.required()).count(job, rows)

    def find(self, token: str) -> Observation | None:
        """Return the job with the token's label. ProviderError where there are two.

        Whether the service filters by labels is not documented; so what the filter does not find
        is looked for in the whole list, since missing a job means paying for it twice.
        """
        mine = self._with_token(token, {"filter": f'labels.{wire.TOKEN_LABEL}="{token}"'})
        mine = mine or self._with_token(token, {})
        if len(mine) > 1:
            raise ProviderError(
                f"{len(mine)} jobs carry the token {token}: {', '.join(sorted(mine))}; "
                "cancel all but one of them, or remove its label"
            )
        return next(iter(mine.values()), None)

    def get(self, name: str) -> Observation:
        """Return a job as it is now. NotFound where there is none."""
        return self._seen(self._job(name))

    def list(self) -> Iterator[Observation]:
        """Yield every job of the location, newest first, a hundred a request."""
        for job in self._listed({}):
            yield self._seen(job)

    def cancel(self, name: str) -> None:
        """Ask for the job's end; fine if it already ended or is gone."""
        url = self._profile.required().url(require(name, JOB, "tuning job"), ":cancel")
        try:
            self._rest.call("POST", url, body={}, doing=f"cancel {name}")
        except NotFound:
            return
        except Refused as error:
            # An ended job refuses, in words that are not documented: its state decides.
            if error.status in (401, 403) or not self._has_ended(name):
                raise

    def describe(self, name: str) -> JobDescription:
        """Return what a job was asked for. ProviderError for a kind that tunekit does not know."""
        job = self._job(name)
        if kind := answers.other_kind(job):
            raise ProviderError(
                f"{name} is not supervised or preference tuning ({kind[:60]}); "
                "tunekit can't adopt it"
            )
        return answers.description(job)

    # --- metrics and models ----------------------------------------------------------------------

    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        """Yield every point past `after_step`; none before the job has an experiment."""
        experiment = self._experiments.get(name)
        if experiment is None:
            self._seen(self._job(name))
            experiment = self._experiments.get(name)
        if experiment:
            yield from self._metrics.points(experiment, after_step)

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Yield an endpoint's answers, in order; up to 8 requests are in flight."""
        places = self._profile.required()
        return Generator(self._rest, places).generate(model, prompts, config)

    def delete_model(self, name: str) -> None:
        """Remove a tuned model and the endpoints made for it; fine if they are gone."""
        self._cleanup.delete_model(name)

    def diagnose(self, base_models: Sequence[str]) -> Iterator[Diagnosis]:
        """Look at packages, profile, credentials, project, bucket and base models."""
        return doctor.diagnose(
            self._profile,
            base_models,
            rest=lambda: self._rest,
            store=lambda: self._store,
        )

    # --- how --------------------------------------------------------------------------------

    def _uris(self, job: JobSpec) -> dict[str, str]:
        """Return where each split's file is, uploading those that are not ready-made."""
        found = {}
        for split in ("train", "validation"):
            if split in job.dataset.uris:
                found[split] = job.dataset.uris[split]
            elif split in job.dataset.splits:
                found[split] = self._uploaded(job, split)
        return found

    def _uploaded(self, job: JobSpec, split: str) -> str:
        problem = next(self._profile.problems(needs_bucket=True), None)
        if problem is not None:
            raise ProviderError(str(problem))
        with spool(self.lines(job, split), self._folder / "uploads") as spooled:
            return self._store.put(spooled)

    def _job(self, name: str) -> Mapping[str, Any]:
        url = self._profile.required().url(require(name, JOB, "tuning job"))
        return self._rest.call("GET", url, doing=f"get {name}")

    def _seen(self, job: Mapping[str, Any]) -> Observation:
        seen = answers.observation(job)
        if isinstance(experiment := job.get("experiment"), str) and experiment:
            self._experiments[seen.name] = experiment
        return seen

    def _jobs_url(self) -> str:
        places = self._profile.required()
        return f"{places.host(places.location)}/{VERSION}/{places.parent}/tuningJobs"

    def _listed(self, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the jobs of every page; what is no job is left out."""
        url, token, used = self._jobs_url(), "", set()
        for _ in range(_MOST_PAGES):
            asked = {"pageSize": _PAGE, **query, **({"pageToken": token} if token else {})}
            page = self._rest.call("GET", url, query=asked, doing="list tuning jobs")
            jobs = page.get("tuningJobs")
            for job in jobs if isinstance(jobs, list) else []:
                if isinstance(job, Mapping) and JOB.fullmatch(str(job.get("name"))):
                    yield job
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
            if token in used:
                break
            used.add(token)
        raise ProviderError("list tuning jobs: the service's pages do not end")

    def _with_token(self, token: str, query: Mapping[str, str]) -> dict[str, Observation]:
        try:
            seen = (self._seen(job) for job in self._listed(query))
            return {job.name: job for job in seen if job.token == token}
        except Refused as error:
            # A filter that is not understood is refused; the whole list is asked for next.
            if query and error.status == 400:
                return {}
            raise

    def _has_ended(self, name: str) -> bool:
        try:
            return self.get(name).state.is_terminal
        except NotFound:
            return True

    # --- made when first needed -------------------------------------------------------------

    @cached_property
    def _rest(self) -> Rest:
        return self._made(self._profile.options, role="roles/aiplatform.user")

    @cached_property
    def _store(self) -> Store:
        profile = self._profile
        # Who asks an emulator of Cloud Storage is nobody, whatever answers for Vertex AI.
        options = {**profile.options, "endpoint": profile.storage}
        return Store(
            rest=self._made(options, role=f"{ROLE} on gs://{profile.bucket}", api="storage"),
            project=profile.project,
            location=profile.location,
            bucket=profile.bucket,
            base=profile.storage,
            folder=self._folder / "uploads",
            progress=lambda name, done, total: self.progress(name, done, total),
        )

    @cached_property
    def _clients(self) -> Clients:
        return Clients(self._rest, self._profile.required())

    @cached_property
    def _cleanup(self) -> Cleanup:
        return Cleanup(self._clients)

    @cached_property
    def _metrics(self) -> Metrics:
        return Metrics(self._clients)

    def _made(self, options: Mapping[str, Any], *, role: str, api: str = "aiplatform") -> Rest:
        scopes = [CLOUD_PLATFORM]
        advice = Advice(
            login=login_command(scopes),
            scope=CLOUD_PLATFORM,
            role=role,
            service=f"{api}.googleapis.com",
            project=self._profile.project,
        )
        return Rest(
            credentials=lambda: credentials(options, scopes=scopes, environ=self._environ),
            timeout_s=self._profile.timeout_s,
            advice=advice,
        )


def _say_nothing(name: str, done: int, total: int) -> None:
    return None
