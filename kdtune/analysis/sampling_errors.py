"""Estimate for the networks of a cell how their errors would change on other test examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.analysis.cell import Cell
from kdtune.columns import ACCURACY, ERRORS_ROW, NUM_ERROR, SCORE, VAL_NUM_ERROR, VALIDATION_MEASURES
from kdtune.statistics.example_errors import estimate_sampling_covariance
from kdtune.statistics.intervals import NO_COVARIANCE
from kdtune.statistics.standard_errors import Array

BASELINE_KIND = "baseline"
TEACHER_KIND = "teacher"


@dataclass(frozen=True)
class SamplingErrors:
    """The covariances of mean errors that come from the sampling of test examples which all replicates share.

    Attributes
    ----------
    covariances : a pair of kinds of networks -> the covariance of their means. It has those that are known.
    """

    covariances: Mapping[tuple[str, str], float]

    @property
    def is_known(self) -> bool:
        """Whether anything is known."""
        return bool(self.covariances)

    def of_mean(self, kind: str) -> float:
        """Return the variance of a mean; 0 if it is not known."""
        return max(0.0, self._get(kind, kind))

    def of_difference(self, minuend: str, subtrahend: str) -> float:
        """Return the variance of a difference of means; 0 if it is not known."""
        if not {(minuend, minuend), (subtrahend, subtrahend)} <= self.covariances.keys():
            return 0.0
        variances = self._get(minuend, minuend) + self._get(subtrahend, subtrahend)
        return max(0.0, variances - 2 * self._get(minuend, subtrahend))

    def of_pair(self, first: str, second: str) -> Array:
        """Return the covariance (2, 2) of two means; 0 if it is not known."""
        if not {(first, first), (second, second)} <= self.covariances.keys():
            return NO_COVARIANCE
        return np.array([[self._get(a, b) for b in (first, second)] for a in (first, second)])

    def of_gap(self, student: str) -> Array:
        """Return the covariance (2, 2) of baseline minus student and baseline minus teacher; 0 if it is not known."""
        kinds = (student, BASELINE_KIND, TEACHER_KIND)
        if not all((kind, kind) in self.covariances for kind in kinds):
            return NO_COVARIANCE
        covariance = np.array([[self._get(a, b) for b in kinds] for a in kinds])
        contrasts = np.array([[-1.0, 1, 0], [0, 1, -1]])
        values, vectors = np.linalg.eigh(contrasts @ covariance @ contrasts.T)
        return np.asarray((vectors * np.maximum(0, values)) @ vectors.T)  # Estimates may be a little below 0.

    def _get(self, a: str, b: str) -> float:
        return self.covariances.get((a, b), 0.0)


def estimate_sampling_errors(
    cell: Cell, measure: str, temperature_indices: Mapping[str, int | npt.NDArray[np.integer[Any]]]
) -> SamplingErrors:
    """Estimate the covariances of the mean errors of students, baselines and teachers over the test examples.

    Nothing is known of other measures than errors and accuracies, of unpaired runs, where replicates have test examples
    of their own, and where errors by example were not kept.

    Parameters
    ----------
    cell : The cell.
    measure : The measure on the test split, which says the unit.
    temperature_indices : The name of a kind of students -> the index of its temperature, or one for each replicate.
    """
    finite_set = cell.finite_set
    if finite_set is None or not has_errors_by_example(cell) or measure not in (NUM_ERROR, ACCURACY):
        return SamplingErrors({})
    replicates = np.arange(len(cell.replicates))
    runs = {
        kind: [cell.student_measures[name][replicates, indices] for name in (ERRORS_ROW, NUM_ERROR)]
        for kind, indices in temperature_indices.items()
    }
    for kind, measures in ((BASELINE_KIND, cell.baseline_measures), (TEACHER_KIND, cell.teacher_measures)):
        runs[kind] = [measures[name] for name in (ERRORS_ROW, NUM_ERROR)]
    errors = {kind: finite_set.read_errors(rows, counts) for kind, (rows, counts) in runs.items()}
    kinds = [kind for kind, (_, is_known) in errors.items() if is_known.sum() > 1]
    if not kinds:
        return SamplingErrors({})
    is_complete = np.logical_and.reduce([errors[kind][1] for kind in kinds])
    if is_complete.sum() < 2:
        return SamplingErrors({})
    words = np.array([errors[kind][0][is_complete] for kind in kinds])
    covariance = estimate_sampling_covariance(words, finite_set.n_test)
    if measure == ACCURACY:
        covariance /= finite_set.n_test**2
    return SamplingErrors({(a, b): float(covariance[i, j]) for i, a in enumerate(kinds) for j, b in enumerate(kinds)})


def estimate_selection_variance(cell: Cell, measure: str) -> float:
    """Estimate the variance that other examples would add to the difference of two temperatures' means.

    Replicates that share the examples on which T is chosen do not show what other examples would change. Errors are
    kept by test example only; among validation examples, on which the same networks differ in the same way, the
    variance of a difference of counts is smaller or larger as there are fewer or more of them. Of nll and balanced
    error it is taken to be as large a share of the variance over replicates as that of errors is.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.

    Returns
    -------
    The mean over all pairs of temperatures, in squared units of the measure; 0 where replicates have examples of their
    own, or errors by example were not kept.
    """
    finite_set = cell.finite_set
    if finite_set is None or len(cell.temperatures) < 2 or measure == SCORE:
        return 0.0
    is_validation = measure in VALIDATION_MEASURES.values()
    if is_validation and not (finite_set.has_fixed_validation and finite_set.n_val):
        return 0.0
    names = [str(index) for index in range(len(cell.temperatures))]
    sampling = estimate_sampling_errors(cell, NUM_ERROR, {name: index for index, name in enumerate(names)})
    if not set(zip(names, names, strict=True)) <= sampling.covariances.keys():
        return 0.0
    covariance = np.array([[sampling.covariances[a, b] for b in names] for a in names])
    variance = max(0.0, _mean_variance_of_differences(covariance))
    counted = NUM_ERROR
    if is_validation:
        variance *= finite_set.n_val / finite_set.n_test
        counted = VAL_NUM_ERROR
    if measure == counted or counted not in cell.student_measures:
        return variance if measure == counted else 0.0
    of_counts, of_measure = (_vary_over_replicates(cell, name) for name in (counted, measure))
    return variance * of_measure / of_counts if of_counts > 0 else 0.0


def add_variance(covariance: Array, variance: float) -> Array:
    """Return the covariance (k, k) of means whose differences have this variance more, independent of each other."""
    return np.asarray(covariance + variance / 2 * np.eye(len(covariance)))


def _vary_over_replicates(cell: Cell, measure: str) -> float:
    """Return the mean variance, over replicates, of the differences of the temperatures' means."""
    values = cell.student_measures[measure]
    values = values[~np.isnan(values).any(axis=1)]
    if len(values) < 2:
        return 0.0
    return _mean_variance_of_differences(np.cov(values, rowvar=False) / len(values))


def _mean_variance_of_differences(covariance: Array) -> float:
    """Return the mean variance of the differences of k means with this covariance (k, k)."""
    return float(2 * (np.trace(covariance) - covariance.mean() * len(covariance)) / (len(covariance) - 1))


def has_errors_by_example(cell: Cell) -> bool:
    """Return whether other test examples can be reckoned with: all replicates share them, and errors were kept."""
    finite_set = cell.finite_set
    if finite_set is None or not cell.is_paired or not finite_set.n_test or not len(finite_set.packed_errors):
        return False
    return ERRORS_ROW in cell.student_measures and bool(np.isfinite(cell.student_measures[ERRORS_ROW]).any())
