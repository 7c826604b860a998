"""Temperatures that are equally good are held where all replicates share the examples that T is chosen on."""

from __future__ import annotations

import pytest

from benchmarks.promises.fixed_validation import hold_temperatures
from benchmarks.promises.paired_differences import CASES, REPLICATES

# Of 200 tables and six temperatures at 95 %: the lowest of them is about two and a half standard errors below.
TABLES, LEAST, LEAST_ON_AVERAGE = 200, 0.90, 0.93


def test_without_the_sampling_of_examples_they_would_not_be():
    held = hold_temperatures(CASES["nearly all difficulty"], 8, 40)
    assert held.without_sampling.mean() < 0.85
    assert held.with_sampling.mean() >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", REPLICATES)
@pytest.mark.parametrize("case", CASES)
def test_equally_good_temperatures_are_held(case, n_replicates):
    held = hold_temperatures(CASES[case], n_replicates, TABLES).with_sampling
    assert held.mean() >= LEAST_ON_AVERAGE
    assert held.min() >= LEAST
