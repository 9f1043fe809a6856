"""Plan -> providers -> registry: the order of effects.

Every job goes INTENT (durable) -> submit -> BOUND. A leftover INTENT is resolved by looking for
its token before anything else is submitted, and `absent` is believed only after a quiet period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from tunekit.errors import (
    AmbiguousSubmit,
    NotFound,
    ProviderError,
    RegistryBusy,
    SpecError,
    TunekitError,
    Unavailable,
    Unsupported,
)
from tunekit.intents import resolve_intent
from tunekit.model import (
    Job,
    JobSpec,
    JobState,
    Phase,
    RecordedTrial,
    Trial,
    trial_name,
)
from tunekit.observe import Observer, Pace
from tunekit.outlook import cost_of
from tunekit.plan import Action, Options, Plan, Step, measured_parents, plan
from tunekit.plan.cost import over_budget
from tunekit.refusals import preflight, refusals
from tunekit.retry import MOST_TRIES, backoff_s, in_seconds

# So often one apply submits without learning the outcome.
_MOST_AMBIGUOUS = 2
_LOOK_EVERY_S = 0.5
# A cancel that shows no effect for so long is sent again.
_CANCEL_AGAIN_S = 60.0


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


@dataclass(slots=True)
class Applier:
    """Carries out plans. Whatever starts a job happens inside `lock`, one applier at a time.

    `say` is told of each thing as it happens; `tick` is called while waiting and returns the ids
    of the jobs whose curves are in sight. Where `desired` is only a part of what the files say
    (`is_whole` false), what else is recorded is left alone.
    """

    observer: Observer
    desired: Sequence[Trial]
    options: Options
    lock: Callable[[], AbstractContextManager[object]]
    say: Callable[[str], None]
    tick: Callable[[], Collection[int]] = tuple
    is_whole: bool = True
    # Names that this apply leaves alone from now on.
    _given_up: set[str] = field(default_factory=set)
    # What the record said when this apply last wrote it: it never undoes what others applied.
    _left_as: dict[str, object] = field(default_factory=dict)
    _tries: Counter[str] = field(default_factory=Counter)
    _ambiguous: Counter[str] = field(default_factory=Counter)
    # Revisions whose jobs the providers were asked about, offline, before they start.
    _checked: set[str] = field(default_factory=set)
    _not_before_s: dict[str, float] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def plan(self) -> Plan:
        """Decide from what is recorded now."""
        registry = self.observer.registry
        recorded = registry.trials()
        points = {
            job.id: registry.points(job.id) for job in measured_parents(self.desired, recorded)
        }
        now_s = self.observer.clock.now_s()
        stuck = self._cannot_cancel(
            {job.provider for t in recorded for job in t.jobs if job.is_open}
        )
        options = replace(self.options, cannot_cancel=stuck)
        made = plan(self.desired, recorded, now_s=now_s, options=options, points=points)
        if self.is_whole:
            return made
        names = {trial.name for trial in self.desired}
        return Plan(tuple(step for step in made.steps if step.name in names))

    def _cannot_cancel(self, names: Iterable[str]) -> frozenset[str]:
        stuck = []
        for name in names:
            try:
                if not self.observer.provider_of(name).capabilities.can_cancel:
                    stuck.append(name)
            except ProviderError:  # one that is gone; whatever is asked of it will say so
                continue
        return frozenset(stuck)

    def resolve_intents(self) -> list[Failure]:
        """Find out what became of interrupted submits; those that never arrived are given up.

        Needs the lock: only its holder knows that nobody else is submitting right now.
        """
        # Counted from now: when a request was sent, or could still arrive, nobody knows.
        since_s = self.observer.clock.now_s()
        failures = []
        for job in self.observer.registry.jobs(only_open=True):
            if job.phase is Phase.INTENT:
                try:
                    self._resolve(job, since_s)
                except ProviderError as error:
                    name = trial_name(job.experiment, job.trial)
                    self._given_up.add(name)
                    failures.append(Failure(name, error))
        return failures

    def _resolve(self, job: Job, since_s: float) -> None:
        resolve_intent(job, self.observer, since_s=since_s, say=self.say)

    def carry_out(self, steps: Sequence[Step]) -> Applied:
        """Do the steps one by one; a failure of one leaves the others alone. Needs the lock."""
        applied = Applied()
        self._checked |= {step.trial.digest for step in steps if step.trial is not None}
        for step in steps:
            if step.name in self._given_up:
                continue
            try:
                self._do(step)
                applied.done.append(step)
            except AmbiguousSubmit as error:
                # The intent stands, so the next round looks for the job before anything else. A
                # service that loses sight of jobs for longer than it should would get one each
                # time: past the second a person decides.
                self._ambiguous[step.name] += 1
                if self._ambiguous[step.name] >= _MOST_AMBIGUOUS:
                    self._give_up(step, error, applied)
                else:
                    self._try_later(step, error, applied, wait_s=0.0)
            except Unavailable as error:
                if step.action is Action.RESOLVE:  # it was asked for patiently already
                    self._give_up(step, error, applied)
                    continue
                wait_s = error.retry_after_s
                wait_s = backoff_s(
                    self._tries[step.name] + 1, asked_s=wait_s, random=self.observer.clock.random
                )
                self._try_later(step, error, applied, wait_s=wait_s)
            except TunekitError as error:
                self._give_up(step, error, applied)
        # What the command line asked for once is done once.
        done = {step.name for step in applied.done}
        self.options = replace(self.options, prune=False, retry=self.options.retry - done)
        self._left_as = self._records()
        return applied

    def _give_up(self, step: Step, error: TunekitError, applied: Applied) -> None:
        """Leave a step alone for the rest of this apply; another one takes it up again."""
        self._given_up.add(step.name)
        applied.failures.append(Failure(step.name, error))

    def _try_later(
        self, step: Step, error: ProviderError, applied: Applied, *, wait_s: float
    ) -> None:
        self._tries[step.name] += 1
        if self._tries[step.name] >= MOST_TRIES:
            self._give_up(step, error, applied)
            return
        self._not_before_s[step.name] = self.observer.clock.now_s() + wait_s
        self.say(f"{step.name}: {error}; trying again{in_seconds(wait_s)}")

    def _do(self, step: Step) -> None:
        registry, now_s = self.observer.registry, self.observer.clock.now_s()
        actor = self.observer.actor
        match step:
            case Step(action=Action.UPDATE, trial=Trial() as trial):
                registry.record_experiment(trial, at_s=now_s, actor=actor, why=step.reason)
                self.say(f"{step.name}: recorded")
            case Step(action=Action.RESOLVE, recorded=RecordedTrial() as recorded):
                if (job := recorded.current()) is not None:
                    self._resolve(job, now_s)
            case Step(cancels=Job() as job) if job.is_open:
                if step.action is Action.CANCEL and step.trial is not None:
                    registry.record_experiment(step.trial, at_s=now_s, actor=actor, why=step.reason)
                self.cancel(job, why=step.reason)
            case Step(action=Action.REUSE, trial=Trial() as trial, reuses=Job() as job):
                registry.adopt_revision(trial, job, at_s=now_s, actor=actor, why=step.reason)
                self.say(f"{step.name}: job {job.number} stands for this revision again")
            case Step(trial=Trial() as trial) if step.starts_job:
                self._submit(step, trial)

    def cancel(self, job: Job, *, why: str) -> None:
        """Write down that a job is to end, and tell the provider. Fine to repeat."""
        if job.name is None:
            raise ProviderError(
                f"{job.title} is being submitted, or its submit was interrupted; "
                "run `tunekit apply`, it finds out"
            )
        provider = self.observer.provider_of(job.provider)
        if not provider.capabilities.can_cancel:
            raise Unsupported(f"{job.title}: {job.provider} can't cancel jobs; let it end")
        registry, at_s = self.observer.registry, self.observer.clock.now_s()
        registry.ask_cancel(job, why=why, at_s=at_s, actor=self.observer.actor)
        try:
            provider.cancel(job.name)
        except (Unavailable, NotFound):
            raise  # it may have arrived, or there is nothing to cancel
        except ProviderError as error:
            registry.take_back_cancel(job, why=str(error), at_s=at_s, actor=self.observer.actor)
            raise
        self.say(f"{job.title}: cancelling ({why})")
        self.observer.refresh([self.observer.registry.job(job.id)])

    def _submit(self, step: Step, trial: Trial) -> None:
        registry, clock, actor = self.observer.registry, self.observer.clock, self.observer.actor
        provider = self.observer.provider_of(trial.experiment.provider)
        is_repeated = step.recorded is not None and step.recorded.unanswered(trial.digest)
        cost = cost_of(trial, registry.trials(), self.observer.provider_of)
        # Retries, replacements and children of tuned models come here without a preflight.
        if (problem := over_budget(trial, cost)) is not None:
            raise SpecError([problem])
        job = registry.write_intent(
            trial,
            attempt=step.attempt,
            reason=step.reason,
            at_s=clock.now_s(),
            actor=actor,
            place=provider.capabilities.place,
            estimate=cost,
        )
        try:
            # What was given up may have arrived after all.
            seen = provider.find(job.token) if is_repeated else None
            seen = seen or provider.submit(JobSpec.of(trial), job.token)
        except AmbiguousSubmit as error:
            raise AmbiguousSubmit(f"{error}; {job.title} may exist and is looked for") from error
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
        clock, pace = self.observer.clock, Pace(self.observer)
        began_s = clock.now_s()
        drawn: Collection[int] = ()
        while True:
            asked = [*self._my_jobs(), *self._unmeasured_parents()]
            self._warn(pace.refresh(asked, with_metrics=until_ended, drawn=drawn))
            steps = self._remaining()
            if any(map(self._is_ready, steps)):
                applied = self._carry_out_again()
                total.done += applied.done
                total.failures += applied.failures
                steps = self._remaining()
            self._repeat_cancels()
            drawn = self.tick()
            if not any(map(self._is_ready, steps)) and not self._is_pending(steps, until_ended):
                return total
            if patience_s is not None and clock.now_s() - began_s > patience_s:
                total.failures += self._unfinished(steps)
                return total
            clock.sleep(self._pause_s(pace))

    def _unfinished(self, steps: Sequence[Step]) -> list[Failure]:
        """Return the steps that lacked an answer; waiting for a job's end is no failure."""
        again = "no answer yet; `tunekit apply` again goes on"
        late = (step for step in steps if step.is_change and not _waits(step))
        return [Failure(step.name, Unavailable(f"{step.reason}: {again}")) for step in late]

    def _carry_out_again(self) -> Applied:
        try:
            with self.lock():
                self._leave_to_others()
                ready = [step for step in self._remaining() if self._is_ready(step)]
                refused = self._refused(ready)
                applied = self.carry_out([step for step in ready if step.name not in refused])
                applied.failures += [Failure(name, error) for name, error in refused.items()]
                return applied
        except RegistryBusy as error:
            self._warn([f"{error}; this apply goes on after it"])
            return Applied()

    def _refused(self, steps: Sequence[Step]) -> dict[str, SpecError]:
        """Return, by name, what the providers would refuse of steps that no plan has shown yet."""
        refused = {}
        for step in steps:
            if step.trial is None or step.trial.digest in self._checked:
                continue
            if problems := refusals(preflight([step], self.observer)):
                self._given_up.add(step.name)
                refused[step.name] = SpecError(problems)
        return refused

    def _leave_to_others(self) -> None:
        """Give up names that another apply has changed since this one last wrote them."""
        for name, record in self._records().items():
            if name not in self._given_up and record != self._left_as.get(name):
                self._given_up.add(name)
                self.say(f"{name}: changed by another apply; left to that")

    def _records(self) -> dict[str, object]:
        mine = {trial.name for trial in self.desired}
        trials = (t for t in self.observer.registry.trials() if t.name in mine)
        return {t.name: (t.revision, t.document, len(t.jobs)) for t in trials}

    def _my_jobs(self) -> list[Job]:
        mine = {trial.name for trial in self.desired}
        jobs = self.observer.registry.jobs(only_open=True)
        return [job for job in jobs if trial_name(job.experiment, job.trial) in mine]

    def _unmeasured_parents(self) -> list[Job]:
        """Return ended jobs whose points, still to be fetched, decide what another starts from."""
        parents = measured_parents(self.desired, self.observer.registry.trials())
        return [job for job in parents if self.observer.expects_points(job)]

    def _repeat_cancels(self) -> None:
        """Tell a provider again that a job is to end, where that was long ago or never arrived."""
        now_s = self.observer.clock.now_s()
        for job in self._my_jobs():
            asked_s = job.cancel_asked_s
            if asked_s is not None and now_s - asked_s > _CANCEL_AGAIN_S and job.name:
                try:
                    self.cancel(job, why="asked again")
                except ProviderError as error:
                    self._warn([f"{job.title}: {error}"])

    def _pause_s(self, pace: Pace) -> float:
        """Return the time until a provider may be asked, or a step is due."""
        now_s = self.observer.clock.now_s()
        pauses = [pace.pause_s({job.provider for job in self._my_jobs()})]
        pauses += [due_s - now_s for due_s in self._not_before_s.values() if due_s > now_s]
        return min(pauses)

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.say(f"warning: {warning}")

    def _remaining(self) -> list[Step]:
        return [step for step in self.plan().steps if step.name not in self._given_up]

    def _is_ready(self, step: Step) -> bool:
        due_s = self._not_before_s.get(step.name, 0.0)
        return step.is_change and not _waits(step) and self.observer.clock.now_s() >= due_s

    def _is_pending(self, steps: Sequence[Step], until_ended: bool) -> bool:
        if any(_waits(step) or (step.is_change and not self._is_ready(step)) for step in steps):
            return True
        if until_ended and self._unmeasured_parents():
            return True
        mine = {step.name for step in steps}
        jobs = (job for job in self._my_jobs() if job.phase is Phase.BOUND)
        return until_ended and any(trial_name(j.experiment, j.trial) in mine for j in jobs)


def _waits(step: Step) -> bool:
    """True where a job is on its way out already and must be gone before the step goes on."""
    return step.cancels is not None and step.cancels.state is JobState.CANCELLING
