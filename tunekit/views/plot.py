"""Curves in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunekit.views.curves import Line, Measured, heading, is_log, lines_of
from tunekit.views.output import Output

_WIDEST = 120
_LEVELS = 7
_HEIGHT = 20
# Twice as many dots lie side by side in a character.
_DOTS = 2
# Of the 256 colours those nearest to Okabe and Ito's, which colour-blind people tell apart.
COLOURS = (33, 208, 36, 162, 75, 220, 141, 245)
_MARKS = "abcdefghijklmnopqrstuvwxyz"


def plot(output: Output, subjects: Sequence[Measured], *, window: int | None = None) -> None:
    """Draw the jobs' loss curves over each other, and below them which line is which."""
    import plotext

    width = min(output.width, _WIDEST) if output.is_terminal else 80
    lines = lines_of(subjects, most=3 * _DOTS * width, window=window)
    plotext.clear_figure()
    plotext.plot_size(width, _HEIGHT)
    plotext.theme("clear" if not output.has_colour else "pro")
    # Where colour lacks, several jobs are told apart by letters.
    has_letters = not output.has_colour and len({line.subject for line in lines}) > 1
    legend = []
    for number, line in enumerate(lines):
        colour = COLOURS[line.subject % len(COLOURS)]
        letter = _MARKS[number % len(_MARKS)]
        mark = "o" if line.is_eval else "braille"
        if has_letters:
            mark = letter
        plotext.plot(line.steps, line.values, color=colour, marker=mark)
        legend.append((f"{'⠒⠒' if mark == 'braille' else mark * 2} {line.label}", colour))
    if is_log(lines):
        plotext.yscale("log")
    ticks = whole_ticks(lines)
    plotext.xticks(ticks, [f"{tick:,}" for tick in ticks])
    levels = value_ticks(lines)
    plotext.yticks(levels, [f"{level:.3g}" for level in levels])
    plotext.title(f"{heading(subjects)} (log scale)" if is_log(lines) else heading(subjects))
    plotext.xlabel(subjects[0].by if subjects else "step")
    picture: str = plotext.build()
    output.stream.write((picture if output.has_colour else plotext.uncolorize(picture)) + "\n")
    for text, colour in legend:
        output.styled(text, f"color({colour})")


def value_ticks(lines: Sequence[Line]) -> list[float]:
    """Return values to write at the left, spread over the scale; their words stay short."""
    drawn = [value for each in lines for value in each.values]
    if not drawn:
        return []
    low, high = min(drawn), max(drawn)
    if low == high:
        return [low]
    shares = [place / (_LEVELS - 1) for place in range(_LEVELS)]
    if is_log(lines):
        return [math.exp(math.log(low) * (1 - s) + math.log(high) * s) for s in shares]
    return [low * (1 - share) + high * share for share in shares]


def whole_ticks(lines: Sequence[Line]) -> list[int]:
    """Return about five steps, or epochs, to write below the picture."""
    steps = [step for line in lines for step in (line.steps[0], line.steps[-1])]
    if not steps:
        return []
    first, last = min(steps), max(steps)
    return sorted({round(first + (last - first) * part / 4) for part in range(5)})
