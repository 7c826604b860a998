"""The statistics of a one-way layout, independent runs in any number of each treatment: known answers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from benchmarks import planted
from benchmarks.promises.dunnett import compute_dunnett_value
from kdtune.statistics.intervals import estimate_share_of_gap, welch_interval
from kdtune.statistics.multiple_comparisons import compare_by_margins, compare_means_with_best, compute_margins
from kdtune.statistics.one_way_layout import describe_one_way_layout
from kdtune.statistics.sample_size import CriticalValue, replicates_to_bound, replicates_to_detect

X = tuple(np.log2(planted.GRID))


def pad(samples):
    """Return samples of any lengths as the columns of one array, with NaN at their ends."""
    return pd.DataFrame([pd.Series(sample, dtype=float) for sample in samples]).T.to_numpy()


samples = st.lists(st.integers(50, 90), min_size=1, max_size=5)


def test_the_variance_is_that_of_an_analysis_of_variance():
    random = np.random.default_rng(0)
    runs = [random.normal(mean, 5, n) for mean, n in ((100, 3), (104, 7), (90, 1), (95, 4))]
    layout = describe_one_way_layout(pad(runs))
    values = np.concatenate(runs)
    between = sum(len(sample) * (sample.mean() - values.mean()) ** 2 for sample in runs) / (len(runs) - 1)
    assert layout.variance == pytest.approx(between / stats.f_oneway(*runs).statistic)
    assert layout.dof == len(values) - len(runs)
    assert layout.means == pytest.approx([sample.mean() for sample in runs])
    own = [np.var(sample, ddof=1) for sample in runs if len(sample) > 1]
    assert layout.variances[2] == layout.variance  # of a single run
    assert min(own) <= layout.variances.min() <= layout.variances.max() <= max(own)


def test_a_difference_of_two_means_is_welchs():
    random = np.random.default_rng(1)
    a, b = random.normal(100, 1, 4), random.normal(98, 6, 9)
    expected = stats.ttest_ind(a, b, equal_var=False)
    low, high = expected.confidence_interval()
    assert welch_interval(np.append(a, np.nan), b) == pytest.approx((low, high))


def test_a_difference_to_a_single_value_has_no_bounds_and_one_to_none_no_value():
    assert welch_interval(np.array([1.0, 2]), np.array([3.0])) == (-math.inf, math.inf)
    assert all(math.isnan(end) for end in welch_interval(np.array([1.0, 2]), np.array([np.nan])))


@pytest.mark.parametrize(("n_treatments", "n_runs"), [(2, 5), (3, 4), (6, 3), (12, 5)])
def test_the_critical_value_of_equal_numbers_is_dunnetts(n_treatments, n_runs):
    random = np.random.default_rng(0)
    control, *others = [random.normal(0, 1, n_runs) for _ in range(n_treatments)]
    result = stats.dunnett(*others, control=control, alternative="less", rng=np.random.default_rng(0))
    layout = describe_one_way_layout(pad([control, *others]))
    margins = result.confidence_interval().high - (layout.means[1:] - layout.means[0])
    expected = margins / math.sqrt(2 * layout.variance / n_runs)
    assert compute_dunnett_value(n_treatments, layout.dof) == pytest.approx(expected.mean(), abs=0.015)


@pytest.mark.parametrize("counts", [(2, 5, 5, 9), (9, 2, 5), (1, 4, 4, 4, 4), (4, 1, 1, 4)])
def test_pooled_margins_are_scipys_for_any_numbers_of_runs(counts):
    """For each treatment as the control."""
    random = np.random.default_rng(0)
    runs = [random.normal(0, 1, n) for n in counts]
    layout = describe_one_way_layout(pad(runs))
    _, pooled = layout.list_noises()
    margins = compute_margins(pooled.covariance / layout.counts, pooled.dof, 0.95)
    for i in range(len(counts)):
        others = [j for j in range(len(counts)) if j != i]
        samples_of_others = [runs[j] for j in others]
        result = stats.dunnett(*samples_of_others, control=runs[i], alternative="less", rng=np.random.default_rng(0))
        expected = result.confidence_interval().high - (layout.means[others] - layout.means[i])
        assert margins[i, others] == pytest.approx(expected, rel=0.015)


@settings(max_examples=60, deadline=None)
@given(st.lists(samples, min_size=2, max_size=6))
def test_tied_and_upper_bounds_are_hsus_for_any_numbers_of_runs(runs):
    layout = describe_one_way_layout(pad(runs))
    comparison = compare_means_with_best(layout)
    k = len(runs)
    if layout.dof == 0:
        assert layout.variance == 0
        assert comparison.is_tied.all()
        assert np.isinf(comparison.upper_bounds).all()
        return
    margins = np.maximum(
        *(compute_margins(noise.covariance / layout.counts, noise.dof, 0.95) for noise in layout.list_noises())
    )
    differences = layout.means[:, None] - layout.means  # (k, k)
    is_tied = [all(differences[i, j] <= margins[i, j] + 1e-9 for j in range(k) if j != i) for i in range(k)]
    assert comparison.is_tied.tolist() == is_tied
    for i in range(k):
        bounds = [margins[j, i] + differences[i, j] for j in np.flatnonzero(is_tied) if j != i]
        assert comparison.upper_bounds[i] == pytest.approx(max(0, *bounds, 0), abs=1e-6)
    assert is_tied[int(layout.means.argmin())]


def test_of_unequal_noise_the_loud_treatment_is_tied_for_longer():
    """The pooled variance of these runs would tell the first from the second."""
    quiet = [[150.0 + step, 151 + step, 149 + step, 150.5 + step] for step in (0, 12, 24, 36)]
    loud = [142.0, 178, 160, 168]
    layout = describe_one_way_layout(pad([loud, *quiet]))
    own, pooled = layout.list_noises()
    assert own.covariance[0, 0] > 2 * pooled.covariance[0, 0]
    comparison = compare_means_with_best(layout)
    margins = compute_margins(pooled.covariance / layout.counts, pooled.dof, 0.95)
    assert comparison.is_tied.tolist() == [True, True, False, False, False]
    assert not compare_by_margins(layout.means, margins).is_tied[0]


def test_runs_that_are_equal_by_chance_have_the_pooled_variance():
    layout = describe_one_way_layout(pad([[50.0, 50], [51.0, 51], [60.0, 64]]))
    assert layout.variances == pytest.approx([layout.variance] * 3)
    assert compare_means_with_best(layout).is_tied.tolist() == [True, True, False]


def test_the_share_of_a_gap_ends_where_the_t_test_turns():
    random = np.random.default_rng(3)
    start, value, end = random.normal(200, 4, 5), random.normal(150, 8, 4), random.normal(100, 3, 6)
    share, low, high = estimate_share_of_gap(start, value, end)
    assert share == pytest.approx((start.mean() - value.mean()) / (start.mean() - end.mean()))
    samples_of_gap = (start, value, end)

    def variances(ratio):
        terms = zip((1 - ratio, -1, ratio), samples_of_gap, strict=True)
        return np.array([weight**2 * sample.var(ddof=1) / len(sample) for weight, sample in terms])

    dof = variances(share).sum() ** 2 / sum(variances(share) ** 2 / [len(sample) - 1 for sample in samples_of_gap])
    for bound in (low, high):
        distance = (start.mean() - value.mean()) - bound * (start.mean() - end.mean())
        assert abs(distance) / math.sqrt(variances(bound).sum()) == pytest.approx(stats.t.ppf(0.975, dof))


def test_a_fixed_end_of_a_gap_has_no_noise():
    start, value = np.array([199.0, 201, 203]), np.array([150.0, 149, 154])
    share, low, high = estimate_share_of_gap(start, value, np.array([100.0]), is_end_fixed=True)
    assert low < share < high
    assert math.isnan(estimate_share_of_gap(start, value, np.array([100.0])).ratio)
    # An end with noise makes the interval wider.
    _, noisy_low, noisy_high = estimate_share_of_gap(start, value, np.array([95.0, 100, 105]))
    assert (noisy_low, noisy_high) != (low, high)
    assert noisy_high - noisy_low > high - low


@pytest.mark.parametrize(
    ("start", "end"), [([100.0, 101], [200.0, 201]), ([100.0, 180], [90.0, 95]), ([100.0], [50.0, 51])]
)
def test_a_gap_that_cannot_be_told_from_none_has_no_share(start, end):
    assert all(math.isnan(x) for x in estimate_share_of_gap(np.array(start), np.array([70.0, 71]), np.array(end)))


@pytest.mark.parametrize("share", [0.3, 1.0, 2.5])
def test_the_runs_that_a_difference_takes_are_those_of_the_two_sample_test(share):
    def find_critical_value(n):
        return CriticalValue(stats.t.ppf(0.95, 2 * (n - 1)), 2 * (n - 1))

    count = replicates_to_detect(share * math.sqrt(2), math.sqrt(2), find_critical_value) or 0
    powers = [
        TTestIndPower().power(share * math.sqrt(2), n, 0.05, alternative="larger") for n in (count - 1, count) if n > 1
    ]
    assert powers[-1] >= 0.8
    assert len(powers) == 1 or powers[0] < 0.8
    bound = replicates_to_bound(share, 1.0, dof_per_replicate=2) or 0
    widths = [2 * stats.t.ppf(0.975, 2 * (n - 1)) / math.sqrt(n) for n in (bound - 1, bound)]
    assert widths[1] <= share < widths[0]
