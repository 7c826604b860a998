"""Figures beside published ones: intervals against scipy's, rankings against known differences; initial weights."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kdtune.analysis.published_figures import (
    ABOVE,
    INSIDE,
    ONE_RUN,
    compare_rankings,
    compare_with_published,
    write_source_summary,
)
from kdtune.analysis.published_matches import Match
from kdtune.stacked.initial_weights import draw_initial_weights


def match(network: str, theirs: int, errors: list[float]) -> Match:
    words = {"part": "A", "network": network, "source": "me", "note": "", "label": "", "n": "100"}
    return Match(pd.Series({**words, "num_error": str(theirs)}), pd.Series(errors, dtype=float))


def test_where_one_more_run_would_lie():
    """The textbook's prediction interval: 14 +- 2.776 * 3.162 * sqrt(1 + 1/5)."""
    (found,) = compare_with_published([match("x", 24, [10, 12, 14, 16, 18])]).to_dict("records")
    assert (found["mean"], found["lowest"], found["highest"], found["replicates"]) == (14, 10, 18, 5)
    half = stats.t.ppf(0.975, 4) * math.sqrt(10) * math.sqrt(1.2)
    assert (found["low"], found["high"]) == pytest.approx((14 - half, 14 + half))
    assert (found["spread"], found["one_more_run"]) == (ABOVE, ABOVE)
    inside = compare_with_published([match("x", 23, [10, 12, 14, 16, 18])]).iloc[0]
    assert (inside["spread"], inside["one_more_run"]) == (ABOVE, INSIDE)


def test_it_holds_as_often_as_it_says():
    random = np.random.default_rng(0)
    runs = np.round(random.normal(1000, 30, (2000, 6)))
    found = compare_with_published([match("x", int(one[5]), one[:5].tolist()) for one in runs])
    assert abs((found["one_more_run"] == INSIDE).mean() - 0.95) < 0.015
    assert abs((found["spread"] == INSIDE).mean() - 4 / 6) < 0.04, "why the range alone says little"


def test_one_run_says_nothing():
    (found,) = compare_with_published([match("x", 24, [10])]).to_dict("records")
    assert (found["spread"], found["one_more_run"]) == (ONE_RUN, ONE_RUN)
    assert math.isnan(found["low"])
    assert "1 stands beside a single run" in write_source_summary(pd.DataFrame([found]), "me")


def test_rankings_are_of_pairs_for_all_of_a_part_together():
    shared = np.array([0, 50, -50, 100, -100])  # of a replicate: it cancels in pairs
    errors = {
        "a": (30, 500 + shared),
        "b": (20, 490 + shared + [1, -1, 0, 1, -1]),
        "c": (25, 510 + shared + [20, -20, 9, -9, 0]),
    }
    found = compare_rankings([match(name, theirs, own.tolist()) for name, (theirs, own) in errors.items()])
    assert found[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    for _, row in found.iterrows():
        difference = errors[row["first"]][1] - errors[row["second"]][1]
        expected = stats.ttest_1samp(difference, 0).confidence_interval(1 - 0.05 / 3)
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert found["says"].tolist() == ["the same", "cannot tell", "cannot tell"]
    turned = compare_rankings([match("a", 20, errors["a"][1].tolist()), match("b", 30, errors["b"][1].tolist())])
    assert turned["says"].tolist() == ["the opposite"]


def test_initial_weights_have_their_spread():
    """Glorot's limit of a convolution counts its window into both fans; a deviation is of all layers but the last."""
    shapes = [(64, 32, 3, 3), (120, 500), (10, 120)]
    for weight, fans in zip(draw_initial_weights(shapes, 3), (96 * 9, 620, 130), strict=True):
        limit = math.sqrt(6 / fans)
        assert 0.99 * limit < weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)
    normal = draw_initial_weights(shapes, 3, std=0.01)
    for weight in normal[:2]:
        assert weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert normal[0].abs().max() > 0.035, "uniform ones would end at 0.017"
    assert normal[2].abs().max() <= math.sqrt(6 / 130)
