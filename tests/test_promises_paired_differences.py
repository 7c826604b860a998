"""Intervals of paired differences hold the difference over the population where the data set is finite."""

from __future__ import annotations

import pytest

from benchmarks.promises.paired_differences import (
    CASES,
    CUT_CASES,
    DIFFERENCES,
    REPLICATES,
    cover_cuts,
    cover_fixed_test,
)

# Of 600 tables at 95 %, 93 % is two standard errors below.
TABLES, LEAST = 600, 0.93


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
def test_intervals_hold_on_one_finite_test_set(n_replicates):
    for case, luck in CASES.items():
        for name, coverage in cover_fixed_test(luck, n_replicates, TABLES // 2).items():
            assert coverage.corrected >= LEAST - 0.01, (case, name)  # of 300 tables
            assert coverage.width <= 2.5 * coverage.plain_width, (case, name)


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
def test_intervals_hold_on_cuts_of_one_set(n_replicates):
    for case, luck in CUT_CASES.items():
        for name, coverage in cover_cuts(luck, n_replicates, TABLES).items():
            assert coverage.corrected >= LEAST - 0.01 * (name not in DIFFERENCES), (case, name)


@pytest.mark.parametrize("cover", [cover_fixed_test, cover_cuts])
def test_without_the_correction_they_would_not(cover):
    luck = CUT_CASES["training rows matter"] if cover is cover_cuts else CASES["nearly all difficulty"]
    coverage = cover(luck, 8, 100)["minus teacher"]
    assert coverage.plain < 0.9 <= coverage.corrected
