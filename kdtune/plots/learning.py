"""Draw learning curves: losses and errors on the training and validation examples against the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kdtune.analysis.representatives import PANEL, SERIES, has_replicates, summarize_replicates
from kdtune.columns import EPOCH, ID, N_TRAIN, N_VAL
from kdtune.plots import layout, style

MAX_PANELS = layout.MAX_PANELS // 2  # per row; there are two rows
MEASURE_LABELS = {"loss": "cross-entropy at T = 1, nats", "error_share": "share of wrong examples"}
SPLIT_LABELS = {"train": "training examples", "val": "validation split"}


@dataclass(frozen=True)
class LearningCurves:
    """Losses and errors against the epoch.

    Attributes
    ----------
    points : one row per panel, series and epoch: ``panel`` (the data), ``series`` (the kind of network), ``epoch``,
        and the means ``train_loss``, ``train_error_share``, ``val_loss``, ``val_error_share``, each with its lowest
        and highest replicate, ``_low`` and ``_high``.
    columns : the panel and the split of each column of the figure.
    description : what holds for all curves; None if there is nothing to say.
    """

    points: pd.DataFrame
    columns: list[tuple[str, str]]
    description: str | None


def prepare_learning_curves(networks: pd.DataFrame, learning_curves: pd.DataFrame) -> LearningCurves:
    """Prepare the means and ranges over the replicates.

    Errors become shares of the examples: teachers and students may learn from transfer sets of different sizes.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network), ``n_train``, ``n_val``.
    learning_curves : One row per network and epoch: ``id``, ``epoch``, and for both splits ``train_loss``,
        ``train_num_error`` and so on.
    """
    counts = networks[[ID, N_TRAIN, N_VAL]].drop_duplicates(ID)
    curves = learning_curves.merge(counts, on=ID)
    curves["train_error_share"] = curves["train_num_error"] / curves[N_TRAIN]
    curves["val_error_share"] = curves["val_num_error"] / curves[N_VAL]
    measures = [f"{split}_{measure}" for split in SPLIT_LABELS for measure in MEASURE_LABELS]
    points = summarize_replicates(networks, curves, EPOCH, measures)
    # Training examples without labels have neither losses nor errors.
    splits = [split for split in SPLIT_LABELS if points[f"{split}_loss"].notna().any()]
    columns = [(panel, split) for panel in dict.fromkeys(points[PANEL]) for split in splits]
    return LearningCurves(points, columns, _describe(networks))


def _describe(networks: pd.DataFrame) -> str | None:
    """Write what holds for all curves of the figure, if anything."""
    notes = []
    if has_replicates(networks):
        notes.append("means over replicates; bands: lowest to highest")
    if "bias_shift" in networks and networks["bias_shift"].notna().any():
        notes.append("before biases are shifted")
    return "; ".join(notes) or None


def draw_learning_curves(prepared: LearningCurves) -> Figure:
    """Draw losses in the upper row and errors in the lower one: a column for each data set and split."""
    points = prepared.points
    columns = prepared.columns[:MAX_PANELS]
    styles = style.assign_network_styles(list(dict.fromkeys(points[SERIES])))
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(3.6 * len(columns) + 0.6, 5.6)
        all_axes: Any = figure.subplots(2, len(columns), squeeze=False, sharex=True)
        for axes_row, (measure, measure_label) in zip(all_axes, MEASURE_LABELS.items(), strict=True):
            axes_row[0].set_ylabel(measure_label)
            for axes, (panel, split) in zip(axes_row, columns, strict=True):
                name = f"{split}_{measure}"
                for series, rows in points[points[PANEL] == panel].groupby(SERIES, sort=False):
                    _draw_curve(axes, rows, name, styles[str(series)].color)
                if (points[f"{name}_low"] > 0).all():
                    layout.set_log_scale(axes, axes.yaxis)
        for axes, (panel, split) in zip(all_axes[0], columns, strict=True):
            title = f"{style.escape_text(panel)}\n{SPLIT_LABELS[split]}" if panel else SPLIT_LABELS[split]
            axes.set_title(title, fontsize=8)
        for axes in all_axes[-1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        layout.note_omitted(figure, len(columns), len(prepared.columns), "columns")
        handles = {style.escape_text(label): Line2D([], [], color=color) for label, (color, _) in styles.items()}
        layout.add_legend(figure, handles, title=prepared.description)
    return figure


def _draw_curve(axes: Axes, rows: pd.DataFrame, name: str, color: str) -> None:
    """Draw the mean of a measure against the epoch, with a band from the lowest to the highest replicate."""
    axes.plot(rows[EPOCH], rows[name], color=color, linewidth=1.2, marker="o", markersize=1.8)
    low, high = rows[f"{name}_low"], rows[f"{name}_high"]
    axes.fill_between(rows[EPOCH], low, high, color=color, alpha=0.2, linewidth=0)
