"""What providers say -> registry. Level-triggered: ask, write down what differs, be asked again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tunekit.errors import NotFound, ProviderError, TunekitError, Unavailable
from tunekit.model import Actor, Clock, Job, JobState, Observation, Phase
from tunekit.providers.base import Provider
from tunekit.registry import Registry

# From this many open jobs on, one paged list is asked instead of a call a job.
_LIST_FROM = 4
# Of more jobs, so many running ones are asked for their curve's new points each time.
_CURVES_A_TURN = 4
# A job whose points can't be had for so long after its end is not asked for them any more; one
# without any is asked again for a while, because series may arrive after the end.
_NO_POINTS_AFTER_S = 24 * 3600.0
_POINTS_ARRIVE_WITHIN_S = 600.0
# A job that a provider does not have may only be late; past its lag plus this it is missing,
# and when it has been missing for long, lost.
_GRACE_S = 5.0
_LOST_AFTER_S = 600.0
_LOOK_EVERY_S = 1.0
_LEAST_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Observer:
    """All that asking needs. `provider_of` opens a provider by the name that jobs carry."""

    registry: Registry
    provider_of: Callable[[str], Provider]
    clock: Clock
    actor: Actor

    def refresh(
        self,
        jobs: Iterable[Job] | None = None,
        *,
        with_metrics: bool = False,
        live: Collection[int] = (),
    ) -> list[str]:
        """Write down how open jobs are now, and return what could not be learned.

        Metric points are fetched once a job has ended; before that with `with_metrics`, where the
        jobs are so few that each may be asked for, and of the jobs whose ids are in `live`. Intents
        whose job is found become bound; others are left for the applier to resolve. One job that
        can't be learned of does not keep the others from being looked at.
        """
        if self.registry.is_readonly:
            return [f"{self.registry.path}: is read-only; showing what was recorded"]
        asked = self.registry.unsettled_jobs() if jobs is None else list(jobs)
        warnings: list[str] = []
        for name in dict.fromkeys(job.provider for job in asked):
            mine = [job for job in asked if job.provider == name]
            try:
                provider = self.provider_of(name)
                still_open = [job for job in mine if job.is_open]
                listed = self._listed(provider, still_open)
            except ProviderError as error:
                warnings.append(f"{name}: {error}; showing what was recorded")
                continue
            are_few = with_metrics and listed is None
            for job in mine:
                is_live = are_few or job.id in live
                self._learn(provider, job, listed, with_metrics=is_live, warnings=warnings)
        return warnings

    def _learn(
        self,
        provider: Provider,
        job: Job,
        listed: dict[int, Observation] | None,
        *,
        with_metrics: bool,
        warnings: list[str],
    ) -> None:
        """Record one job's state, then its points; each on its own, so that neither blocks."""
        try:
            now = self.look(provider, job, listed) if job.is_open else job
        except TunekitError as error:
            if not isinstance(error, ProviderError):
                raise
            warnings.append(f"{job.title}: {error}; showing what was recorded")
            return
        except Exception as error:  # a third party's provider must not take the others down
            warnings.append(f"{job.title}: {job.provider} raised {type(error).__name__}")
            return
        if now.name is None or now.has_all_points:
            return
        if not (with_metrics or now.state.is_terminal):
            return
        try:
            self.fetch_points(provider, now)
        except NotFound:
            self.registry.record_points(now.id, [], is_all=now.state.is_terminal)
        except ProviderError as error:
            self._put_off(now, error, warnings)
        except TunekitError:
            raise
        except Exception as error:
            warnings.append(f"{job.title}: metrics: {job.provider} raised {type(error).__name__}")

    def fetch_points(self, provider: Provider, job: Job) -> None:
        """Write down the points that are new; of a job that has ended, all of them."""
        if job.name is None:
            return
        is_ended = job.state.is_terminal
        # Series may arrive late and apart, so the end is fetched whole.
        after_step = 0 if is_ended else self.registry.last_step(job.id)
        points = list(provider.metrics(job.name, after_step))
        ended_ago_s = self._ended_ago_s(job)
        # A series may show up a while after the others: nothing more is to come where two looks
        # agree, the second later than whatever is late there.
        is_settled = ended_ago_s >= provider.capabilities.listing_lag_s
        is_same = bool(points) and len(points) == self.registry.count_points(job.id)
        is_all = is_ended and ((is_settled and is_same) or ended_ago_s > _POINTS_ARRIVE_WITHIN_S)
        self.registry.record_points(job.id, points, is_all=is_all)

    def expects_points(self, job: Job) -> bool:
        """True for a job that ended a moment ago and whose points were not all fetched yet."""
        is_ended = job.phase is Phase.BOUND and job.state.is_terminal
        is_fresh = self._ended_ago_s(job) <= _POINTS_ARRIVE_WITHIN_S
        return is_ended and is_fresh and not job.has_all_points

    def _put_off(self, job: Job, error: ProviderError, warnings: list[str]) -> None:
        """Say that a job's points could not be had, and when that is given up."""
        if not isinstance(error, Unavailable) and self._ended_ago_s(job) > _NO_POINTS_AFTER_S:
            self.registry.record_points(job.id, [], is_all=True)
            return
        warnings.append(f"{job.title}: metrics: {error}; asked for again next time")

    def _ended_ago_s(self, job: Job) -> float:
        """Return for how long a job has been over; negative while it is not."""
        ended_s = job.ended_s or job.observed_s
        if not job.state.is_terminal or ended_s is None:
            return -1.0
        return self.clock.now_s() - ended_s

    def _listed(self, provider: Provider, jobs: Sequence[Job]) -> dict[int, Observation] | None:
        """Return the wanted jobs by id, asking for no more pages than that needs."""
        if len(jobs) < _LIST_FROM:
            return None
        names = {job.name: job for job in jobs if job.name}
        tokens = {job.token: job for job in jobs}
        found: dict[int, Observation] = {}
        for seen in provider.list():
            job = names.get(seen.name) or tokens.get(seen.token or "")
            if job is not None and job.is_seen_as(seen):
                found[job.id] = seen
                if len(found) == len(jobs):
                    break
        return found

    def look(
        self, provider: Provider, job: Job, listed: dict[int, Observation] | None = None
    ) -> Job:
        """Ask for one open job, write down the answer, and return the job as it is recorded now."""
        if listed is not None and job.id in listed:
            return self._record(job, listed[job.id])
        if job.phase is Phase.INTENT or job.name is None:
            seen = provider.find(job.token)
            return job if seen is None else self._record(job, seen)
        try:
            return self._record(job, provider.get(job.name))
        except NotFound:
            return self._missing(provider, job)

    def _record(self, job: Job, seen: Observation) -> Job:
        return self.registry.record_observation(
            job, seen, at_s=self.clock.now_s(), actor=self.actor
        )

    def _missing(self, provider: Provider, job: Job) -> Job:
        """Note a job that the provider should have. Losing one is never concluded in haste:

        a wrong region or an unmounted disk looks the same, and a lost job is paid for again.
        """
        now_s = self.clock.now_s()
        if now_s - job.submitted_s < provider.capabilities.listing_lag_s + _GRACE_S:
            return job
        since_s = now_s if job.missing_since_s is None else job.missing_since_s
        if job.cancel_asked_s is not None and now_s - since_s >= _GRACE_S:
            state = JobState.CANCELLED
        elif now_s - since_s >= _LOST_AFTER_S:
            state = JobState.FAILED
        else:
            state = JobState.UNKNOWN
        return self.registry.record_missing(job, state=state, at_s=now_s, actor=self.actor)


