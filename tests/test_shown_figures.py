"""Sentences about labels alone, and the table of the differences, say the same."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.shown_figures import agree_on_baseline


@pytest.mark.parametrize(
    ("low", "high", "share", "expected"),
    [
        (-6.9, 0.2, (-0.42, -0.01), (-0.42, 0.02)),  # the table holds 0: so does the share
        (-0.3, 5.0, (0.02, 0.4), (-0.03, 0.4)),
        (-6.9, -0.2, (-0.42, -0.01), (-0.42, -0.01)),
        (-6.9, 0.2, (-0.42, 0.01), (-0.42, 0.01)),
        (float("nan"), float("nan"), (-0.42, -0.01), (-0.42, -0.01)),
    ],
)
def test_no_sentence_says_more_of_distillation_than_the_table(
    low: float, high: float, share: tuple[float, float], expected: tuple[float, float]
) -> None:
    (student, *_) = analyze_table(
        planted.table(planted.quadratic(lambda cell: 2.0, 0.1), seps=(1,), informative=(1,))
    ).students
    assert student.minus_baseline is not None
    student = replace(student, cells=[0], minus_baseline=replace(student.minus_baseline, low=share[0], high=share[1]))
    test = pd.DataFrame({"baseline": [10.0], "minus_baseline_low": [low], "minus_baseline_high": [high]})
    (agreed,) = agree_on_baseline([student], test)
    assert agreed.minus_baseline is not None
    assert (agreed.minus_baseline.low, agreed.minus_baseline.high) == pytest.approx(expected)
