"""Find in a table which temperature is best for every cell, and which factors it depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kdtune.analysis.cell_arrays import Cell, split_into_cells
from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.comparisons import TemperatureCurves, compare_temperatures, join_cell_curves
from kdtune.analysis.factor_effects import FactorEffect
from kdtune.analysis.fixed_temperature import estimate_fixed_temperature_costs
from kdtune.analysis.optimum import FLAT, CellOptimum, describe_optimum, find_lowest_mean
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.temperature_effects import estimate_effects, make_effects_frame
from kdtune.analysis.test_split import ChoiceResult, evaluate_choice
from kdtune.columns import (
    BASELINE,
    DATA_SEED,
    DONE,
    FAILED,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    SKIPPED,
    STATUS,
    STUDENT,
    STUDENT_SEED,
    TEACHER,
    TEACHER_SEED,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.statistics.multiple_comparisons import compare_with_best


@dataclass(frozen=True)
class Margins:
    """The largest differences that do not matter, chosen before the table is read.

    Raises
    ------
    RequestError
        If a margin is not a finite number, or is negative.
    """

    error: float = 0.05  # excess errors, as a share of the best temperature's
    effect: float = 0.1  # change of log2 T_opt per doubling of a factor

    def __post_init__(self) -> None:
        for argument, margin in (("margin", self.error), ("effect_margin", self.effect)):
            is_number = isinstance(margin, Real) and not isinstance(margin, bool)
            if not is_number or not math.isfinite(margin) or margin < 0:
                raise RequestError(f"{argument}: must be a finite number, 0 or more, not {margin!r}")


@dataclass(frozen=True)
class Answer:
    """The results of analyzing a table, as frames."""

    t_opt: pd.DataFrame  # one row per cell: the best temperature, on the split that T is chosen on
    test: pd.DataFrame  # one row per cell: the results of that temperature on the test split
    curves: pd.DataFrame  # one row per cell and temperature
    fixed: pd.DataFrame  # one row per temperature: what it costs to use it for all cells
    cells: list[Cell]
    cell_columns: list[str]  # the columns that name a cell
    selection_measure: str  # the measure that T is chosen by
    margins: Margins
    redrawn_parts: list[str]  # the parts that are random in each replicate, which intervals account for
    cells_without_results: list[str]  # the cells in which no T is complete in any replicate, in words

    def limit_cells(self, count: int) -> Answer:
        """Return the answer about the first cells only, for a printout that shows no more."""
        return replace(self, t_opt=self.t_opt.head(count), test=self.test.head(count), cells=self.cells[:count])

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The frame of effects, one row per factor: how T_opt changes with it, and the verdict in words."""
        return make_effects_frame(self.factor_effects, self.margins.effect)

    @cached_property
    def factor_effects(self) -> list[FactorEffect]:
        """The effect of each factor. It is estimated on first use, because some figures do not need it."""
        is_flat = self.t_opt["flags"].map(lambda flags: FLAT in flags)
        is_unbounded = np.isinf(self.t_opt["T_opt_high"]) & (self.t_opt["T_opt_low"] == 0)
        informative_cells = int((~is_flat & ~is_unbounded).sum())
        with threadpool_limits(1):
            return estimate_effects(
                self.cells, self.cell_columns, self.selection_measure, informative_cells, self.margins.effect
            )

    @property
    def selection_split(self) -> str:
        """The split that T is chosen on: validation or test."""
        return "validation" if self.selection_measure == VAL_NUM_ERROR else "test"


@dataclass(frozen=True)
class _CellResult:
    """The results of one cell."""

    optimum: CellOptimum
    choice: ChoiceResult | None  # None if the table has no test errors
    curves: TemperatureCurves


