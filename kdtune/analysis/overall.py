"""Answer for each student over all data sets at once: which temperature to use, and what others cost.

A student is all settings that name a cell, but for those of the data. Its cells differ in their data alone. Their
errors are taken relative to the fewest of each cell, so that hard data do not outweigh easy ones, and compared over
all independent sets of cells together (``pooled_curves``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.power import count_replicates
from kdtune.analysis.usable_cells import number_independent_sets
from kdtune.columns import ACCURACY, NUM_ERROR, SCORE
from kdtune.errors import RequestError
from kdtune.statistics.intervals import mean_over_replicates
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.pooled_curves import (
    MeanCurve,
    MeanDifference,
    average_over_replicates,
    choose_without_each,
    compare_with_reference,
    describe_set,
)
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array

TOLD_SHARE = 0.1  # of the errors: the difference for which replicates are counted
USUAL_TEMPERATURES = (1.0, 4.0)  # what others take without a sweep: the first that was tried, and is not the best one


@dataclass(frozen=True)
class TestErrors:
    """Mean errors on the test split, or another measure there, over the cells of a student; NaN where unknown."""

    student: float  # at the T that is chosen on the other replicates; where there is none, at the recommended T
    baseline: float
    teacher: float
    n_test: int | None  # the number of examples; None if it is unknown, or differs between the cells


@dataclass(frozen=True)
class StudentAnswer:
    """The answer for one student over its data sets."""

    settings: dict[str, Any]  # the columns that name the student, with their values
    cells: list[int]  # the numbers of its cells
    temperatures: Array  # (k,): those that all of its cells have, ascending
    left_out: list[float]  # the temperatures that only some of its cells have
    best_index: int  # the index of the temperature with the lowest mean
    curve: MeanCurve  # relative to the fewest errors of each cell, over these very data sets
    comparison: Comparison  # for these very data sets, with the lowest mean as 1
    comparison_like: Comparison | None  # for data sets like these; None with one independent data set
    has_worse: bool  # whether some T is shown to be worse than the best: if all were equal, in 5 % of tables at most
    good_enough: list[float]  # within the margin of the best in the mean over these data sets, with 95 % confidence
    good_enough_like: list[float]  # the same for data sets like these
    margin: float | None  # the excess over the best that does not matter
    data_sets: int  # the number of independent sets of cells
    replicates: int  # of the set with the fewest
    usual_temperature: (
        float | None
    )  # one that many take without a sweep, and that is not the best; None if none was tried
    minus_usual: MeanDifference | None  # errors at the usual T above those at the chosen T, as a share of the latter
    minus_baseline: MeanDifference | None  # errors at the chosen T above the baseline's, as a share of the latter
    test: TestErrors
    failures: dict[float, tuple[int, int]]  # the temperatures of which runs failed -> the failed runs, and all
    replicates_to_tell: int | None  # with which a T of a tenth more errors is told apart, where none is yet
    better_elsewhere: dict[int, float]  # the cells in which another T is significantly better than the best -> that T

    @property
    def best_temperature(self) -> float:
        """The recommended temperature."""
        return float(self.temperatures[self.best_index])

    @property
    def tied(self) -> list[float]:
        """The temperatures that are statistically tied with the best in the main comparison."""
        return [float(T) for T in self.temperatures[self.main_comparison.is_tied]]

    @property
    def tied_like(self) -> list[float]:
        """The same for data sets like these; empty with one independent data set."""
        if self.comparison_like is None:
            return []
        return [float(T) for T in self.temperatures[self.comparison_like.is_tied]]

    @property
    def main_comparison(self) -> Comparison:
        """The comparison that advice rests on: for these data sets or, if each has one run, for data sets like them."""
        if self.comparison_like is None or self.curve.dof > 0:
            return self.comparison
        return self.comparison_like

    @property
    def has_noise(self) -> bool:
        """Whether anything is known of the noise: otherwise no temperature can be told from another."""
        return self.curve.dof > 0 or self.comparison_like is not None


def answer_over_data(
    cells: Sequence[Cell],
    columns: Sequence[str],
    measure: str,
    test_measure: str,
    margin: float | None,
    optima: pd.DataFrame,
) -> list[StudentAnswer]:
    """Answer for each student over its data sets; a student whose cells have no temperature in common is left out.

    Parameters
    ----------
    cells, columns : The cells of a table, and the columns that name them.
    measure, test_measure : The measure that T is chosen by, and the one that is reported on the test split.
    margin : The excess over the best that does not matter, as a share; of ``SCORE`` in its own units.
    optima : The frame ``t_opt`` of the cells: their best temperatures, with those that are tied or good enough.
    """
    data_columns = set(select_data_columns(columns))
    student_columns = [name for name in columns if name not in data_columns]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cell in enumerate(cells):
        groups.setdefault(tuple(cell.settings[name] for name in student_columns), []).append(number)
    answers = []
    for key, numbers in groups.items():
        student = _Student([cells[i] for i in numbers], measure, test_measure)
        if not student.temperatures:
            continue
        best_temperature = student.temperatures[student.best_index]
        rows = optima.iloc[numbers]
        own_bests = zip(numbers, rows["T_opt"], rows["tied"], strict=True)
        elsewhere = {number: float(T) for number, T, tied in own_bests if best_temperature not in tied}
        answer = _answer(student, dict(zip(student_columns, key, strict=True)), numbers, margin, elsewhere)
        answers.append(_adopt_cell(answer, rows.iloc[0]) if len(numbers) == 1 else answer)
    return answers


def _adopt_cell(answer: StudentAnswer, optimum: pd.Series) -> StudentAnswer:
    """Return the answer of a student with one cell as the table of the cells has it, whose noise is known better.

    There the noise is shared with other cells, and of equal means the lower validation nll decides.
    """
    temperatures = answer.temperatures.tolist()
    return replace(
        answer,
        best_index=temperatures.index(optimum["T_opt"]),
        comparison=replace(answer.comparison, is_tied=np.isin(answer.temperatures, optimum["tied"])),
        good_enough=list(optimum["good_enough"]),
        better_elsewhere={},
    )


class _DataSet:
    """The cells of one student in one independent set: they share data, so their replicates are averaged first."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.replicates = [name for name in cells[0].replicates if all(name in cell.replicates for cell in cells)]

    def average(self, read: Callable[[Cell], Array]) -> Array:
        """Return the mean over the cells of what is read of each, (R, ...), by replicate."""
        if len(self.cells) == 1:
            return read(self.cells[0])
        rows = [[cell.replicates.index(name) for name in self.replicates] for cell in self.cells]
        mean: Array = np.mean([read(cell)[index] for cell, index in zip(self.cells, rows, strict=True)], axis=0)
        return mean


