"""What is promised of effects, on tables whose truth is known: of a few tables each, so with some allowance."""

from __future__ import annotations

import math

import pytest

from benchmarks.promises.effects import DOUBLES, NO_MOVE, UNLIKE, measure_shares
from kdtune.analysis.factor_effects import DIFFERS, RISES, RISES_EVERYWHERE, STAYS, UNKNOWN

N_TABLES = 40


def allow(share, n_tables=N_TABLES):
    """The share that is promised, and two standard errors of so many tables."""
    return share + 2 * math.sqrt(share * (1 - share) / n_tables)


@pytest.mark.slow
def test_a_doubling_is_found_and_no_move_is_not():
    assert measure_shares(DOUBLES["lopsided curves double"], 5).rejected >= 0.8
    assert measure_shares(NO_MOVE["kinks turn, off the grid"], 5).rejected <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_MOVE)
def test_no_move_is_seldom_taken_for_one_whatever_the_shapes_of_curves(name):
    shares = measure_shares(NO_MOVE[name], N_TABLES)
    assert shares.rejected <= allow(0.07)
    assert 1 - shares.held <= allow(0.07)
    assert 1 - shares.held_in_sample <= allow(0.07)
    assert 1 - shares.held_in_sets <= allow(0.07)
    assert shares.heterogeneous <= allow(0.07)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOUBLES)
def test_a_doubling_is_found(name):
    shares = measure_shares(DOUBLES[name], N_TABLES)
    assert 1 - shares.rejected <= allow(0.2)
    assert 1 - shares.verdicts.get(RISES, 0.0) - shares.verdicts.get(RISES_EVERYWHERE, 0.0) <= allow(0.2)
    assert 1 - shares.held <= allow(0.07)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in UNLIKE if "halves" in name or "deeper" in name])
def test_opposite_effects_are_no_rise_and_no_rest(name):
    shares = measure_shares(UNLIKE[name], N_TABLES)
    assert shares.verdicts.get(DIFFERS, 0.0) + shares.verdicts.get(UNKNOWN, 0.0) >= 1 - allow(0.1)
    assert shares.verdicts.get(DIFFERS, 0.0) >= 0.7
    assert shares.verdicts.get(STAYS, 0.0) <= 0.05
