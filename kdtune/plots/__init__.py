"""Figures from frames of numbers. No statistics here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune import table as t
from kdtune.analysis.answer import Answer
from kdtune.plots import style
from kdtune.plots.curves import excess_figure, gain_figure
from kdtune.plots.optimum import map_figure, optimum_figure
from kdtune.plots.regret import regret_figure
from kdtune.plots.tutorial import softmax_figure, temperature_figure

KINDS = ("png", "svg")


def figures(table: pd.DataFrame, answer: Answer | None) -> dict[str, Callable[[], Figure]]:
    """Every figure that a table bears, by name; ``answer`` is None where no distilled student is done."""
    found: dict[str, Callable[[], Figure]] = {"softmax": softmax_figure}
    if answer is None:
        return found
    for measure in (t.ACCURACY, t.NUM_ERROR):
        if measure in table.columns and table[measure].notna().any():
            found[measure] = lambda measure=measure: temperature_figure(table, measure)  # type: ignore[misc]
    found |= {"excess": lambda: excess_figure(answer), "t_opt": lambda: optimum_figure(answer)}
    found["t_opt_map"] = lambda: map_figure(answer)
    if "regret" in answer.curves:
        found["regret"] = lambda: regret_figure(answer)
        if answer.curves["gain"].notna().any():
            found["gain"] = lambda: gain_figure(answer)
    return found


def draw_all(table: pd.DataFrame, answer: Answer | None, folder: Path, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Every figure that the table bears, as PNG and SVG; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [path for name, make in figures(table, answer).items() for path in save(make(), folder / name, kinds)]


def save(figure: Figure, path: Path, kinds: Sequence[str] = KINDS) -> list[Path]:
    """One figure, a file for each kind."""
    with mpl.rc_context(style.STYLE):
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
        figure.set_layout_engine(None)  # laid out once, for all kinds of file
        written = [path.with_suffix(f".{kind}") for kind in kinds]
        for file in written:
            figure.savefig(file, dpi=160, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written
