"""The statistics of a one-way layout, independent runs in any number of each treatment: known answers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from benchmarks import planted
from kdtune.statistics.intervals import estimate_share_of_gap, welch_interval
from kdtune.statistics.multiple_comparisons import compare_means_with_best, dunnett_critical_value
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
    assert layout.variances == pytest.approx([np.var(s, ddof=1) if len(s) > 1 else layout.variance for s in runs])


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
    assert dunnett_critical_value(n_treatments, layout.dof) == pytest.approx(expected.mean(), abs=0.015)


@pytest.mark.parametrize("counts", [(2, 5, 5, 9), (9, 2, 5), (1, 4, 4, 4, 4), (4, 1, 1, 4)])
def test_the_critical_value_of_unequal_numbers_is_large_enough(counts):
    """For each treatment as the control, against scipy's, which knows the true correlations."""
    random = np.random.default_rng(0)
    runs = [random.normal(0, 1, n) for n in counts]
    layout = describe_one_way_layout(pad(runs))
    value = dunnett_critical_value(len(counts), layout.dof, ratio=min(counts) / max(counts))
    exact_values = []
    for i in range(len(counts)):
        others = [j for j in range(len(counts)) if j != i]
        samples_of_others = [runs[j] for j in others]
        result = stats.dunnett(*samples_of_others, control=runs[i], alternative="less", rng=np.random.default_rng(0))
        margins = result.confidence_interval().high - (layout.means[others] - layout.means[i])
        errors = np.sqrt(layout.variance * (1 / layout.counts[others] + 1 / layout.counts[i]))
        exact_values.append((margins / errors).mean())
    assert max(exact_values) - 0.015 <= value <= 1.1 * max(exact_values)


@settings(max_examples=60, deadline=None)
@given(st.lists(samples, min_size=2, max_size=6))
def test_tied_and_upper_bounds_are_hsus_for_any_numbers_of_runs(runs):
    layout = describe_one_way_layout(pad(runs))
    comparison = compare_means_with_best(layout)
    if layout.dof == 0:
        assert layout.variance == 0
        assert comparison.is_tied.all()
        assert np.isinf(comparison.upper_bounds).all()
        return
    counts = layout.counts
    value = dunnett_critical_value(len(runs), layout.dof, ratio=counts.min() / counts.max())

    def margin(i, j):
        return value * math.sqrt(layout.variance * (1 / counts[i] + 1 / counts[j])) + 1e-9

    is_tied = []
    for i in range(len(runs)):
        is_tied.append(all(layout.means[i] - layout.means[j] <= margin(i, j) for j in range(len(runs)) if j != i))
    assert comparison.is_tied.tolist() == is_tied
    for i in range(len(runs)):
        excesses = [layout.means[i] - layout.means[j] + margin(i, j) for j in np.flatnonzero(is_tied) if j != i]
        assert comparison.upper_bounds[i] == pytest.approx(max(0, *excesses, 0), abs=1e-6)
    assert is_tied[int(layout.means.argmin())]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(50, 90), min_size=4, max_size=4), min_size=2, max_size=6))
def test_with_equal_numbers_of_runs_one_margin_holds_for_all(runs):
    layout = describe_one_way_layout(pad(runs))
    assume(layout.dof > 0)
    comparison = compare_means_with_best(layout)
    margin = dunnett_critical_value(len(runs), layout.dof) * math.sqrt(2 * layout.variance / 4)
    lowest_of_others = [np.delete(layout.means, i).min() for i in range(len(runs))]
    assert comparison.excess == pytest.approx(layout.means - lowest_of_others)
    assert comparison.upper_bounds == pytest.approx(np.maximum(0, comparison.excess + margin), abs=1e-6)


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
