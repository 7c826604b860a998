"""What it costs to use one T everywhere: the decision that most users face."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.fixed_temperature import compute_relative_regret
from kdtune.analysis.sentences import list_rows
from kdtune.plots import style

USUAL = (1.0, 2.0, 4.0, 10.0)  # that others use without looking
MOST = 6


def plot_regret(answer: Answer) -> Figure:
    """Test errors at one fixed T above those at each cell's own T, chosen on the validation split; a point a cell."""
    curves, costs = answer.curves, {row["T"]: row for row in list_rows(answer.fixed)}
    students = [name for name in answer.columns if name not in select_data_columns(answer.columns)]
    looks = style.assign_styles([key for key, _ in style.group_rows(curves, students)])
    labels = style.label_students(answer.t_opt, students)
    fixed = _fixed(sorted(costs))
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(1.3 * len(fixed) + 2.2, 3.9)
        axes: Any = figure.subplots()
        handles: dict[str, Any] = {}
        every: list[float] = []
        for place, T in enumerate(fixed):
            at_T = curves[curves["T"] == T]
            regrets = compute_relative_regret(at_T)
            every += regrets.dropna().tolist()
            shifts = np.linspace(-0.3, 0.3, len(looks)) if len(looks) > 1 else [0.0]
            for shift, (key, (color, marker)) in zip(shifts, looks.items(), strict=True):
                own = regrets[style.match_rows(at_T, students, key)]
                spread = np.linspace(-0.02, 0.02, len(own))
                (handles[labels[key]],) = axes.plot(
                    place + shift + spread, own, marker, color=color, markersize=4, alpha=0.8, linestyle="none"
                )
            median, worst = costs[T]["median"], costs[T]["worst"]
            handles["median of the cells"] = axes.hlines(median, place - 0.4, place + 0.4, color="black", linewidth=1.5)
            axes.annotate(f"median {median:+.0%}\nworst {worst:+.0%}", (place, 1), fontsize=7, ha="center",
                          va="bottom", xycoords=("data", "axes fraction"))  # fmt: skip
        axes.axhline(0, color=style.BASELINE, linewidth=0.8)
        axes.set_yscale("symlog", linthresh=0.1, linscale=1.5)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.margins(y=0.1)
        axes.set_yticks(_ticks(every))
        axes.set_xticks(range(len(fixed)), [f"T = {T:g}" for T in fixed])
        axes.set_ylabel("test errors above those at the cell's own T")
        style.add_legend(figure, handles)
    return figure


def _fixed(grid: list[float]) -> list[float]:
    """The usual ones that the grid has; some of the grid if it has none."""
    return [T for T in USUAL if T in grid] or grid[:: max(1, len(grid) // MOST)]


def _ticks(values: list[float]) -> list[float]:
    ticks = [-1, -0.5, -0.2, -0.1, -0.05, 0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
    low, high = min(0, *values, 0), max(0.05, *values, 0)
    return [tick for tick in ticks if 1.2 * low - 0.02 <= tick <= 1.2 * high + 0.02]
