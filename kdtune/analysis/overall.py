"""Answer for each student over all data sets at once: which temperature to use, and what others cost.

A student is all settings that name a cell, but for those of the data. Its cells differ in their data alone. Their
errors are taken relative to the fewest of each cell, so that hard data do not outweigh easy ones, and compared over
all independent sets of cells together (``pooled_curves``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.broken_runs import BrokenRun, leave_out_runs
from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.influential_runs import InfluentialRun
from kdtune.analysis.left_out_values import leave_out_values
from kdtune.analysis.optimum import find_lowest_mean
from kdtune.analysis.pooled_student import PooledStudent, select_each
from kdtune.analysis.power import count_replicates
from kdtune.analysis.sampling_errors import estimate_selection_variance
from kdtune.analysis.student_answer import StudentAnswer, TestErrors
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.errors import RequestError
from kdtune.statistics.intervals import mean_over_replicates
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.pooled_curves import (
    MeanCurve,
    describe_set,
)
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL

TOLD_SHARE = 0.1  # of the errors: the difference for which replicates are counted
MIN_DIVERGED, DIVERGED_SHARE = 2, 0.25  # runs of a T that look broken, and their share, that make it unsafe
USUAL_TEMPERATURES = (1.0, 4.0)  # what others take without a sweep: the first that was tried, and is not the best one


def answer_over_data(
    cells: Sequence[Cell],
    columns: Sequence[str],
    measure: str,
    test_measure: str,
    margin: float | None,
    optima: pd.DataFrame,
    influential_runs: Sequence[InfluentialRun] = (),
    broken_runs: Sequence[BrokenRun] = (),
) -> list[StudentAnswer]:
    """Answer for each student over its data sets; a student whose cells have no temperature in common is left out.

    Parameters
    ----------
    cells, columns : The cells of a table, and the columns that name them.
    measure, test_measure : The measure that T is chosen by, and the one that is reported on the test split.
    margin : The excess over the best that does not matter, as a share; of ``SCORE`` in its own units.
    optima : The frame ``t_opt`` of the cells: their best temperatures, with those that are tied or good enough.
    influential_runs : The single runs that change the answer of a cell.
    broken_runs : All runs that look broken, from ``find_broken_runs``.
    """
    runs_by_setting = _group_broken_runs(influential_runs, broken_runs)
    data_columns = set(select_data_columns(columns))
    student_columns = [name for name in columns if name not in data_columns]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cell in enumerate(cells):
        groups.setdefault(tuple(cell.settings[name] for name in student_columns), []).append(number)
    answers = []
    for key, numbers in groups.items():
        first_optimum = float(optima["T_opt"].iloc[numbers[0]])
        student_cells, left_out_values = leave_out_values([cells[i] for i in numbers], measure, test_measure)
        student = PooledStudent(student_cells, measure, test_measure, first_optimum)
        if not student.temperatures:
            continue
        best_temperature = student.temperatures[student.best_index]
        rows = optima.iloc[numbers]
        own_bests = zip(numbers, rows["T_opt"], rows["tied"], strict=True)
        elsewhere = {number: float(T) for number, T, tied in own_bests if best_temperature not in tied}
        answer = _answer(student, dict(zip(student_columns, key, strict=True)), numbers, margin, elsewhere)
        answer = _adopt_cell(answer, rows.iloc[0]) if len(numbers) == 1 else answer
        answer = _look_behind_broken_runs(answer, student, runs_by_setting)
        answers.append(replace(answer, left_out_values=left_out_values))
    return answers


def _group_broken_runs(
    influential_runs: Sequence[InfluentialRun], broken_runs: Sequence[BrokenRun]
) -> dict[str, Sequence[BrokenRun]]:
    """Return the runs of each setting that are likely broken; a single one only where it changes the answer."""
    runs: dict[str, Sequence[BrokenRun]] = {run.setting: [run] for run in influential_runs if run.is_likely_broken}
    groups: dict[str, list[BrokenRun]] = {}
    for run in broken_runs:
        groups.setdefault(run.setting, []).append(run)
    return runs | {setting: group for setting, group in groups.items() if len(group) > 1}


def _look_behind_broken_runs(
    answer: StudentAnswer, student: PooledStudent, broken_runs: Mapping[str, Sequence[BrokenRun]]
) -> StudentAnswer:
    """Return an answer with what it would be without runs that are likely broken, if these hide the best temperature.

    They do where one T is clearly better without them and none with them, or where another one is the best.

    Parameters
    ----------
    answer, student : The answer for a student, and the student.
    broken_runs : The setting of a cell -> its runs that are likely broken.
    """
    runs_of_cells = [broken_runs.get(cell.describe(), []) for cell in student.cells]
    runs = [run for of_cell in runs_of_cells for run in of_cell]
    if not runs:
        return answer
    named_runs = runs if len(runs) > 1 else []
    answer = replace(answer, broken_runs=named_runs, diverged=_count_diverged(student, runs))
    found = [
        leave_out_runs(cell, student.measure, of_cell)
        for cell, of_cell in zip(student.cells, runs_of_cells, strict=True)
    ]
    cells = [cell for cell in found if cell is not None]
    if len(cells) < len(found):
        return answer
    optimum = float(cells[0].temperatures[find_lowest_mean(cells[0], student.measure)])
    rest = PooledStudent(cells, student.measure, student.test_measure, optimum)
    if not rest.temperatures:
        return answer
    without = _answer(rest, answer.settings, answer.cells, answer.margin, {})
    is_hidden = not answer.has_worse or (len(runs) > 1 and without.best_temperature not in answer.tied)
    if not without.has_worse or not is_hidden:
        return answer
    return replace(answer, broken_runs=runs, without_broken_runs=without)


def _count_diverged(student: PooledStudent, runs: Sequence[BrokenRun]) -> dict[float, tuple[int, int]]:
    """Return for each temperature at which several runs look broken how many do, and how many runs it has."""
    counts = {}
    for T in sorted({run.T for run in runs}):
        columns = [cell.student_measures[student.measure][:, cell.temperatures == T] for cell in student.cells]
        n_broken, n_runs = sum(run.T == T for run in runs), int(sum((~np.isnan(each)).sum() for each in columns))
        if n_broken >= MIN_DIVERGED and n_broken >= DIVERGED_SHARE * n_runs:
            counts[T] = (n_broken, n_runs)
    return counts


def _adopt_cell(answer: StudentAnswer, optimum: pd.Series) -> StudentAnswer:
    """Return the answer of a student with one cell as the table of the cells has it, whose noise is known better.

    There the noise is shared with other cells, and of equal means the lower validation nll decides.
    """
    is_tied = np.isin(answer.temperatures, optimum["tied"])
    return replace(
        answer,
        comparison=replace(answer.comparison, is_tied=is_tied),
        has_worse=answer.has_worse and not is_tied.all(),
        good_enough=list(optimum["good_enough"]),
        better_elsewhere={},
    )


def _answer(
    student: PooledStudent,
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
        run_counts=student.count_runs(),
    )


def _has_worse(curve: MeanCurve) -> bool:
    """Return whether any temperature is worse than the best.

    Each truly best temperature is tied with a probability of 95 %, but if all k were equal some would not be in more
    than 5 % of tables. So the level is Bonferroni's: 1 - 0.05 / k for each.
    """
    if curve.compare().is_tied.all():
        return False
    return not curve.compare(1 - (1 - CONFIDENCE_LEVEL) / len(curve.means)).is_tied.all()


def _count_failures(student: PooledStudent) -> dict[float, tuple[int, int]]:
    """Return the numbers of failed runs and of all at each temperature, over all cells."""
    counts: dict[float, tuple[int, int]] = {}
    for cell in student.cells:
        for T, failed, planned in zip(cell.temperatures, cell.failed_runs, cell.planned_runs, strict=False):
            before = counts.get(float(T), (0, 0))
            counts[float(T)] = (before[0] + int(failed), before[1] + int(planned))
    return counts


def _count_replicates_to_tell(student: PooledStudent) -> int | None:
    """Return how many replicates tell a difference of ``TOLD_SHARE`` apart in a student's only cell."""
    cells = student.cells
    if len(cells) > 1 or not student.is_relative or student.curve.dof <= 0:
        return None
    if estimate_selection_variance(cells[0], student.measure) > 0:  # More replicates on the same examples may not tell.
        return None
    try:
        count = count_replicates(cells, student.measure, [TOLD_SHARE])["to_tell"].iloc[0]
    except RequestError:  # Its noise cannot be estimated.
        return None
    return None if pd.isna(count) else int(count)


def _average_test(student: PooledStudent) -> TestErrors:
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
            means.append(mean_over_replicates(select_each(values, indices)))
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
