"""Draw the cost of one temperature for all settings: the decision that most users face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.analysis.fixed_temperature import compute_relative_regret
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import group_curves
from kdtune.plots.style import Key

USUAL_TEMPERATURES = (1.0, 2.0, 4.0, 10.0)  # temperatures that are often used without a search
MAX_TEMPERATURES = 6
TICKS = (-1, -0.5, -0.2, -0.1, -0.05, 0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def plot_regret(answer: Answer) -> Figure:
    """Plot the test errors at one fixed T above those at each cell's own T, chosen on the validation split.

    Each point is a cell, each column of points a fixed temperature.
    """
    student_curves = group_curves(answer)
    curves = answer.curves
    costs = answer.fixed.set_index("T")
    temperatures = _choose_temperatures(sorted(costs.index))
    styles = student_curves.styles
    offsets = np.linspace(-0.3, 0.3, len(styles)) if len(styles) > 1 else np.zeros(1)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(1.3 * len(temperatures) + 2.2, 3.9)
        axes: Any = figure.subplots()
        handles: dict[str, Any] = {}
        all_regrets: list[float] = []
        for x, T in enumerate(temperatures):
            rows = curves[curves["T"] == T]
            regrets = compute_relative_regret(rows, answer.test_measure)
            all_regrets += regrets.dropna().tolist()
            for offset, (student_key, (color, marker)) in zip(offsets, styles.items(), strict=True):
                student_regrets = regrets[_match_rows(rows, student_curves.student_columns, student_key)]
                spread = np.linspace(-0.02, 0.02, len(student_regrets))
                handles[student_curves.labels[student_key]] = axes.plot(
                    x + offset + spread, student_regrets, marker, color=color, markersize=4, alpha=0.8
                )[0]
            median, worst = costs["median"][T], costs["worst"][T]
            handles["median of the settings"] = axes.hlines(median, x - 0.4, x + 0.4, color="black", linewidth=1.5)
            text = f"median {median:+.0%}\nworst {worst:+.0%}"
            axes.annotate(text, (x, 1), xycoords=("data", "axes fraction"), fontsize=7, ha="center", va="bottom")
        axes.axhline(0, color=style.BASELINE_COLOR, linewidth=0.8)
        axes.set_yscale("symlog", linthresh=0.1, linscale=1.5)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.margins(y=0.1)
        axes.set_yticks(_choose_ticks(all_regrets))
        axes.set_xticks(range(len(temperatures)), [f"T = {T:g}" for T in temperatures])
        name = "error" if answer.test_measure == NUM_ERROR else answer.measure_name
        axes.set_ylabel(f"relative excess {name}\nover the setting's best T (test split)")
        layout.add_legend(figure, handles)
    return figure


def _match_rows(frame: pd.DataFrame, columns: Sequence[str], key: Key) -> pd.Series:
    """Return which rows have these values; None stands for a null."""
    matches = pd.Series(True, frame.index)
    for column, value in zip(columns, key, strict=True):
        if value is None:
            matches &= frame[column].isna()
        else:
            matches &= frame[column] == value
    return matches


def _choose_temperatures(grid: list[float]) -> list[float]:
    """Return the usual temperatures that the grid has; some of the grid if it has none."""
    usual_temperatures = [T for T in USUAL_TEMPERATURES if T in grid]
    if usual_temperatures:
        return usual_temperatures
    return grid[:: max(1, len(grid) // MAX_TEMPERATURES)]


def _choose_ticks(values: list[float]) -> list[float]:
    lower_limit, upper_limit = min([0, *values]), max([0.05, *values])
    return [tick for tick in TICKS if 1.2 * lower_limit - 0.02 <= tick <= 1.2 * upper_limit + 0.02]
