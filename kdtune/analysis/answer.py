"""Find in a table which temperature is best for every cell, and which factors it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kdtune.analysis.advice import Advice, list_advice
from kdtune.analysis.broken_runs import BrokenRun, find_broken_runs
from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_arrays import split_into_cells
from kdtune.analysis.cell_noise import estimate_cell_noises, group_cells
from kdtune.analysis.cell_results import (
    analyze_cell,
    make_optima_frame,
    make_selected_test_frame,
    make_test_frame,
)
from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.comparisons import join_cell_curves
from kdtune.analysis.error_units import are_percents
from kdtune.analysis.factor_effects import FactorEffect
from kdtune.analysis.finite_sets import find_finite_data
from kdtune.analysis.fixed_temperature import estimate_fixed_temperature_costs
from kdtune.analysis.incomplete_cells import describe_incomplete_cells, describe_missing_cells
from kdtune.analysis.influential_runs import MAX_ALIKE, InfluentialRun
from kdtune.analysis.margins import DEFAULT_MARGINS, Margins
from kdtune.analysis.measured import Measured
from kdtune.analysis.optimum import FLAT
from kdtune.analysis.overall import answer_over_data
from kdtune.analysis.overall_frames import make_overall_curves, make_overall_frame
from kdtune.analysis.redraws import Redraws, find_redraws
from kdtune.analysis.selection_measure import (
    MEASURE_NAMES,
    Measure,
    choose_selection_measure,
    find_test_measure,
)
from kdtune.analysis.shown_figures import agree_on_baseline, prefer_cross_fitted
from kdtune.analysis.single_replicates import describe_single_replicates
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.temperature_effects import estimate_effects, make_effects_frame, make_set_effects_frame
from kdtune.analysis.twins import SideSettings, find_side_settings
from kdtune.analysis.weight_pairs import compare_pairs
from kdtune.columns import (
    DATASET,
    NUM_ERROR,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError
from kdtune.table_facts import AnswerFacts


@dataclass(frozen=True)
class Answer:
    """The results of analyzing a table, as frames; printed, the answer in words. A cell is a combination of settings.

    Attributes
    ----------
    t_opt : one row per cell: the best temperature, on the split that T is chosen on.
    test : one row per cell: the results of that temperature on the test split.
    selected_test : as ``test``, in the measure that T is chosen by; empty if these are errors, or the table lacks it.
    curves : one row per cell and temperature.
    fixed : one row per temperature: what it costs to use it for all cells.
    cell_columns : the columns that name a cell.
    unfinished : how much of the sweep is missing; empty if nothing is.
    reserve : why the recommendation may be wrong, and what mends it; empty if nothing speaks against it.
    reading_notes, matching_notes : how the table was understood, and with whom students are compared, in sentences.
    """

    t_opt: pd.DataFrame
    test: pd.DataFrame
    curves: pd.DataFrame
    fixed: pd.DataFrame
    cells: list[Cell]
    cell_columns: list[str]
    selection_measure: str  # the measure that T is chosen by
    margins: Margins
    redraws: Redraws  # what is random in each replicate, which intervals account for
    cells_without_results: list[str]  # the cells in which no T is complete in any replicate, in words
    side_settings: SideSettings  # the settings that do not name the cells
    measure: Measure | None = None  # what T is chosen by, if the user names a measure of a table from elsewhere
    selected_test: pd.DataFrame = field(default_factory=pd.DataFrame)
    unfinished: str = ""
    reserve: str = ""
    reading_notes: list[str] = field(default_factory=list)
    matching_notes: list[str] = field(default_factory=list)
    is_percent: bool = False  # whether errors on the test split are in percent of the examples
    influential_runs: list[InfluentialRun] = field(default_factory=list)  # single networks that change an answer
    broken_runs: list[BrokenRun] = field(default_factory=list)  # all networks that look as if they had not trained
    datasets: list[str] = field(default_factory=list)  # the names of the data sets, where the table says them

    def limit_cells(self, count: int) -> Answer:
        """Return the answer about the first cells only, for a printout that shows no more."""
        return replace(
            self,
            t_opt=self.t_opt.head(count),
            test=self.test.head(count),
            cells=self.cells[:count],
            selected_test=self.selected_test.head(count),
        )

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The frame of effects, one row per factor: how T_opt changes with it, and the verdict in words."""
        return make_effects_frame(self.factor_effects, self.margins.effect)

    @property
    def effects_by_set(self) -> pd.DataFrame:
        """The frame of effects by data set, one row per factor and data set: how T_opt changes with it there."""
        return make_set_effects_frame(self.factor_effects)

    @cached_property
    def factor_effects(self) -> list[FactorEffect]:
        """The effect of each factor. It is estimated on first use, because some figures do not need it."""
        is_flat = self.t_opt["flags"].map(lambda flags: FLAT in flags)
        is_unbounded = np.isinf(self.t_opt["T_opt_high"]) & (self.t_opt["T_opt_low"] == 0)
        informative_cells = int((~is_flat & ~is_unbounded).sum())
        with threadpool_limits(1):
            return estimate_effects(
                self.cells,
                self.cell_columns,
                self.selection_measure,
                informative_cells,
                self.margins.effect,
                self.side_settings,
            )

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row per setting but for the weight of the labels: the best pair of both; empty where it does not vary."""
        with threadpool_limits(1):
            return compare_pairs(self.cells, self.cell_columns, self.selection_measure, self.test_measure)

    @cached_property
    def students(self) -> list[StudentAnswer]:
        """The answer for each student over all of its data sets."""
        with threadpool_limits(1):
            students = answer_over_data(
                self.cells,
                self.cell_columns,
                self.selection_measure,
                self.test_measure,
                self.margins.error,
                self.t_opt,
                self.influential_runs,
                self.broken_runs,
            )
        test = self.get_test(self.test_measure)
        return students if test.empty else agree_on_baseline(students, prefer_cross_fitted(test))

    @property
    def overall(self) -> pd.DataFrame:
        """One row per student: the recommended T over all of its data sets, and what it is worth."""
        return make_overall_frame(self.students)

    @property
    def overall_curves(self) -> pd.DataFrame:
        """One row per student and temperature: what it costs above the best, over all data sets."""
        return make_overall_curves(self.students, self.measured.is_relative)

    @property
    def advice(self) -> list[Advice]:
        """What to do: one recommendation for all students that share it, in sentences."""
        return list_advice(self.students, self.measured)

    @property
    def measured(self) -> Measured:
        """What sentences call differences of the measure that T is chosen by, on the test split."""
        if self.measure is None:
            return Measured.by_errors(self.test_measure, self.is_percent)
        lower, higher = f"lower {self.measure.name}", f"higher {self.measure.name}"
        more, fewer = (lower, higher) if self.measure.is_higher_better else (higher, lower)
        return Measured(more=more, fewer=fewer, is_relative=False, sign=self.measure.sign)

    @property
    def is_paired(self) -> bool:
        """Whether replicates pair the runs of different temperatures; otherwise each run is independent."""
        return all(cell.is_paired for cell in self.cells)

    @property
    def criterion(self) -> str:
        """What the best temperature has, in words: the fewest errors on a split, or the best of another measure."""
        if self.measure is not None:
            return f"{self.measure.direction} {self.measure.name}"
        lowest = "the fewest" if self.test_measure == NUM_ERROR else "the lowest"
        return f"{lowest} {self.measure_name} on the {self.selection_split} split"

    @property
    def measure_name(self) -> str:
        """The measure that T is chosen by, in words: errors, nll, balanced error, or the user's name of it."""
        return MEASURE_NAMES[self.test_measure] if self.measure is None else self.measure.name

    @property
    def test_measure(self) -> str:
        """The column of the test split for the measure that T is chosen by; errors for one that the user names."""
        return find_test_measure(self.selection_measure)

    def get_test(self, measure: str) -> pd.DataFrame:
        """Return the results on the test split in errors, or in the measure that T is chosen by."""
        return self.test if measure == NUM_ERROR else self.selected_test

    @property
    def extremum(self) -> str:
        """What the best temperature is of the mean curve: its minimum, or its maximum if more is better."""
        return "maximum" if self.measure is not None and self.measure.is_higher_better else "minimum"

    @property
    def margin_text(self) -> str:
        """Which temperatures are good enough, in words; empty if no difference is known not to matter."""
        if self.margins.error is None:
            return ""
        if self.measure is None:
            return f"within {self.margins.error:.0%} of the best"
        return f"within {self.margins.error:g} of the best"

    @property
    def selection_split(self) -> str:
        """The split that T is chosen on: validation or test. It is not known of a measure that the user names."""
        return "validation" if self.selection_measure in VALIDATION_MEASURES.values() else "test"


