"""Every figure of an answer, and how they become files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.answer import Answer
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.plots import style
from kdtune.plots.classes import plot_confusion, plot_per_class
from kdtune.plots.curves import plot_excess, plot_gain
from kdtune.plots.learning import plot_learning_curves
from kdtune.plots.networks import plot_networks
from kdtune.plots.optimum import plot_optimum, plot_optimum_map
from kdtune.plots.regret import plot_regret
from kdtune.plots.tutorial import plot_against_temperature, plot_softmax

KINDS = ("png", "svg")


@dataclass(frozen=True)
class Networks:
    """Single networks, chosen out of a table, and details of them: frames by the figure that shows them."""

    chosen: pd.DataFrame
    details: dict[str, pd.DataFrame]
    left_out: int = 0  # cells


def list_figures(answer: Answer | None, networks: Networks | None = None) -> dict[str, Callable[[], Figure]]:
    """Every figure of an answer and of single networks, by name.

    The softmax is always there; without an answer, since no distilled student is done, none of its figures.
    """
    found: dict[str, Callable[[], Figure]] = {"softmax": plot_softmax}
    if networks is not None:
        found["networks"] = partial(plot_networks, networks.chosen, networks.left_out)
        for name, make in (
            ("per_class", plot_per_class),
            ("confusion", plot_confusion),
            ("learning", plot_learning_curves),
        ):
            if name in networks.details:
                found[name] = partial(make, networks.chosen, networks.details[name])
    if answer is None:
        return found
    for measure in (ACCURACY, NUM_ERROR):
        if measure in answer.curves:
            found[measure] = partial(plot_against_temperature, answer, measure)
    if (answer.t_opt["temperatures"] == 1).all():
        return found  # nothing is there to compare temperatures with
    found |= {"excess": partial(plot_excess, answer), "t_opt": partial(plot_optimum, answer)}
    found["t_opt_map"] = partial(plot_optimum_map, answer)
    if len(answer.fixed):
        found["regret"] = partial(plot_regret, answer)
    if "gain" in answer.curves and answer.curves["gain"].notna().any():
        found["gain"] = partial(plot_gain, answer)
    return found


def draw_figures(
    answer: Answer | None, networks: Networks | None, folder: Path, names: Sequence[str]
) -> Iterator[Path]:
    """Those of the figures that there are, as PNG and SVG; the files as they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in list_figures(answer, networks).items():
        if name in names:
            yield from save_figure(make(), folder / name)


def save_figure(figure: Figure, path: Path, kinds: Sequence[str] = KINDS) -> list[Path]:
    """One figure, a file for each kind."""
    with mpl.rc_context(style.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in a script that the font lacks
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
        figure.set_layout_engine(None)  # laid out once, for all kinds of file
        written = [path.with_suffix(f".{kind}") for kind in kinds]
        for file in written:
            figure.savefig(file, dpi=160, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written
