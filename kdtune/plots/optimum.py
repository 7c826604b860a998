"""Where the best temperature lies: against the student's width, and as a map of all cells."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.optimum import EDGE, FLAT, LARGE
from kdtune.columns import WIDTH
from kdtune.plots import style

# Hinton, Vinyals, Dean (2015), section 3: MNIST, two hidden layers; units a layer, T that were best.
HINTON = {30: (2.5, 4.0), 300: (8.0, math.inf)}
REACH = 1.6  # open intervals are drawn so far beyond the grid


def plot_optimum(answer: Answer) -> Figure:
    """T_opt with its interval against width, a line for each data set; open ends as arrows, flat cells hollow."""
    frame, T = answer.t_opt, [float(T) for T in sorted(answer.curves["T"].unique())]
    if WIDTH not in answer.columns or not _are_widths(frame[WIDTH]):
        return _by_cell(answer, T)
    rest = [name for name in answer.columns if name != WIDTH]
    varying = [name for name in rest if frame[name].nunique(dropna=False) > 1]
    across, lines = varying[:1], varying[1:]
    every = [key for key, _ in style.group_rows(frame, across)]
    panels = every[: style.MOST_DATA - 1]
    looks = style.assign_styles([key for key, _ in style.group_rows(frame, lines)], data=True)
    width = min(4, len(panels) + 1)
    rows = math.ceil((len(panels) + 1) / width)
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(2.5 * width + 0.8, 2.9 * rows + 0.7)
        all_axes: Any = figure.subplots(rows, width, squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        large = _large(frame)
        for axes, panel in zip(all_axes.flat, panels, strict=False):
            own = dict(style.group_rows(frame, across))[panel]
            for i, (key, line) in enumerate(style.group_rows(own, lines)):
                shift = 1.06 ** (i - (len(looks) - 1) / 2)
                at = line[WIDTH].to_numpy(float) * shift
                drawn = _intervals(axes, at, line, T, looks[key])
                handles[style.label_setting(lines, key, "student")] = drawn
            axes.set_title(style.label_setting(across, panel), fontsize=8)
            _width_axis(axes, sorted(frame[WIDTH].unique()))
            if large:
                handles[f"shaded: {LARGE}"] = axes.axvspan(large, axes.get_xlim()[1], color="#f0f0f0", zorder=0)
            axes.set_xlabel("student's width", fontsize=8)
        _hinton(all_axes.flat[len(panels)], T)
        for axes in all_axes.flat[len(panels) + 1 :]:
            axes.set_axis_off()
        style.note_omitted(figure, len(panels), len(every), "panels")
        _finish(figure, all_axes, T, handles)
    return figure


def _are_widths(column: pd.Series) -> bool:
    return bool((pd.to_numeric(column, errors="coerce") > 0).all() and column.nunique() > 1)


def _large(frame: pd.DataFrame) -> float | None:
    """From where on all students are larger than their teacher: halfway from the widest that is not."""
    is_large = frame["flags"].map(lambda flags: LARGE in flags).groupby(frame[WIDTH]).all()
    large, others = is_large[is_large].index, is_large[~is_large].index
    if not len(large) or (len(others) and others.max() > large.min()):
        return None
    return math.sqrt(large.min() * others.max()) if len(others) else large.min() / 2


def _by_cell(answer: Answer, T: list[float]) -> Figure:
    """Where the width does not vary: a line for each cell, the first on top."""
    frame = answer.t_opt.head(style.MOST_PANELS)
    varying = [name for name in answer.columns if answer.t_opt[name].nunique(dropna=False) > 1]
    large = [f" ({LARGE})" if LARGE in flags else "" for flags in frame["flags"]]
    names = [
        style.label_setting(varying, key, "all") + mark
        for (key, _), mark in zip(style.group_rows(frame, varying), large, strict=True)
    ]
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(0.06 * max(len(name) for name in names) + 5, 0.22 * len(frame) + 1.5)
        axes: Any = figure.subplots()
        _intervals(axes, np.arange(len(frame)), frame, T, (style.CURVES[0], "o"), lying=True)
        axes.set_yticks(range(len(frame)), names, fontsize=7)
        axes.set_ylim(len(frame) - 0.5, -0.5)
        axes.set_xlabel("best temperature")
        style.set_temperature_axis(axes, T)
        axes.set_xlim(T[0] / REACH, T[-1] * REACH)
        style.note_omitted(figure, len(frame), len(answer.t_opt), "cells")
        _legend(figure, {}, ">")
    return figure


def _intervals(
    axes: Any, at: Any, frame: pd.DataFrame, T: list[float], look: tuple[str, str], lying: bool = False
) -> Any:
    """Temperatures upwards and joined; lying, to the right and each for itself."""
    color, marker = look
    best = frame["T_opt_continuous"].to_numpy()
    low, high = frame["T_opt_low"].to_numpy(), frame["T_opt_high"].to_numpy()
    bottom, top = T[0] / REACH, T[-1] * REACH
    unknown = (low <= 0) & np.isinf(high)
    spans, arrows = (axes.hlines, "<>") if lying else (axes.vlines, "v^")
    spans(at, np.maximum(low, bottom), np.minimum(high, top), color=color, linewidth=1.1,
          linestyle=[":" if nothing else "-" for nothing in unknown])  # fmt: skip

    def plot(which: Any, temperatures: Any, *form: Any, **more: Any) -> Any:
        places = (temperatures, at[which]) if lying else (at[which], temperatures)
        return axes.plot(*places, *form, color=color, **more)[0]

    for ends, place, arrow in zip((low <= 0, np.isinf(high)), (bottom, top), arrows, strict=True):
        plot(ends, np.full(ends.sum(), place), arrow, markersize=4, clip_on=False, in_layout=False)
    if not lying:
        plot(slice(None), best, linewidth=0.8, alpha=0.6)
    hollow = frame["flags"].map(lambda flags: FLAT in flags).to_numpy(bool)
    plot(hollow, best[hollow], marker, markerfacecolor="white", markersize=4.5)
    return plot(~hollow, best[~hollow], marker, markersize=4.5)


def _hinton(axes: Any, T: list[float]) -> None:
    """What the paper says, which has no data set in common with any sweep's."""
    top = T[-1] * REACH
    for units, (low, high) in HINTON.items():
        axes.vlines(units, low, min(high, top), color=style.TEACHER, linewidth=5, alpha=0.5)
    axes.plot(300, top, "^", color=style.TEACHER, markersize=5, clip_on=False, in_layout=False)
    axes.text(270, top / 1.4, "300\nand more", fontsize=7, ha="right", va="top", in_layout=False)
    axes.text(38, 3.2, "30", fontsize=7, va="center", in_layout=False)
    axes.set_title("published: Hinton et al. 2015,\nMNIST, two hidden layers", fontsize=8)
    _width_axis(axes, [10, 30, 100, 300, 1000])
    axes.set_xlabel("units a layer", fontsize=8)


