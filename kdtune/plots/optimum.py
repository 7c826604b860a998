"""Draw the best temperature of each setting, with what is tied with it and its 95 % confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows
from kdtune.analysis.optimum import LARGER_THAN_TEACHER
from kdtune.columns import WIDTH
from kdtune.plots import layout, style
from kdtune.plots.optimum_by_width import draw_by_width
from kdtune.plots.optimum_intervals import add_interval_legend, draw_intervals, find_limits, prepare_intervals
from kdtune.plots.style import CurveStyle

PUBLISHED_DATASET = "mnist"  # The data set of the published temperatures, in small letters.


@dataclass(frozen=True)
class Optima:
    """The best temperatures of an answer.

    Attributes
    ----------
    settings : one row per setting, with the columns of ``prepare_intervals``; ``label``, all that varies over the
        settings; where the student's width varies also ``width``, ``panel`` (the value of the first other column that
        varies) and ``curve`` (those of the remaining ones), in words.
    temperatures : those of all settings, ascending.
    criterion : what the best temperature has, in words.
    has_widths : whether the student's width varies.
    is_mnist : whether the data are those of the published temperatures.
    """

    settings: pd.DataFrame
    temperatures: list[float]
    criterion: str
    has_widths: bool
    is_mnist: bool


def prepare_optima(answer: Answer) -> Optima:
    """Prepare the best temperature of each setting: the one that the table of the answer has."""
    t_opt, columns = answer.t_opt, answer.cell_columns
    temperatures = [float(T) for T in sorted(answer.curves["T"].unique())]
    settings = prepare_intervals(t_opt, [cell.temperatures.tolist() for cell in answer.cells], temperatures)
    varying_columns = [name for name in columns if t_opt[name].nunique(dropna=False) > 1]
    settings["label"] = _label_rows(t_opt, varying_columns, "all data")
    has_widths = WIDTH in varying_columns and bool((pd.to_numeric(t_opt[WIDTH], errors="coerce") > 0).all())
    if has_widths:
        other_columns = [name for name in varying_columns if name != WIDTH]
        settings["width"] = pd.to_numeric(t_opt[WIDTH]).astype(float)
        settings["panel"] = _label_rows(t_opt, other_columns[:1], "")
        settings["curve"] = _label_rows(t_opt, other_columns[1:], "student")
    return Optima(
        settings=settings,
        temperatures=temperatures,
        criterion=answer.criterion,
        has_widths=has_widths,
        is_mnist=bool(answer.datasets) and all(name.casefold() == PUBLISHED_DATASET for name in answer.datasets),
    )


def _label_rows(frame: pd.DataFrame, columns: list[str], fallback: str) -> pd.Series:
    """Return the label of each row's values in these columns, in the order of the values."""
    groups = dict(group_rows(frame, columns))
    labels = style.label_settings(columns, list(groups), fallback)
    parts = [pd.Series(labels[key], rows.index, dtype=object) for key, rows in groups.items()]
    return pd.concat(parts).reindex(frame.index)


def draw_optima(optima: Optima) -> Figure:
    """Draw the best temperatures against the student's width, or a line for each setting if no width varies.

    The marks are the temperatures that the table calls best.
    """
    if optima.has_widths:
        return draw_by_width(optima.settings, optima.temperatures, optima.criterion, has_published=optima.is_mnist)
    return _draw_by_setting(optima)


def _draw_by_setting(optima: Optima) -> Figure:
    """Draw a line for each setting, the first on top."""
    shown = optima.settings.head(layout.MAX_SMALL_PANELS)
    is_larger = shown["is_larger_than_teacher"]
    labels = shown["label"].where(~is_larger, shown["label"] + f" ({LARGER_THAN_TEACHER})").tolist()
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(0.06 * max(len(label) for label in labels) + 5, 0.22 * len(shown) + 1.5)
        axes = figure.subplots()
        blue_dots = CurveStyle(style.STUDENT_COLORS[0], "o")
        draw_intervals(axes, np.arange(len(shown)), shown, blue_dots, is_vertical=False)
        axes.set_yticks(range(len(shown)), labels, fontsize=7)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlabel("best temperature T")
        layout.set_temperature_axis(axes, axes.xaxis, optima.temperatures)
        axes.set_xlim(*find_limits(optima.temperatures))
        layout.note_omitted(figure, len(shown), len(optima.settings), "settings")
        add_interval_legend(figure, {}, shown, optima.criterion, is_vertical=False)
    return figure
