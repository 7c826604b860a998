"""What all figures share: colours, axes of temperature, panels. The same thing has the same colour everywhere."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from kdtune.analysis.cells import format_setting as in_words
from kdtune.analysis.cells import group_rows as group_rows
from kdtune.analysis.optimum import LARGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by the colour-blind. Students have it in one order, data in another with
# other markers, since no figure has both.
TEACHER, BASELINE = "#000000", "#999999"
CURVES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
DATA = ("#D55E00", "#009E73", "#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442")
MARKERS, DATA_MARKERS = "oD^vPX*h", "oDXPh*pd"  # a square says "within the margin of the best", data's triangles "open"
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
         "grid.color": "#e6e6e6", "grid.linewidth": 0.6, "legend.frameon": False, "svg.hashsalt": "kdtune",
         "savefig.facecolor": "white", "hatch.linewidth": 0.6}  # fmt: skip
MOST_PANELS = 60  # small ones, of one curve
MOST_DATA = 16  # panels of a data set each: more could not be read, and take long to lay out
MOST_TICKS = 16
MOST_LETTERS = 60  # of a label
MOST_ENTRIES = 20  # of a legend
LEAST_SIZE = 4.4, 3.2  # inches: what legends and labels take

Key = tuple[Any, ...]


def make_figure(width: float, height: float) -> Figure:
    """An empty figure of about so many inches."""
    return Figure(figsize=(max(width, LEAST_SIZE[0]), max(height, LEAST_SIZE[1])), layout="constrained")


Cell = dict[str, Any]


def match_rows(frame: pd.DataFrame, names: Sequence[str], key: Key) -> pd.Series:
    """Which rows have these values, a None being a null."""
    found = pd.Series(True, frame.index)
    for name, value in zip(names, key, strict=True):
        found &= frame[name].isna() if value is None else frame[name] == value
    return found


def assign_styles(keys: Sequence[Key], data: bool = False) -> dict[Key, tuple[str, str]]:
    """A colour and a marker for each."""
    colors, markers = (DATA, DATA_MARKERS) if data else (CURVES, MARKERS)
    return {
        key: (color, marker)
        for key, color, marker in zip(keys, itertools.cycle(colors), itertools.cycle(markers), strict=False)
    }


def assign_network_styles(labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The same for teachers, baselines and students: the first two have shades and markers of their own."""
    found: dict[str, tuple[str, str]] = {}
    for who, colors, markers in (
        ("teacher", (TEACHER, "#777777", "#BBBBBB"), "*P8"),
        ("baseline", (BASELINE, "#555555", "#CCCCCC"), "s<>"),
        ("student", CURVES, MARKERS),
    ):
        own = [label for label in labels if label.startswith(who)]
        found |= {
            label: (color, marker)
            for label, color, marker in zip(own, itertools.cycle(colors), itertools.cycle(markers), strict=False)
        }
    return found


def label_setting(names: Sequence[str], key: Key, otherwise: str = "") -> str:
    """A cell, or a part of one, in words, cut to what a label holds: class_sep 0.2, width 50."""
    text = in_words(names, key)
    if len(text) > MOST_LETTERS:  # names begin alike and values end
        text = f"{text[: MOST_LETTERS // 2]} ... {text[5 - MOST_LETTERS // 2 :]}"
    return text.replace("$", r"\$") or otherwise


def label_students(t_opt: pd.DataFrame, names: Sequence[str]) -> dict[Key, str]:
    """Each student in words, to label curves with. One that is larger than all its teachers is called so."""
    found: dict[Key, str] = {}
    for key, cells in group_rows(t_opt, names):
        name = f"student, {label_setting(names, key)}" if label_setting(names, key) else "student"
        alike = sum(other.startswith(name) for other in found.values())
        name = f"{name} [{alike + 1}]" if alike and len(name) > MOST_LETTERS else name
        found[key] = f"{name} ({LARGE})" if cells["flags"].map(lambda flags: LARGE in flags).all() else name
    return found


def shorten_label(student: str) -> str:
    """A student's label for a narrow place."""
    return student.removeprefix("student, ").replace(f" ({LARGE})", f"\n({LARGE})")


