"""Money and tokens as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from tunekit.model import Cost, DataStats
from tunekit.plan.cost import WHY_A_RANGE, amount, usd, why_unpriced


def cost_line(cost: Cost) -> str:
    """Return `cost: about 0.84 USD (0.67 to 1.3): …`; empty where nothing is billed."""
    if cost.is_free:
        return ""
    tokens = f"{cost.tokens:,} tokens ({cost.tokens_low:,} to {cost.tokens_high:,})"
    if cost.unpriced_rows:
        why = why_unpriced(cost.unpriced_rows)
        return f"cost: not known: {why}; the text alone is about {tokens} an epoch"
    if cost.price is None:
        return f"cost: not known, for no price is; about {tokens} an epoch"
    rate = f"at {cost.price.usd_per_million_tokens:g} USD a million"
    if cost.usd is None or cost.usd_low is None or cost.usd_high is None:
        each = [
            cost.usd_an_epoch(n) or 0.0 for n in (cost.tokens, cost.tokens_low, cost.tokens_high)
        ]
        about, low, high = map(amount, each)
        return (
            f"cost: about {about} USD an epoch ({low} to {high}): {tokens} {rate}; the service "
            "chooses how many epochs, tuning.epochs sets it"
        )
    times = f"x {cost.epochs} epoch" + ("" if cost.epochs == 1 else "s")
    return (
        f"cost: about {usd(cost.usd)} ({amount(cost.usd_low)} to {amount(cost.usd_high)}): "
        f"{tokens} {times} {rate}"
    )


def cost_notes(costs: Iterable[Cost]) -> list[str]:
    """Return what must be known about estimates, once for all of them: sum, why a range, source."""
    billed = [cost for cost in costs if not cost.is_free]
    if not billed:
        return []
    notes = []
    known = [(c.usd_low, c.usd, c.usd_high) for c in billed]
    if len(billed) > 1 and all(None not in sums for sums in known):
        low, about, high = (sum(v or 0.0 for v in column) for column in zip(*known, strict=True))
        notes.append(f"In all about {usd(about)} ({amount(low)} to {amount(high)}).")
    notes.append(f"Costs are estimates: {WHY_A_RANGE}.")
    prices = {cost.price for cost in billed if cost.price is not None}
    for price in sorted(prices, key=lambda p: (p.source, p.as_of, p.confidence)):
        as_of = f" as of {price.as_of}" if price.as_of else ""
        how = f", {price.confidence}" if price.confidence else ""
        note = f"Prices{as_of}{how}: {price.source}"
        if note not in notes:
            notes.append(note)
    return notes


def billed_line(stats: DataStats, estimate: Cost | None) -> str:
    """Return what the service counted beside what was estimated; empty where it did not count."""
    if stats.billable_tokens is None:
        return ""
    billed = f"{stats.billable_tokens:,} tokens an epoch"
    epochs = stats.epochs
    if epochs:
        billed += f" x {epochs} = {stats.billable_tokens * epochs:,}"
    if estimate is None:
        return billed
    each = estimate.usd_an_epoch(stats.billable_tokens)
    if epochs and each:
        billed += f", {usd(each * epochs)} by the table's price"
    if not estimate.tokens or estimate.unpriced_rows:
        return billed
    off = stats.billable_tokens / estimate.tokens - 1
    is_inside = estimate.tokens_low <= stats.billable_tokens <= estimate.tokens_high
    where = "inside its range" if is_inside else "outside its range"
    return f"{billed}; {off:+.0%} against the estimate of {estimate.tokens:,}, {where}"
