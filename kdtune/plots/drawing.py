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
from kdtune.plots.classes import confusion_figure, per_class_figure
from kdtune.plots.curves import excess_figure, gain_figure
from kdtune.plots.learning import learning_figure
from kdtune.plots.networks import networks_figure
from kdtune.plots.optimum import map_figure, optimum_figure
from kdtune.plots.regret import regret_figure
from kdtune.plots.tutorial import softmax_figure, temperature_figure

KINDS = ("png", "svg")


@dataclass(frozen=True)
class Networks:
    """Single networks, chosen out of a table, and details of them: frames by the figure that shows them."""

    chosen: pd.DataFrame
    details: dict[str, pd.DataFrame]
    left_out: int = 0  # cells


def figures(answer: Answer | None, networks: Networks | None = None) -> dict[str, Callable[[], Figure]]:
    """Every figure of an answer and of single networks, by name.

    The softmax is always there; without an answer, since no distilled student is done, none of its figures.
    """
    found: dict[str, Callable[[], Figure]] = {"softmax": softmax_figure}
    if networks is not None:
        found["networks"] = partial(networks_figure, networks.chosen, networks.left_out)
        for name, make in (
            ("per_class", per_class_figure),
            ("confusion", confusion_figure),
            ("learning", learning_figure),
        ):
            if name in networks.details:
                found[name] = partial(make, networks.chosen, networks.details[name])
    if answer is None:
        return found
    for measure in (ACCURACY, NUM_ERROR):
        if measure in answer.curves:
            found[measure] = partial(temperature_figure, answer, measure)
    if (answer.t_opt["temperatures"] == 1).all():
        return found  # nothing is there to compare temperatures with
    found |= {"excess": partial(excess_figure, answer), "t_opt": partial(optimum_figure, answer)}
    found["t_opt_map"] = partial(map_figure, answer)
    if len(answer.fixed):
        found["regret"] = partial(regret_figure, answer)
    if "gain" in answer.curves and answer.curves["gain"].notna().any():
        found["gain"] = partial(gain_figure, answer)
    return found


def draw(answer: Answer | None, networks: Networks | None, folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Those of the figures that there are, as PNG and SVG; the files as they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in figures(answer, networks).items():
        if name in names:
            yield from save(make(), folder / name)


def save(figure: Figure, path: Path, kinds: Sequence[str] = KINDS) -> list[Path]:
    """One figure, a file for each kind."""
    with mpl.rc_context(style.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in a script that the font lacks
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
        figure.set_layout_engine(None)  # laid out once, for all kinds of file
        written = [path.with_suffix(f".{kind}") for kind in kinds]
        for file in written:
            figure.savefig(file, dpi=160, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written
