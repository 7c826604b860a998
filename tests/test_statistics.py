"""What the statistics must be, whatever the table: known answers, and what must not change them."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from benchmarks import planted
from benchmarks.promises.dunnett import compute_dunnett_value
from kdtune.statistics.correlated_differences import critical_values_of_common_scale
from kdtune.statistics.intervals import estimate_ratio, mean_over_replicates, t_interval
from kdtune.statistics.multiple_comparisons import compare_by_margins, compare_with_best
from kdtune.statistics.sample_size import CriticalValue, replicates_to_bound, replicates_to_detect
from kdtune.statistics.standard_errors import residual_variance

X = tuple(np.log2(planted.GRID))
LAYOUTS = hnp.arrays(np.float64, st.tuples(st.sampled_from([2, 5]), st.just(len(X))), elements=st.integers(50, 500))


@settings(max_examples=40, deadline=None)
@given(LAYOUTS, st.integers(-40, 40), st.integers(2, 9))
def test_levels_of_replicates_and_units_of_errors_change_nothing(y, shift, scale):
    moved = (y + shift * np.arange(len(y))[:, None]) * scale
    before, after = compare_with_best(y), compare_with_best(moved)
    assert before.is_tied.tolist() == after.is_tied.tolist()
    np.testing.assert_allclose(after.upper_bounds, before.upper_bounds * scale, atol=1e-6 * scale)


@settings(max_examples=40, deadline=None)
@given(LAYOUTS, st.randoms(use_true_random=False))
def test_the_order_of_replicates_changes_nothing(y, random):
    order = list(range(len(y)))
    random.shuffle(order)
    assert compare_with_best(y).is_tied.tolist() == compare_with_best(y[order]).is_tied.tolist()


@settings(max_examples=40, deadline=None)
@given(LAYOUTS)
def test_tied_and_upper_bounds_of_equal_noise_are_hsus(y):
    count, k = y.shape
    mean, variance, dof = y.mean(axis=0), residual_variance(y) / count, (count - 1) * (k - 1)
    if variance == 0:
        return
    critical_values = critical_values_of_common_scale(variance * np.eye(k), np.full(k, float(dof)), 0.95)
    assert critical_values == pytest.approx(compute_dunnett_value(k, dof), rel=0.015)
    margin = compute_dunnett_value(k, dof) * math.sqrt(2 * variance)
    comparison = compare_by_margins(mean, np.full((k, k), margin))
    for i in range(k):
        above = mean[i] - np.delete(mean, i).min()
        assert comparison.upper_bounds[i] == pytest.approx(max(0, above + margin), abs=1e-6)
        assert comparison.is_tied[i] == (above <= margin + 1e-9) or above == pytest.approx(margin)


# Dunnett (1955), JASA 50, table 1a: one-sided 95 %, p comparisons.
@pytest.mark.parametrize(
    ("comparisons", "dof", "value"),
    [(1, 10, 1.81), (2, 10, 2.15), (5, 10, 2.56), (9, 10, 2.81), (2, 20, 2.03), (5, 20, 2.39), (9, 60, 2.48)],
)
def test_critical_values_are_dunnetts(comparisons, dof, value):
    assert compute_dunnett_value(comparisons + 1, dof) == pytest.approx(value, abs=0.011)


def test_fieller_bounds_are_where_the_t_test_turns():
    random = np.random.default_rng(1)
    denominator = random.normal(40, 5, 5)
    numerator = 0.7 * denominator + random.normal(0, 3, 5)
    ratio, low, high = estimate_ratio(numerator, denominator)
    assert ratio == numerator.mean() / denominator.mean()
    for bound in (low, high):
        assert stats.ttest_1samp(numerator - bound * denominator, 0).pvalue == pytest.approx(0.05)


def test_t_intervals_and_means_leave_out_replicates_with_a_gap():
    random = np.random.default_rng(2)
    values = random.normal(100, 5, (6, 3))
    values[2, 1] = np.nan
    complete = np.delete(values, 2, axis=0)
    expected = stats.ttest_1samp(complete, 0).confidence_interval()
    low, high = t_interval(values)
    np.testing.assert_allclose((low, high), (expected.low, expected.high))
    np.testing.assert_allclose(mean_over_replicates(values), complete.mean(axis=0))
    np.testing.assert_allclose(t_interval(values[:, 0]), stats.ttest_1samp(values[:, 0], 0).confidence_interval())


def test_a_mean_of_one_replicate_has_no_bounds_and_one_of_none_no_value():
    one_replicate, no_replicate = np.array([[5.0, 6.0], [np.nan, 7.0]]), np.full((2, 2), np.nan)
    np.testing.assert_array_equal(t_interval(one_replicate), ([-math.inf] * 2, [math.inf] * 2))
    np.testing.assert_array_equal(mean_over_replicates(one_replicate), [5, 6])
    np.testing.assert_array_equal(t_interval(no_replicate), np.full((2, 2), np.nan))
    np.testing.assert_array_equal(mean_over_replicates(no_replicate), [np.nan, np.nan])
    assert np.ndim(mean_over_replicates(no_replicate[:, 0])) == 0


def test_a_gap_not_significantly_above_zero_has_no_share_closed():
    assert all(math.isnan(x) for x in estimate_ratio(np.array([1.0, 2, 3]), np.array([-1.0, 0.5, 1])))


def test_there_is_no_share_of_a_gap_to_a_worse_teacher():
    numerator, denominator = np.array([-50.0, -51, -49]), np.array([-115.0, -116, -114])
    assert all(math.isnan(x) for x in estimate_ratio(numerator, denominator))


def test_replicates_for_an_interval_are_the_fewest_that_are_narrow_enough():
    count = replicates_to_bound(1.0, 1.0)
    full = [2 * stats.t.ppf(0.975, n - 1) / math.sqrt(n) for n in (count - 1, count)]
    assert full[0] > 1 >= full[1]


def test_copies_take_two_replicates_and_so_does_what_is_far_apart():
    assert replicates_to_detect(1.0, 0.0, find_paired_critical_value) == 2
    assert replicates_to_detect(1e9, 1.0, find_paired_critical_value) == 2


def find_paired_critical_value(n):
    return CriticalValue(stats.t.ppf(0.95, n - 1), n - 1)


def test_power_is_that_of_the_paired_t_test():
    count = replicates_to_detect(1.0, 1.0, find_paired_critical_value)
    assert count == 8  # the textbook's: 8 pairs for an effect of one standard deviation, one-sided at 5 %
    random = np.random.default_rng(0)
    rejections = [
        stats.ttest_1samp(random.normal(1, 1, count), 0, alternative="greater").pvalue < 0.05 for _ in range(2000)
    ]
    assert 0.78 < np.mean(rejections) < 0.88


def test_noise_that_is_hardly_known_takes_more_replicates():
    known, hardly_known = (
        replicates_to_detect(1.0, 2.0, find_paired_critical_value, noise_dof=dof) for dof in (1e9, 4.0)
    )
    assert known == replicates_to_detect(1.0, 2.0, find_paired_critical_value)
    assert hardly_known > 1.3 * known


@given(st.floats(0.01, 20), st.floats(0.01, 20))
@settings(max_examples=50, deadline=None)
def test_more_noise_takes_no_fewer_replicates(deviation, more):
    for counted in (partial(replicates_to_detect, find_critical_value=find_paired_critical_value), replicates_to_bound):
        few, many = counted(1.0, deviation), counted(1.0, deviation + more)
        assert many is None or (few is not None and few <= many)
