"""Curves over T: excess errors over the best temperature, and the gain over the baseline."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import select_data_columns
from kdtune.columns import NUM_ERROR
from kdtune.plots import style


def plot_excess(answer: Answer) -> Figure:
    """Mean errors above those of the best T, on the split that decides: data sets down, students across.

    Filled marks cannot be told apart from the best; those with a square below are within the margin of it.
    """
    curves, data = answer.curves, select_data_columns(answer.columns)
    students = [name for name in answer.columns if name not in data]
    looks = style.assign_styles([key for key, _ in style.group_rows(curves, students)])
    labels = style.label_students(answer.t_opt, students)
    keys = {(panel, key): part for panel, whole in style.group_rows(curves, data) for key, part in
            style.group_rows(whole, students)}  # fmt: skip
    grid = _matrix(list(dict.fromkeys(panel for panel, _ in keys)), list(looks))
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(1.75 * len(grid[0]) + 1.2, 1.3 * len(grid) + 1.3)
        all_axes: Any = figure.subplots(len(grid), len(grid[0]), squeeze=False)
        titles, sides = {}, {}
        for row, places in zip(all_axes, grid, strict=True):
            for axes, place in zip(row, places, strict=True):
                if place not in keys:
                    axes.set_axis_off()
                    continue
                _excess(axes, keys[place], looks[place[1]])
                style.set_temperature_axis(axes, _few(sorted(curves["T"].unique())))
                titles[axes] = style.shorten_label(labels[place[1]])
                sides[axes] = style.label_setting(data, place[0]).replace(", ", "\n")
        style.note_omitted(figure, len(titles), len(keys), "cells")
        style.share_axes(all_axes).set_ylim(-0.12 * _top(curves), _top(curves))
        for axes in style.list_outermost(all_axes.T):
            axes.set_title(titles[axes], fontsize=8)
        for axes in style.list_outermost(all_axes):  # sharing takes labels from all but the first column
            axes.set_ylabel(sides[axes], fontsize=7)
        style.label_lowest(all_axes, "temperature T")
        figure.supylabel(f"errors above those of the best T, {answer.split} split", fontsize=9)
        grey: Any = {"color": "#555555", "linestyle": "none", "markersize": 5}
        handles = {
            "not told apart from the best": mpl.lines.Line2D([], [], marker="o", **grey),
            "worse than the best": mpl.lines.Line2D([], [], marker="o", markerfacecolor="white", **grey),
            f"below: within {answer.margins.error:.0%} of the best": mpl.lines.Line2D([], [], marker="s", **grey),
            "95 % band of the noise within replicates": mpl.patches.Patch(color="#555555", alpha=0.2),
        }  # fmt: skip
        style.add_legend(figure, handles, across=2)
    return figure


def _matrix(panels: list[style.Key], students: list[style.Key]) -> list[list[tuple[style.Key, style.Key]]]:
    students = students[:MOST_ACROSS]
    return [[(panel, key) for key in students] for panel in panels[: max(1, style.MOST_PANELS // len(students))]]


def _few(temperatures: list[float]) -> list[float]:
    """For a small panel: those that are about a factor of two apart."""
    shown: list[float] = []
    for T in temperatures:
        if not shown or T / shown[-1] >= 1.9:
            shown.append(T)
    return shown


MOST_ACROSS = 12
MOST_EXCESS = 0.5  # that is drawn: where the best lies is seen below


def _top(curves: Any) -> float:
    """A little more than the greatest excess over its cell's least errors, as far as it is drawn."""
    least = curves["errors"] - curves["excess"]
    return 1.08 * min(MOST_EXCESS, max(0.05, float((curves["excess"] / least.clip(lower=1e-12)).max())))


def _excess(axes: Any, curve: Any, look: tuple[str, str]) -> None:
    color, marker = look
    T, tied = curve["T"].to_numpy(), curve["tied"].to_numpy(bool)
    least = max(float(curve["errors"].min()), 1e-12)
    excess, band = curve["excess"].to_numpy() / least, curve["band"].to_numpy() / least
    axes.axhline(0, color=style.BASELINE, linewidth=0.8)
    if np.isfinite(band).all():
        axes.fill_between(T, excess - band, excess + band, color=color, alpha=0.2, linewidth=0)
    axes.plot(T, excess, color=color, linewidth=1.2)
    for which, face in ((tied, color), (~tied, "white")):
        axes.plot(T[which], excess[which], marker, color=color, markerfacecolor=face, markersize=4, linestyle="none")
    near = curve["good_enough"].to_numpy(bool)
    axes.plot(T[near], np.full(near.sum(), 0.05), "s", color=color, markersize=4, transform=axes.get_xaxis_transform())
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.tick_params(axis="y", labelsize=7)


def plot_gain(answer: Answer) -> Figure:
    """Share of the baseline's test errors that distillation takes away, against T; bands: 95 % intervals of pairs."""
    curves, data = answer.curves, select_data_columns(answer.columns)
    students = [name for name in answer.columns if name not in data]
    looks = style.assign_styles([key for key, _ in style.group_rows(curves, students)])
    labels = style.label_students(answer.t_opt, students)
    grid = style.arrange_panels(curves, data)
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(2.9 * len(grid[0]) + 1.2, 2.2 * len(grid) + 0.9)
        all_axes: Any = figure.subplots(len(grid), len(grid[0]), squeeze=False)
        handles: dict[str, Any] = {}
        of = dict(style.group_rows(curves, data))
        for axes, panel in style.iterate_panels(all_axes, grid):
            axes.axhline(0, color=style.BASELINE, linewidth=1)
            for key, curve in style.group_rows(of[panel], students):
                color, marker = looks[key]
                gain, low, high = (
                    curve[name] / curve[f"baseline_{NUM_ERROR}"] for name in ("gain", "gain_low", "gain_high")
                )
                (handles[labels[key]],) = axes.plot(
                    curve["T"], gain, color=color, marker=marker, markersize=3.5, markevery=1 + len(curve) // 16
                )
                if np.isfinite(low).all():
                    axes.fill_between(curve["T"], low, high, color=color, alpha=0.2, linewidth=0)
            if of[panel]["gain"].isna().all():
                axes.text(0.5, 0.5, "no baseline", transform=axes.transAxes, ha="center", fontsize=8)
            axes.set_title(style.label_setting(data, panel), fontsize=8)
            style.set_temperature_axis(axes, sorted(curves["T"].unique()))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        style.note_omitted(figure, sum(key is not None for row in grid for key in row), len(of))
        style.share_axes(all_axes)
        style.label_lowest(all_axes, "temperature T")
        figure.supylabel("share of the baseline's test errors taken away", fontsize=9)
        style.add_legend(figure, style.order_handles(handles, labels.values()))
    return figure
