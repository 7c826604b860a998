"""Draw which class is mistaken for which, by kind of network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, SymLogNorm
from matplotlib.figure import Figure

from kdtune.analysis.class_names import ClassNames, list_class_names
from kdtune.analysis.representatives import PANEL, SERIES
from kdtune.columns import COUNT, DATASET, ID, LABEL, PREDICTED
from kdtune.plots import layout, style

MAX_FIGURE_INCHES = 12.5  # of all panels in a row
MAX_CLASS_TICKS = 50
MIN_PANEL_INCHES, CLASS_INCHES = 2.3, 0.11  # the width of a panel, and of a class with a tick in it
MAX_PANEL_INCHES = 6
LETTER_INCHES = 0.055  # of the names of classes
MAX_TITLE_LETTERS = 34  # on a line
MAX_COUNTED_CLASSES = 12  # With more of them counts are not written.
SYMLOG_RATIO = 10  # of the highest to the median count, beyond which colours are logarithmic
DARK_SHARE = 0.6  # Above this share of the range of colours a field is so dark that its text is white.
DIAGONAL_COLOR = "#f6eee0"


@dataclass(frozen=True)
class Confusion:
    """The mistakes of one kind of network.

    Attributes
    ----------
    title : the data set and the kind of network, in words.
    class_labels : (classes,): what the classes are called.
    mistakes : (classes, classes): mean counts over the replicates, true class by predicted class; NaN on the diagonal.
    """

    title: str
    class_labels: list[str]
    mistakes: npt.NDArray[np.float64]


def prepare_confusions(
    networks: pd.DataFrame, confusion: pd.DataFrame, class_names: ClassNames | None = None
) -> list[Confusion]:
    """Compute the mean counts of mistakes for each kind of network, in the order of ``networks``.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network) and, for names, ``dataset``.
    confusion : One row per network and pair of classes: ``id``, ``label``, ``predicted``, ``count``.
    class_names : What the user calls the classes, by data set.
    """
    matrices = []
    for (panel, series), rows in networks.groupby([PANEL, SERIES], sort=False):
        network_counts = confusion[confusion[ID].isin(rows[ID])]
        if network_counts.empty:
            continue
        counts = network_counts.groupby([LABEL, PREDICTED])[COUNT].mean().unstack().to_numpy(np.float64)
        dataset = rows[DATASET].iloc[0] if DATASET in rows else None
        names = list_class_names(class_names or {}, dataset, len(counts))
        mistakes = np.where(np.eye(len(counts), dtype=bool), np.nan, counts)
        title = "\n".join(
            style.wrap_label(style.escape_text(str(part)), MAX_TITLE_LETTERS) for part in (panel, series) if part
        )
        matrices.append(Confusion(title, style.label_classes(names), mistakes))
    return matrices


def draw_confusions(matrices: list[Confusion]) -> Figure:
    """Draw a matrix of mistakes for each kind of network, all in the same colours."""
    shown_matrices = matrices[: layout.MAX_PANELS]
    norm = _choose_norm(shown_matrices)
    n_classes = max(len(matrix.class_labels) for matrix in shown_matrices)
    name_inches = LETTER_INCHES * max(len(label) for matrix in shown_matrices for label in matrix.class_labels)
    panel_inches = min(MAX_PANEL_INCHES, max(MIN_PANEL_INCHES, CLASS_INCHES * n_classes)) + 0.3 + name_inches
    n_columns = max(1, min(len(shown_matrices), int(MAX_FIGURE_INCHES / panel_inches)))
    n_rows = math.ceil(len(shown_matrices) / n_columns)
    with mpl.rc_context({**style.RC_PARAMS, "axes.grid": False}):
        figure = layout.make_figure(panel_inches * n_columns + 0.8, panel_inches * n_rows + 0.6)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes in all_axes.flat[len(shown_matrices) :]:
            axes.set_axis_off()
        for axes, matrix in zip(all_axes.flat, shown_matrices, strict=False):
            image = _draw_matrix(axes, matrix, norm, panel_inches - name_inches)
        if len({tuple(matrix.class_labels) for matrix in shown_matrices}) == 1:
            for axes in all_axes.flat:
                axes.label_outer()
            for axes in all_axes.flat[max(0, len(shown_matrices) - n_columns) : len(shown_matrices)]:
                axes.xaxis.set_tick_params(labelbottom=True)
        bar = figure.colorbar(image, ax=all_axes, shrink=0.6, label="test examples (mean over replicates)")
        bar.ax.yaxis.set_major_formatter(layout.format_plain_numbers())
        x_label = "predicted class (correct predictions, on the diagonal, are left out)"
        if len(shown_matrices) < len(matrices):
            x_label += f"; the first {len(shown_matrices)} of {len(matrices)} kinds of network"
        figure.supxlabel(x_label, fontsize=9)
        figure.supylabel("true class", fontsize=9)
    return figure


def _choose_norm(matrices: list[Confusion]) -> Normalize:
    """Return the colours' scale of all matrices: from 0 to the highest count, logarithmic if few counts are high."""
    counts = np.concatenate([matrix.mistakes[matrix.mistakes > 0] for matrix in matrices])
    if len(counts) == 0:
        return Normalize(0, 1)
    if counts.max() > SYMLOG_RATIO * np.median(counts):
        return SymLogNorm(1, vmin=0, vmax=max(1.0, counts.max()))
    return Normalize(0, counts.max())


def _draw_matrix(axes: Axes, matrix: Confusion, norm: Normalize, inches: float) -> Any:
    """Draw one matrix, about so many inches wide, and return its image."""
    image = axes.imshow(matrix.mistakes, cmap="Blues", norm=norm)
    axes.set_title(matrix.title, fontsize=7)
    labels = matrix.class_labels
    ticks = range(0, len(labels), math.ceil(len(labels) / MAX_CLASS_TICKS))
    is_crowded = LETTER_INCHES * max(map(len, labels)) > 0.9 * inches / len(ticks)
    axes.set_xticks(ticks, [labels[tick] for tick in ticks], rotation=90 if is_crowded else 0)
    axes.set_yticks(ticks, [labels[tick] for tick in ticks])
    axes.tick_params(labelsize=6)
    axes.set_facecolor(DIAGONAL_COLOR)
    if len(labels) <= MAX_COUNTED_CLASSES:
        _write_counts(axes, matrix.mistakes, norm)
    return image


def _write_counts(axes: Axes, mistakes: npt.NDArray[np.float64], norm: Normalize) -> None:
    """Write each count that is not 0 into its field."""
    for row, column in np.argwhere(mistakes > 0):
        count = mistakes[row, column]
        color = "white" if float(norm(count)) > DARK_SHARE else "black"
        text = f"{count:.0f}" if count >= 10 else f"{count:.1f}".removesuffix(".0")
        axes.text(column, row, text, ha="center", va="center", fontsize=5.5, color=color)
