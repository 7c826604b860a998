"""Where a temperature has few runs, its intervals rest on these alone: what is filled in for others has no noise."""

import math

import numpy as np
import pandas as pd
import pytest

import kdtune

TRUTH = {1.0: 14.0, 2.0: 12.5, 4.0: 11.0, 8.0: 12.0, 16.0: 13.5}
BASELINE = 14.5


def _make_table(seed: int, n_runs: int, lucky: float = 0.0) -> pd.DataFrame:
    """Make six replicates of T = 4 and of labels alone, but only the first ``n_runs`` of each other temperature."""
    rng = np.random.default_rng(seed)
    rows = []
    for replicate in range(6):
        level = rng.normal(0, 0.6)
        noise = dict(zip(TRUTH, rng.normal(0, 0.5, len(TRUTH)), strict=True))
        for T, errors in TRUTH.items():
            if T == 4 or replicate < n_runs:
                value = errors + level + noise[T] - lucky * (T == 1)
                rows.append({"model": "distilled_student", "T": T, "seed": replicate, "val_error": value / 100})
        value = BASELINE + level + rng.normal(0, 0.5)
        rows.append({"model": "student", "T": 1.0, "seed": replicate, "val_error": value / 100})
    return pd.DataFrame(rows)


def test_interval_of_a_cost_covers_the_truth_with_two_runs() -> None:
    answers = [kdtune.analyze(_make_table(seed, 2)).overall.iloc[0] for seed in range(12)]
    covered = [each.minus_usual_low <= TRUTH[1] / TRUTH[4] - 1 <= each.minus_usual_high for each in answers]
    assert sum(covered) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("n_runs", [2, 3, 5])
def test_intervals_of_a_cost_cover_the_truth_in_95_of_100_tables(n_runs: int) -> None:
    answers = [kdtune.analyze(_make_table(seed, n_runs)).overall.iloc[0] for seed in range(400)]
    covered = [each.minus_usual_low <= TRUTH[1] / TRUTH[4] - 1 <= each.minus_usual_high for each in answers]
    print(n_runs, np.mean(covered))
    assert np.mean(covered) >= 0.95 - 0.03  # some three standard errors of 400 tables


def test_interval_grows_where_runs_are_removed() -> None:
    widths = []
    for n_runs in (2, 3, 6):
        overall = [kdtune.analyze(_make_table(seed, n_runs)).overall.iloc[0] for seed in range(3)]
        widths.append(np.median([each.minus_usual_high - each.minus_usual_low for each in overall]))
    assert widths[0] > widths[1] > widths[2]


def test_one_run_of_each_other_temperature_tells_no_cost() -> None:
    answer = kdtune.analyze(_make_table(0, 1))
    assert math.isinf(answer.overall["minus_usual_low"].iloc[0])
    text = answer.advice[0].text
    assert "in one run of each temperature" not in text
    assert "T = 4 had the best result, in 6 runs, but too few replicates have several temperatures" in text
    assert "What T = 1 costs cannot be told: there are too few runs of it and of T = 4 in one replicate." in text
    assert "Distillation makes" in text  # T = 4 and the baseline have six replicates.


def test_best_result_of_one_run_claims_nothing() -> None:
    text = kdtune.analyze(_make_table(0, 1, lucky=6.0)).advice[0].text
    assert "T = 1 had the best result, in 1 run" in text
    assert "What T = 4 costs cannot be told" in text
    assert "Whether distillation helps cannot be told: there are too few runs of T = 1" in text
    assert "%" not in text


@pytest.mark.parametrize("n_runs", [1, 2])
def test_costs_and_gains_by_temperature_rest_on_the_runs_that_exist(n_runs: int) -> None:
    table = _make_table(3, n_runs).rename(columns={"val_error": "test_error"})
    answer = kdtune.analyze(table)
    curves = answer.curves.set_index("T")
    baseline = table[table["model"] == "student"].set_index("seed")["test_error"]
    runs = table[(table["model"] == "distilled_student") & (table["T"] == 1)].set_index("seed")["test_error"]
    gains = (baseline - runs).dropna()
    assert len(gains) == n_runs
    ratio = curves.loc[1.0, "gain"] / gains.mean()
    assert ratio == pytest.approx(1.0) or ratio == pytest.approx(100.0)
    assert math.isinf(curves.loc[1.0, "gain_low"]) == (n_runs < 2)
    assert math.isfinite(curves.loc[4.0, "gain_low"])
    assert answer.fixed["mean_low"].isna().all() == (n_runs < 2)
