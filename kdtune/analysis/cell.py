"""A cell: the distilled students that differ only in T and replicate, as arrays of replicates by temperatures."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kdtune.analysis.cells import format_setting
from kdtune.analysis.finite_sets import FiniteSet
from kdtune.statistics.additive_fit import fit_additive, select_connected
from kdtune.statistics.one_way_layout import Integers, OneWayLayout, compute_column_means, describe_one_way_layout
from kdtune.statistics.standard_errors import Array


@dataclass(frozen=True)
class Cell:
    """The distilled students that differ only in T and replicate, with the networks that they are compared with.

    A paired run that is missing is NaN (``fill_holes``). Every replicate and every temperature has one or more runs
    with the measure that T is chosen by, and they are connected: one can be compared with another, if only by way of
    others.

    Where runs are unpaired a row of ``student_measures`` means nothing: the column of a temperature holds its runs,
    sorted, and NaN in the rows that it has no runs for. ``baseline_measures`` and ``teacher_measures`` then hold all
    networks that the cell is compared with, in no relation to the rows of students.
    """

    settings: dict[str, Any]  # the columns that name the cell, with their values
    temperatures: Array  # (k,), ascending
    replicates: list[Any]  # (R,): the names of the replicates; of unpaired runs the numbers of the rows
    student_measures: dict[str, Array]  # measure name -> array (replicates, temperatures), NaN where a run is missing
    baseline_measures: dict[str, Array]  # measure name -> array (replicates,), NaN where there is no baseline
    teacher_measures: dict[str, Array]  # measure name -> array (replicates,), NaN where there is no teacher
    left_out: list[str] = field(
        default_factory=list
    )  # the runs, temperatures and replicates that are missing, in words
    failed_runs: Integers = field(default_factory=lambda: np.zeros(0, int))  # (k,): the runs of each T without a result
    planned_runs: Integers = field(default_factory=lambda: np.zeros(0, int))  # (k,): all runs of each T in the table
    data_seeds: frozenset[Any] = frozenset()  # the seeds of its students' data; empty if the table does not have them
    is_paired: bool = True  # whether each replicate has a run of each temperature
    finite_set: FiniteSet | None = None  # what replicates have in common because their data set exists once

    @property
    def temperatures_left_out(self) -> list[str]:
        """The temperatures that are not compared, because too many of their runs are missing, in words."""
        return [text.removeprefix("T ") for text in self.left_out if text.startswith("T ")]

    def describe(self) -> str:
        """Write the settings of the cell, as in "class_sep 0.2, width 50"."""
        return format_setting(list(self.settings), list(self.settings.values()))

    def compute_means(self, measure: str) -> Array:
        """Compute the mean (k,) of a measure at each T, where runs are missing that of ``fill_holes``.

        It is NaN where all runs of a T lack it.
        """
        return compute_column_means(self.fill_holes(measure))

    def fill_holes(self, measure: str) -> Array:
        """Return a measure (R, k) with missing runs filled by the additive fit of replicates and temperatures.

        Replicates and temperatures without any value stay NaN, and so do all values of unpaired runs.
        """
        values = self.student_measures[measure]
        if not self.is_paired or not np.isnan(values).any():
            return values
        if measure not in self._filled_measures:
            filled = np.full_like(values, np.nan)
            replicates, temperatures = select_connected(~np.isnan(values))
            if replicates:
                entries = np.ix_(replicates, temperatures)
                filled[entries] = fit_additive(values[entries]).filled
            self._filled_measures[measure] = filled
        return self._filled_measures[measure]

    def describe_layout(self, measure: str) -> OneWayLayout:
        """Return the one-way layout of a measure that unpaired runs have at each T. It is computed once."""
        if measure not in self._layouts:
            self._layouts[measure] = describe_one_way_layout(self.student_measures[measure])
        return self._layouts[measure]

    @cached_property
    def _filled_measures(self) -> dict[str, Array]:
        return {}

    @cached_property
    def _layouts(self) -> dict[str, OneWayLayout]:
        return {}