class _Student:
    """The cells of one student with their errors relative to the fewest of each cell, by independent set."""

    def __init__(self, cells: Sequence[Cell], measure: str, test_measure: str) -> None:
        self.cells = cells
        self.measure = measure
        self.test_measure = test_measure
        self.is_relative = measure != SCORE
        self.is_paired = all(cell.is_paired for cell in cells)
        tried = sorted({float(T) for cell in cells for T in cell.temperatures})
        self.temperatures = [T for T in tried if all(T in cell.temperatures for cell in cells)]
        self.left_out = [T for T in tried if T not in self.temperatures]
        if not self.temperatures:
            return
        self.data_sets = _group_data_sets(cells)
        self.values = [each.average(lambda cell: self.read(cell, measure)) for each in self.data_sets]
        self.set_curves = [
            describe_set(self._restore_holes(values, each), self.is_paired)
            for values, each in zip(self.values, self.data_sets, strict=True)
        ]
        self.curve = average_over_replicates(self.set_curves)
        self.best_index = int(self.curve.means.argmin())
        # A measure of the user's own may not be there on the test split; cross-fitted, the other split is honest, too.
        has_test = all(test_measure in cell.student_measures for cell in cells)
        self.reported = test_measure if has_test and self.is_relative else measure
        self.choices = self._choose()
        self.chosen_values = [
            _select(each.average(lambda cell: self.read(cell, self.reported)), indices)
            for each, indices in zip(self.data_sets, self.choices, strict=True)
        ]

    def read(self, cell: Cell, measure: str) -> Array:
        """Return a measure (R, k) of a cell at the common temperatures, as a share of the lowest mean among them."""
        columns = np.searchsorted(cell.temperatures, self.temperatures)
        return np.asarray(cell.fill_holes(measure)[:, columns] / self.find_unit(cell, measure))

    def _restore_holes(self, values: Array, data_set: _DataSet) -> Array:
        """Return values (R, k) of a data set with NaN where its only cell has no run: a filled hole is no evidence."""
        if len(data_set.cells) > 1:
            return values
        columns = np.searchsorted(data_set.cells[0].temperatures, self.temperatures)
        return np.where(np.isnan(data_set.cells[0].student_measures[self.measure][:, columns]), np.nan, values)

    def find_unit(self, cell: Cell, measure: str) -> float:
        """Return the lowest mean of a measure of a cell, but at least 1 of errors, which may be none; 1 of a score."""
        if not self.is_relative:
            return 1.0
        columns = np.searchsorted(cell.temperatures, self.temperatures)
        lowest = float(np.nanmin(cell.compute_means(measure)[columns]))
        return max(lowest, 1.0) if measure.endswith(NUM_ERROR) else lowest or 1.0

    def compare_with_usual(self, usual: float) -> MeanDifference:
        """Compare the chosen temperature with a usual one, as what the usual one costs."""
        index = self.temperatures.index(usual)
        values = [each.average(lambda cell: self.read(cell, self.reported))[:, index] for each in self.data_sets]
        return compare_with_reference(
            list(zip(values, self.chosen_values, strict=True)), self.is_relative, self.is_paired
        )

    def compare_with_baseline(self) -> MeanDifference | None:
        """Compare the chosen temperature with the baselines, as what distillation adds; None without baselines."""

        def read_baseline(cell: Cell) -> Array:
            return np.asarray(cell.baseline_measures[self.reported] / self.find_unit(cell, self.reported))

        if any(self.reported not in cell.baseline_measures for cell in self.cells):
            return None
        baselines = [each.average(read_baseline) for each in self.data_sets]
        if all(np.isnan(values).all() for values in baselines):
            return None
        return compare_with_reference(
            list(zip(self.chosen_values, baselines, strict=True)), self.is_relative, self.is_paired
        )

    def _choose(self) -> list[Any]:
        """Return for each replicate the index of the T that all others choose; of unpaired runs the best of all."""
        choices = choose_without_each(self.values) if self.is_paired else [np.full(len(v), -1) for v in self.values]
        return [np.where(indices < 0, self.best_index, indices) for indices in choices]