def analyze_table(table: pd.DataFrame, columns: Sequence[str] | None = None, margins: Margins = Margins()) -> Answer:
    """Analyze a table with the columns of ``kdtune.columns``.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell. By default these are the columns that vary over the distilled students.
    margins : The differences that do not matter.

    Raises
    ------
    RequestError
        If the table has no distilled student with results, or no measure of errors.
    """
    measure = _choose_selection_measure(table)
    cell_columns = find_cell_columns(table) if columns is None else list(columns)
    all_cells = split_into_cells(table, cell_columns, measure)
    cells = [cell for cell in all_cells if cell.replicates]
    if not cells:
        raise RequestError(f"no distilled student has a number in {measure}")
    with threadpool_limits(1):  # The matrix products are small: several threads would wait for each other.
        results = [_analyze_cell(cell, measure, margins) for cell in cells]
    curves = join_cell_curves(cells, [result.curves for result in results])
    return Answer(
        t_opt=_make_optima_frame(cells, results),
        test=_make_test_frame(cells, results),
        curves=curves,
        fixed=estimate_fixed_temperature_costs(curves, len(cells)),
        cells=cells,
        cell_columns=cell_columns,
        selection_measure=measure,
        margins=margins,
        redrawn_parts=find_redrawn_parts(table),
        cells_without_results=[cell.describe() for cell in all_cells if not cell.replicates],
    )


def _choose_selection_measure(table: pd.DataFrame) -> str:
    """Return the column of validation errors, or that of test errors if no student has the former."""
    if VAL_NUM_ERROR not in table.columns and NUM_ERROR not in table.columns:
        raise RequestError(
            f"the table has no errors: it needs the column {VAL_NUM_ERROR}, or {NUM_ERROR} (--map num_error=NAME); "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    students = table[MODEL] == STUDENT
    if has_students(table):
        for measure in (VAL_NUM_ERROR, NUM_ERROR):
            if measure in table.columns and table.loc[students, measure].notna().any():
                return measure
    raise RequestError(f"the table has no distilled student with results{_describe_unknown_values(table)}")


def _describe_unknown_values(table: pd.DataFrame) -> str:
    """Describe a model or status column that has none of the values that kdtune reads; empty if both have one."""
    for column, required, valid_values in (
        (MODEL, STUDENT, {TEACHER, BASELINE, STUDENT}),
        (STATUS, DONE, {DONE, FAILED, SKIPPED}),
    ):
        values = sorted({str(value) for value in table[column].dropna()})
        if required not in values:
            listed_values = ", ".join(values[:5]) or "nothing"
            return f"; its column {column} has {listed_values}, where kdtune reads {', '.join(sorted(valid_values))}"
    return ""


def _analyze_cell(cell: Cell, measure: str, margins: Margins) -> _CellResult:
    """Find the best temperature of a cell, evaluate it, and compare all temperatures with it."""
    best_index = find_lowest_mean(cell, measure)
    comparison = compare_with_best(cell.student_measures[measure])
    optimum = describe_optimum(cell, best_index, measure, comparison, margins.error)
    return _CellResult(
        optimum=optimum,
        choice=evaluate_choice(cell, best_index, measure),
        curves=compare_temperatures(cell, best_index, measure, comparison, optimum.good_enough),
    )


def _make_optima_frame(cells: Sequence[Cell], results: Sequence[_CellResult]) -> pd.DataFrame:
    rows = [{**cell.settings, **to_columns(result.optimum)} for cell, result in zip(cells, results, strict=True)]
    return pd.DataFrame(rows)


def _make_test_frame(cells: Sequence[Cell], results: Sequence[_CellResult]) -> pd.DataFrame:
    rows = []
    for cell, result in zip(cells, results, strict=True):
        row = {**cell.settings, "T": result.optimum.T_opt}
        if result.choice is not None:
            row |= to_columns(result.choice)
        rows.append(row)
    return pd.DataFrame(rows)


def find_redrawn_parts(table: pd.DataFrame) -> list[str]:
    """Return which parts of a sweep are random in each replicate: data set, teacher, student."""
    seed_columns = {"data set": DATA_SEED, "teacher": TEACHER_SEED, "student": STUDENT_SEED}
    known_columns = {part: column for part, column in seed_columns.items() if column in table.columns}
    students = table.loc[table[MODEL] == STUDENT, [REPLICATE, *known_columns.values()]]
    first_students = students[students[REPLICATE] == students[REPLICATE].min()]
    last_students = students[students[REPLICATE] == students[REPLICATE].max()]
    parts = []
    for part, column in known_columns.items():
        first_seeds, last_seeds = set(first_students[column].dropna()), set(last_students[column].dropna())
        if first_seeds and first_seeds.isdisjoint(last_seeds):
            parts.append(part)
    return parts


def has_students(table: pd.DataFrame) -> bool:
    """Return whether any distilled student has results."""
    return bool(((table[MODEL] == STUDENT) & (table[STATUS] == DONE)).any())
