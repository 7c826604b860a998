"""Error rates below 1: fractions, or percents of a network that errs rarely."""

from __future__ import annotations

import pandas as pd
import pytest

import kdtune
from tests.mended_tables import run_command
from tests.planted_tables import BEST, find_best, make_runs


def make_rates(factor: float) -> pd.DataFrame:
    """Return runs with 150 to 700 errors of 10,000: times 100 these are rates in percent of 0.6 to 0.9."""
    runs = make_runs(slope=12)
    rates = (runs[["val_num_error", "num_error"]] / 10_000 * factor + 0.45).round(4)
    return runs.drop(columns=rates.columns).assign(val_error=rates["val_num_error"], test_error=rates["num_error"])


def test_the_unit_is_that_of_the_accuracies_beside_the_errors():
    rates = make_rates(10)
    percents = rates.assign(test_acc=(100 - rates["test_error"]).round(4))
    answer = kdtune.analyze(percents)
    assert "in percent: the accuracies of the table say so" in " ".join(answer.reading_notes)
    mean = rates.groupby(["width", "temp"])["val_error"].mean()  # that of the other split is about as large
    assert answer.curves["errors"].tolist() == pytest.approx(mean.tolist())
    fractions = rates.assign(test_acc=(1 - rates["test_error"]).round(4))
    answer = kdtune.analyze(fractions)
    assert answer.curves["errors"].tolist() == pytest.approx((100 * mean).tolist())
    counted = rates.assign(test_acc=100 - 100 * rates["test_error"])  # accuracies in percent, errors in fractions
    assert kdtune.analyze(counted).curves["errors"].tolist() == pytest.approx((100 * mean).tolist())


def test_a_unit_that_nothing_proves_is_doubted_once_and_can_be_said(tmp_path):
    path = tmp_path / "runs.csv"
    rates = make_rates(10)
    rates.to_csv(path, index=False)
    answer = kdtune.analyze(path)
    doubts = [note for note in answer.reading_notes if "percent or fractions" in note]
    assert len(doubts) == 1
    assert "val_error and test_error" in doubts[0]
    assert answer.curves["errors"].between(0, 1).all()
    assert "in percent of the examples" not in str(answer)
    mended = run_command(doubts[0])
    assert find_best(mended) == BEST
    answer = kdtune.analyze(mended)
    assert "rate of errors in percent" in " ".join(answer.reading_notes)


def test_low_rates_are_fractions():
    answer = kdtune.analyze(make_rates(10).assign(val_error=lambda rates: rates["val_error"] / 4, test_error=0.1))
    assert "in fractions" in " ".join(answer.reading_notes)
