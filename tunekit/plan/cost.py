"""What a trial's job will probably cost, and whether that is too much. Pure.

Billable tokens: supervised, those of the data set x epochs
(https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning/supervised-tuning);
preference, of each example 2 x its prompt + its completions, x epochs (…/preference-tuning).
"""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.model import (
    Capabilities,
    Cost,
    Price,
    Problem,
    RecordedTrial,
    SplitInfo,
    Trial,
    estimated_tokens,
)

# A token is about four characters of English; prose of long words has five, and what is dense in
# digits, marks and short codes half as many. Other scripts have up to one token a character, of
# three bytes or so: hence bytes on the high side.
CHARACTERS_A_TOKEN_MOST = 5.0
BYTES_A_TOKEN_LEAST = 2.5
WHY_A_RANGE = (
    "nobody has counted the tokens: they are taken as characters / 4, at least characters / 5 and "
    "at most bytes / 2.5, since digits, code and other scripts take more tokens than English"
)
_MOST_GENERATIONS = 20


def estimate(trial: Trial, capabilities: Capabilities, *, base_model: str) -> Cost:
    """Return what one job of a trial will probably cost. `base_model` as prices are told of it."""
    experiment, train = trial.experiment, trial.dataset.splits["train"]
    is_preference = experiment.tuning.method == "preference"
    low, middle, high = _billable(train, trial.dataset.system_instruction or "", is_preference)
    return Cost(
        tokens=middle,
        tokens_low=low,
        tokens_high=high,
        epochs=experiment.tuning.epochs,
        price=price_of(base_model, capabilities),
        is_free=capabilities.is_free,
        unpriced_rows=train.unpriced_rows,
    )


def price_of(base_model: str, capabilities: Capabilities) -> Price | None:
    """Return a base model's price, also where its name comes with its publisher's."""
    prices = capabilities.prices
    return prices.get(base_model) or prices.get(
        base_model.removeprefix("publishers/google/models/")
    )


def billable_tokens(rows: SplitInfo, system: str, *, is_preference: bool) -> int:
    """Return the guessed tokens that an epoch of these rows bills, with the system instruction."""
    prompts = 2 if is_preference else 1
    tokens = rows.tokens + (prompts - 1) * rows.prompt_tokens
    return tokens + prompts * rows.rows * estimated_tokens(len(system))


def _billable(train: SplitInfo, system: str, is_preference: bool) -> tuple[int, int, int]:
    """Return the billable tokens of one epoch: the least, the likely and the most."""
    tokens = billable_tokens(train, system, is_preference=is_preference)
    characters = train.characters + train.rows * len(system)
    size = train.size_bytes + train.rows * len(system.encode("utf-8", "surrogatepass"))
    low = tokens * 4 / CHARACTERS_A_TOKEN_MOST
    high = tokens * 4 / BYTES_A_TOKEN_LEAST * (size / characters if characters else 1.0)
    return round(low), tokens, round(high)


def root_base(trial: Trial, recorded: Sequence[RecordedTrial]) -> str:
    """Return the base model that tuning once began with, as far as the record tells."""
    name = trial.base.model if trial.base else trial.experiment.base_model
    made_by = {job.model: job for one in recorded for job in one.jobs if job.model}
    based_on = {one.revision: one.base_model for one in recorded if one.revision}
    for _ in range(_MOST_GENERATIONS):
        job = made_by.get(name)
        if job is None:
            break
        # A job's revision may be a former one, of which only the job's own note is left.
        name = based_on.get(job.revision) or job.base_model
    return name


def over_budget(trial: Trial, cost: Cost) -> Problem | None:
    """Return why limits.max_cost_usd forbids the job, None where it does not.

    The estimate's upper end counts, and what can't be estimated is refused: a limit is a promise.
    """
    experiment = trial.experiment
    limit = experiment.limits.max_cost_usd
    if limit is None or cost.is_free:
        return None
    key = "limits.max_cost_usd"
    where = experiment.at(key)
    if cost.price is None:
        fact = f"{key} is {limit:g}, and no price of {experiment.base_model} is known"
        remedy = (
            f"name it as usd_per_million_tokens in the profile {experiment.provider} of "
            "tunekit.yaml, or remove the limit"
        )
        return Problem(fact, remedy, where, key=key)
    if cost.unpriced_rows:
        fact = f"{key} is {limit:g}, and {why_unpriced(cost.unpriced_rows)}"
        return Problem(fact, "leave such rows out, or remove the limit", where, key=key)
    if cost.usd_high is None:
        each = cost.usd_an_epoch(cost.tokens_high) or 0.0
        fact = f"{key} is {limit:g}; an epoch costs up to {usd(each)}, and their number is open"
        remedy = "set tuning.epochs, which the service chooses now, or remove the limit"
        return Problem(fact, remedy, where, key=key)
    if cost.usd_high > limit:
        fact = f"the job may cost up to {usd(cost.usd_high)}; limits.max_cost_usd is {limit:g}"
        remedy = "take fewer rows or epochs, or raise the limit"
        return Problem(f"{fact} (probably {usd(cost.usd or 0.0)})", remedy, where, key=key)
    return None


def why_unpriced(rows: int) -> str:
    """Return why there is no estimate of rows with files, images or tools."""
    held = "row holds" if rows == 1 else "rows hold"
    return f"{rows:,} {held} more than text, so what they cost is not known"


def usd(value: float) -> str:
    """Return `0.84 USD`."""
    return f"{amount(value)} USD"


def amount(value: float) -> str:
    """Return dollars and cents; small sums keep two digits that say something."""
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"
