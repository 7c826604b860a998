"""Draw the errors on each class of the test set, by kind of network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdtune.analysis.class_names import ClassNames, list_class_names
from kdtune.analysis.representatives import PANEL, SERIES, has_replicates, summarize_replicates
from kdtune.columns import DATASET, ID, LABEL, NUM_ERROR, SEEN
from kdtune.plots import layout, style
from kdtune.plots.style import CurveStyle

MIN_WIDTH, MAX_WIDTH = 6.5, 12  # of the figure, inches
SIDE_INCHES = 1  # beside the classes
MARK_INCHES, LETTER_INCHES = 0.09, 0.075  # the width of a mark, and of a letter in the name of a class
NAME_INCHES = 0.15  # the height of a line of letters
ROW_INCHES = 2.6
MAX_ROWS = 16
SERIES_SHARE = 0.8  # of the space between two classes, over which marks are spread
# Beyond this ratio of the greatest to the median errors, a linear axis would squeeze the others.
SYMLOG_RATIO, SYMLOG_THRESHOLD = 10, 10


@dataclass(frozen=True)
class ClassErrors:
    """Errors on each class of the test set.

    Attributes
    ----------
    errors : one row per panel, series and class: ``panel`` (the data), ``series`` (the kind of network), ``label`` (the
        number of the class), and the mean ``num_error`` of the replicates with its ``_low`` and ``_high``.
    class_labels : what the classes are called, by panel.
    unseen_classes : the numbers of the classes on which some networks of a panel were not trained, by panel.
    has_replicates : whether any kind of network has more than one replicate.
    is_skewed : whether errors differ so much that their axis is logarithmic.
    """

    errors: pd.DataFrame
    class_labels: dict[str, list[str]]
    unseen_classes: dict[str, list[int]]
    has_replicates: bool
    is_skewed: bool


def prepare_class_errors(
    networks: pd.DataFrame, per_class: pd.DataFrame, class_names: ClassNames | None = None
) -> ClassErrors:
    """Prepare the errors by class.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network) and, for names, ``dataset``.
    per_class : One row per network and class: ``id``, ``label`` (the class), ``num_error``, ``seen``.
    class_names : What the user calls the classes, by data set.
    """
    errors = summarize_replicates(networks, per_class, LABEL, [NUM_ERROR])
    class_labels, unseen_classes = {}, {}
    for panel in dict.fromkeys(errors[PANEL]):
        rows = networks[networks[PANEL] == panel]
        dataset = rows[DATASET].iloc[0] if DATASET in rows else None
        n_classes = int(errors[LABEL][errors[PANEL] == panel].max()) + 1
        class_labels[panel] = style.label_classes(list_class_names(class_names or {}, dataset, n_classes))
        details = per_class[per_class[ID].isin(rows[ID])]
        unseen_classes[panel] = sorted(details[LABEL][~details[SEEN]].unique().tolist())
    return ClassErrors(
        errors=errors,
        class_labels=class_labels,
        unseen_classes=unseen_classes,
        has_replicates=has_replicates(networks),
        is_skewed=bool(errors[f"{NUM_ERROR}_high"].max() > SYMLOG_RATIO * max(1, errors[NUM_ERROR].median())),
    )


def draw_class_errors(prepared: ClassErrors) -> Figure:
    """Draw a panel for each data set, and in it for each class a mark for each kind of network.

    Marks are means over the replicates; lines reach from the lowest to the highest replicate. Classes that the
    students of a panel never saw are shaded.
    """
    errors = prepared.errors
    styles = style.assign_network_styles(list(dict.fromkeys(errors[SERIES])))
    class_inches = max(NAME_INCHES, MARK_INCHES * max(errors.groupby(PANEL)[SERIES].nunique()))
    all_rows = _split_into_rows(prepared.class_labels, max(1, int((MAX_WIDTH - SIDE_INCHES) / class_inches)))
    rows = all_rows[:MAX_ROWS]
    n_columns = max(len(row.numbers) for row in rows)
    width = max(MIN_WIDTH, class_inches * n_columns + SIDE_INCHES)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(width, ROW_INCHES * len(rows) + 1)
        all_axes: Any = figure.subplots(len(rows), 1, squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for axes, row in zip(all_axes.flat, rows, strict=True):
            for number in set(prepared.unseen_classes[row.panel]) & set(row.numbers):
                axes.axvspan(number - 0.5, number + 0.5, color="#eeeeee", linewidth=0)
            panel_errors = errors[errors[PANEL] == row.panel]
            n_series = panel_errors[SERIES].nunique()
            for i, (series, points) in enumerate(panel_errors.groupby(SERIES, sort=False)):
                offset = SERIES_SHARE * ((i + 0.5) / n_series - 0.5)
                shown = points[points[LABEL].isin(row.numbers)]
                handles[style.escape_text(str(series))] = _draw_series(axes, shown, offset, styles[str(series)])
            if row.numbers.start == 0:
                axes.set_title(style.escape_text(row.panel), fontsize=8)
            _set_class_axis(axes, row, n_columns, (width - SIDE_INCHES) / n_columns)
            if prepared.is_skewed:
                axes.set_yscale("symlog", linthresh=SYMLOG_THRESHOLD)
                axes.margins(y=0.08)
                axes.set_yticks(_choose_ticks(float(errors[f"{NUM_ERROR}_high"].max())))
                axes.yaxis.set_major_formatter(layout.format_plain_numbers())
            axes.set_ylim(bottom=0)
        all_axes.flat[-1].set_xlabel("class of the test example")
        figure.supylabel("errors on the test set", fontsize=9)
        layout.note_omitted(figure, len(rows), len(all_rows), "rows")
        layout.add_legend(figure, layout.order_handles(handles, styles), title=_describe(prepared))
    return figure


@dataclass(frozen=True)
class _Row:
    """Some classes of a panel, which stand beside each other."""

    panel: str
    numbers: range  # of the classes
    labels: list[str]


def _split_into_rows(class_labels: dict[str, list[str]], max_classes: int) -> list[_Row]:
    """Return rows of at most so many classes each, those of one panel about equally long."""
    rows = []
    for panel, labels in class_labels.items():
        n_columns = math.ceil(len(labels) / math.ceil(len(labels) / max_classes))
        for start in range(0, len(labels), n_columns):
            shown_labels = labels[start : start + n_columns]
            rows.append(_Row(panel, range(start, start + len(shown_labels)), shown_labels))
    return rows


def _draw_series(axes: Axes, rows: pd.DataFrame, offset: float, series_style: CurveStyle) -> Any:
    """Draw one kind of network beside the positions of the classes, and return its marks."""
    color, marker = series_style
    x = rows[LABEL] + offset
    axes.vlines(x, rows[f"{NUM_ERROR}_low"], rows[f"{NUM_ERROR}_high"], color=color, linewidth=1)
    return axes.plot(x, rows[NUM_ERROR], marker, color=color, markersize=4)[0]


def _set_class_axis(axes: Axes, row: _Row, n_columns: int, class_inches: float) -> None:
    """Name the classes of a row, upright where names would touch, and draw a line between any two classes.

    ``n_columns`` is the number of classes in the longest row, and ``class_inches`` the space that each of them has.
    """
    is_crowded = max(map(len, row.labels)) * LETTER_INCHES > class_inches
    axes.set_xticks(row.numbers, row.labels, rotation=90 if is_crowded else 0, fontsize=7)
    axes.set_xticks(np.arange(row.numbers.start + 0.5, row.numbers.stop - 1), minor=True)
    axes.set_xlim(row.numbers.start - 0.5, row.numbers.start + n_columns - 0.5)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="x", which="minor")


def _choose_ticks(max_errors: float) -> list[float]:
    """Return ticks of an axis that is linear up to the threshold, and logarithmic beyond: 0, 5, 10, 20, 50, 100, ..."""
    decades = range(int(math.log10(SYMLOG_THRESHOLD)), int(math.log10(max(SYMLOG_THRESHOLD, max_errors))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return [0, SYMLOG_THRESHOLD / 2, *(tick for tick in ticks if tick <= max_errors)]


def _describe(prepared: ClassErrors) -> str | None:
    """Write what marks and shades mean, as far as there are any."""
    notes = []
    if prepared.has_replicates:
        notes.append("mean over replicates; lines: lowest to highest")
    if any(prepared.unseen_classes.values()):
        notes.append("shaded: classes that students never saw")
    lines = ["; ".join(notes)] if notes else []
    if prepared.is_skewed:
        lines.append(f"the axis is logarithmic above {SYMLOG_THRESHOLD}")
    return "\n".join(lines) or None