@dataclass(slots=True)
class Pace:
    """Asks again and again, each provider no more often than it may be asked."""

    observer: Observer
    _due_s: dict[str, float] = field(default_factory=dict)
    _curve_asked: dict[int, int] = field(default_factory=dict)  # job id -> turn
    _turns: int = 0

    def refresh(
        self,
        jobs: Iterable[Job],
        *,
        with_metrics: bool = False,
        drawn: Collection[int] = (),
    ) -> list[str]:
        """Ask the providers whose turn it is, as `Observer.refresh` does.

        `drawn` are ids of jobs whose curves somebody looks at: of many, a few at a time are asked
        for theirs, the one longest not asked for first.
        """
        observer, now_s = self.observer, self.observer.clock.now_s()
        asked = list(jobs)
        turn = {job.provider for job in asked if self._due_s.get(job.provider, now_s) <= now_s}
        mine = [job for job in asked if job.provider in turn]
        live = self._next_curves(mine, drawn)
        warnings = observer.refresh(mine, with_metrics=with_metrics, live=live)
        for name in turn:
            self._due_s[name] = observer.clock.now_s() + self._every_s(name)
        return warnings

    def _next_curves(self, jobs: Sequence[Job], drawn: Collection[int]) -> set[int]:
        """Return the ids of the jobs to ask for new points now."""
        self._turns += 1
        chosen: set[int] = set()
        for provider in {job.provider for job in jobs}:
            waiting = [
                job.id
                for job in jobs
                if job.provider == provider and job.id in drawn and job.state is JobState.RUNNING
            ]
            waiting.sort(key=lambda job_id: self._curve_asked.get(job_id, 0))
            chosen.update(waiting[:_CURVES_A_TURN])
        self._curve_asked.update(dict.fromkeys(chosen, self._turns))
        return chosen

    def pause_s(self, names: Iterable[str]) -> float:
        """Return how long nothing needs to be asked of these providers."""
        now_s = self.observer.clock.now_s()
        waits = (self._due_s.get(name, now_s) - now_s for name in names)
        return max(min(waits, default=_LOOK_EVERY_S), _LEAST_PAUSE_S)

    def _every_s(self, name: str) -> float:
        try:
            return self.observer.provider_of(name).capabilities.poll_every_s
        except ProviderError:
            return _LOOK_EVERY_S
