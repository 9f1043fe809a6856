"""Rows' tokens counted in place of guessed: a sample of each split, by service or tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tunekit.cli.context import App
from tunekit.cli.versions import Version, data_of
from tunekit.errors import Unsupported, UsageError
from tunekit.model import Example, JobSpec, PreparedDataset, Trial, TunedBase
from tunekit.plan.cost import root_base
from tunekit.plan.tokens import Counted, counted, sample_places
from tunekit.providers.base import CountsTokens
from tunekit.retry import resumed

PROVIDER, TOKENIZER = "provider", "tokenizer"
_EVERY_S = 5.0


def counts(app: App, found: Version, *, by: str, most: int) -> tuple[str, dict[str, Counted]]:
    """Return the base model that counted, and what at most so many rows of each split say.

    Unsupported where the provider or the model can't count; StalePlan where the rows are gone.
    """
    name = found.experiment.provider
    provider = app.provider_of(name)
    if not isinstance(provider, CountsTokens):
        raise Unsupported(f"{name} does not count tokens; without --count-tokens they are guessed")
    data = data_of(app, found, list(found.splits))
    job = _job(app, found, data)
    if by == TOKENIZER:
        app.say(f"reading the tokenizer of {job.base_model}; what of it is not here is downloaded")
    said: dict[str, Counted] = {}
    for split, info in found.splits.items():
        places = sample_places(info.rows, most)
        wanted = set(places)
        sample = [row for place, row in enumerate(data.read(split)) if place in wanted]
        asked = _asked(app, provider, job, sample, on_machine=by == TOKENIZER)
        doing = f"counting tokens of {split}"
        tokens = list(_telling(app, asked, doing=doing, total=len(sample)))
        said[split] = counted(
            info,
            sample,
            tokens,
            system=job.dataset.system_instruction or "",
            is_preference=job.method == "preference",
        )
    return job.base_model, said


def _asked(
    app: App, provider: CountsTokens, job: JobSpec, sample: Sequence[Example], *, on_machine: bool
) -> Iterator[int]:
    return resumed(
        lambda done: provider.count_tokens(job, sample[done:], on_machine=on_machine),
        clock=app.clock,
        say=app.say,
    )


def _job(app: App, found: Version, data: PreparedDataset) -> JobSpec:
    """Return a job of the data whose base model is the one that tuning began with."""
    trial = Trial.of(found.experiment, data)
    recorded = app.registry.trials()
    if parent := found.experiment.parent:
        known = {one.name: one for one in recorded}.get(parent.experiment)
        job = known.current() if known else None
        if job is None:
            raise UsageError(
                f"{found.title} is based on {parent.experiment}, which has no job yet, so its "
                "base model is not known; run `tunekit apply` first"
            )
        trial = replace(trial, base=TunedBase(job.model or job.base_model))
    return replace(JobSpec.of(trial), base_model=root_base(trial, recorded))


def _telling(app: App, tokens: Iterable[int], *, doing: str, total: int) -> Iterator[int]:
    """Yield them and say how far it is, every few seconds; what is quicker needs no words."""
    said_s = app.clock.now_s()
    for done, found in enumerate(tokens, 1):
        yield found
        if app.clock.now_s() - said_s >= _EVERY_S and done < total:
            said_s = app.clock.now_s()
            app.say(f"{doing}: {done:,} of {total:,} rows")
