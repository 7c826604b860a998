"""The answer for one student over all of its data sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kdtune.analysis.broken_runs import BrokenRun
from kdtune.analysis.left_out_values import LeftOutValues
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.pooled_curves import (
    MeanCurve,
    MeanDifference,
)
from kdtune.statistics.standard_errors import Array


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
    failures: dict[float, tuple[int, int]]  # each temperature -> its failed runs, and all
    replicates_to_tell: int | None  # with which a T of a tenth more errors is told apart, where none is yet
    better_elsewhere: dict[int, float]  # the cells in which another T is significantly better than the best -> that T
    run_counts: list[int] = field(default_factory=list)  # (k,): the runs of each temperature, in the cell with fewest
    diverged: dict[float, tuple[int, int]] = field(default_factory=dict)  # T -> its runs that look broken, and all
    left_out_values: LeftOutValues = field(default_factory=LeftOutValues)  # that look broken, of baselines and on test
    broken_runs: list[BrokenRun] = field(default_factory=list)  # runs so far off that they hide the best T
    without_broken_runs: StudentAnswer | None = None  # the answer that leaves them out; None where nothing is hidden

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
    def fewest_runs(self) -> int:
        """The number of runs of the temperature that has the fewest."""
        return min([*self.run_counts, self.replicates])

    @property
    def has_holes(self) -> bool:
        """Whether some temperature lacks runs that others have, so that a comparison rests on fewer replicates."""
        return self.fewest_runs < max([*self.run_counts, 0])

    @property
    def has_noise(self) -> bool:
        """Whether anything is known of the noise: otherwise no temperature can be told from another."""
        return self.curve.dof > 0 or self.comparison_like is not None
