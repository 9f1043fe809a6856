"""Plan -> providers -> registry: the order of effects.

Every job goes INTENT (durable) -> submit -> BOUND. A leftover INTENT is resolved by looking for
its token before anything else is submitted, and `absent` is believed only after a quiet period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tunekit.errors import AmbiguousSubmit, ProviderError, TunekitError
from tunekit.model import Job, JobSpec, JobState, Phase, Problem, RecordedTrial, Severity, Trial
from tunekit.observe import Observer
from tunekit.plan import Action, Options, Plan, Step, plan

# Added to a provider's listing lag: clocks and queues are never quite as told.
_QUIET_MARGIN_S = 1.0
_LOOK_EVERY_S = 0.5
# So many submits without a clear answer in one apply, and the provider is not well.
_MOST_AMBIGUOUS = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that could not be carried out; the others were."""

    name: str
    error: TunekitError


@dataclass(slots=True)
class Applied:
    """What one apply did."""

    done: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def preflight(steps: Sequence[Step], observer: Observer) -> list[Problem]:
    """Return what the providers would refuse of the jobs that are about to start."""
    problems = []
    for step in steps:
        if not step.starts_job or step.trial is None:
            continue
        experiment = step.trial.experiment
        provider = observer.provider_of(experiment.provider)
        for problem in provider.check(JobSpec.of(step.trial)):
            where = problem.where or experiment.at("base_model")
            problems.append(Problem(problem.fact, problem.remedy, where, problem.severity))
    return problems


