"""Draw learning curves: losses and errors on the training and validation examples against the epoch."""

from __future__ import annotations

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


def plot_learning_curves(networks: pd.DataFrame, learning_curves: pd.DataFrame) -> Figure:
    """Plot losses in the upper row and errors in the lower one: a column for each transfer set and split.

    Curves are means over the replicates; bands reach from the lowest to the highest replicate.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network), ``n_train``, ``n_val``.
    learning_curves : One row per network and epoch: ``id``, ``epoch``, and for both splits ``train_loss``,
        ``train_num_error`` and so on.
    """
    summary = summarize_learning(networks, learning_curves)
    # Training examples without labels have neither losses nor errors.
    splits = [split for split in SPLIT_LABELS if summary[f"{split}_loss"].notna().any()]
    panels = [(panel, split) for panel in dict.fromkeys(summary[PANEL]) for split in splits]
    shown_panels = panels[:MAX_PANELS]
    styles = style.assign_network_styles(list(dict.fromkeys(summary[SERIES])))
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(3.6 * len(shown_panels) + 0.6, 5.6)
        all_axes: Any = figure.subplots(2, len(shown_panels), squeeze=False, sharex=True)
        for axes_row, (measure, measure_label) in zip(all_axes, MEASURE_LABELS.items(), strict=True):
            axes_row[0].set_ylabel(measure_label)
            for axes, (panel, split) in zip(axes_row, shown_panels, strict=True):
                column = f"{split}_{measure}"
                for series, rows in summary[summary[PANEL] == panel].groupby(SERIES, sort=False):
                    _draw_curve(axes, rows, column, styles[str(series)].color)
                if (summary[f"{column}_low"] > 0).all():
                    layout.set_log_scale(axes)
        for axes, (panel, split) in zip(all_axes[0], shown_panels, strict=True):
            title = f"{panel}\n{SPLIT_LABELS[split]}" if panel else SPLIT_LABELS[split]
            axes.set_title(title, fontsize=8)
        for axes in all_axes[-1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        layout.note_omitted(figure, len(shown_panels), len(panels), "columns")
        handles = {label: Line2D([], [], color=color) for label, (color, _) in styles.items()}
        layout.add_legend(figure, handles, title=_describe(networks))
    return figure


def summarize_learning(networks: pd.DataFrame, learning_curves: pd.DataFrame) -> pd.DataFrame:
    """Compute means and ranges over replicates of the learning curves.

    Errors become shares of the examples: teachers and students may learn from transfer sets of different sizes.

    Returns
    -------
    One row per panel, series and epoch: ``train_loss``, ``train_error_share`` and so on, with ``_low`` and ``_high``.
    """
    counts = networks[[ID, N_TRAIN, N_VAL]].drop_duplicates(ID)
    curves = learning_curves.merge(counts, on=ID)
    curves["train_error_share"] = curves["train_num_error"] / curves[N_TRAIN]
    curves["val_error_share"] = curves["val_num_error"] / curves[N_VAL]
    measures = [f"{split}_{measure}" for split in SPLIT_LABELS for measure in MEASURE_LABELS]
    return summarize_replicates(networks, curves, EPOCH, measures)


def _draw_curve(axes: Axes, rows: pd.DataFrame, column: str, color: str) -> None:
    """Draw the mean of a measure against the epoch, with a band from the lowest to the highest replicate."""
    axes.plot(rows[EPOCH], rows[column], color=color, linewidth=1.2, marker="o", markersize=1.8)
    low, high = rows[f"{column}_low"], rows[f"{column}_high"]
    axes.fill_between(rows[EPOCH], low, high, color=color, alpha=0.2, linewidth=0)


def _describe(networks: pd.DataFrame) -> str | None:
    """Write what holds for all curves of the figure, if anything."""
    notes = []
    if has_replicates(networks):
        notes.append("means over replicates; bands: lowest to highest")
    if "bias_shift" in networks and networks["bias_shift"].notna().any():
        notes.append("before biases are shifted")
    return "; ".join(notes) or None
