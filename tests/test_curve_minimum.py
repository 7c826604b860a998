"""The minimum of a mean curve and its interval: known answers, and what must not change them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, stats

from benchmarks import planted
from kdtune.statistics.curve_minimum import CurveMinimum, NoisyMeans, align_with_tied, find_curve_minimum
from kdtune.statistics.turning_curves import fit_turning_curves

X = np.log2(planted.GRID)
MEANS = hnp.arrays(np.float64, st.just(len(X)), elements=st.integers(50, 500))
UNIT_WEIGHTS = np.ones(len(X))


def make_means(means, deviation=1.0, dof=40.0):
    k = len(means)
    return NoisyMeans(np.asarray(means, float), deviation**2 * np.eye(k), np.full(k, dof))


@pytest.mark.parametrize(
    "curve",
    [
        lambda x: 1 + 0.1 * (x - 2) ** 2,
        lambda x: 1 + np.where(x < 2, 0.8 * (2 - x), 0.02 * (x - 2)),
        lambda x: 1 + np.where(x < 2, 0.02 * (2 - x), 0.8 * (x - 2)),
        lambda x: 1 + 0.5 * np.clip(1.3 - x, 0, None) + 0.02 * abs(x - 2),  # steep, then nearly flat
    ],
)
def test_curves_that_bend_upward_are_fitted_without_a_residual_at_their_minimum(curve):
    profile = fit_turning_curves(X, 150 * curve(X), UNIT_WEIGHTS)
    at = np.flatnonzero(np.isclose(profile.places, 2.0))
    assert profile.misfits[at] == pytest.approx(0, abs=1e-9)
    # A fit at another place is worse, or passes through the same points.
    assert (profile.misfits >= -1e-9).all()


@settings(max_examples=30, deadline=None)
@given(MEANS, st.integers(0, len(X) - 1))
def test_a_fit_is_the_nearest_curve_that_turns_at_its_place(means, index):
    """By quadratic programming with the second differences of each side, not by hinges."""
    place = X[index]
    profile = fit_turning_curves(X, means, UNIT_WEIGHTS)
    misfit = profile.misfits[np.isclose(profile.places, place)].item()
    slopes = np.zeros((len(X) - 1, len(X)))
    for j, step in enumerate(np.diff(X)):
        slopes[j, [j, j + 1]] = [-1 / step, 1 / step]
    conditions = [
        -slopes[:index],
        slopes[index:],
        *(np.diff(slopes[part], axis=0) for part in (slice(0, index), slice(index, None))),
    ]
    matrix = np.concatenate(conditions)
    # The dual: the projection on the cone {matrix @ curve >= 0} leaves a nonnegative sum of its rows as residual.
    _, distance = optimize.nnls(matrix.T, -means)
    residual_norm = math.sqrt(max(0.0, float(means @ means) - distance**2))
    assert math.sqrt(misfit) == pytest.approx(residual_norm, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("at", [1.0, 2.0, math.log2(6), 3.3])
def test_the_minimum_of_a_curve_without_noise_lies_between_the_neighbours_of_the_lowest_mean(at):
    """It may lie on either side of the lowest mean: nothing was measured between."""
    means = 150 * (1 + 0.1 * (X - at) ** 2)
    minimum = find_curve_minimum(X, make_means(means, deviation=0.0))
    lowest = int(means.argmin())
    assert X[lowest - 1] <= minimum.low <= at <= minimum.high <= X[lowest + 1]


@pytest.mark.parametrize(("shape", "is_low_open"), [(planted.rising, True), (planted.falling, False)])
def test_a_minimum_beyond_the_grid_leaves_the_interval_open(shape, is_low_open):
    minimum = find_curve_minimum(X, make_means(shape(X, {}), deviation=1.0))
    assert math.isinf(minimum.low) == is_low_open
    assert math.isinf(minimum.high) != is_low_open


@settings(max_examples=40, deadline=None)
@given(MEANS, st.integers(-40, 40), st.integers(2, 9))
def test_levels_and_units_change_nothing(means, shift, scale):
    minimum = find_curve_minimum(X, make_means(means, 20.0))
    moved = find_curve_minimum(X, make_means((means + shift) * scale, 20.0 * scale))
    assert dataclasses.astuple(moved)[:3] == pytest.approx(dataclasses.astuple(minimum)[:3], abs=0.3)
    assert moved.second == minimum.second


@settings(max_examples=40, deadline=None)
@given(MEANS, st.floats(1, 100))
def test_a_mirror_changes_nothing_but_the_side(means, deviation):
    minimum = find_curve_minimum(X, make_means(means, deviation))
    mirrored = find_curve_minimum(-X[::-1], make_means(means[::-1], deviation))
    if len(np.unique(means)) == len(means):
        step = np.diff(X).max() / 3 + 1e-9  # places are not the same ones
        for end, other in ((minimum.low, -mirrored.high), (minimum.high, -mirrored.low)):
            assert (math.isinf(end) and math.isinf(other)) or end == pytest.approx(other, abs=step)


@settings(max_examples=60, deadline=None)
@given(MEANS, st.floats(0.1, 100), st.floats(1, 100))
def test_an_interval_holds_the_minimum_and_the_lowest_mean(means, deviation, dof):
    minimum = find_curve_minimum(X, make_means(means, deviation, dof))
    lowest = X[means.argmin()]
    assert minimum.low <= lowest <= minimum.high
    assert minimum.low <= minimum.location <= minimum.high
    neighbours = X[max(0, means.argmin() - 1)], X[min(len(X) - 1, means.argmin() + 1)]
    assert neighbours[0] <= minimum.location <= neighbours[1]


def test_two_means_are_compared_by_a_t_test():
    """Through two points goes a line: its minimum is bounded if the difference is significant."""
    x = np.array([0.0, 1.0])
    for difference in np.linspace(0.1, 6, 50):
        minimum = find_curve_minimum(x, make_means([0, difference], 1.0, dof=7.0))
        p_value = 2 * stats.t.sf(difference / math.sqrt(2), 7)
        assert math.isinf(minimum.low)
        assert math.isinf(minimum.high) == (p_value > 0.05)


def test_of_one_run_of_each_nothing_is_excluded():
    minimum = find_curve_minimum(X, make_means(150 + 10 * (X - 2) ** 2, dof=0.0))
    assert minimum.location == pytest.approx(2, abs=0.2)
    assert (minimum.low, minimum.high) == (-math.inf, math.inf)


def test_where_no_turning_curve_fits_nothing_is_excluded_but_what_is_not_tied():
    """Errors that level off on both sides are bent downward there."""
    means = 150 * (1 + 0.3 * (X - 2) ** 2 / (1 + (X - 2) ** 2))
    minimum = find_curve_minimum(X, make_means(means, 0.5))
    assert (minimum.low, minimum.high) == (-math.inf, math.inf)
    aligned = align_with_tied(minimum, X, int(means.argmin()), means < means.min() + 3)
    assert (aligned.low, aligned.high) == (np.log2(3), np.log2(5))


def test_of_two_minima_both_are_reported_and_the_lower_one_is_bounded():
    means = 150 + 30 * np.cos(2 * np.pi * (X - 1) / 3 + np.pi) + 4 * X  # minima near 1 and 4
    minimum = find_curve_minimum(X, make_means(means, 1.0))
    assert minimum.low <= 1 <= minimum.high < 2.5
    assert minimum.second == pytest.approx(4, abs=0.4)
    mirrored = find_curve_minimum(-X[::-1], make_means(means[::-1], 1.0))
    assert mirrored.second == pytest.approx(-4, abs=0.4)


def test_where_the_lower_of_two_minima_cannot_be_told_the_interval_reaches_over_both():
    means = 150 + 30 * np.cos(2 * np.pi * (X - 1) / 3 + np.pi)
    minimum = find_curve_minimum(X, make_means(means, 3.0))
    assert minimum.low <= 1
    assert minimum.high >= 4
    assert minimum.second is not None


def test_a_curve_of_one_valley_seldom_has_a_second_minimum():
    random, flat = np.random.default_rng(1), np.full(len(X), 150.0)
    seconds = [find_curve_minimum(X, make_means(random.normal(flat, 3.0), 3.0, 1e3)).second for _ in range(300)]
    assert np.mean([second is not None for second in seconds]) <= 0.03


def test_an_interval_ends_at_the_neighbours_of_what_is_tied():
    minimum = CurveMinimum(location=1.5, low=-math.inf, high=math.inf)
    x = np.arange(6.0)
    aligned = align_with_tied(minimum, x, 2, np.array([False, False, True, True, False, False]))
    assert (aligned.low, aligned.location, aligned.high) == (1.0, 1.5, 4.0)
    everything = align_with_tied(minimum, x, 2, np.ones(6, bool))
    assert (everything.low, everything.high) == (-math.inf, math.inf)


def test_independent_variances_have_satterthwaites_degrees_of_freedom():
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, 4), random.normal(0, 3, 6)
    noisy = NoisyMeans(
        means=np.array([a.mean(), b.mean()]),
        covariance=np.diag([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)]),
        dof=np.array([len(a) - 1.0, len(b) - 1.0]),
        has_independent_variances=True,
    )
    assert noisy.estimate_dof(np.array([[1.0, -1.0]])).item() == pytest.approx(
        stats.ttest_ind(a, b, equal_var=False).df
    )