def refusals(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that forbid an apply."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


@dataclass(slots=True)
class Applier:
    """Carries out plans. Whatever starts a job happens inside `lock`, one applier at a time.

    `say` is told of each thing as it happens; `tick` is called while waiting. Where `desired` is
    only a part of what the files say (`is_whole` false), what else is recorded is left alone.
    """

    observer: Observer
    desired: Sequence[Trial]
    options: Options
    lock: Callable[[], AbstractContextManager[object]]
    say: Callable[[str], None]
    tick: Callable[[], None] = lambda: None
    is_whole: bool = True
    _given_up: set[str] = field(default_factory=set)
    _ambiguous: Counter[str] = field(default_factory=Counter)

    def plan(self) -> Plan:
        """Decide from what is recorded now."""
        recorded = self.observer.registry.trials()
        if not self.is_whole:
            names = {trial.name for trial in self.desired}
            recorded = [trial for trial in recorded if trial.name in names]
        return plan(
            self.desired,
            recorded,
            now_s=self.observer.clock.now_s(),
            options=self.options,
        )

    def resolve_intents(self) -> list[Failure]:
        """Find out what became of interrupted submits; those that never arrived are given up.

        Needs the lock: only its holder knows that nobody else is submitting right now.
        """
        failures = []
        for job in self.observer.registry.jobs(only_open=True):
            if job.phase is Phase.INTENT:
                try:
                    self._resolve(job)
                except ProviderError as error:
                    failures.append(Failure(job.experiment, error))
        return failures

    def _resolve(self, job: Job) -> None:
        clock, registry = self.observer.clock, self.observer.registry
        provider = self.observer.provider_of(job.provider)
        quiet_s = provider.capabilities.listing_lag_s + _QUIET_MARGIN_S
        until_s = job.submitted_s + quiet_s
        self.say(f"{job.experiment}: job {job.number}'s submit was interrupted; looking for it")
        while True:
            seen = provider.find(job.token)
            if seen is not None:
                registry.record_observation(
                    job, seen, at_s=clock.now_s(), actor=self.observer.actor
                )
                self.say(
                    f"{job.experiment}: job {job.number} was found; nothing is submitted twice"
                )
                return
            # A clock that was set back must not make this wait for ever.
            left_s = min(until_s - clock.now_s(), quiet_s)
            if left_s <= 0:
                break
            clock.sleep(min(left_s, _LOOK_EVERY_S))
        registry.give_up_intent(
            job,
            error="the submit was interrupted and the job never arrived",
            at_s=clock.now_s(),
            actor=self.observer.actor,
        )
        self.say(f"{job.experiment}: job {job.number} never reached {job.provider}")

    def carry_out(self, steps: Sequence[Step]) -> Applied:
        """Do the steps one by one; a failure of one leaves the others alone."""
        applied = Applied()
        for step in steps:
            if step.name in self._given_up:
                continue
            try:
                self._do(step)
                applied.done.append(step)
            except AmbiguousSubmit as error:
                # The intent stands, so the next round looks for the job before anything else.
                self._ambiguous[step.name] += 1
                self.say(f"{step.name}: {error}")
                if self._ambiguous[step.name] >= _MOST_AMBIGUOUS:
                    self._given_up.add(step.name)
                    applied.failures.append(Failure(step.name, error))
            except TunekitError as error:
                self._given_up.add(step.name)
                applied.failures.append(Failure(step.name, error))
        return applied

    def _do(self, step: Step) -> None:
        registry, clock = self.observer.registry, self.observer.clock
        actor = self.observer.actor
        match step:
            case Step(action=Action.UPDATE, trial=Trial() as trial):
                registry.record_experiment(trial, at_s=clock.now_s(), actor=actor, why=step.reason)
                self.say(f"{step.name}: recorded")
            case Step(action=Action.RESOLVE, recorded=RecordedTrial() as recorded):
                for job in _current(recorded):
                    self._resolve(job)
            case Step(cancels=Job() as job) if job.is_open:
                if step.action is Action.CANCEL and step.trial is not None:
                    registry.record_experiment(
                        step.trial, at_s=clock.now_s(), actor=actor, why=step.reason
                    )
                if job.state is not JobState.CANCELLING:
                    self.cancel(job, why=step.reason)
            case Step(action=Action.REUSE, trial=Trial() as trial, reuses=Job() as job):
                registry.adopt_revision(
                    trial, job, at_s=clock.now_s(), actor=actor, why=step.reason
                )
                self.say(f"{step.name}: job {job.number} stands for this revision again")
            case Step(trial=Trial() as trial) if step.starts_job:
                self._submit(step, trial)

    def cancel(self, job: Job, *, why: str) -> None:
        """Ask the provider to end a job, and write down that it was asked."""
        if job.name is None:
            raise ProviderError(
                f"{job.experiment}: job {job.number}'s submit was interrupted; "
                "run `tunekit apply` first, it finds out"
            )
        provider = self.observer.provider_of(job.provider)
        provider.cancel(job.name)
        self.observer.registry.note(
            "cancel", job, detail=why, at_s=self.observer.clock.now_s(), actor=self.observer.actor
        )
        self.say(f"{job.experiment}: cancelling job {job.number}")
        self.observer.refresh([job])

    def _submit(self, step: Step, trial: Trial) -> None:
        registry, clock, actor = self.observer.registry, self.observer.clock, self.observer.actor
        provider = self.observer.provider_of(trial.experiment.provider)
        job = registry.write_intent(
            trial, attempt=step.attempt, reason=step.reason, at_s=clock.now_s(), actor=actor
        )
        try:
            seen = provider.submit(JobSpec.of(trial), job.token)
        except AmbiguousSubmit as error:
            raise AmbiguousSubmit(
                f"{error}; job {job.number} may exist and is looked for"
            ) from error
        except TunekitError as error:
            registry.give_up_intent(job, error=str(error), at_s=clock.now_s(), actor=actor)
            raise
        registry.record_observation(job, seen, at_s=clock.now_s(), actor=actor)
        self.say(f"{step.name}: submitted job {job.number}")

    def settle(self, *, until_ended: bool, patience_s: float | None = None) -> Applied:
        """Go on until nothing is left to do: observe, plan, carry out, again.

        Without `until_ended` it waits only for jobs that must end before a new one may start,
        for `patience_s` at most. Retries, limits.max_duration and replacements happen here too.
        """
        total = Applied()
        clock = self.observer.clock
        began_s = clock.now_s()
        while True:
            self.observer.refresh(with_metrics=until_ended)
            steps = self._remaining()
            ready = any(map(_is_ready, steps))
            if ready:
                with self.lock():
                    steps = self._remaining()  # once more: others may have applied meanwhile
                    applied = self.carry_out([step for step in steps if _is_ready(step)])
                total.done += applied.done
                total.failures += applied.failures
            self.tick()
            if not ready and not self._is_pending(steps, until_ended=until_ended):
                return total
            if patience_s is not None and clock.now_s() - began_s > patience_s:
                return total
            clock.sleep(_LOOK_EVERY_S)

    def _remaining(self) -> list[Step]:
        return [step for step in self.plan().steps if step.name not in self._given_up]

    def _is_pending(self, steps: Sequence[Step], *, until_ended: bool) -> bool:
        if not until_ended:
            return any(_waits(step) for step in steps)
        mine = {trial.name for trial in self.desired}
        return any(
            job.is_open
            for recorded in self.observer.registry.trials()
            if recorded.name in mine and recorded.name not in self._given_up
            for job in _current(recorded)
        )


def _waits(step: Step) -> bool:
    """True where a job is on its way out already and must be gone before the step goes on."""
    return step.cancels is not None and step.cancels.state is JobState.CANCELLING


def _is_ready(step: Step) -> bool:
    return step.is_change and not _waits(step)


def _current(recorded: RecordedTrial) -> tuple[Job, ...]:
    job = recorded.current()
    return (job,) if job else ()