def _group_data_sets(cells: Sequence[Cell]) -> list[_DataSet]:
    """Return the independent sets of cells; cells without a replicate in common are taken as sets of their own."""
    members: dict[int, list[Cell]] = {}
    for number, cell in zip(number_independent_sets(cells), cells, strict=True):
        members.setdefault(number, []).append(cell)
    data_sets = []
    for group in members.values():
        joined = _DataSet(group)
        data_sets += [joined] if joined.replicates else [_DataSet([cell]) for cell in group]
    return data_sets


def _select(values: Array, indices: Any) -> Array:
    """Return of each replicate (R, k) the value at its index (R,)."""
    return np.asarray(values[np.arange(len(values)), indices])


def _answer(
    student: _Student,
    settings: dict[str, Any],
    numbers: list[int],
    margin: float | None,
    elsewhere: dict[int, float],
) -> StudentAnswer:
    """Put together the answer for one student."""
    T, best = np.array(student.temperatures), student.best_index
    unit = student.curve.means[best] if student.is_relative else 1.0

    def select_good_enough(comparison: Comparison | None) -> list[float]:
        if comparison is None or margin is None or len(T) == 1:
            return []
        return [float(value) for value in T[comparison.upper_bounds <= margin * unit]]

    comparison, comparison_like, curve_like = student.curve.compare(), None, None
    if len(student.data_sets) > 1:
        curve_like = describe_set(np.array([curve.means for curve in student.set_curves]))
        comparison_like = curve_like.compare()
    main = student.curve if student.curve.dof > 0 or curve_like is None else curve_like
    has_worse = _has_worse(main)
    usual = next((value for value in USUAL_TEMPERATURES if value in T and value != T[best]), None)
    return StudentAnswer(
        settings=settings,
        cells=numbers,
        temperatures=T,
        left_out=student.left_out,
        best_index=best,
        curve=student.curve,
        comparison=comparison,
        comparison_like=comparison_like,
        has_worse=has_worse,
        good_enough=select_good_enough(comparison if student.curve.dof > 0 else comparison_like),
        good_enough_like=select_good_enough(comparison_like),
        margin=margin,
        data_sets=len(student.data_sets),
        replicates=min(len(values) for values in student.values),
        usual_temperature=usual,
        minus_usual=None if usual is None else student.compare_with_usual(usual),
        minus_baseline=student.compare_with_baseline(),
        test=_average_test(student),
        failures=_count_failures(student),
        replicates_to_tell=None if has_worse else _count_replicates_to_tell(student),
        better_elsewhere=elsewhere,
    )