def analyze_table(
    table: pd.DataFrame,
    columns: Sequence[str] | None = None,
    margins: Margins = DEFAULT_MARGINS,
    measure: Measure | None = None,
    reading_notes: Sequence[str] = (),
    select: str = NUM_ERROR,
    facts: AnswerFacts | None = None,
    errors_by_example: pd.DataFrame | None = None,
) -> Answer:
    """Analyze a table with the columns of ``kdtune.columns``.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell. By default these are the columns that vary over the distilled students.
    margins : The differences that do not matter.
    measure : What T is chosen by, if the user names a measure; the table has it as ``SCORE``.
    reading_notes : How the table was understood, for whoever reads the answer.
    select : What T is chosen by otherwise: a key of ``VALIDATION_MEASURES``.
    facts : What the table says beside its rows, if it does.
    errors_by_example : The errors by example of its networks, one row per network, if they are known.

    Raises
    ------
    RequestError
        If the table has no distilled student with results, or lacks the measure that T is chosen by.
    """
    measure_column = choose_selection_measure(table, reading_notes, select)
    test_measure = find_test_measure(measure_column)
    cell_columns = find_cell_columns(table) if columns is None else list(columns)
    numbered_table, finite_data = find_finite_data(table, facts, errors_by_example)
    all_cells, matching_notes = split_into_cells(numbered_table, cell_columns, measure_column, finite_data)
    cells = [cell for cell in all_cells if cell.replicates]
    reserve = describe_incomplete_cells(table, cell_columns, all_cells, measure_column)
    reserve = reserve or describe_single_replicates(table, cell_columns, all_cells)
    if not cells:
        raise RequestError(reserve or describe_missing_cells(table, measure_column))
    with threadpool_limits(1):  # The matrix products are small: several threads would wait for each other.
        noises = estimate_cell_noises(cells, measure_column, cell_columns)
        groups = {i: group for group in group_cells(cells, cell_columns) for i in group}
        results = [
            analyze_cell(cell, measure_column, margins.error, noise, [cells[j] for j in groups[i][: MAX_ALIKE + 1]])
            for i, (cell, noise) in enumerate(zip(cells, noises, strict=True))
        ]
    curves = join_cell_curves(cells, [result.curves for result in results])
    if measure is not None:
        curves["errors"] *= measure.sign  # in the units of the measure, of which more may be better
    return Answer(
        t_opt=make_optima_frame(cells, results),
        test=make_test_frame(cells, results),
        selected_test=make_selected_test_frame(cells, results),
        curves=curves,
        fixed=estimate_fixed_temperature_costs(cells, curves, measure_column, test_measure),
        cells=cells,
        cell_columns=cell_columns,
        selection_measure=measure_column,
        margins=margins,
        redraws=find_redraws(table, facts),
        cells_without_results=[cell.describe() for cell in all_cells if not cell.replicates],
        side_settings=find_side_settings(table, cell_columns),
        measure=measure,
        unfinished="" if facts is None else facts.describe_missing(),
        reserve=reserve,
        is_percent=are_percents(table, NUM_ERROR),
        influential_runs=[
            result.influential_run.change_sign(1 if measure is None else measure.sign)
            for result in results
            if result.influential_run is not None
        ],
        broken_runs=[
            run.change_sign(1 if measure is None else measure.sign)
            for cell in cells
            for run in find_broken_runs(cell, measure_column)
        ],
        reading_notes=list(reading_notes),
        matching_notes=[] if {NUM_ERROR, test_measure}.isdisjoint(table.columns) else matching_notes,
        datasets=sorted(map(str, table[DATASET].dropna().unique())) if DATASET in table.columns else [],
    )