def _width_axis(axes: Any, widths: list[float]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(widths))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    axes.tick_params(axis="x", labelsize=7)


def _finish(figure: Figure, all_axes: Any, T: list[float], handles: dict[str, Any]) -> None:
    for axes in all_axes.flat:
        style.set_temperature_axis(axes, T, "y")
        axes.set_ylim(T[0] / REACH, T[-1] * REACH)
        if axes.axison and not axes.get_subplotspec().is_first_col():
            axes.tick_params(labelleft=False)
    figure.supylabel("best temperature", fontsize=9)
    _legend(figure, handles)


def _legend(figure: Figure, handles: dict[str, Any], arrow: str = "^") -> None:
    grey: Any = {"color": "#555555", "linestyle": "none", "markersize": 5}
    handles = handles | {
        f"{FLAT}: no T told apart": mpl.lines.Line2D([], [], marker="o", markerfacecolor="white", **grey),
        "open: beyond the grid is not excluded": mpl.lines.Line2D([], [], marker=arrow, **grey),
    }
    style.add_legend(figure, handles, across=3, title="minimum of the mean curve, with its 95 % interval")


def plot_optimum_map(answer: Answer) -> Figure:
    """T_opt of every cell: a row for each data set, a column for each student; flat and edge cells hatched."""
    frame, data = answer.t_opt, select_data_columns(answer.columns)
    students = [name for name in answer.columns if name not in data]
    every = [key for key, _ in style.group_rows(frame, data)]
    rows = every[: style.MOST_PANELS]
    labels = style.label_students(frame, students)
    columns = list(labels)[: style.MOST_PANELS]
    values = np.full((len(rows), len(columns)), np.nan)
    T = sorted(answer.curves["T"].unique())
    with mpl.rc_context(style.STYLE | {"axes.grid": False}):
        figure = style.make_figure(0.62 * len(columns) + 3.2, 0.36 * len(rows) + 1.7)
        axes: Any = figure.subplots()
        scale = mpl.colors.LogNorm(T[0], T[-1] if len(T) > 1 else 2 * T[0])
        for (panel, key), cell in _cells(frame, data, students):
            if panel not in rows or key not in columns:
                continue
            i, j = rows.index(panel), columns.index(key)
            values[i, j] = cell["T_opt"]
            hatch = ("////" if FLAT in cell["flags"] else "") + ("...." if EDGE in cell["flags"] else "")
            axes.add_patch(mpl.patches.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch=hatch, edgecolor="white",
                                                 linewidth=0.5))  # fmt: skip
            axes.text(j, i, f"{cell['T_opt']:g}", ha="center", va="center", fontsize=8, bbox={
                "boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85})  # fmt: skip
        image = axes.imshow(values, norm=scale, cmap="cividis", aspect="auto")
        axes.set_xticks(range(len(columns)), [style.shorten_label(labels[key]) for key in columns], fontsize=7,
                        rotation=30, ha="right")  # fmt: skip
        axes.set_yticks(range(len(rows)), [style.label_setting(data, key, "the data") for key in rows], fontsize=7)
        bar = figure.colorbar(image, ax=axes, label="best T on the grid")
        bar.ax.yaxis.set_major_locator(FixedLocator(T))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        style.note_omitted(figure, len(rows), len(every))
        style.note_omitted(figure, len(columns), len(labels), "students")
        patches = {f"{FLAT}: no T told apart": "////", f"{EDGE} of the grid": "...."}
        for_legend = {name: mpl.patches.Patch(facecolor="#8a8a8a", edgecolor="white", hatch=hatch)
                      for name, hatch in patches.items()}  # fmt: skip
        style.add_legend(figure, for_legend)
    return figure


def _cells(frame: pd.DataFrame, data: list[str], students: list[str]) -> list[tuple[tuple[Any, Any], Any]]:
    return [
        ((panel, key), cell.iloc[0])
        for panel, whole in style.group_rows(frame, data)
        for key, cell in style.group_rows(whole, students)
    ]