def set_temperature_axis(axes: Axes, temperatures: Sequence[float], which: Literal["x", "y"] = "x") -> None:
    """A logarithmic axis with the grid's temperatures on it; labels that would touch are left out."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log"})
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    shown: list[float] = []
    apart = 1.21 if len(temperatures) <= MOST_TICKS else 1.6
    for T in temperatures:
        if not shown or T / shown[-1] > apart:
            shown.append(T)
    axis.set_major_locator(FixedLocator(shown))
    axis.set_major_formatter(FuncFormatter(lambda T, _: f"{T:g}"))
    axes.tick_params(axis=which, labelsize=7)


def set_log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers on it."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def arrange_panels(frame: pd.DataFrame, names: Sequence[str], across: int = 3) -> list[list[Key | None]]:
    """Panels in rows and columns: two varying names make a matrix, otherwise they are wrapped."""
    keys = [key for key, _ in group_rows(frame, names)]
    varying = [i for i, name in enumerate(names) if frame[name].nunique(dropna=False) > 1]
    if len(varying) == 2:
        first, second = (list(dict.fromkeys(sorted((key[i] for key in keys), key=_nulls_first))) for i in varying)
        found = {tuple(key[i] for i in varying): key for key in keys}
        grid: list[list[Key | None]] = [[found.get((a, b)) for b in second] for a in first]
        if len(first) * len(second) <= MOST_DATA:
            return grid
    keys = keys[:MOST_DATA]
    width = min(max(across, math.isqrt(len(keys))), len(keys))
    padded = [*keys, *[None] * (-len(keys) % width)]
    return [padded[i : i + width] for i in range(0, len(padded), width)]


def _nulls_first(value: Any) -> tuple[bool, Any]:
    return (value is not None, 0 if value is None else value)


def note_omitted(figure: Figure, shown: int, there: int, what: str = "data sets") -> None:
    """Under a figure that does not hold everything."""
    if shown < there:
        figure.supxlabel(f"the first {shown} of {there} {what}", fontsize=8)


def share_axes(all_axes: Any) -> Any:
    """Give all panels that are drawn the same limits, and return one of them.

    After drawing: shared before, each line makes matplotlib look at all panels.
    """
    first, *others = [axes for axes in all_axes.flat if axes.axison]
    for axes in others:
        axes.sharex(first)
        axes.sharey(first)
    first.autoscale_view()
    for axes in all_axes.flat:
        axes.label_outer()
    for axes in list_outermost(all_axes):
        axes.yaxis.set_tick_params(labelleft=True)
    return first


def list_outermost(rows: Any) -> list[Any]:
    """Of each row the first panel that is drawn; given the transpose, of each column the highest."""
    drawn = ([axes for axes in row if axes.axison] for row in rows)
    return [row[0] for row in drawn if row]


def label_lowest(all_axes: Any, text: str) -> None:
    """Under the lowest panel of each column that is drawn."""
    for axes in list_outermost(all_axes[::-1].T):
        axes.set_xlabel(text)
        axes.xaxis.set_tick_params(labelbottom=True)


def order_handles(handles: dict[str, Any], first: Iterable[str]) -> dict[str, Any]:
    """Those named first in their order, which may not be that in which panels drew them; then the others."""
    return {name: handles[name] for name in first if name in handles} | handles


def add_legend(figure: Figure, handles: dict[str, Any], across: int = 3, title: str | None = None) -> None:
    """Above all panels, as wide as they are; of very many entries the first."""
    if len(handles) > MOST_ENTRIES:
        left = len(handles) - MOST_ENTRIES + 1
        handles = dict(list(handles.items())[: MOST_ENTRIES - 1])
        handles[f"... and {left} more"] = Line2D([], [], linestyle="none")
    entry = 0.062 * max(len(name) for name in handles) + 0.45  # inches of a letter, and of a mark
    width, height = figure.get_size_inches()
    across = max(1, min(across, int(width / entry), len(handles)))
    more = max(0, -(-len(handles) // across) - 3)  # lines that the figure's height did not count on
    figure.set_size_inches(max(width, entry + 0.3), height + 0.17 * more)
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=across, fontsize=8,
        title=title, title_fontsize=9,
    )  # fmt: skip


def iterate_panels(all_axes: Any, grid: Sequence[Sequence[Key | None]]) -> Iterator[tuple[Axes, Key]]:
    """The panels that have data; the others are switched off."""
    for row, keys in zip(all_axes, grid, strict=True):
        for axes, key in zip(row, keys, strict=True):
            if key is None:
                axes.set_axis_off()
            else:
                yield axes, key
