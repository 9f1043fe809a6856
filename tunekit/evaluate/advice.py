"""What a curve says to do next: one line a rule, with the numbers that made it speak.

Rules that could be wrong stay silent: each needs its effect to be larger than the curve's noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

from tunekit.evaluate.curves import epoch_at, epochs_of, series, smoothed, swing, training_loss
from tunekit.model import EVAL_LOSS, MEAN_LOSS, Job, MetricPoint

Severity = Literal["info", "warning"]

# Rows that a task wants at the least, and from which more is not asked for; without a task, the
# range that holds for all. Source: "Training data size" in Google's guide "Fine-tuning with the
# Gemini API" (ai.google.dev/gemini-api/docs/model-tuning, 2025-04-16).
ROWS_WANTED: Mapping[str, tuple[int, int]] = {
    "classification": (100, 100),
    "summarization": (100, 500),
    "document search": (100, 100),
}
_ANY_TASK = (100, 100)
_LEAST_ROWS = 20

# A job whose last point is here has been seen to its end.
_COMPLETE = 0.95
# Later epochs that take less than this part off the whole fall are not worth their price.
_IDLE = 0.03
_SURELY_IDLE = 0.10
# Another epoch that would take this part of the whole fall off is.
_WORTH = 0.05
# Eval loss above its best by this part is a rise.
_RISE = 0.05
_SUDDEN_RISE = 0.10
# A training loss that ends this part of where it began, and of its lowest, above that climbed away.
_CLIMB = 0.5
# So many standard errors a difference must have.
_SURE = 3.0
# Fewer points than this tell nothing about noise.
_POINTS_FOR_NOISE = 20


@dataclass(frozen=True, slots=True)
class Advice:
    """What one rule found in a curve, what to do about it, and the numbers it went by."""

    rule: str
    severity: Severity
    fact: str
    remedy: str
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.rule}: {self.fact}; {self.remedy}"


def advise(
    points: Sequence[MetricPoint],
    *,
    epochs: int | None,
    steps: int | None,
    rows: int | None,
    task: str | None = None,
    learning_rate: float | None = None,
    learning_rate_multiplier: float | None = None,
) -> tuple[Advice, ...]:
    """Return what a job's curves say, the gravest first; nothing where they say nothing.

    `epochs` and `steps` are the whole job's, `rows` its training rows; None where unknown. `task`
    is a key of ROWS_WANTED. While the job still trains, only what can't get better is said.
    """
    curve = _Curve(points, epochs, steps)
    rates = {"learning_rate": learning_rate, "learning_rate_multiplier": learning_rate_multiplier}
    found: list[Advice | None] = [_divergence(curve, rates)]
    if found == [None]:
        rising = _overfit(curve)
        found += [rising, _noise(curve)]
        # Where the model has begun to learn its rows by heart, the training loss tells no more.
        if rising is None and curve.is_complete:
            found += [_plateau(curve), _falling(curve)]
    found.append(_rows(rows, task))
    return tuple(advice for advice in found if advice is not None)


def advice_for(
    job: Job, revision: Mapping[str, Any], points: Sequence[MetricPoint]
) -> tuple[Advice, ...]:
    """Return the advice on a recorded job; `revision` is what the registry tells of its spec."""
    tuning = revision["identity"]["hyperparameters"]
    train = (revision.get("dataset") or {}).get("splits", {}).get("train") or {}
    return advise(
        points,
        epochs=epochs_of(job, revision, points),
        steps=job.total_steps,
        rows=train.get("rows"),
        task=_task(revision.get("document") or {}),
        learning_rate=tuning.get("learning_rate"),
        learning_rate_multiplier=tuning.get("learning_rate_multiplier"),
    )


def _task(document: Mapping[str, Any]) -> str | None:
    """Return the task that a spec's metrics belong to, None where they fit any."""
    metrics = (document.get("evaluate") or {}).get("metrics") or []
    named = {str(metric) for metric in metrics}
    if named & {"accuracy", "label_accuracy", "macro_f1", "confusion"}:
        return "classification"
    return "summarization" if "rouge_l" in named else None


