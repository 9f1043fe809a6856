"""Curves as a picture in a file, drawn by matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunekit.errors import MissingExtra
from tunekit.views.curves import Line, Measured, heading, is_log, lines_of
from tunekit.views.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind people tell apart, the yellow darkened for white.
_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7"),
    *("#56B4E9", "#B8A800", "#D55E00", "#555555"),
)
_INCHES = (9.0, 5.0)
_DOTS_AN_INCH = 160
_MOST_POINTS = 1500
# A legend of more lines stands beside the picture.
_LINES_INSIDE = 6
_LEGEND_INCHES = 3.5
_LINE_INCHES = 0.22


def figure(subjects: Sequence[Measured], form: str, *, window: int | None = None) -> bytes:
    """Return a PNG or SVG of the jobs' loss curves; `form` is png or svg.

    Names in it are drawn as they are, not as formulas. MissingExtra without matplotlib.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra(needs="matplotlib", extra="plot") from error
    lines = lines_of(subjects, most=_MOST_POINTS, window=window)
    file = io.BytesIO()
    # The salt makes equal pictures equal files.
    with mpl.rc_context({"svg.hashsalt": "tunekit"}), warnings.catch_warnings():
        # A name may hold characters that no installed font has.
        warnings.simplefilter("ignore", UserWarning)
        drawing = Figure(figsize=_inches(len(lines)), dpi=_DOTS_AN_INCH, layout="constrained")
        FigureCanvasAgg(drawing)
        axes = drawing.add_subplot()
        for each in lines:
            _draw(axes, each)
        if len(subjects) == 1:
            _mark_best(axes, lines, subjects[0].by)
        _dress(axes, subjects, lines)
        drawing.savefig(file, format=form, metadata={"Date": None} if form == "svg" else None)
    return file.getvalue()


def _inches(lines: int) -> tuple[float, float]:
    """Return width and height with room for a legend of so many lines beside the picture."""
    width, height = _INCHES
    if lines <= _LINES_INSIDE:
        return width, height
    return width + _LEGEND_INCHES, max(height, _LINE_INCHES * (lines + 3))


def _draw(axes: Axes, each: Line) -> None:
    colour = _COLOURS[each.subject % len(_COLOURS)]
    if each.window > 1:
        axes.plot(each.steps, each.raw, color=colour, alpha=0.22, linewidth=0.8)
    is_short = len(each.steps) <= 40
    axes.plot(
        each.steps,
        each.values,
        color=colour,
        label=each.label,
        linewidth=1.8,
        linestyle="--" if each.is_eval else "-",
        marker="o" if each.is_eval or len(each.steps) == 1 else None,
        markersize=4.5 if is_short else 2,
        markerfacecolor="white" if each.is_eval else colour,
    )


def _mark_best(axes: Axes, lines: Sequence[Line], by: str) -> None:
    """Mark the lowest point of the eval loss: the checkpoint to choose."""
    for each in lines:
        if each.is_eval and len(each.values) > 1:
            best = min(range(len(each.values)), key=each.values.__getitem__)
            label = f"best eval loss {number(each.values[best])} at {by} {each.steps[best]:,}"
            axes.plot(
                each.steps[best],
                each.values[best],
                marker="*",
                markersize=13,
                linestyle="none",
                color="#D55E00",
                label=label,
            )


def _dress(axes: Axes, subjects: Sequence[Measured], lines: Sequence[Line]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(heading(subjects), loc="left", fontweight="bold", parse_math=False)
    axes.set_xlabel(subjects[0].by if subjects else "step")
    axes.set_ylabel("loss (log scale)" if is_log(lines) else "loss")
    if is_log(lines):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not lines:
        axes.text(0.5, 0.5, "no metrics yet", transform=axes.transAxes, ha="center")
        return
    if len(lines) > _LINES_INSIDE:
        legend = axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        legend = axes.legend(frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
