"""Comparisons with the best under unequal and correlated noise, missing runs, and single networks that change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import planted
from benchmarks.promises import generators, ties
from benchmarks.promises.dunnett import compute_dunnett_value
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.cell_noise import estimate_cell_noises
from kdtune.analysis.cell_statistics import compare_temperatures_with_best, compute_bands
from kdtune.analysis.influential_runs import describe_influential_run
from kdtune.analysis.selection_measure import Measure
from kdtune.columns import FAILED, MODEL, SCORE, STATUS, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.statistics.additive_fit import (
    compute_mean_covariance,
    compute_residual_covariance,
    fit_additive,
    select_connected,
)
from kdtune.statistics.correlated_differences import (
    compute_standard_errors,
    critical_values_of_common_scale,
)
from kdtune.statistics.multiple_comparisons import compare_with_best
from kdtune.statistics.noise_covariance import estimate_noise_covariance


@pytest.mark.parametrize("k", [2, 3, 12, 40])
@pytest.mark.parametrize("dof", [2, 8, 44])
def test_critical_values_of_equal_noise_are_dunnetts(k, dof):
    values = critical_values_of_common_scale(np.eye(k), np.full(k, float(dof)), 0.95)
    assert values == pytest.approx(compute_dunnett_value(k, dof), rel=0.015)


def test_critical_values_hold_their_probability_under_unequal_and_correlated_noise():
    covariance, dof, random = generators.study_noise(100), 8, np.random.default_rng(0)
    values = critical_values_of_common_scale(covariance, np.full(12, float(dof)), 0.9)
    means = random.multivariate_normal(np.zeros(12), covariance, 20_000, check_valid="ignore")
    scale = np.sqrt(random.chisquare(dof, (20_000, 1, 1)) / dof)
    standard_errors = compute_standard_errors(covariance) + np.eye(12)
    largest = ((means[:, :, None] - means[:, None, :]) / standard_errors / scale).max(axis=2)
    np.testing.assert_allclose((largest <= values).mean(axis=0), 0.9, atol=0.01)


def test_two_means_have_a_t_test():
    values = critical_values_of_common_scale(np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([6.0, 6.0]), 0.95)
    assert values == pytest.approx(stats.t.ppf(0.95, 6), rel=0.01)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 100))
def test_units_and_levels_change_no_critical_value(seed, unit):
    random = np.random.default_rng(seed)
    factors = random.normal(size=(6, 6))
    covariance, dof = factors @ factors.T / 6, np.full(6, 20.0)
    for moved in (unit**2 * (covariance + 3.0), unit**2 * np.eye(6)):
        expected = critical_values_of_common_scale(moved / unit**2, dof, 0.95)
        np.testing.assert_allclose(critical_values_of_common_scale(moved, dof, 0.95), expected, rtol=1e-6)


def test_bounds_hold_all_together():
    """All k differences to the best, of unequal and correlated means, lie under their bounds in 95 % of cases."""
    random, covariance, truth = np.random.default_rng(3), generators.loud_first_noise(6), np.array([1, 0, 2, 1, 5, 0.0])
    truth = 0.02 * truth
    holds = []
    for _ in range(300):
        comparison = compare_with_best(generators.draw(truth, covariance, 1, 10, random)[0])
        holds.append((truth <= comparison.upper_bounds + 1e-12).all())
    assert np.mean(holds) >= 0.92


def test_many_replicates_show_the_covariance_and_few_a_form_of_it():
    random, covariance = np.random.default_rng(0), generators.study_noise(100)
    centring = np.eye(12) - 1 / 12
    truth = compute_standard_errors(covariance)
    for n_replicates, tolerance in ((400, 0.15), (5, 0.9)):
        fit = fit_additive(generators.draw(np.ones(12), covariance, 1, n_replicates, random)[0])
        noise = estimate_noise_covariance(compute_residual_covariance(fit), fit.dof)
        ratios = (compute_standard_errors(noise.covariance) + np.eye(12)) / (truth + np.eye(12))
        assert abs(np.log(ratios)).max() < tolerance
        np.testing.assert_allclose(centring @ noise.covariance, noise.covariance, atol=1e-12)
        assert np.linalg.eigvalsh(noise.covariance)[1] > 0
    assert (noise.dof < 20).all()


def test_an_additive_fit_without_gaps_is_the_mean_and_with_gaps_keeps_what_is_additive():
    random = np.random.default_rng(1)
    y = random.normal(100, 5, (4, 6))
    fit = fit_additive(y)
    np.testing.assert_allclose(fit.means, y.mean(axis=0))
    assert fit.dof == 3
    np.testing.assert_allclose(compute_mean_covariance(np.eye(6), y), np.eye(6) / 4)
    additive = np.arange(4)[:, None] * 7.0 + np.array([5, 4, 3, 4, 6, 9.0])
    gaps = additive.copy()
    gaps[[0, 1, 1, 3], [0, 2, 3, 5]] = np.nan
    fit = fit_additive(gaps)
    np.testing.assert_allclose(fit.filled, additive)
    np.testing.assert_allclose(fit.means, additive.mean(axis=0))
    assert fit.dof == pytest.approx((20 - 9) / 5)
    assert np.diag(compute_mean_covariance(np.eye(6), gaps))[0] > 1 / 4


def test_only_what_can_be_compared_is_selected():
    is_seen = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 0]], bool)
    assert select_connected(is_seen) == ([0, 1], [0, 1, 2])
    assert select_connected(np.zeros((2, 2), bool)) == ([], [])


def test_each_temperature_has_its_own_band():
    random = np.random.default_rng(0)
    y = generators.draw(np.ones(12), generators.loud_first_noise(12), 9, 5, random) * 500
    cell = ties.make_cells(y, generators.STUDY_GRID)
    noise = estimate_cell_noises(cell, VAL_NUM_ERROR)[0]
    band = compute_bands(cell[0], VAL_NUM_ERROR, noise)
    assert band[0] > 1.7 * np.median(band)


def test_a_pool_of_cells_knows_more_than_one_and_a_noisy_one_keeps_its_scale():
    random = np.random.default_rng(2)
    y = generators.draw(np.ones(12), generators.lagged_noise(12), 9, 5, random) * 500
    quiet = estimate_cell_noises(ties.make_cells(y, generators.STUDY_GRID), VAL_NUM_ERROR)
    single = estimate_cell_noises(ties.make_cells(y[:1], generators.STUDY_GRID), VAL_NUM_ERROR)
    assert (quiet[0].critical_values < single[0].critical_values).all()
    y[4] = 500 + 6 * (y[4] - 500)
    noises = estimate_cell_noises(ties.make_cells(y, generators.STUDY_GRID), VAL_NUM_ERROR)
    traces = [np.trace(noise.mean_covariance) for noise in noises]
    assert traces[4] > 10 * np.median(traces)


def test_one_failure_of_three_replicates_does_not_delete_the_best_temperature(rising):
    table = planted.table(
        planted.quadratic(lambda cell: 2.0, 0.2), seps=(1.0,), informative=(1.0,), widths=(50,), replicates=3
    )
    is_gap = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table["replicate"] == 1)
    optimum = analyze_table(table.assign(**{STATUS: table[STATUS].mask(is_gap, FAILED)})).t_opt.iloc[0]
    assert 4.0 in optimum["tied"]
    assert optimum["left_out"] == ["1 run at T 4"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(2, 7))
def test_an_additive_fit_with_holes_is_that_of_least_squares(seed, n_replicates, k):
    random = np.random.default_rng(seed)
    y = random.normal(100, 5, (n_replicates, k))
    is_seen = random.random((n_replicates, k)) < 0.7
    replicates, treatments = select_connected(is_seen)
    if not replicates:
        return
    y, is_seen = y[np.ix_(replicates, treatments)], is_seen[np.ix_(replicates, treatments)]
    y[~is_seen] = np.nan
    rows, columns = np.nonzero(is_seen)
    design = np.zeros((len(rows) + 1, len(y) + y.shape[1]))
    design[np.arange(len(rows)), rows] = 1
    design[np.arange(len(rows)), len(y) + columns] = 1
    design[-1, : len(y)] = 1  # the mean level is 0
    inverse = np.linalg.pinv(design)
    solution = inverse @ np.append(y[rows, columns], 0)
    fit = fit_additive(y)
    np.testing.assert_allclose([*fit.levels, *fit.means], solution, atol=1e-8)
    factors = random.normal(size=(y.shape[1],) * 2)
    covariance = factors @ factors.T
    weights = inverse[len(y) :, :-1]
    expected = sum(
        weights[:, rows == r] @ covariance[np.ix_(columns[rows == r], columns[rows == r])] @ weights[:, rows == r].T
        for r in range(len(y))
    )
    np.testing.assert_allclose(compute_mean_covariance(covariance, y), expected, atol=1e-8)


def test_of_two_replicates_or_temperatures_no_run_is_the_odd_one():
    one_cell = {"seps": (1.0,), "informative": (1.0,), "widths": (50,)}
    for table in (
        planted.table(planted.quadratic(lambda cell: 2.0, 0.2), replicates=2, **one_cell),
        planted.table(planted.quadratic(lambda cell: 2.0, 0.2), replicates=6, temperatures=(1.0, 4.0), **one_cell),
    ):
        is_far_off = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table["replicate"] == 1)
        answer = analyze_table(table.assign(**{VAL_NUM_ERROR: table[VAL_NUM_ERROR].mask(is_far_off, 9000.0)}))
        assert answer.influential_runs == []


def test_a_run_far_off_in_a_measure_of_which_more_is_better():
    table = planted.table(
        planted.quadratic(lambda cell: 2.0, 0.2), seps=(1.0,), informative=(1.0,), widths=(50,), noise=1
    )
    auc = 0.95 - table[VAL_NUM_ERROR] / 2000
    is_far_off = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table["replicate"] == 1)
    table[SCORE] = -auc.mask(is_far_off, 0.05)
    (run,) = analyze_table(table, measure=Measure("auc", True)).influential_runs
    assert run.is_far_off
    assert run.value == 0.05
    assert run.typical_value == pytest.approx(0.87, abs=0.02)


@pytest.mark.parametrize("value", [9000.0, 1500.0])
def test_one_run_far_off_is_reported_and_kept(value):
    table = planted.table(planted.quadratic(lambda cell: 2.0, 0.2), seps=(1.0,), informative=(1.0,), widths=(50,))
    assert analyze_table(table).influential_runs == []
    is_far_off = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table["replicate"] == 1)
    answer = analyze_table(table.assign(**{VAL_NUM_ERROR: table[VAL_NUM_ERROR].mask(is_far_off, value)}))
    (run,) = answer.influential_runs
    assert (run.T, run.replicate, run.value) == (4.0, "1", value)
    assert 100 < run.typical_value < 250
    assert len(run.tied_without) < len(run.tied)
    assert run.tied == answer.t_opt["tied"].iloc[0]
    words = f"run at T = 4 (replicate 1) has {value:,.4g}, where the other runs suggest about "
    assert words in describe_influential_run(run)


def test_a_run_far_off_spoils_no_other_cell():
    random = np.random.default_rng(5)
    y = generators.draw(
        generators.quadratic(2.0)(np.log2(generators.STUDY_GRID)), generators.equal_noise(12), 5, 5, random
    )
    cells = ties.make_cells(150 * y, generators.STUDY_GRID)
    y[0, 0, 3] = 60.0
    spoiled = ties.make_cells(150 * y, generators.STUDY_GRID)
    before, after = (estimate_cell_noises(each, VAL_NUM_ERROR) for each in (cells, spoiled))
    for cell, clean, noise in zip(cells[1:], before[1:], after[1:], strict=True):
        tied = [compare_temperatures_with_best(cell, VAL_NUM_ERROR, each).is_tied.sum() for each in (clean, noise)]
        assert abs(int(tied[0]) - int(tied[1])) <= 1
