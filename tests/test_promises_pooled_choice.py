"""Of a baseline that is as good, neither help nor harm is claimed, however many replicates choose for each other."""

from __future__ import annotations

import math

import pytest

from benchmarks.promises.pooled_choice import CASES, measure_claims


@pytest.mark.parametrize(("n_sets", "n_replicates", "n_tables"), [(9, 8, 60)])
def test_plain_intervals_claim_too_much(n_sets, n_replicates, n_tables):
    plain, wider = measure_claims(n_sets, n_replicates, n_tables)
    assert wider < plain
    assert wider <= 0.13


@pytest.mark.slow
@pytest.mark.parametrize(("n_sets", "n_replicates"), CASES)
def test_help_or_harm_is_seldom_claimed_where_there_is_none(n_sets, n_replicates):
    n_tables = 400
    _, wider = measure_claims(n_sets, n_replicates, n_tables)
    assert wider <= 0.07 + 2 * math.sqrt(0.07 * 0.93 / n_tables)
