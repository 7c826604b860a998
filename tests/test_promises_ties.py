"""What kdtune promises of tied sets and of the replicates that it asks for, held against many tables: -m slow."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from benchmarks.promises import power, ties

N_TABLES = 400  # cells of each setting; the share of one T has a standard error of 1.1 %


def test_flat_curves_of_a_few_tables():
    shares = ties.hold_flat("loud first", 12, 5, 9, tables=12)
    assert 0.9 <= shares.mean <= 0.99


def test_a_clear_optimum_leaves_few_temperatures():
    """A steep parabola with its minimum at T = 6, and noise of 3 %."""
    generators, random = ties.generators, np.random.default_rng(0)
    curve = generators.quadratic(math.log2(6), 0.25)(np.log2(generators.STUDY_GRID))
    y = 150 * generators.draw(curve, generators.equal_noise(12, 0.027), 60, 5, random)
    sizes = [ties.compare_cells(values[np.newaxis], generators.STUDY_GRID)[0].is_tied.sum() for values in y]
    assert np.median(sizes) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("layout", ties.LAYOUTS, ids=str)
def test_each_temperature_of_flat_curves_is_held(layout):
    """Of few replicates in one or two cells noise is hardly known, and T are held more often than promised."""
    _, n_replicates, n_cells = layout
    is_few = n_cells * (n_replicates - 1) < 20
    for noise in ties.list_noises(layout[0]):
        tables = max(1, N_TABLES // n_cells) if layout[0] < 40 else 150 // n_cells
        shares = ties.hold_flat(noise, *layout, tables=max(4, tables))
        assert 0.93 <= shares.mean <= (1.0 if is_few else 0.98), noise
        assert shares.least >= 0.88, noise


@pytest.mark.slow
@pytest.mark.parametrize("kind", ties.KINDS[1:])
def test_other_distributions_change_little(kind):
    for layout, noise in itertools.product([(5, 3, 1), (12, 5, 9)], ["equal", "lagged", "loud first"]):
        shares = ties.hold_flat(noise, *layout, kind=kind, tables=N_TABLES // layout[2])
        assert shares.mean >= 0.93, (layout, noise)


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", [2, 3, 5])
def test_failures_at_random_delete_no_temperature(n_replicates):
    shares = ties.hold_flat("lagged", 12, n_replicates, 1, tables=N_TABLES, failures=0.05)
    assert shares.mean >= 0.94
    kept = ties.keep_best(0.05, n_replicates, tables=300)
    assert kept.is_compared == 1
    assert kept.is_tied >= 0.95


@pytest.mark.slow
def test_sets_on_the_studys_curves_are_smaller_than_those_of_equal_noise():
    sizes = [ties.size_sets(width, tables=25) for width in ties.generators.STUDY_WIDTHS]
    assert sum(each.size_of_equal_noise - each.size for each in sizes) / len(sizes) >= 0.5
    assert min(each.holds_best for each in sizes) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", [3, 5, 20])
def test_temperatures_within_five_percent_are_seldom_named_wrongly(n_replicates):
    result = ties.name_good_enough(100, n_replicates, tables=30)
    assert result.is_false <= 0.05
    assert result.mean_named >= (3 if n_replicates == 20 else 0)


@pytest.mark.slow
@pytest.mark.parametrize("setting", power.SETTINGS, ids=lambda setting: setting.noise)
def test_four_of_five_sweeps_find_what_they_were_planned_for(setting):
    promise = power.keep_promise(setting, tables=600)
    assert promise.replicates >= 8
    assert 0.75 <= promise.reached <= 0.9
