"""Learning curves: losses and errors on the training and validation examples against the epoch."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kdtune.analysis.representatives import PANEL, SERIES, has_replicates, summarize_replicates
from kdtune.columns import EPOCH, ID, N_TRAIN, N_VAL
from kdtune.plots import style

_ROWS = {"loss": "cross-entropy at T = 1, nats", "share": "share of examples that are wrong"}


def plot_learning_curves(networks: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Above losses, below errors; a column for each transfer set and split. Means and ranges over replicates.

    Errors are shares: teachers and students may learn from transfer sets of other sizes.
    """
    counts = networks[[ID, N_TRAIN, N_VAL]].drop_duplicates(ID)
    curves = curves.merge(counts, on=ID)
    for split, count in (("train", N_TRAIN), ("val", N_VAL)):
        curves[f"{split}_share"] = curves[f"{split}_num_error"] / curves[count]
    frame = summarize_replicates(
        networks, curves, EPOCH, [f"{split}_{what}" for split in ("train", "val") for what in _ROWS]
    )
    columns = [(panel, split) for panel in dict.fromkeys(frame[PANEL]) for split in ("train", "val")]
    shown = columns[: style.MOST_DATA // 2]
    labels = list(dict.fromkeys(frame[SERIES]))
    looks = style.assign_network_styles(labels)
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(3.6 * len(shown) + 0.6, 5.6)
        all_axes: Any = figure.subplots(2, len(shown), squeeze=False, sharex=True)
        for (what, words), row in zip(_ROWS.items(), all_axes, strict=True):
            for axes, (panel, split) in zip(row, shown, strict=True):
                measure = f"{split}_{what}"
                for series, rows in frame[frame[PANEL] == panel].groupby(SERIES, sort=False):
                    color, _ = looks[str(series)]
                    axes.plot(rows[EPOCH], rows[measure], color=color, linewidth=1.2, marker="o", markersize=1.8)
                    axes.fill_between(
                        rows[EPOCH],
                        rows[f"{measure}_low"],
                        rows[f"{measure}_high"],
                        color=color,
                        alpha=0.2,
                        linewidth=0,
                    )
                if (frame[f"{measure}_low"] > 0).all():
                    style.set_log_scale(axes)
                if what == "loss":
                    name = {"train": "training examples", "val": "validation split"}[split]
                    axes.set_title(f"{panel}\n{name}" if panel else name, fontsize=8)
            row[0].set_ylabel(words)
        for axes in all_axes[-1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.note_omitted(figure, len(shown), len(columns), "columns")
        handles = {label: Line2D([], [], color=looks[label][0]) for label in labels}
        said = ["means over replicates; bands: lowest to highest"] if has_replicates(networks) else []
        if "bias_shift" in networks and networks["bias_shift"].notna().any():
            said.append("before biases are shifted")
        style.add_legend(figure, handles, title="; ".join(said) or None)
    return figure
