"""List all figures of an answer by name, and write them as files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.answer import Answer
from kdtune.analysis.class_names import ClassNames
from kdtune.columns import ACCURACY, BALANCED_ERROR, NLL, NUM_ERROR
from kdtune.plots import style
from kdtune.plots.confusion import draw_confusions, prepare_confusions
from kdtune.plots.excess import draw_excess, prepare_excess
from kdtune.plots.gain import draw_gain, prepare_gain
from kdtune.plots.learning import draw_learning_curves, prepare_learning_curves
from kdtune.plots.measure_curves import draw_measure_curves, prepare_measure_curves
from kdtune.plots.networks import draw_network_errors, prepare_network_errors
from kdtune.plots.optimum import draw_optima, prepare_optima
from kdtune.plots.optimum_map import draw_map, prepare_map
from kdtune.plots.overall import draw_overall, prepare_overall
from kdtune.plots.per_class import draw_class_errors, prepare_class_errors
from kdtune.plots.regret import draw_fixed_costs, prepare_fixed_costs
from kdtune.plots.softmax import TEMPERATURES, draw_softmax, prepare_softmax

FILE_TYPES = ("png", "svg")


@dataclass(frozen=True)
class ChosenNetworks:
    """Single networks that represent a table, and their details."""

    rows: pd.DataFrame  # one row per network, from ``choose_networks``
    details: dict[str, pd.DataFrame]  # by the figure that shows them: per_class, confusion, learning
    n_left_out: int = 0  # cells that have no network among them
    class_names: ClassNames = field(default_factory=dict)  # what the user calls the classes, by data set


def list_figures(answer: Answer | None, networks: ChosenNetworks | None = None) -> dict[str, Callable[[], Figure]]:
    """List the figures that can be drawn, by name: each prepares its numbers and draws them when it is called.

    Parameters
    ----------
    answer : The answer, or None if no distilled student is done. The softmax and the figures of single networks do not
        need it.
    networks : The single networks to show, or None if the table has no ids of networks.
    """
    temperatures = TEMPERATURES if answer is None else sorted(answer.curves["T"].unique())
    figures: dict[str, Callable[[], Figure]] = {"softmax": lambda: draw_softmax(prepare_softmax(temperatures))}
    if networks is not None:
        figures |= _list_network_figures(networks)
    if answer is not None:
        figures |= _list_answer_figures(answer)
    return figures


def _list_network_figures(networks: ChosenNetworks) -> dict[str, Callable[[], Figure]]:
    rows, details, names = networks.rows, networks.details, networks.class_names
    figures: dict[str, Callable[[], Figure]] = {
        "networks": lambda: draw_network_errors(prepare_network_errors(rows, networks.n_left_out))
    }
    if "per_class" in details:
        figures["per_class"] = lambda: draw_class_errors(prepare_class_errors(rows, details["per_class"], names))
    if "confusion" in details:
        figures["confusion"] = lambda: draw_confusions(prepare_confusions(rows, details["confusion"], names))
    if "learning" in details:
        figures["learning"] = lambda: draw_learning_curves(prepare_learning_curves(rows, details["learning"]))
    return figures


def _list_answer_figures(answer: Answer) -> dict[str, Callable[[], Figure]]:
    figures: dict[str, Callable[[], Figure]] = {}
    # nll and balanced error are drawn if T is chosen by them.
    for measure in (ACCURACY, NUM_ERROR, NLL, BALANCED_ERROR):
        if measure in answer.curves:
            figures[measure] = partial(_draw_measure, answer, measure)
    if (answer.t_opt["temperatures"] == 1).all():
        return figures  # With one temperature there is nothing to compare.
    figures["excess"] = lambda: draw_excess(prepare_excess(answer))
    figures["t_opt"] = lambda: draw_optima(prepare_optima(answer))
    if any(len(student.cells) > 1 for student in answer.students):
        figures["overall"] = lambda: draw_overall(prepare_overall(answer))
    if len(answer.cells) > 1:  # They compare settings.
        figures["t_opt_map"] = lambda: draw_map(prepare_map(answer))
        if len(answer.fixed) > 0:
            figures["regret"] = lambda: draw_fixed_costs(prepare_fixed_costs(answer))
    if "gain" in answer.curves and answer.curves["gain"].notna().any():
        figures["gain"] = lambda: draw_gain(prepare_gain(answer))
    return figures


def _draw_measure(answer: Answer, measure: str) -> Figure:
    return draw_measure_curves(prepare_measure_curves(answer, measure))


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
