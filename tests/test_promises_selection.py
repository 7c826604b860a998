"""Figures of a chosen temperature are not too good, and one temperature is not said to cost what it does not."""

from __future__ import annotations

import pytest

from benchmarks.promises.selection import (
    COST_CASES,
    COST_PROMISES,
    LUCK,
    N_DATA_SETS,
    REPLICATES,
    check_choice,
    check_costs,
    list_truths,
    make_study_truths,
)

LEAST = 0.93
INTERVALS = ("errors", "minus baseline", "minus teacher", "minus T=1", "gap closed")


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
@pytest.mark.parametrize("n_temperatures", [3, 12, 40])
def test_cross_fitted_intervals_hold(n_temperatures, n_replicates):
    for name, truth in list_truths(n_temperatures):
        for luck in LUCK if n_temperatures == 12 else LUCK[-1:]:
            result = check_choice(truth, n_replicates, luck, 400)
            for interval in INTERVALS:
                assert result[interval] >= LEAST - 0.02, (name, luck, interval)  # of 400 tables
            if name.startswith("flat"):
                assert abs(result["bias"]) <= 0.02, (name, luck)  # four standard errors of the level's noise


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
@pytest.mark.parametrize(("name", "is_flat", "widths"), COST_CASES)
def test_the_cost_of_one_temperature_holds(name, is_flat, widths, n_replicates):
    for luck in LUCK:
        result = check_costs(make_study_truths(is_flat, widths), n_replicates, luck, 100, n_sets=N_DATA_SETS)
        assert result["mean holds"] >= LEAST - 0.01, luck
        assert result["worst holds"] >= LEAST - 0.02, luck
        assert abs(result["mean off"]) <= 0.01, luck
        if is_flat:
            assert min(result[key] for key in COST_PROMISES) >= 0.92, luck  # of 100 tables
            assert result["worst off"] < 0.06 < result["naive worst off"], luck


def test_without_cross_fitting_they_would_not_hold():
    truth = dict(list_truths())["flat, equal, 12 T"]
    result = check_choice(truth, 8, 0.9, 150)
    assert result["naive minus baseline"] < 0.9
    assert result["naive bias"] < result["bias"] - 0.01
    assert result["minus baseline"] > 0.9
