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

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.influential_runs import InfluentialRun, leave_out_run
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
USUAL_TEMPERATURES = (1.0, 4.0)  # what others take without a sweep: the first that was tried, and is not the best one


def answer_over_data(
    cells: Sequence[Cell],
    columns: Sequence[str],
    measure: str,
    test_measure: str,
    margin: float | None,
    optima: pd.DataFrame,
    influential_runs: Sequence[InfluentialRun] = (),
) -> list[StudentAnswer]:
    """Answer for each student over its data sets; a student whose cells have no temperature in common is left out.

    Parameters
    ----------
    cells, columns : The cells of a table, and the columns that name them.
    measure, test_measure : The measure that T is chosen by, and the one that is reported on the test split.
    margin : The excess over the best that does not matter, as a share; of ``SCORE`` in its own units.
    optima : The frame ``t_opt`` of the cells: their best temperatures, with those that are tied or good enough.
    influential_runs : The single runs that change the answer of a cell.
    """
    broken_runs = {run.setting: run for run in influential_runs if run.is_likely_broken}
    data_columns = set(select_data_columns(columns))
    student_columns = [name for name in columns if name not in data_columns]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cell in enumerate(cells):
        groups.setdefault(tuple(cell.settings[name] for name in student_columns), []).append(number)
    answers = []
    for key, numbers in groups.items():
        first_optimum = float(optima["T_opt"].iloc[numbers[0]])
        student = PooledStudent([cells[i] for i in numbers], measure, test_measure, first_optimum)
        if not student.temperatures:
            continue
        best_temperature = student.temperatures[student.best_index]
        rows = optima.iloc[numbers]
        own_bests = zip(numbers, rows["T_opt"], rows["tied"], strict=True)
        elsewhere = {number: float(T) for number, T, tied in own_bests if best_temperature not in tied}
        answer = _answer(student, dict(zip(student_columns, key, strict=True)), numbers, margin, elsewhere)
        answer = _adopt_cell(answer, rows.iloc[0]) if len(numbers) == 1 else answer
        answers.append(_look_behind_broken_runs(answer, student, broken_runs))
    return answers


def _look_behind_broken_runs(
    answer: StudentAnswer, student: PooledStudent, broken_runs: Mapping[str, InfluentialRun]
) -> StudentAnswer:
    """Return an answer with what it would be without runs that are likely broken, if these hide the best temperature.

    Parameters
    ----------
    answer, student : The answer for a student, and the student.
    broken_runs : The setting of a cell -> its run that is likely broken.
    """
    runs_of_cells = [broken_runs.get(cell.describe()) for cell in student.cells]
    runs = [run for run in runs_of_cells if run is not None]
    if not runs or answer.has_worse:
        return answer
    cells = [
        cell if run is None else leave_out_run(cell, student.measure, run)
        for cell, run in zip(student.cells, runs_of_cells, strict=True)
    ]
    optimum = float(cells[0].temperatures[find_lowest_mean(cells[0], student.measure)])
    rest = PooledStudent(cells, student.measure, student.test_measure, optimum)
    if not rest.temperatures:
        return answer
    without = _answer(rest, answer.settings, answer.cells, answer.margin, {})
    return replace(answer, broken_runs=runs, without_broken_runs=without) if without.has_worse else answer


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
