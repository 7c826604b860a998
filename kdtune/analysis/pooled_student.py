"""The cells of one student, pooled over its data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.sampling_errors import (
    BASELINE_KIND,
    add_variance,
    estimate_sampling_errors,
    estimate_selection_variance,
)
from kdtune.analysis.usable_cells import number_independent_sets
from kdtune.columns import NUM_ERROR, SCORE
from kdtune.statistics.cross_fitting import choose_without_each, compute_pseudo_values
from kdtune.statistics.intervals import NO_COVARIANCE
from kdtune.statistics.one_way_layout import count_values
from kdtune.statistics.pooled_curves import (
    ComparedValues,
    MeanCurve,
    MeanDifference,
    average_over_replicates,
    compare_with_reference,
    describe_set,
)
from kdtune.statistics.standard_errors import Array

MAX_LEFT_OUT = (
    5000  # replicates of all data sets: the jackknife of more would take minutes, so intervals are plain ones
)
MIN_SEEN = (
    0.8  # of the cells of a data set must have a run, or their mean is no evidence: what is filled in has no noise
)
USUAL_KIND, CHOSEN_KIND = "at a usual T", "chosen"  # what the sampling errors call a student at these temperatures


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


class PooledStudent:
    """The cells of one student with their errors relative to the fewest of each cell, by independent set."""

    def __init__(self, cells: Sequence[Cell], measure: str, test_measure: str, optimum: float) -> None:
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
            self._add_selection(describe_set(self._restore_holes(values, each), self.is_paired), each)
            for values, each in zip(self.values, self.data_sets, strict=True)
        ]
        self.curve = average_over_replicates(self.set_curves)
        self.best_index = int(self.curve.means.argmin())
        if len(cells) == 1 and optimum in self.temperatures:  # Of equal means the validation nll decides.
            self.best_index = self.temperatures.index(optimum)
        # A measure of the user's own may not be there on the test split; cross-fitted, the other split is honest, too.
        has_test = all(test_measure in cell.student_measures for cell in cells)
        self.reported = test_measure if has_test and self.is_relative else measure
        self.choices = self._choose()
        results = [each.average(lambda cell: self.read(cell, self.reported)) for each in self.data_sets]
        self.is_seen = [each.average(self._find_runs) >= MIN_SEEN for each in self.data_sets]
        plain_values = [
            np.where(select_each(is_seen, indices), select_each(values, indices), np.nan)
            for values, is_seen, indices in zip(results, self.is_seen, self.choices, strict=True)
        ]
        self.chosen_values = [plain_values]  # in one way or two, of which the wider interval holds
        if self.is_paired and sum(map(len, results)) <= MAX_LEFT_OUT:
            pseudo_values = compute_pseudo_values(self.values, results, self.best_index)
            self.chosen_values.append(
                [_leave_holes(values, plain) for values, plain in zip(pseudo_values, plain_values, strict=True)]
            )

    def read(self, cell: Cell, measure: str) -> Array:
        """Return a measure (R, k) of a cell at the common temperatures, as a share of the lowest mean among them."""
        columns = np.searchsorted(cell.temperatures, self.temperatures)
        return np.asarray(cell.fill_holes(measure)[:, columns] / self.find_unit(cell, measure))

    def count_runs(self) -> list[int]:
        """Count the runs of each temperature with the measure that T is chosen by, in the cell that has the fewest."""
        columns = [np.searchsorted(cell.temperatures, self.temperatures) for cell in self.cells]
        counts = [
            count_values(cell.student_measures[self.measure][:, each])
            for cell, each in zip(self.cells, columns, strict=True)
        ]
        return [int(count) for count in np.min(counts, axis=0)]

    def _find_runs(self, cell: Cell) -> Array:
        """Return 1 where a cell has a run with the reported measure and 0 where it has none, (R, k)."""
        columns = np.searchsorted(cell.temperatures, self.temperatures)
        return np.asarray(~np.isnan(cell.student_measures[self.reported][:, columns]), np.float64)

    def _restore_holes(self, values: Array, data_set: _DataSet) -> Array:
        """Return values (R, k) of a data set with NaN where its only cell has no run: a filled hole is no evidence."""
        if len(data_set.cells) > 1:
            return values
        columns = np.searchsorted(data_set.cells[0].temperatures, self.temperatures)
        return np.where(np.isnan(data_set.cells[0].student_measures[self.measure][:, columns]), np.nan, values)

    def _add_selection(self, curve: MeanCurve, data_set: _DataSet) -> MeanCurve:
        """Return the curve of a data set with the sampling of its examples, where all replicates share them."""
        variances = [
            estimate_selection_variance(cell, self.measure) / self.find_unit(cell, self.measure) ** 2
            for cell in data_set.cells
        ]
        return replace(curve, covariance=add_variance(curve.covariance, float(np.mean(variances))))

    def find_unit(self, cell: Cell, measure: str) -> float:
        """Return the lowest mean of a measure of a cell, but at least 1 of errors, which may be none; 1 of a score."""
        if not self.is_relative:
            return 1.0
        columns = np.searchsorted(cell.temperatures, self.temperatures)
        means = cell.compute_means(measure)[columns]
        if np.isnan(means).all():  # No run has this measure.
            return 1.0
        lowest = float(np.nanmin(means))
        return max(lowest, 1.0) if measure.endswith(NUM_ERROR) else lowest or 1.0

    def compare_with_usual(self, usual: float) -> MeanDifference:
        """Compare the chosen temperature with a usual one, as what the usual one costs."""
        index = self.temperatures.index(usual)
        results = [each.average(lambda cell: self.read(cell, self.reported))[:, index] for each in self.data_sets]
        values = [np.where(seen[:, index], each, np.nan) for each, seen in zip(results, self.is_seen, strict=True)]
        finite = [self._describe_finite_data(n, (USUAL_KIND, CHOSEN_KIND), index) for n in range(len(values))]
        return self._compare(
            [
                [ComparedValues(*each) for each in zip(values, chosen, *zip(*finite, strict=True), strict=True)]
                for chosen in self.chosen_values
            ]
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
        finite = [self._describe_finite_data(n, (CHOSEN_KIND, BASELINE_KIND)) for n in range(len(baselines))]
        return self._compare(
            [
                [ComparedValues(*each) for each in zip(chosen, baselines, *zip(*finite, strict=True), strict=True)]
                for chosen in self.chosen_values
            ]
        )

    def _compare(self, ways: Sequence[Sequence[ComparedValues]]) -> MeanDifference:
        """Compare the values of each data set in one way or two, of which the wider interval holds."""
        first, *others = (compare_with_reference(sets, self.is_relative, self.is_paired) for sets in ways)
        for other in others:
            first = replace(first, low=min(first.low, other.low), high=max(first.high, other.high))
        return first

    def _describe_finite_data(
        self, number: int, kinds: tuple[str, str], usual_index: int | None = None
    ) -> tuple[float, Array]:
        """Return what replicates of a data set share: the overlap of its cuts, and the covariance of two means.

        The covariance (2, 2) comes from test examples that all replicates share. That of several cells is their mean,
        as if all of them were tested on the same examples.
        """
        overlaps, covariances = [], []
        for cell in self.data_sets[number].cells:
            if cell.finite_set is None:
                continue
            columns = np.searchsorted(cell.temperatures, self.temperatures)
            indices: dict[str, Any] = {CHOSEN_KIND: columns[self.choices[number]]}
            if usual_index is not None:
                indices[USUAL_KIND] = int(columns[usual_index])
            overlaps.append(cell.finite_set.overlap)
            if len(self.choices[number]) == len(cell.replicates) and self.is_paired:
                sampling = estimate_sampling_errors(cell, self.reported, indices)
                covariances.append(sampling.of_pair(*kinds) / self.find_unit(cell, self.reported) ** 2)
        return max(overlaps, default=0.0), np.mean(covariances, axis=0) if covariances else NO_COVARIANCE

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


def _leave_holes(pseudo_values: Array, values: Array) -> Array:
    """Return pseudo-values (R,) with the mean of the values that are known, and NaN where these are."""
    is_known = ~np.isnan(values)
    if is_known.all() or not is_known.any():
        return np.where(is_known, pseudo_values, np.nan)
    return np.where(is_known, pseudo_values + values[is_known].mean() - pseudo_values[is_known].mean(), np.nan)


def select_each(values: Any, indices: Any) -> Array:
    """Return of each replicate (R, k) the value at its index (R,)."""
    return np.asarray(values[np.arange(len(values)), indices])
