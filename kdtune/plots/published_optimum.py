"""Draw the best temperatures that Hinton, Vinyals and Dean (2015) published, beside those of a sweep."""

from __future__ import annotations

import math
from typing import NamedTuple

from matplotlib.axes import Axes

from kdtune.plots import style


class PublishedOptimum(NamedTuple):
    """The temperatures that worked best for a student of some width."""

    units: int  # units per layer
    low: float  # the lowest of these temperatures
    high: float  # the highest; infinite where all temperatures above the lowest worked about as well
    label: str
    label_side: str  # the side of the bar that the label stands on: left or right


# Section 3 of the paper, on MNIST with two hidden layers: 2.5 to 4 worked best with 30 units per layer; with 300 or
# more, all temperatures above 8 gave fairly similar results.
PUBLISHED_OPTIMA = (
    PublishedOptimum(units=30, low=2.5, high=4.0, label="30", label_side="right"),
    PublishedOptimum(units=300, low=8.0, high=math.inf, label="300\nand more", label_side="left"),
)
WIDTH_TICKS = (10.0, 30.0, 100.0, 300.0, 1000.0)
TITLE = "for comparison: Hinton et al.\n2015, MNIST, two hidden layers"
MARGIN_RATIO = 1.6  # The axis goes beyond the outermost published temperatures by this factor.
LABEL_RATIO = 1.25  # The horizontal distance of a label from its bar, on the logarithmic axis.


def list_published_temperatures() -> list[float]:
    """Return the finite ends of the published ranges, in ascending order."""
    ends = [end for optimum in PUBLISHED_OPTIMA for end in (optimum.low, optimum.high)]
    return sorted(end for end in ends if math.isfinite(end))


def include_published_range(limits: tuple[float, float]) -> tuple[float, float]:
    """Widen the limits of a temperature axis, where needed, so that they include the published temperatures."""
    temperatures = list_published_temperatures()
    return min(limits[0], temperatures[0] / MARGIN_RATIO), max(limits[1], temperatures[-1] * MARGIN_RATIO)


def draw_published_optima(axes: Axes, upper_limit: float) -> None:
    """Draw each published range as a vertical bar; one without an upper end has an arrow at the axis' end.

    Parameters
    ----------
    upper_limit : The upper end of the temperature axis, which includes the published temperatures.
    """
    for optimum in PUBLISHED_OPTIMA:
        top = min(optimum.high, upper_limit)
        axes.vlines(optimum.units, optimum.low, top, color=style.TEACHER_COLOR, linewidth=5, alpha=0.5)
        if math.isinf(optimum.high):
            color = style.TEACHER_COLOR
            axes.plot(optimum.units, top, "^", color=color, markersize=5, clip_on=False, in_layout=False)
        label_T = math.sqrt(optimum.low * top)  # halfway up the bar, on a logarithmic axis
        if optimum.label_side == "left":
            label_x, alignment = optimum.units / LABEL_RATIO, "right"
        else:
            label_x, alignment = optimum.units * LABEL_RATIO, "left"
        axes.text(label_x, label_T, optimum.label, fontsize=7, ha=alignment, va="center", in_layout=False)
    axes.set_title(TITLE, fontsize=8)
