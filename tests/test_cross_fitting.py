"""Figures of a chosen temperature that are not too good, and what one temperature for all settings costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import kdtune
from benchmarks.promises.selection import Truth, draw_cell
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.cross_fitted_choice import cross_fit
from kdtune.analysis.fixed_temperature import COST, compute_relative_regret, estimate_fixed_temperature_costs
from kdtune.analysis.test_split import evaluate_choice
from kdtune.columns import BASELINE, MODEL, NUM_ERROR, REPLICATE, TEACHER, VAL_NUM_ERROR
from kdtune.statistics.cross_fitting import choose_without_each, compute_pseudo_values
from kdtune.statistics.mean_costs import CostRows, estimate_mean_costs
from kdtune.statistics.moderated_variances import moderate_variances
from tests.planted_tables import make_runs

GRID = np.array([1.0, 2, 4, 8])


def draw_errors(seed, n_replicates=5, k=4, noise=1.0):
    random = np.random.default_rng(seed)
    return 100 + noise * random.standard_normal((2, n_replicates, k))


def choose(selection):
    (indices,) = choose_without_each([selection])
    return indices


def compute(selection, test):
    (pseudo_values,) = compute_pseudo_values([selection], [test], 0)
    return pseudo_values


def test_of_equal_treatments_the_first_is_chosen_whatever_the_unit():
    counts = np.array([[3.0, 1, 2], [1, 3, 2], [2, 2, 2], [2, 2, 2]])
    for unit in (1.0, 3.0, 7.0, 1e-3):
        assert choose(counts / unit).tolist() == choose(counts).tolist()
    assert choose(np.full((4, 3), 0.1)).tolist() == [0, 0, 0, 0]


def test_a_replicate_takes_no_part_in_choosing_its_own_temperature():
    decide = np.array([[0.0, 10], [0, 10], [100, 0]])
    # The others prefer, for the first and the second replicate the second T, for the third the first.
    assert choose(decide).tolist() == [1, 1, 0]


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 8))
def test_pseudo_values_have_the_mean_of_the_cross_fitted_errors(seed, n_replicates, k):
    selection, test = draw_errors(seed, n_replicates, k)
    errors = test[np.arange(n_replicates), choose(selection)]
    pseudo_values = compute(selection, test)
    assert pseudo_values.mean() == pytest.approx(errors.mean())
    # A level of a replicate stays in it, so that differences to its other networks are free of the level.
    levels = np.random.default_rng(seed).standard_normal(n_replicates)
    shifted = compute(selection + levels[:, None], test + levels[:, None])
    np.testing.assert_allclose(shifted - levels, pseudo_values, atol=1e-9)


def test_where_the_choice_is_clear_pseudo_values_are_the_errors():
    selection, test = draw_errors(0)
    selection[:, 2] -= 50
    np.testing.assert_array_equal(compute(selection, test), test[:, 2])


def test_pseudo_values_are_the_jackknife_by_hand():
    selection, test = draw_errors(3)
    errors = test[np.arange(5), choose(selection)]
    rest_means = []
    for left_out in range(5):
        rest = [r for r in range(5) if r != left_out]
        indices = choose(selection[rest])
        rest_means.append(test[rest, indices].mean())
    by_hand = 5 * errors.mean() - 4 * np.array(rest_means)
    pseudo_values = compute(selection, test)
    np.testing.assert_allclose(pseudo_values - pseudo_values.mean(), by_hand - by_hand.mean())
    assert pseudo_values.std() > errors.std()  # Several T are equal here.


@given(st.integers(0, 10_000), st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(1, 5))
def test_pseudo_values_of_several_sets_are_the_jackknife_by_hand(seed, counts, k):
    random = np.random.default_rng(seed)
    selection, results = ([random.standard_normal((count, k)) for count in counts] for _ in range(2))

    def sum_means(rows, values):
        choices = choose_without_each(rows)
        return sum(each[np.arange(len(each)), i].mean() for each, i in zip(values, choices, strict=True))

    for number, values in enumerate(compute_pseudo_values(selection, results, 0)):
        count = counts[number]
        chosen = results[number][np.arange(count), choose_without_each(selection)[number]]
        sums = np.zeros(count)
        for replicate in range(count if count > 1 else 0):
            kept = [
                [np.delete(each, replicate, axis=0) if i == number else each for i, each in enumerate(arrays)]
                for arrays in (selection, results)
            ]
            sums[replicate] = sum_means(*kept)
        np.testing.assert_allclose(values, chosen.mean() - (count - 1) * (sums - sums.mean()), atol=1e-9)


def test_a_missing_run_has_no_pseudo_value():
    cell = draw_cell(make_truth(), 5, 0.5, np.random.default_rng(1))
    whole = cross_fit(cell, VAL_NUM_ERROR, NUM_ERROR)
    test = cell.student_measures[NUM_ERROR].copy()
    test[2, whole.indices[2]] = np.nan
    gap = cross_fit(
        replace(cell, student_measures={**cell.student_measures, NUM_ERROR: test}), VAL_NUM_ERROR, NUM_ERROR
    )
    assert np.flatnonzero(np.isnan(gap.errors_for_intervals)).tolist() == [2]
    assert np.nanmean(gap.errors_for_intervals) == pytest.approx(np.nanmean(gap.errors))


def make_truth(curve=(1.0, 1, 1, 1), deviation=0.1):
    return Truth(np.array(curve), deviation**2 * np.eye(len(curve)), GRID[: len(curve)])


def draw_result(seed=0, **truth):
    cell = draw_cell(make_truth(**truth), 5, 0.9, np.random.default_rng(seed))
    best = int(cell.student_measures[VAL_NUM_ERROR].mean(axis=0).argmin())
    return cell, best, evaluate_choice(cell, best, VAL_NUM_ERROR)


def test_the_cross_fitted_figures_are_those_of_their_definition():
    cell, _, result = draw_result()
    validation, test = cell.student_measures[VAL_NUM_ERROR], cell.student_measures[NUM_ERROR]
    chosen = [np.delete(validation, r, axis=0).mean(axis=0).argmin() for r in range(5)]
    errors = test[np.arange(5), chosen]
    baseline, teacher = cell.baseline_measures[NUM_ERROR], cell.teacher_measures[NUM_ERROR]
    fitted = result.cross_fitting
    assert fitted.cross_fitted == pytest.approx(errors.mean())
    assert fitted.cross_fitted_minus_baseline == pytest.approx((errors - baseline).mean())
    assert fitted.cross_fitted_minus_teacher == pytest.approx((errors - teacher).mean())
    assert fitted.cross_fitted_minus_T1 == pytest.approx((errors - test[:, 0]).mean())
    assert fitted.cross_fitted_gap_closed == pytest.approx((baseline - errors).mean() / (baseline - teacher).mean())
    assert fitted.optimism == pytest.approx((errors.mean() - result.student) / errors.mean())
    for name in ("", "_minus_baseline", "_minus_teacher", "_minus_T1", "_gap"):
        low, high = (getattr(fitted, f"cross_fitted{name}_{end}") for end in ("low", "high"))
        assert (
            low < getattr(fitted, f"cross_fitted{name or ''}" if name != "_gap" else "cross_fitted_gap_closed") < high
        )


def test_a_choice_that_is_clear_flatters_nothing():
    _, _, result = draw_result(curve=(1.0, 0.5, 1, 1), deviation=0.01)
    assert result.cross_fitting.cross_fitted == pytest.approx(result.student)
    assert result.cross_fitting.optimism == pytest.approx(0)
    assert result.cross_fitting.cross_fitted_minus_baseline_low == pytest.approx(result.minus_baseline_low)


def test_the_price_of_one_temperature_is_compared_with_a_choice_by_others():
    cell, best, _ = draw_result()
    test = cell.student_measures[NUM_ERROR].mean(axis=0)
    base = cross_fit(cell, VAL_NUM_ERROR, NUM_ERROR).errors.mean()
    np.testing.assert_allclose(compute_relative_regret(cell, best, VAL_NUM_ERROR, NUM_ERROR), test / base - 1)
    unpaired = replace(cell, is_paired=False)
    naive = compute_relative_regret(unpaired, best, VAL_NUM_ERROR, NUM_ERROR)
    assert naive[best] == 0
    np.testing.assert_allclose(naive, test / test[best] - 1)


def make_fixed(cells):
    best = [int(cell.student_measures[VAL_NUM_ERROR].mean(axis=0).argmin()) for cell in cells]
    regrets = [compute_relative_regret(*pair, VAL_NUM_ERROR, NUM_ERROR) for pair in zip(cells, best, strict=True)]
    temperatures = np.concatenate([cell.temperatures for cell in cells])
    curves = pd.DataFrame({"T": temperatures, COST: np.concatenate(regrets), "tied": True})
    return estimate_fixed_temperature_costs(cells, curves, VAL_NUM_ERROR)


def test_the_worst_setting_of_flat_curves_pays_little():
    random = np.random.default_rng(0)
    cells = [draw_cell(make_truth(), 5, 0.9, random, number) for number in range(30)]
    fixed = make_fixed(cells)
    costs = np.array([compute_relative_regret(c, 0, VAL_NUM_ERROR, NUM_ERROR) for c in cells])
    assert costs.max(axis=0).min() > 0.1  # what the largest of noisy costs would have claimed
    assert (fixed["worst"] < 0.05).all()
    assert (fixed["mean_low"] < 0).all()
    assert (fixed["worst_low"] < 0.01).all()
    assert (fixed["worst_high"] > 0).all()
    assert (fixed["cross_fitted_cells"] == 30).all()


def test_a_setting_that_pays_is_seen():
    random = np.random.default_rng(0)
    truths = [make_truth(curve=(1.0, 1.0, 2.0, 1.0), deviation=0.01)] + [make_truth(deviation=0.01)] * 5
    fixed = make_fixed([draw_cell(truth, 5, 0.9, random, number) for number, truth in enumerate(truths)]).iloc[2]
    assert fixed["worst_low"] > 0.5
    assert fixed["worst_low"] < 1.0 < fixed["worst_high"] < 1.7
    assert fixed["worst"] == pytest.approx(1.0, abs=0.1)
    assert fixed["mean"] == pytest.approx(1 / 6, abs=0.02)
    assert fixed["median"] == pytest.approx(0, abs=0.02)


def test_temperatures_that_some_settings_lack_are_left_out_and_one_replicate_has_no_bounds():
    random = np.random.default_rng(0)
    cells = [draw_cell(make_truth(curve=[1.0] * k), 1, 0.9, random, k) for k in (3, 4)]
    fixed = make_fixed(cells)
    assert fixed["T"].tolist() == GRID[:3].tolist()
    assert fixed.filter(regex="low|high|worst").isna().all(axis=None)
    assert fixed["mean"].notna().all()
    assert (fixed["cross_fitted_cells"] == 0).all()


def test_settings_that_share_replicates_are_no_more_evidence_than_one():
    """Copies of a setting have its interval; independent settings together have a narrower one."""
    random = np.random.default_rng(0)
    costs = random.standard_normal((5, 3))
    settings, copies = np.repeat(np.arange(4), 5), np.tile(costs, (4, 1))
    shared = CostRows(copies, settings, np.tile(np.arange(5), 4), np.zeros(20, int), np.zeros(4))
    one = CostRows(costs, np.zeros(5, int), np.arange(5), np.zeros(5, int), np.zeros(1))
    independent = replace(shared, units=np.arange(20), sets=settings)
    margins = [estimate_mean_costs(rows) for rows in (shared, one, independent)]
    np.testing.assert_allclose(margins[0].mean_high, margins[1].mean_high)
    half = stats.t.ppf(1 - 0.05 / 3 / 2, 4) * costs.std(axis=0, ddof=1) / math.sqrt(5)
    np.testing.assert_allclose(margins[1].mean_high - margins[1].mean, half)
    half = stats.t.ppf(1 - 0.05 / 3 / 2, 16) * costs.std(axis=0, ddof=1) / math.sqrt(20)
    np.testing.assert_allclose(margins[2].mean - margins[2].mean_low, half)
    cuts = estimate_mean_costs(replace(one, overlaps=np.array([0.25])))
    ratio = (cuts.mean_high - cuts.mean) / (margins[1].mean_high - margins[1].mean)
    np.testing.assert_allclose(ratio, math.sqrt(1 + 5 * 0.25))


def test_moderated_variances_are_between_their_own_and_the_typical_one():
    random = np.random.default_rng(0)
    true_variances = 4 / random.chisquare(4, 4000)  # s0^2 = 1, d0 = 4
    dof = np.full(4000, 3)
    variances = (true_variances * random.chisquare(3, 4000) / 3)[:, None]
    moderated, total_dof = moderate_variances(variances, dof)
    assert total_dof[0, 0] - 3 == pytest.approx(4, rel=0.25)
    errors = [np.mean((np.log(v[:, 0]) - np.log(true_variances)) ** 2) for v in (variances, moderated)]
    assert errors[1] < 0.6 * errors[0]
    equal, equal_dof = moderate_variances(random.chisquare(3, (50, 1)) / 3, np.full(50, 3))
    assert (equal_dof > 10).all()
    assert equal.std() < 0.4
    few = np.array([[1.0], [2.0]])
    np.testing.assert_array_equal(moderate_variances(few, np.array([3, 3]))[0], few)


def test_unpaired_runs_have_naive_costs_and_no_bounds():
    runs = make_runs().drop(columns="replicate")
    answer = kdtune.analyze(runs)
    assert answer.test.filter(like="cross_fitted").isna().all(axis=None)
    assert answer.test["optimism"].isna().all()
    assert answer.fixed["mean"].notna().all()
    assert answer.fixed.filter(like="worst").isna().all(axis=None)


def test_a_missing_test_error_leaves_the_rest_of_the_setting(rising):
    students = ~rising[MODEL].isin([BASELINE, TEACHER])
    hole = rising.index[students & (rising[REPLICATE] == 0)][0]
    answer = analyze_table(rising.assign(**{NUM_ERROR: rising[NUM_ERROR].astype(float).mask(rising.index == hole)}))
    assert answer.test["cross_fitted"].notna().all()
    assert answer.fixed["mean_high"].notna().all()
