"""What became of interrupted submits: found, or given up after a quiet period."""

from __future__ import annotations

from collections.abc import Callable

from tunekit.errors import ProviderError
from tunekit.model import Job, Phase
from tunekit.observe import Observer
from tunekit.providers.base import Provider
from tunekit.retry import patiently

# Added to a provider's listing lag: clocks and queues are never quite as told.
_QUIET_MARGIN_S = 1.0
_LOOK_EVERY_S = 0.5


def resolve_intent(
    job: Job, observer: Observer, *, since_s: float, say: Callable[[str], None]
) -> None:
    """Look for a job until the quiet period that began at `since_s` is over.

    Needs the applier's lock: only its holder knows that nobody else is submitting right now.
    """
    clock = observer.clock
    provider = observer.provider_of(job.provider)
    _refuse_other_place(job, provider)
    quiet_s = provider.capabilities.listing_lag_s + _QUIET_MARGIN_S
    until_s = since_s + quiet_s
    say(f"{job.title}: its submit was interrupted; looking for it, for {quiet_s:.0f} s at most")
    look_every_s = max(_LOOK_EVERY_S, provider.capabilities.poll_every_s)
    while True:
        asked_s = clock.now_s()
        now = patiently(lambda: observer.look(provider, job), clock, say=say)
        if now.phase is Phase.BOUND:
            say(f"{job.title} was found; nothing is submitted twice")
            return
        # A clock that was set back must not make this wait for ever.
        left_s = min(until_s - asked_s, quiet_s)
        if left_s <= 0:
            break
        clock.sleep(min(left_s, look_every_s))
    observer.registry.give_up_intent(
        job,
        error="the submit was interrupted and the job never arrived",
        at_s=clock.now_s(),
        actor=observer.actor,
    )
    say(f"{job.title} never reached {job.provider}")


def _refuse_other_place(job: Job, provider: Provider) -> None:
    """Raise ProviderError where a profile has moved: its job is not looked for elsewhere."""
    place = provider.capabilities.place
    if job.place is not None and job.place != place:
        raise ProviderError(
            f"{job.title}: its submit was interrupted at {job.place}, and {job.provider} is "
            f"{place} now; set the profile in tunekit.yaml back, apply, then change it"
        )