def _has_worse(curve: MeanCurve) -> bool:
    """Return whether any temperature is worse than the best.

    Each truly best temperature is tied with a probability of 95 %, but if all k were equal some would not be in more
    than 5 % of tables. So the level is Bonferroni's: 1 - 0.05 / k for each.
    """
    if curve.compare().is_tied.all():
        return False
    return not curve.compare(1 - (1 - CONFIDENCE_LEVEL) / len(curve.means)).is_tied.all()


def _count_failures(student: _Student) -> dict[float, tuple[int, int]]:
    """Return the temperatures of which runs failed, with the numbers of failed runs and of all, over all cells."""
    counts: dict[float, tuple[int, int]] = {}
    for cell in student.cells:
        for T, failed, planned in zip(cell.temperatures, cell.failed_runs, cell.planned_runs, strict=False):
            before = counts.get(float(T), (0, 0))
            counts[float(T)] = (before[0] + int(failed), before[1] + int(planned))
    return {T: count for T, count in counts.items() if count[0]}


def _count_replicates_to_tell(student: _Student) -> int | None:
    """Return how many replicates tell a difference of ``TOLD_SHARE`` apart in a student's only cell."""
    cells = student.cells
    if len(cells) > 1 or not student.is_relative or student.curve.dof <= 0:
        return None
    try:
        count = count_replicates(cells, student.measure, [TOLD_SHARE])["to_tell"].iloc[0]
    except RequestError:  # Its noise cannot be estimated.
        return None
    return None if pd.isna(count) else int(count)


def _average_test(student: _Student) -> TestErrors:
    """Average the results on the test split over the cells of a student."""
    measure = student.test_measure
    if any(measure not in cell.student_measures for cell in student.cells):
        return TestErrors(math.nan, math.nan, math.nan, None)
    means = []
    for data_set, indices in zip(student.data_sets, student.choices, strict=True):
        for cell in data_set.cells:
            columns = np.searchsorted(cell.temperatures, student.temperatures)
            values = cell.fill_holes(measure)[:, columns]
            if len(data_set.cells) > 1:
                values = values[[cell.replicates.index(name) for name in data_set.replicates]]
            means.append(mean_over_replicates(_select(values, indices)))
    others = [
        np.mean([mean_over_replicates(measures[measure]) for measures in group])
        for group in ([c.baseline_measures for c in student.cells], [c.teacher_measures for c in student.cells])
    ]
    return TestErrors(float(np.mean(means)), float(others[0]), float(others[1]), _count_examples(student.cells))


def _count_examples(cells: Sequence[Cell]) -> int | None:
    """Return the number of test examples of all cells, from errors and accuracies; None if it is not known or one."""
    counts = set()
    for cell in cells:
        if ACCURACY not in cell.student_measures or NUM_ERROR not in cell.student_measures:
            return None
        errors, accuracy = cell.student_measures[NUM_ERROR], cell.student_measures[ACCURACY]
        is_known = (errors > 0) & (accuracy < 1)
        shares = 1 - accuracy[is_known]
        if not is_known.any():
            return None
        counts.add(int(np.median(errors[is_known] / shares).round()))
    return counts.pop() if len(counts) == 1 else None
