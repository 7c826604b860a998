"""Errors by class, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kdtune.analysis.representatives import PANEL, SERIES, has_replicates, summarize_replicates
from kdtune.columns import COUNT, ID, LABEL, NUM_ERROR, PREDICTED, SEEN
from kdtune.plots import style

MOST_INCHES = 24
MOST_CLASSES = 30  # of a matrix; more could not be read


def plot_per_class(networks: pd.DataFrame, per_class: pd.DataFrame) -> Figure:
    """Errors on each class of the test set: a panel a transfer set, a mark a kind of network, lines over replicates.

    Classes that the students of a panel never saw are shaded.
    """
    frame = summarize_replicates(networks, per_class, LABEL, [NUM_ERROR])
    panels = list(dict.fromkeys(frame[PANEL]))[: style.MOST_DATA]
    labels = list(dict.fromkeys(frame[SERIES]))
    looks = style.assign_network_styles(labels)
    classes = sorted(frame[LABEL].unique())
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(
            min(MOST_INCHES, max(6.5, 0.09 * len(classes) * len(labels) + 2)), 2.9 * len(panels) + 1
        )
        all_axes: Any = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
        handles: dict[str, Any] = {}
        for axes, panel in zip(all_axes.flat, panels, strict=True):
            own = frame[frame[PANEL] == panel]
            for label in _unseen(networks, per_class, panel):
                axes.axvspan(label - 0.5, label + 0.5, color="#eeeeee", linewidth=0)
            for place, (series, rows) in enumerate(own.groupby(SERIES, sort=False)):
                x = rows[LABEL] + 0.8 * ((place + 0.5) / own[SERIES].nunique() - 0.5)
                color, marker = looks[str(series)]
                y, low, high = (rows[f"{NUM_ERROR}{end}"] for end in ("", "_low", "_high"))
                axes.vlines(x, low, high, color=color, linewidth=1)
                (handles[str(series)],) = axes.plot(x, y, color=color, marker=marker, markersize=4, linestyle="")
            axes.set_title(panel, fontsize=8)
            axes.set_xlim(classes[0] - 0.5, classes[-1] + 0.5)
            axes.set_xticks(classes[:: 1 + len(classes) // 40])
            axes.grid(visible=False, axis="x")
            if frame[f"{NUM_ERROR}_high"].max() > 10 * max(1, frame[NUM_ERROR].median()):
                axes.set_yscale("symlog", linthresh=10)
                axes.margins(y=0.08)
                axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.set_ylim(bottom=0)
        all_axes.flat[-1].set_xlabel("class of the test example")
        figure.supylabel("errors on the test set", fontsize=9)
        style.note_omitted(figure, len(panels), frame[PANEL].nunique())
        said = ["mean over replicates; lines: lowest to highest"] if has_replicates(networks) else []
        if any(_unseen(networks, per_class, panel) for panel in panels):
            said.append("grey: classes that students never saw")
        style.add_legend(figure, style.order_handles(handles, labels), title="; ".join(said) or None)
    return figure


def plot_confusion(networks: pd.DataFrame, confusion: pd.DataFrame) -> Figure:
    """Which class is taken for which, by each kind of network: mean counts over replicates, what is right left out."""
    joined = networks[[ID, PANEL, SERIES]].merge(confusion, on=ID)
    mean = joined.groupby([PANEL, SERIES, LABEL, PREDICTED], sort=True)[COUNT].mean()
    keys = list(dict.fromkeys(zip(joined[PANEL], joined[SERIES], strict=True)))
    shown = keys[: style.MOST_DATA]
    across = min(4, len(shown))
    down = -(-len(shown) // across)
    with mpl.rc_context({**style.STYLE, "axes.grid": False}):
        figure = style.make_figure(2.6 * across + 0.8, 2.6 * down + 0.6)
        all_axes: Any = figure.subplots(down, across, squeeze=False)
        for axes in all_axes.flat[len(shown) :]:
            axes.set_axis_off()
        images = []
        matrices = [mean.loc[key].unstack().to_numpy() for key in shown]
        wrong = [np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix) for matrix in matrices]
        most = max(1.0, *(np.nanmax(matrix) for matrix in wrong))
        for axes, (panel, series), matrix in zip(all_axes.flat, shown, wrong, strict=False):
            norm = mpl.colors.SymLogNorm(1, vmin=0, vmax=most)
            images.append(axes.imshow(matrix, cmap="Blues", norm=norm))
            axes.set_title("\n".join(_wrapped(part) for part in (panel, series) if part), fontsize=7)
            axes.set_xticks(range(len(matrix))[:: 1 + len(matrix) // MOST_CLASSES])
            axes.set_yticks(range(len(matrix))[:: 1 + len(matrix) // MOST_CLASSES])
            axes.tick_params(labelsize=6)
            axes.set_facecolor("#f6eee0")  # what is right
        bar = figure.colorbar(images[0], ax=all_axes, shrink=0.6, label="test examples (mean over replicates)")
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        cut = "" if len(shown) == len(keys) else f"; the first {len(shown)} of {len(keys)} kinds of network"
        figure.supxlabel(f"taken for (on the diagonal, left out: what is right){cut}", fontsize=9)
        figure.supylabel("class of the test example", fontsize=9)
    return figure


def _wrapped(text: str, letters: int = 34) -> str:
    lines = [""]
    for word in text.split(", "):
        joined = f"{lines[-1]}, {word}" if lines[-1] else word
        if len(joined) > letters and lines[-1]:
            lines[-1] += ","
            lines.append(word)
        else:
            lines[-1] = joined
    return "\n".join(lines)


def _unseen(networks: pd.DataFrame, per_class: pd.DataFrame, panel: str) -> Sequence[int]:
    """Classes that some network of a panel was not trained on."""
    own = per_class[per_class[ID].isin(networks[networks[PANEL] == panel][ID])]
    return sorted(own[LABEL][~own[SEEN]].unique().tolist())
