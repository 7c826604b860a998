"""Estimate how many replicates have equal results by chance, so that more of them are known to be copies.

Whole numbers of errors agree by chance: of five replicates with 150 errors of 10,000 (standard deviation 12), two of
a hundred pairs do. A loss with five digits does not. What decides is the resolution of a measure (the step between its
values: 1 error, 0.1 %, 1/360) beside the differences between replicates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# A measure finer than this (the chance that two replicates agree in it) is no count of errors: 12,500 errors of the
# 50,000 images of ImageNet's validation set agree in 1 of 340 pairs.
_FINE = 1 / 1000
_PAIRS = 20_000  # pairs of rows that differences are estimated from
_SAMPLE = 100_000  # rows that the chance is estimated from; a hash selects them
_FEW_PAIRS = 3  # with fewer pairs of replicates, the differences of all rows are taken
_LARGEST_SPLIT = 50_000  # examples: accuracies k/N are recognized up to this N
_LATTICE_VALUES = 50  # values that are compared with k/N
_PERCENT = 100.0


class ChanceRepeats(NamedTuple):
    """How many replicates agree by chance."""

    of_pair: float  # the chance that two replicates have equal results
    expected: float  # pairs of replicates with equal results
    is_fine: bool  # whether a measure has so many decimals that hardly a pair agrees in it by chance


def estimate_chance_repeats(
    values: Array, settings: npt.NDArray[np.uint64], runs: npt.NDArray[np.uint64]
) -> ChanceRepeats:
    """Estimate how many pairs of replicates agree in all measures by chance.

    The chance that two replicates agree is a product over the measures, each given those before it: numbers of errors
    and accuracies of one split agree together.

    Parameters
    ----------
    values : The measures, (rows, measures); NaN where there is none.
    settings : A hash of each row's settings, (rows,): rows with the same one are replicates.
    runs : A hash of each row's settings and measures, (rows,). It is also the order in which rows are paired, which
        must not depend on the order of the table: that may be sorted by a measure.
    """
    numbers = np.bincount(pd.factorize(settings)[0])
    n_pairs = float((numbers * (numbers - 1) // 2).sum())
    is_sampled = runs % np.uint64(len(runs) // _SAMPLE + 1) == 0
    values, settings = values[is_sampled], settings[is_sampled]
    _, first_rows = np.unique(runs[is_sampled], return_index=True)
    distinct_values, distinct_settings = values[first_rows], settings[first_rows]

    first, second = _pair_rows(distinct_settings)
    is_replicate = distinct_settings[first] == distinct_settings[second]
    differences = distinct_values[first] - distinct_values[second]
    others = differences[~is_replicate]
    replicates = _subtract_replicates(distinct_values, distinct_settings)
    if len(replicates) < _FEW_PAIRS:
        replicates = differences
    steps = [_estimate_step(column, other) for column, other in zip(distinct_values.T, others.T, strict=True)]
    alone = np.array([_estimate_chance_of_zero(column, step) for column, step in zip(replicates.T, steps, strict=True)])
    chance = 1.0
    order = np.argsort(alone, kind="stable")  # the finest measure first: the others say less than it
    for place, column in enumerate(order):
        unexplained = _remove_linear_part(replicates[:, order[:place]], replicates[:, column])
        chance *= _estimate_chance_of_zero(unexplained, steps[column])
    # Networks of different settings are no copies either: those that fail have equal results in all settings.
    if len(others):
        chance = max(chance, float(((others == 0) | np.isnan(others)).all(axis=1).mean()))
    has_decimals = (np.nan_to_num(values) % 1 > 0).any(axis=0)
    return ChanceRepeats(chance, n_pairs * chance, bool(((alone < _FINE) & has_decimals).any()))


def _pair_rows(settings: npt.NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Return pairs of rows, the first of each and the second, in the order of the rows."""
    n_rows = len(settings)
    lags = range(1, min(n_rows, 2 + _PAIRS // max(n_rows, 1)))
    rows = np.arange(n_rows)
    first = np.concatenate([rows[:-lag] for lag in lags] or [rows[:0]])
    second = np.concatenate([rows[lag:] for lag in lags] or [rows[:0]])
    return first, second


def _subtract_replicates(values: Array, settings: npt.NDArray[np.uint64]) -> Array:
    """Return differences between replicates, (pairs, measures)."""
    order = np.argsort(settings, kind="stable")
    first, second = _pair_rows(settings)
    first, second = order[first], order[second]
    is_replicate = settings[first] == settings[second]
    return np.asarray(values[first[is_replicate]] - values[second[is_replicate]], np.float64)


def _remove_linear_part(known: Array, differences: Array) -> Array:
    """Return what is left of the differences in one measure, (pairs,), once those in others are known."""
    complete = np.isfinite(differences) & np.isfinite(known).all(axis=1)
    known, differences = known[complete], differences[complete]
    if not known.shape[1] or not len(differences):
        return differences
    slopes = np.linalg.lstsq(known, differences, rcond=None)[0]
    return np.asarray(differences - known @ slopes, np.float64)


def _estimate_chance_of_zero(differences: Array, step: float) -> float:
    """Estimate the chance that two replicates agree in a measure: its density at no difference, times its step."""
    density = _estimate_density_at_zero(differences, step)
    return min(1.0, density * step) if np.isfinite(density) else 1.0


def _estimate_density_at_zero(differences: Array, step: float) -> float:
    """Estimate the density of differences at zero from the nearest quarter of them, which outliers do not reach.

    It is infinite if there are no differences.
    """
    sizes = np.sort(np.abs(differences[np.isfinite(differences)]))
    if not len(sizes) or step == 0:
        return np.inf
    n_near = max(1, len(sizes) // 4, min(len(sizes), 20) // 2)
    window = max(float(sizes[n_near - 1]), step / 2)
    return float((sizes <= window).mean()) / (2 * window)


def _estimate_step(values: Array, differences: Array) -> float:
    """Estimate the step between the values of a measure.

    Rows of different settings are no copies of each other: if more of them agree than the digits of the values let
    expect, the step is larger than the digits.

    Parameters
    ----------
    values : The measure, (rows,).
    differences : Its differences between rows of different settings, (pairs,).
    """
    step = find_step(values)
    differences = differences[np.isfinite(differences)]
    density = _estimate_density_at_zero(differences[differences != 0], step)
    if not len(differences) or not np.isfinite(density) or density == 0:
        return step
    n_equal = int((differences == 0).sum())
    return max(step, n_equal / len(differences) / density)


def find_step(values: Array) -> float:
    """Return the step between the values of a measure: 1 for counts, 1/360 for accuracies over 360 examples.

    0 if there are no two values.
    """
    distinct: Array = np.unique(values[np.isfinite(values)])
    if len(distinct) < 2:
        return 0.0
    distinct = distinct[np.unique(np.linspace(0, len(distinct) - 1, 500).astype(np.int64))]
    largest = float(np.abs(distinct).max())
    accuracy = 1e-11 * largest
    with np.errstate(over="ignore"):
        single = distinct.astype(np.float32)
    if (single == distinct).all():
        # 0.8223 is 0.8223000168800354 in single precision.
        distinct = np.array([float(str(value)) for value in single], np.float64)
        accuracy = 2 * float(np.finfo(np.float32).eps) * largest
    decimals = next((n for n in range(16) if np.allclose(distinct, np.round(distinct, n), 0, accuracy / 100)), 16)
    if decimals == 0 and largest > 2**53:
        return 1.0
    # Steps of 2 in the last decimal are 1/50,000, the accuracies over so many examples.
    wholes = np.round(distinct * 10.0**decimals) if decimals < 9 else np.arange(2.0)
    digit = max(float(np.gcd.reduce(np.diff(wholes.astype(np.int64)))) * 10.0**-decimals, accuracy)
    unit = _PERCENT if largest > 1 else 1.0
    return digit if decimals == 0 else unit * _find_lattice(distinct / unit, digit / unit)


def _find_lattice(fractions: Array, digit: float) -> float:
    """Return 1/N if all fractions are k/N rounded to a digit, else the digit."""
    sample = fractions[np.unique(np.linspace(0, len(fractions) - 1, _LATTICE_VALUES).astype(np.int64))]
    # Rounded numbers of any kind are all near a k/N with a chance of (N digit)^n: this N has a chance of 1 %.
    exponent = len(sample) / (len(sample) + 1)
    largest_count = min(_LARGEST_SPLIT, int(0.01 ** (1 - exponent) * (1.02 * digit) ** -exponent))
    counts = np.arange(2, largest_count + 1)
    for block in np.array_split(counts, len(counts) // 5000 + 1):
        products = block[:, None] * sample
        is_lattice = (np.abs(products - np.round(products)) <= 0.51 * digit * block[:, None] + 1e-9).all(axis=1)
        if is_lattice.any():
            return 1.0 / float(block[is_lattice.argmax()])
    return digit
