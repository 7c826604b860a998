"""What the statistics must be, whatever the table: known answers, and what must not change them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from benchmarks import planted
from kdtune.analysis import power
from kdtune.analysis import test_split as held_out
from kdtune.statistics import effects
from kdtune.statistics import multiple_comparisons as best
from kdtune.statistics import smooth_minimum as curves

X = tuple(np.log2(planted.GRID))
LAYOUTS = hnp.arrays(np.float64, st.tuples(st.sampled_from([2, 5]), st.just(len(X))), elements=st.integers(50, 500))


def optimum(y):
    one = curves.choose_smoother(X, [y])
    return curves.find_minimum(one.points, y @ one.values.T, y @ one.slopes.T)


@pytest.mark.parametrize("x", [X, X[:3], X[:4], X[:2]])
def test_smoothers_keep_straight_lines(x):
    for one in curves.list_smoothers(x):
        line = 3 - 2 * np.array(x)
        np.testing.assert_allclose(one.values @ line, 3 - 2 * one.points, atol=1e-6)
        np.testing.assert_allclose(one.slopes @ line, -2, atol=1e-6)


def test_the_roughest_smoother_passes_through_all_points():
    y = np.random.default_rng(0).normal(size=len(X))
    np.testing.assert_allclose(curves.list_smoothers(X)[0].fitted @ y, y, atol=0.02)


@pytest.mark.parametrize("at", [1.0, 2.0, math.log2(6), 3.3])
def test_the_minimum_of_a_smooth_curve_without_noise_is_found(at):
    y = np.tile(150 * (1 + 0.1 * (np.array(X) - at) ** 2), (5, 1))
    found = optimum(y)
    assert found.at == pytest.approx(at, abs=0.06)
    assert found.low - 0.05 <= at <= found.high + 0.05
    assert found.high - found.low < 0.2


@pytest.mark.parametrize(("shape", "ends"), [(planted.rising, (-math.inf, None)), (planted.falling, (None, math.inf))])
def test_a_minimum_beyond_the_grid_leaves_the_interval_open(shape, ends):
    y = shape(np.array(X), {}) + np.random.default_rng(0).normal(0, 2, (5, len(X)))
    found = optimum(y)
    assert (found.low if ends[0] else found.high) == (ends[0] or ends[1])


@settings(max_examples=40, deadline=None)
@given(LAYOUTS, st.integers(-40, 40), st.integers(2, 9))
def test_levels_of_replicates_and_units_of_errors_change_nothing(y, shift, scale):
    moved = (y + shift * np.arange(len(y))[:, None]) * scale
    before, after = best.compare_with_best(y), best.compare_with_best(moved)
    assert before.tied.tolist() == after.tied.tolist()
    np.testing.assert_allclose(after.upper, before.upper * scale, atol=1e-6 * scale)
    if curves.residual_variance(y) > 0:
        one, other = optimum(y), optimum(moved)
        assert (one.at, one.low, one.high) == pytest.approx((other.at, other.low, other.high), abs=0.02)


@settings(max_examples=40, deadline=None)
@given(LAYOUTS, st.randoms(use_true_random=False))
def test_the_order_of_replicates_changes_nothing(y, random):
    order = list(range(len(y)))
    random.shuffle(order)
    assert best.compare_with_best(y).tied.tolist() == best.compare_with_best(y[order]).tied.tolist()
    assert optimum(y).at == pytest.approx(optimum(y[order]).at, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(LAYOUTS)
def test_tied_and_upper_bounds_are_hsus(y):
    count, k = y.shape
    found, mean = best.compare_with_best(y), y.mean(axis=0)
    margin = best.critical_value(k, (count - 1) * (k - 1)) * math.sqrt(2 * curves.residual_variance(y) / count)
    for i in range(k):
        above = mean[i] - np.delete(mean, i).min()
        assert found.upper[i] == pytest.approx(max(0, above + margin), abs=1e-6)
        assert found.tied[i] == (above <= margin + 1e-9) or above == pytest.approx(margin)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float64, st.tuples(st.sampled_from([2, 5]), st.sampled_from([2, 4, 6])), elements=st.integers(50, 500)
    )
)
def test_an_interval_holds_both_minima_and_reaches_to_neighbours(y):
    x = np.log2(planted.GRID[: y.shape[1]])
    one, lowest = curves.choose_smoother(tuple(x), [y]), int(y.mean(axis=0).argmin())
    found = curves.find_minimum(one.points, y @ one.values.T, y @ one.slopes.T)
    found = curves.widen_to_grid(found, x, lowest, best.compare_with_best(y).tied)
    assert found.low <= min(found.at, x[lowest])
    assert found.high >= max(found.at, x[lowest])
    below, above = x[x < found.at - 1e-9], x[x > found.at + 1e-9]
    assert not len(below) or found.low <= below[-1] + 1e-9 or found.at in x
    assert not len(above) or found.high >= above[0] - 1e-9 or found.at in x


# Dunnett (1955), JASA 50, table 1a: one-sided 95 %, p comparisons.
@pytest.mark.parametrize(
    ("comparisons", "freedom", "value"),
    [(1, 10, 1.81), (2, 10, 2.15), (5, 10, 2.56), (9, 10, 2.81), (2, 20, 2.03), (5, 20, 2.39), (9, 60, 2.48)],
)
def test_critical_values_are_dunnetts(comparisons, freedom, value):
    assert best.critical_value(comparisons + 1, freedom) == pytest.approx(value, abs=0.011)


def test_fieller_bounds_are_where_the_t_test_turns():
    random = np.random.default_rng(1)
    whole = random.normal(40, 5, 5)
    part = 0.7 * whole + random.normal(0, 3, 5)
    ratio, low, high = held_out.fieller_interval(part, whole)
    assert ratio == part.mean() / whole.mean()
    for bound in (low, high):
        assert stats.ttest_1samp(part - bound * whole, 0).pvalue == pytest.approx(0.05)


def test_a_gap_that_cannot_be_told_from_none_has_no_share_closed():
    assert all(math.isnan(x) for x in held_out.fieller_interval(np.array([1.0, 2, 3]), np.array([-1.0, 0.5, 1])))


def test_there_is_no_share_of_a_gap_to_a_worse_teacher():
    part, whole = np.array([-50.0, -51, -49]), np.array([-115.0, -116, -114])
    assert all(math.isnan(x) for x in held_out.fieller_interval(part, whole))


def test_cross_fitting_takes_no_part_of_the_replicate_that_it_reports():
    decide = np.array([[0.0, 10], [0, 10], [100, 0]])
    test = np.array([[1.0, 2], [3, 4], [5, 6]])
    # The others prefer, for the first and the second replicate the second T, for the third the first.
    assert held_out.cross_fit(decide, test).tolist() == [2, 4, 5]


def effect_over(cells, apart=False):
    """The effect over cells, each a curve with its width and its block; those of other blocks on data ``apart``."""
    curves_, widths, blocks = zip(*cells, strict=True)
    sets = blocks if apart else [0] * len(blocks)
    return effects.estimate_effect(
        *effects.place_on_one_axis(curves_), [math.log2(width) for width in widths], blocks, sets
    )


def smoothed(one, y, x=X):
    return effects.Curve(one.points, y @ one.values.T, y @ one.slopes.T, np.array(x))


def rule_curves(slope, noise=0.02, widths=(8, 16, 32, 64), replicates=5):
    random = np.random.default_rng(0)
    one = curves.list_smoothers(X)[5]
    found = []
    for block in range(3):
        for width in widths:
            y = (np.array(X) - 2 - slope * (math.log2(width) - 4.5)) ** 2 * 0.1 + 1
            y = y + random.normal(0, noise, (replicates, len(X)))
            found.append((smoothed(one, y), width, block))
    return found


def test_errors_of_independent_sets_are_those_of_welch():
    """The sum of one mean and the negative of another is their difference."""
    random = np.random.default_rng(0)
    one, other = random.normal(1, 1, 5), random.normal(0, 3, 5)
    (mean,), (error,), (freedom,) = curves.sum_of_means(np.stack([one, -other])[..., None])
    expected = stats.ttest_ind(one, other, equal_var=False)
    assert mean / error == pytest.approx(expected.statistic)
    assert freedom == pytest.approx(expected.df)
    low, high = expected.confidence_interval()
    half = curves.margin_of_error(np.array([error, error]), np.array([freedom, 4]), 0.95)
    assert (mean - half[0], mean + half[0]) == pytest.approx((low, high))
    assert half[1] == pytest.approx(error * stats.t.ppf(0.975, 4))


def test_replicates_of_independent_sets_are_no_pairs():
    """In another order within one set they say the same; where they may be paired they do not."""
    cells = rule_curves(0.3, noise=0.2)
    again = [
        (dataclasses.replace(curve, values=curve.values[::-1], slopes=curve.slopes[::-1]), width, block)
        if block == 1
        else (curve, width, block)
        for curve, width, block in cells
    ]
    apart, apart_again = effect_over(cells, apart=True), effect_over(again, apart=True)
    assert apart.p_value == pytest.approx(apart_again.p_value)
    assert apart.optimum == apart_again.optimum
    assert apart.check_low == pytest.approx(apart_again.check_low)
    assert effect_over(cells).p_value != pytest.approx(effect_over(again).p_value)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.5, -0.5, 1.0])
def test_an_effect_is_found_with_its_size(slope, apart):
    found = effect_over(rule_curves(slope), apart)
    assert found.optimum.low <= slope <= found.optimum.high
    assert found.optimum.at == pytest.approx(slope, abs=0.15)
    assert found.check == pytest.approx(slope, abs=0.25)
    assert (found.p_value < 0.05) == bool(slope)


@pytest.mark.parametrize("at", [0.2, 2.5, 5.2, 7.0])
@pytest.mark.parametrize("slope", [0.0, 0.6])
def test_an_effect_in_a_mirror_is_its_negative(at, slope):
    """Temperatures from the other end, T to 1 / T: also where optima lie at the ends of the grid or beyond."""
    random, x = np.random.default_rng(3), np.linspace(0, X[-1], 12)
    one = curves.list_smoothers(tuple(x))[6]
    seen, mirrored = [], []
    for width in (8, 16, 32, 64):
        depth = 0.05 * math.log2(width)
        y = depth * (x - at - slope * (math.log2(width) - 4.5)) ** 2 + random.normal(0, 0.05, (5, len(x)))
        for found, values in ((seen, y), (mirrored, y[:, ::-1])):
            found.append((smoothed(one, values, x), width, 0))
    there, back = effect_over(seen), effect_over(mirrored)
    assert there.p_value == pytest.approx(back.p_value, abs=0.02)
    assert there.check == pytest.approx(-back.check, abs=0.05)
    if not math.isinf(there.optimum.low - there.optimum.high):
        assert there.optimum.at == pytest.approx(-back.optimum.at, abs=0.1)
        assert there.optimum.low == pytest.approx(-back.optimum.high, abs=0.1)


def test_a_move_away_from_the_grids_end_is_no_chance():
    """With no effect all optima lie best below the grid, where costs are level, but dear."""
    random, one, cells = np.random.default_rng(1), curves.list_smoothers(X)[5], []
    for width, at, steep in ((20, -1.0, 5), (50, 2.0, 1)):
        y = steep * (np.array(X) - at) ** 2 + random.normal(0, 0.1, (5, len(X)))
        cells.append((smoothed(one, y), width, 0))
    found = effect_over(cells)
    assert found.p_value < 0.01
    assert found.optimum.low > 0
    assert math.isinf(found.optimum.high)


def test_the_second_method_looks_within_each_cells_own_grid():
    found = []
    for width, first in ((8, 0), (16, 4), (32, 0), (64, 4)):
        x = tuple(X[first:])
        one = curves.list_smoothers(x)[4]
        y = np.tile((np.array(x) - 1) ** 2, (3, 1)) + np.random.default_rng(width).normal(0, 0.01, (3, len(x)))
        found.append((smoothed(one, y, x), width, first))
    assert effect_over(found).check == pytest.approx(0, abs=0.02)


def test_no_effect_without_two_values_or_two_replicates():
    assert effect_over(rule_curves(0.0, widths=(8,))) is None
    assert effect_over(rule_curves(0.0, replicates=1)) is None


def test_replicates_for_an_interval_are_the_fewest_that_are_narrow_enough():
    count = power.replicates_for_width(1.0, 1.0)
    full = [2 * stats.t.ppf(0.975, n - 1) / math.sqrt(n) for n in (count - 1, count)]
    assert full[0] > 1 >= full[1]


def test_copies_take_two_replicates_and_so_does_what_is_far_apart():
    assert power.replicates_to_tell(1.0, 0.0) == 2
    assert power.replicates_to_tell(1e9, 1.0) == 2


def test_power_is_that_of_the_paired_t_test():
    count = power.replicates_to_tell(1.0, 1.0)
    assert count == 10  # the textbook's: 10 pairs for an effect of one standard deviation
    random = np.random.default_rng(0)
    found = [stats.ttest_1samp(random.normal(1, 1, count), 0).pvalue < 0.05 for _ in range(2000)]
    assert 0.78 < np.mean(found) < 0.86


@given(st.floats(0.01, 20), st.floats(0.01, 20))
@settings(max_examples=50, deadline=None)
def test_more_noise_takes_no_fewer_replicates(deviation, more):
    for counted in (power.replicates_to_tell, power.replicates_for_width):
        few, many = counted(1.0, deviation), counted(1.0, deviation + more)
        assert many is None or (few is not None and few <= many)


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_effect_is_less_sure_where_an_optimum_lies_in_the_last_step_of_its_grid(mirrored):
    """The smooth curves of the narrowest are least in the first step, 0.585 wide, or in a mirror in the last."""
    cells, x = [], np.array(X if not mirrored else [X[-1] - at for at in reversed(X)])
    one = curves.list_smoothers(tuple(x))[5]
    for width, least in ((8, 0.1), (16, 1.6), (32, 3.1)):
        y = (
            1
            + (x - (X[-1] - least if mirrored else least)) ** 2
            + np.random.default_rng(width).normal(0, 0.01, (5, len(x)))
        )
        cells.append((smoothed(one, y, x), width, 0))
    sure = [(dataclasses.replace(curve, grid=np.array([-9.0, *x, 9.0])), *rest) for curve, *rest in cells]
    doubted, plain = effect_over(cells).optimum, effect_over(sure).optimum
    assert doubted.at == plain.at
    assert plain.low - doubted.low == pytest.approx(0.585 / 2, abs=0.001)
    assert doubted.high - plain.high == pytest.approx(0.585 / 2, abs=0.001)
