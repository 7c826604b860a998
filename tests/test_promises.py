"""What `kdtune analyze` promises, held against many tables with planted answers. A few by default, all with -m slow."""

from __future__ import annotations

import pytest

from benchmarks import coverage


def test_an_effect_that_is_there_is_found_and_one_that_is_not_is_not():
    assert coverage.effects(1.0, tables=5)["width"] >= 0.8
    assert coverage.effects(0.0, tables=5)["width"] <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("curve", coverage.MOVING)
def test_an_effect_that_is_not_there_is_seldom_found(curve):
    found = coverage.effects(0.0, 500, curve)
    assert found["width"] <= 0.07
    assert found["its interval holds"] >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("doublings", [1.0, 2.0])
@pytest.mark.parametrize("curve", coverage.MOVING)
def test_a_planted_doubling_is_found(curve, doublings):
    found = coverage.effects(doublings, 500, curve)
    assert found["its interval holds"] >= 0.93
    if curve != "plateau" and (doublings == 2 or "beyond" not in curve):  # where it is hardly seen where the best T is
        assert found["width"] >= 0.8
