"""What providers say -> registry. Level-triggered: ask, write down what differs, be asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tunekit.errors import NotFound, ProviderError
from tunekit.model import Actor, Clock, Job, JobState, Observation, Phase
from tunekit.providers.base import Provider
from tunekit.registry import Registry

# From this many open jobs on, one paged list is asked instead of a call a job.
_LIST_FROM = 4
# A job that a provider does not list yet may be late; past its lag plus this it is gone.
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Observer:
    """All that asking needs. `provider_of` opens a provider by the name that jobs carry."""

    registry: Registry
    provider_of: Callable[[str], Provider]
    clock: Clock
    actor: Actor

    def refresh(
        self, jobs: Iterable[Job] | None = None, *, with_metrics: bool = False
    ) -> list[str]:
        """Write down how open jobs are now, and return what could not be learned.

        Metric points are fetched with `with_metrics`, and always once a job has just ended.
        Intents whose job is found become bound; others are left for the applier to resolve.
        """
        if self.registry.is_readonly:
            return [f"{self.registry.path}: is read-only; showing what was recorded"]
        open_jobs = self.registry.jobs(only_open=True) if jobs is None else list(jobs)
        warnings = []
        for name in dict.fromkeys(job.provider for job in open_jobs if job.is_open):
            mine = [job for job in open_jobs if job.provider == name and job.is_open]
            try:
                self._refresh(self.provider_of(name), mine, with_metrics=with_metrics)
            except ProviderError as error:
                warnings.append(f"{name}: {error}; showing what was recorded")
        return warnings

    def _refresh(self, provider: Provider, jobs: Sequence[Job], *, with_metrics: bool) -> None:
        listed = self._listed(provider, jobs) if len(jobs) >= _LIST_FROM else None
        for job in jobs:
            seen = self._look(provider, job, listed)
            if seen is None:
                continue
            # Points first: once a job is recorded as ended, nobody asks for them again.
            if with_metrics or seen.state.is_terminal:
                points = provider.metrics(seen.name, self.registry.last_step(job.id))
                self.registry.record_points(job.id, points)
            self.registry.record_observation(job, seen, at_s=self.clock.now_s(), actor=self.actor)

    def _listed(self, provider: Provider, jobs: Sequence[Job]) -> dict[str, Observation]:
        """Return the wanted jobs by token, asking for no more pages than that needs."""
        missing = {job.token for job in jobs}
        found: dict[str, Observation] = {}
        for seen in provider.list():
            if seen.token in missing:
                found[seen.token] = seen
                missing.discard(seen.token)
                if not missing:
                    break
        return found

    def _look(
        self, provider: Provider, job: Job, listed: dict[str, Observation] | None
    ) -> Observation | None:
        """Return what is known of one job now; None where nothing can be said yet."""
        if listed is not None and job.token in listed:
            return listed[job.token]
        if job.phase is Phase.INTENT or job.name is None:
            return provider.find(job.token)
        try:
            return provider.get(job.name)
        except NotFound as error:
            age_s = self.clock.now_s() - job.submitted_s
            if age_s < provider.capabilities.listing_lag_s + _GRACE_S:
                return None
            return Observation(
                name=job.name,
                token=job.token,
                state=JobState.FAILED,
                error=f"the provider no longer has this job ({error})",
                completed_steps=job.completed_steps,
                total_steps=job.total_steps,
                loss=job.loss,
                started_s=job.started_s,
                ended_s=self.clock.now_s(),
            )
