"""List all figures of an answer by name, and write them as files."""

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
from kdtune.columns import ACCURACY, BALANCED_ERROR, NLL, NUM_ERROR
from kdtune.plots import style
from kdtune.plots.confusion import plot_confusion
from kdtune.plots.excess import plot_excess
from kdtune.plots.gain import plot_gain
from kdtune.plots.learning import plot_learning_curves
from kdtune.plots.networks import plot_networks
from kdtune.plots.optimum import plot_optimum
from kdtune.plots.optimum_map import plot_optimum_map
from kdtune.plots.per_class import plot_per_class
from kdtune.plots.regret import plot_regret
from kdtune.plots.tutorial import plot_against_temperature, plot_softmax

FILE_TYPES = ("png", "svg")


@dataclass(frozen=True)
class ChosenNetworks:
    """Single networks that represent a table, and their details."""

    rows: pd.DataFrame  # one row per network, from ``choose_networks``
    details: dict[str, pd.DataFrame]  # by the figure that shows them: per_class, confusion, learning
    n_left_out: int = 0  # cells that have no network among them


def list_figures(answer: Answer | None, networks: ChosenNetworks | None = None) -> dict[str, Callable[[], Figure]]:
    """List the figures that can be drawn, by name.

    Parameters
    ----------
    answer : The answer, or None if no distilled student is done. The softmax and the figures of single networks do not
        need it.
    networks : The single networks to show, or None if the table has no ids of networks.
    """
    figures: dict[str, Callable[[], Figure]] = {"softmax": plot_softmax}
    if networks is not None:
        figures |= _list_network_figures(networks)
    if answer is not None:
        figures |= _list_answer_figures(answer)
    return figures


def _list_network_figures(networks: ChosenNetworks) -> dict[str, Callable[[], Figure]]:
    figures: dict[str, Callable[[], Figure]] = {"networks": partial(plot_networks, networks.rows, networks.n_left_out)}
    if "per_class" in networks.details:
        figures["per_class"] = partial(plot_per_class, networks.rows, networks.details["per_class"])
    if "confusion" in networks.details:
        figures["confusion"] = partial(plot_confusion, networks.rows, networks.details["confusion"])
    if "learning" in networks.details:
        figures["learning"] = partial(plot_learning_curves, networks.rows, networks.details["learning"])
    return figures


def _list_answer_figures(answer: Answer) -> dict[str, Callable[[], Figure]]:
    figures: dict[str, Callable[[], Figure]] = {}
    # nll and balanced error are drawn if T is chosen by them.
    for measure in (ACCURACY, NUM_ERROR, NLL, BALANCED_ERROR):
        if measure in answer.curves:
            figures[measure] = partial(plot_against_temperature, answer, measure)
    if (answer.t_opt["temperatures"] == 1).all():
        return figures  # With one temperature there is nothing to compare.
    figures["excess"] = partial(plot_excess, answer)
    figures["t_opt"] = partial(plot_optimum, answer)
    figures["t_opt_map"] = partial(plot_optimum_map, answer)
    if len(answer.fixed) > 0:
        figures["regret"] = partial(plot_regret, answer)
    if "gain" in answer.curves and answer.curves["gain"].notna().any():
        figures["gain"] = partial(plot_gain, answer)
    return figures


def draw_figures(
    answer: Answer | None, networks: ChosenNetworks | None, folder: Path, names: Sequence[str]
) -> Iterator[Path]:
    """Draw the figures of these names, as far as they can be drawn, and yield each file once it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in list_figures(answer, networks).items():
        if name in names:
            yield from save_figure(plot(), folder / name)


def save_figure(figure: Figure, path: Path, file_types: Sequence[str] = FILE_TYPES) -> list[Path]:
    """Write a figure, one file for each type, and return the files.

    Parameters
    ----------
    figure : The figure.
    path : The path of the files without the suffix.
    file_types : The suffixes of the files to write.
    """
    files = [path.with_suffix(f".{file_type}") for file_type in file_types]
    with mpl.rc_context(style.RC_PARAMS), warnings.catch_warnings():
        # A user's name may be in a script that the font lacks: its letters become boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        layout_engine = figure.get_layout_engine()
        if layout_engine is not None:
            layout_engine.execute(figure)
            figure.set_layout_engine(None)  # Laid out once, the figure need not be for each file.
        for file in files:
            # A date would make equal figures different files.
            metadata = {"Date": None} if file.suffix == ".svg" else None
            figure.savefig(file, dpi=160, metadata=metadata)
    return files