class _Curve:
    """A job's loss curves and the levels that rules compare."""

    def __init__(
        self, points: Sequence[MetricPoint], epochs: int | None, steps: int | None
    ) -> None:
        self.training = training_loss(points)
        self.eval = [p for p in series(points).get(EVAL_LOSS, []) if math.isfinite(p.value)]
        self.epochs = epochs
        last = max((p.step for p in (*self.training, *self.eval)), default=0)
        self.steps = max(steps or last, last, 1)
        self.is_complete = last >= _COMPLETE * self.steps
        self._by_step = [(p.step, p.value) for p in self.training if math.isfinite(p.value)]

    @cached_property
    def values(self) -> list[float]:
        return [value for _, value in self._by_step]

    @property
    def has_every_step(self) -> bool:
        """True where an epoch has so many points that its halves may be compared."""
        named = {point.metric for point in self.training}
        return named != {MEAN_LOSS} and len(self.values) >= 8 * (self.epochs or 1)

    @cached_property
    def noise(self) -> float:
        return swing(self.values)

    @cached_property
    def start(self) -> float:
        """The level that the loss came from."""
        count = max(len(self.values) // 50, 1) if self.has_every_step else 1
        return fmean(self.values[:count])

    def level(self, begin: float, end: float) -> tuple[float, float] | None:
        """Return mean and standard error from after one epoch to the end of another, None for none.

        Epochs may be parts: 1.5 to 2 is the second half of the second.
        """
        share = self.steps / (self.epochs or 1)
        inside = [v for step, v in self._by_step if begin * share < step <= end * share + 1e-9]
        return (fmean(inside), self.noise / math.sqrt(len(inside))) if inside else None

    def epoch_ends(self) -> list[tuple[float, float]] | None:
        """Return the level at each epoch's end, None where an epoch has none.

        Of a curve with every step that is the second half of the epoch.
        """
        part = 0.5 if self.has_every_step else 1.0
        levels = [self.level(e - part, float(e)) for e in range(1, (self.epochs or 0) + 1)]
        known = [level for level in levels if level is not None]
        return known if known and len(known) == len(levels) else None

    def epoch_at(self, step: int) -> int | None:
        return epoch_at(step, epochs=self.epochs, steps=self.steps) if self.epochs else None


def _divergence(curve: _Curve, rates: Mapping[str, float | None]) -> Advice | None:
    odd = [p.step for p in curve.training if not math.isfinite(p.value)]
    numbers: dict[str, float]
    if odd:
        fact = f"the training loss is not a number at step {odd[0]:,}" + (
            f" and at {len(odd) - 1:,} more" if len(odd) > 1 else ""
        )
        numbers = {"step": odd[0], "count": len(odd)}
        return Advice("divergence", "warning", fact, _slower(rates), numbers)
    if len(curve.values) < 3:
        return None
    window = max(len(curve.values) // 20, 1)
    levels = smoothed(curve.values, window)  # the first few of fewer values than `window`
    lowest, last = min(levels), levels[-1]
    place = levels.index(lowest)
    error = curve.noise / math.sqrt(min(place + 1, window))
    rise = last - lowest
    wanted = max(_CLIMB * abs(curve.start), 2 * _SURE * error)
    if rise <= 0 or rise < _CLIMB * abs(lowest) or rise < wanted:
        return None
    step = curve.training[place].step
    fact = f"the training loss climbed from {lowest:.3g} at step {step:,} to {last:.3g}"
    numbers = {"step": step, "lowest": lowest, "last": last, "start": curve.start}
    return Advice("divergence", "warning", fact, _slower(rates), numbers)


def _slower(rates: Mapping[str, float | None]) -> str:
    for key, value in rates.items():
        if value:
            return f"lower tuning.{key}: {value / 3:.1g} instead of {value:g}"
    return "set tuning.learning_rate, or its multiplier, to a third of what it was"


def _overfit(curve: _Curve) -> Advice | None:
    """Speak where eval loss has left its lowest point and stays above it."""
    looks = _binned(curve.eval, most=max(2 * (curve.epochs or 0), 10))
    if len(looks) < 2:
        return None
    values = [value for _, value in looks]
    best = min(range(len(values)), key=values.__getitem__)
    after = values[best + 1 :]
    if not after:
        return None
    rise = values[-1] - values[best]
    part = rise / abs(values[best]) if values[best] else math.inf
    # One look may be chance; several that all stay above, the last the furthest or near it, not.
    is_lasting = (
        len(after) >= 2 and min(after) > values[best] and rise >= 0.7 * (max(after) - values[best])
    )
    wanted = _RISE if is_lasting else _SUDDEN_RISE
    if rise <= 0 or part < wanted or rise < 2 * _SURE * _eval_noise(values):
        return None
    step = looks[best][0]
    epoch = curve.epoch_at(step)
    where = f"epoch {epoch}" if epoch else f"step {step:,}"
    fact = f"eval loss was best at {where} ({values[best]:.3g}) and rose to {values[-1]:.3g}" + (
        f" (+{100 * part:.0f}%)" if math.isfinite(part) else ""
    )
    remedy = f"the checkpoint of {where} is the best"
    if epoch and curve.epochs and epoch < curve.epochs:
        remedy += f"; epochs: {epoch} would have done"
    numbers: dict[str, float] = {"step": step, "best": values[best], "last": values[-1]}
    if epoch:
        numbers["epoch"] = epoch
    return Advice("overfit", "warning", fact, remedy, numbers)


def _eval_noise(values: Sequence[float]) -> float:
    """Return the noise of few values: by their least second differences, which a bend leaves."""
    return swing(values) if len(values) >= 8 else 0.0


def _binned(points: Sequence[MetricPoint], most: int) -> list[tuple[int, float]]:
    """Return at most `most` (last step, mean) pairs of equally many points each."""
    size = max(math.ceil(len(points) / most), 1)
    bins = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [(members[-1].step, fmean(p.value for p in members)) for members in bins]


def _noise(curve: _Curve) -> Advice | None:
    """Speak where single steps swing by more than the whole curve fell."""
    if len(curve.values) < _POINTS_FOR_NOISE or not curve.noise:
        return None
    last = fmean(curve.values[-(len(curve.values) // 4) :])
    fell = curve.start - last
    # A curve flat but for a few percent has nothing to hide in its noise.
    if curve.noise <= max(fell, 0.05 * abs(last)):
        return None
    fact = f"single steps swing by ±{curve.noise:.3g}, the curve fell by {fell:.3g} in all"
    remedy = (
        "read it by epoch (--by epoch); a larger tuning.batch_size, where the provider takes one, "
        "or a lower learning rate calms it"
    )
    return Advice("noise", "info", fact, remedy, {"swing": curve.noise, "fell": fell})


def _plateau(curve: _Curve) -> Advice | None:
    """Speak where the last epochs took next to nothing off the loss.

    Source: "Recommended configurations" in the guide named above: stop at the lowest point right
    before the curve plateaus; one flat from epoch 4 on does as well with epochs: 4.
    """
    ends = curve.epoch_ends()
    if ends is None or len(ends) < (2 if curve.has_every_step else 3):
        return None
    fall = curve.start - min(level for level, _ in ends)
    if fall <= max(_SURE * math.sqrt(2) * ends[-1][1], 0.0) or fall < 0.02 * abs(curve.start):
        return None
    for epoch, (level, error) in enumerate(ends[:-1], start=1):
        later = [value for value, _ in ends[epoch:]]
        gain = level - min(later)
        surely = gain + 2 * math.sqrt(2) * error
        is_flat = gain <= _IDLE * fall and surely <= _SURELY_IDLE * fall
        if is_flat and max(later) - level <= _IDLE * fall + 2 * math.sqrt(2) * error:
            break
    else:
        return None
    if not _is_eval_flat(curve, epoch):
        return None
    fact = (
        f"after epoch {epoch} of {len(ends)} the loss fell by {max(gain, 0):.3g} more "
        f"({max(100 * gain / fall, 0):.1f}% of its whole fall)"
    )
    remedy = f"epochs: {epoch} would have done"
    numbers = {"epoch": epoch, "epochs": len(ends), "gain": gain, "fall": fall}
    return Advice("plateau", "info", fact, remedy, numbers)


def _is_eval_flat(curve: _Curve, epoch: int) -> bool:
    """True where eval loss, if there is any, did not get better after an epoch either."""
    before = [p.value for p in curve.eval if (curve.epoch_at(p.step) or 0) <= epoch]
    after = [p.value for p in curve.eval if (curve.epoch_at(p.step) or 0) > epoch]
    if not before or not after:
        return True
    # Before the first look at the eval loss it fell, too: about as far as the training loss.
    fall = max(max(before) - min(*before, *after), curve.start - min(curve.values))
    return min(before) - min(after) <= max(_WORTH * fall, 0.005 * abs(min(before)))


def _falling(curve: _Curve) -> Advice | None:
    """Speak where another epoch would go on: each stretch's fall against the one before it."""
    if curve.epochs is None:
        return None
    stretch = 1.0 if not curve.has_every_step else 0.5 if curve.epochs > 1 else 0.25
    edges = [curve.epochs - stretch * back for back in (3, 2, 1, 0)]
    if edges[0] < 0:
        return None
    levels = [curve.level(begin, end) for begin, end in pairwise(edges)]
    if None in levels:
        return None
    (first, _), (second, _), (third, error) = (level for level in levels if level is not None)
    before, gain, fall = first - second, second - third, curve.start - third
    # What the noise may have added to the last stretch does not count.
    surely = gain - 2 * math.sqrt(2) * error
    if surely <= 0 or before <= 0 or fall <= 0:
        return None
    ahead = round(1 / stretch)
    if _coming(surely, before, ahead) < _WORTH * fall or not _is_eval_falling(curve):
        return None
    coming = _coming(gain, before, ahead)
    fact = (
        f"the loss still fell at the end, by {gain:.3g} to {third:.3g}; at that pace another "
        f"epoch takes off {coming:.2g} more ({100 * coming / fall:.0f}% of its fall so far)"
    )
    more = curve.epochs + max(1, curve.epochs // 2)
    numbers = {"gain": gain, "loss": third, "coming": coming, "fall": fall, "epochs": curve.epochs}
    return Advice("falling", "info", fact, f"try epochs: {more}", numbers)


def _coming(gain: float, before: float, stretches: int) -> float:
    """Return what so many stretches more take off if each keeps the last one's share."""
    keeps = min(gain / before, 1.0)
    return gain * sum(keeps**ahead for ahead in range(1, stretches + 1))


def _is_eval_falling(curve: _Curve) -> bool:
    """True unless eval loss says that more training would not help."""
    values = [p.value for p in curve.eval]
    if len(values) < 2:
        return True
    fall = max(values) - min(values)
    return values[-1] == min(values) and values[-2] - values[-1] > 0.02 * fall


def _rows(rows: int | None, task: str | None) -> Advice | None:
    """Speak where the training split is smaller than Google's guide wants it."""
    if rows is None:
        return None
    least, enough = ROWS_WANTED.get(task or "", _ANY_TASK)
    if rows >= enough:
        return None
    numbers = {"rows": rows, "wanted": least if rows < least else enough}
    severity: Severity = "warning" if rows < _LEAST_ROWS else "info"
    wanted = f"{least} to {enough}" if enough > least else f"{least} or more"
    fact = f"{rows:,} training rows, where Google's guide wants {wanted}"
    fact += f" for {task}" if task in ROWS_WANTED else ""
    return Advice("few-rows", severity, fact, "add rows before tuning longer", numbers)
