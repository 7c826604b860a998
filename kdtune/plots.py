"""The tutorial's figures, from frames of numbers. No statistics here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from scipy.special import softmax

from kdtune import analysis
from kdtune import table as t

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by the colour-blind. The same thing has the same colour everywhere.
_TEACHER, _BASELINE = "#000000", "#999999"
_CURVES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_MARKERS = "osD^vP*X"
_WORDS = {t.NUM_ERROR: "errors on the test set", t.ACCURACY: "accuracy on the test set"}
_STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
          "grid.color": "#e6e6e6", "grid.linewidth": 0.6, "legend.frameon": False, "svg.hashsalt": "kdtune",
          "savefig.facecolor": "white"}  # fmt: skip


def draw_all(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Every figure that the table bears, as PNG and SVG; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"softmax": softmax_figure()}
    students = analysis.done(table)
    if (students[t.MODEL] == t.STUDENT).any():
        figures |= {measure: temperature_figure(table, measure) for measure in (t.ACCURACY, t.NUM_ERROR)}
    written = []
    for name, figure in figures.items():
        with mpl.rc_context(_STYLE):
            figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
            figure.set_layout_engine(None)  # laid out once, for both kinds of file
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            with mpl.rc_context(_STYLE):
                figure.savefig(path, dpi=160, metadata={"Date": None} if kind == "svg" else None)
            written.append(path)
    return written


def softmax_figure(temperatures: Sequence[float] = (1, 10, 20, 50)) -> Figure:
    """One set of logits through the softmax at several temperatures: how soft targets get soft."""
    logits = np.random.RandomState(0).rand(10) * 50  # the tutorial's: ten classes, uniform on 0..50
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        for T, color, marker in zip(temperatures, _CURVES, _MARKERS, strict=False):
            axes.plot(softmax(logits / T), color=color, marker=marker, markersize=4, label=f"T = {T:g}")
        axes.set(xlabel="class", ylabel="probability", title="Softmax of the same logits at several temperatures")
        axes.set_xticks(range(10))
        axes.legend()
    return figure


def temperature_figure(table: pd.DataFrame, measure: str) -> Figure:
    """A measure against T: a panel for each data set, a curve for each student, lines for teacher and baseline.

    Curves are means over the replicates; bands reach from the lowest to the highest of them.
    """
    columns = analysis.cell_columns(table)
    good = analysis.done(table)
    plain = analysis.baselines(good, columns, measure)
    curves = analysis.by_temperature(table, columns, measure)
    panel_names = analysis.data_columns(columns)
    curve_names = [name for name in columns if name not in panel_names]
    taught = analysis.teachers(good, analysis.distilled(good, [*panel_names, t.TEACHER_ID]), panel_names)
    rows, grid = _grid(curves, panel_names)
    kinds = list(_groups(curves, curve_names))
    looks = {key: (color, marker) for (key, _), color, marker in
             zip(kinds, itertools.cycle(_CURVES), itertools.cycle(_MARKERS), strict=False)}  # fmt: skip
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.9 * len(grid[0]) + 1.2, 2.2 * rows + 0.9), layout="constrained")
        all_axes: Any = figure.subplots(rows, len(grid[0]), squeeze=False)
        handles: dict[str, Any] = {}
        for place, cell in np.ndenumerate(np.array(grid, dtype=object)):
            axes = all_axes[place]
            if cell is None:
                axes.set_axis_off()
                continue
            inside = analysis.matching(curves, cell)
            for key, curve in _groups(inside, curve_names):
                color, marker = looks[key]
                label = f"student, {_words(dict(zip(curve_names, key, strict=True)))}" if key else "student"
                every = 1 + len(curve) // 16  # of many points not each is marked
                (handles[label],) = axes.plot(
                    curve[t.TEMP], curve["mean"], color=color, marker=marker, markersize=3.5, markevery=every
                )
                if curve["replicates"].max() > 1:
                    axes.fill_between(curve[t.TEMP], curve["low"], curve["high"], color=color, alpha=0.2, linewidth=0)
                baseline = analysis.baseline_of(plain, {**cell, **dict(zip(curve_names, key, strict=True))})
                axes.axhline(baseline, color=color, linestyle=":", linewidth=1.2)
            teacher = analysis.matching(taught, cell)[measure].mean()
            handles["teacher"] = axes.axhline(teacher, color=_TEACHER, linewidth=1.2)
            axes.set_title(_words(cell), fontsize=8)
            _temperature_axis(axes, sorted(curves[t.TEMP].unique()))
        handles["baseline (hard labels), in its student's colour"] = mpl.lines.Line2D(
            [], [], color=_BASELINE, linestyle=":"
        )
        _share(all_axes)
        for axes in all_axes[-1]:
            axes.set_xlabel("temperature T")
        if measure == t.NUM_ERROR and 0 < 8 * curves["low"].min() < curves["high"].max():
            _log_errors(all_axes[0, 0])  # shared by all panels; linear, the better students would lie flat
        figure.supylabel(_WORDS.get(measure, measure), fontsize=9)
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=min(3, len(handles)), fontsize=8
        )
        replicates = int(curves["replicates"].max())
        if replicates > 1:
            figure.suptitle(f"mean of {replicates} replicates; bands: lowest to highest", fontsize=9)
    return figure


def _share(all_axes: Any) -> None:
    """Give all panels the same limits. After drawing: shared before, each line makes matplotlib look at all panels."""
    first = all_axes[0, 0]
    for axes in all_axes.flat[1:]:
        axes.sharex(first)
        axes.sharey(first)
    first.autoscale_view()
    for axes in all_axes.flat:
        axes.label_outer()


def _temperature_axis(axes: Axes, temperatures: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    shown: list[float] = []
    for T in temperatures:  # labels that would touch are left out
        if not shown or T / shown[-1] > 1.18:
            shown.append(T)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda T, _: f"{T:g}"))
    axes.tick_params(axis="x", labelsize=7)


def _log_errors(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _grid(curves: pd.DataFrame, names: Sequence[str]) -> tuple[int, list[list[dict[str, Any] | None]]]:
    """Panels in rows and columns: two names make a matrix, otherwise they are wrapped at three a row."""
    cells = [dict(zip(names, key, strict=True)) for key, _ in _groups(curves, names)]
    varying = [name for name in names if curves[name].nunique() > 1]
    if len(varying) == 2:
        first, second = (sorted(curves[name].unique()) for name in varying)
        rows: list[list[dict[str, Any] | None]] = [
            [next((c for c in cells if c[varying[0]] == a and c[varying[1]] == b), None) for b in second] for a in first
        ]
    else:
        width = min(3, len(cells))
        padded = [*cells, *[None] * (-len(cells) % width)]
        rows = [padded[i : i + width] for i in range(0, len(padded), width)]
    return len(rows), rows


def _groups(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    if not names:
        yield (), frame
        return
    for key, group in frame.groupby(list(names), dropna=False, sort=True):
        values: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        yield tuple(None if pd.isna(value) else value for value in values), group


def _words(cell: dict[str, Any]) -> str:
    said = ((name, value) for name, value in cell.items() if value is not None)
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in said)
