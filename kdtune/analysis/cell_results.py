"""The results of each cell of a table, and the frames that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise
from kdtune.analysis.cell_statistics import compare_temperatures_with_best
from kdtune.analysis.comparisons import TemperatureCurves, compare_temperatures
from kdtune.analysis.influential_runs import InfluentialRun, find_influential_run
from kdtune.analysis.optimum import CellOptimum, describe_optimum, find_lowest_mean
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.selection_measure import find_test_measure
from kdtune.analysis.test_split import ChoiceResult, evaluate_choice
from kdtune.columns import ECE, NLL, NUM_ERROR


@dataclass(frozen=True)
class CellResult:
    """The results of one cell."""

    optimum: CellOptimum
    choice: ChoiceResult | None  # None if the table has no test errors
    selected_choice: ChoiceResult | None  # in the measure that T is chosen by; None for errors
    curves: TemperatureCurves
    influential_run: InfluentialRun | None  # a single network that changes the answer, if there is one


def analyze_cell(
    cell: Cell, measure: str, error_margin: float | None, noise: CellNoise | None, alike: Sequence[Cell] = ()
) -> CellResult:
    """Find the best temperature of a cell, evaluate it, and compare all temperatures with it.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.
    error_margin : As in ``describe_optimum``.
    noise : The noise of the cell, from ``estimate_cell_noises``.
    alike : The cells of the same student on all data.
    """
    best_index = find_lowest_mean(cell, measure)
    comparison = compare_temperatures_with_best(cell, measure, noise)
    optimum = describe_optimum(cell, best_index, measure, comparison, error_margin, noise)
    test_measure = find_test_measure(measure)
    is_error = test_measure == NUM_ERROR
    return CellResult(
        optimum=optimum,
        choice=evaluate_choice(cell, best_index, measure),
        selected_choice=None if is_error else evaluate_choice(cell, best_index, measure, test_measure),
        curves=compare_temperatures(cell, best_index, measure, comparison, optimum.good_enough, noise),
        influential_run=find_influential_run(cell, measure, comparison, alike),
    )


def make_optima_frame(cells: Sequence[Cell], results: Sequence[CellResult]) -> pd.DataFrame:
    """Make the frame ``t_opt``: one row per cell with its best temperature."""
    rows = [{**cell.settings, **to_columns(result.optimum)} for cell, result in zip(cells, results, strict=True)]
    return pd.DataFrame(rows)


def make_test_frame(cells: Sequence[Cell], results: Sequence[CellResult]) -> pd.DataFrame:
    """Make the frame ``test``: one row per cell with the errors of its best temperature, if the table has them."""
    return _join_choices(cells, results, [result.choice for result in results])


def _join_choices(
    cells: Sequence[Cell], results: Sequence[CellResult], choices: Sequence[ChoiceResult | None]
) -> pd.DataFrame:
    rows = []
    for cell, result, choice in zip(cells, results, choices, strict=True):
        row = {**cell.settings, "T": result.optimum.T_opt}
        if choice is not None:
            row |= to_columns(choice)
        rows.append(row)
    return pd.DataFrame(rows)


def make_selected_test_frame(cells: Sequence[Cell], results: Sequence[CellResult]) -> pd.DataFrame:
    """Make the frame ``selected_test``: ``test`` in the measure that T was chosen by, without calibration."""
    choices = [result.selected_choice for result in results]
    if all(choice is None for choice in choices):
        return pd.DataFrame()
    frame = _join_choices(cells, results, choices)
    return frame.drop(
        columns=[f"{role}{name}" for role in ("", "baseline_", "teacher_") for name in (NLL, ECE)], errors="ignore"
    )
