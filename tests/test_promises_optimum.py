"""The interval of the best temperature holds the minimum of smooth, lopsided and kinked curves on any grid."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.promises.generators import study_noise
from benchmarks.promises.optimum import (
    GRID_SIZES,
    REPLICATES,
    list_curves,
    list_noises,
    list_study_curves,
    measure_interval,
    measure_second,
    pick_noise,
)

PROMISE = 0.93
N_TABLES = {5: 100, 12: 60, 24: 30, 40: 20}  # dense grids take longer


def allow_chance(n_tables):
    """Return how far a share may lie below the promise by chance: 2.6 standard errors, for many settings."""
    return 2.6 * np.sqrt(PROMISE * (1 - PROMISE) / n_tables)


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
@pytest.mark.parametrize("n_temperatures", GRID_SIZES)
def test_intervals_hold_the_minimum(n_temperatures, n_replicates):
    n_tables, shares = N_TABLES[n_temperatures], []
    for number, planted in list(enumerate(list_curves(n_temperatures)))[n_replicates % 2 :: 2]:
        _, covariance = pick_noise(n_temperatures, number, n_replicates)
        found = measure_interval(planted, covariance, n_replicates, n_tables, seed=number)
        shares.append(found.holds)
        assert found.holds >= PROMISE - allow_chance(n_tables), planted.name
    assert np.mean(shares) >= PROMISE


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", [3, 8])
def test_intervals_hold_the_minimum_of_the_studys_curves(n_replicates):
    shares = []
    for planted in list_study_curves():
        width = int(planted.name.split("width ")[1].split(",")[0])
        shares.append(measure_interval(planted, study_noise(width), n_replicates, 20).holds)
    assert np.mean(shares) >= PROMISE


@pytest.mark.slow
@pytest.mark.parametrize(("is_pooled", "is_paired"), [(True, True), (False, False)])
def test_intervals_hold_with_pooled_noise_and_of_unpaired_runs(is_pooled, is_paired):
    for number, planted in enumerate(list_curves(12)):
        covariance = list_noises(12, 0.05)["rising" if number % 2 else "equal"]
        found = measure_interval(planted, covariance, 5, 100, number, is_pooled, is_paired)
        assert found.holds >= PROMISE - allow_chance(100), planted.name


@pytest.mark.slow
def test_a_second_minimum_is_reported_where_there_is_one_and_seldom_where_there_is_none():
    deep = measure_second(depth=0.05, hill=0.15, deviation=0.03, n_replicates=5, n_tables=200)
    assert deep.second >= 0.8
    assert deep.holds >= PROMISE
    for planted in list_curves(12)[:8]:
        found = measure_interval(planted, list_noises(12, 0.05)["equal"], 5, 200)
        assert found.second <= 0.05


def test_a_kink_between_temperatures_is_held():
    """The interval of a smooth curve held it in half of such tables."""
    kinks = [planted for planted in list_curves(12) if planted.name == "kink between, slopes 0.3 and 0.03"]
    found = measure_interval(kinks[0], list_noises(12, 0.05)["equal"], 8, 40)
    assert found.holds >= 0.85
