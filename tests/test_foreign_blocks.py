"""Parts of an export that stand in a table twice, rows that sum up others, and failures that repeat each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs


def make_accuracies(seed: int = 0) -> pd.DataFrame:
    """Return runs without seeds, with accuracies such as 98.48, of which some are equal by chance."""
    runs = make_runs(seed=seed)
    accuracies = (100 - runs["num_error"] / 100).round(2)
    return runs.assign(test_acc=accuracies).drop(columns=["replicate", "val_num_error", "num_error"])


@pytest.mark.parametrize("n_rows", [12, 20, 30, 45])
@pytest.mark.parametrize("is_above", [True, False])
def test_a_part_that_was_appended_to_the_whole_counts_once(n_rows: int, is_above: bool) -> None:
    runs = make_accuracies()
    part = runs.iloc[:n_rows]
    answer = kdtune.analyze(pd.concat([part, runs] if is_above else [runs, part], ignore_index=True))
    assert set(answer.t_opt["replicates"]) == {5}
    assert "hardly by chance" in " ".join(answer.reading_notes)


@settings(deadline=None)  # the first example warms up caches
@given(st.integers(0, 10_000), st.booleans())
@pytest.mark.slow
def test_replicates_that_are_equal_by_chance_stay(seed: int, is_sorted: bool) -> None:
    random = np.random.default_rng(seed)
    runs = pd.DataFrame({"temp": np.tile([1.0, 2.0, 4.0], 20), "num_error": random.integers(100, 112, 60)})
    if is_sorted:
        runs = runs.sort_values(["temp", "num_error"], ignore_index=True)
    assert set(kdtune.analyze(runs).t_opt["replicates"]) == {20}


def test_a_part_with_other_ids_is_asked_for() -> None:
    runs = make_accuracies().assign(run_id=[f"a{row}" for row in range(50)])
    part = runs.iloc[:20].assign(run_id=[f"b{row}" for row in range(20)])
    both = pd.concat([runs, part], ignore_index=True)
    with pytest.raises(RequestError, match=r"[0-9]+ rows repeat another row in all columns but run_id"):
        kdtune.analyze(both)
    assert find_best(both, repeats="once") == BEST


@pytest.mark.parametrize("word", ["mean", "Average", "std"])
def test_rows_that_sum_up_the_seeds_are_no_replicate(word: str) -> None:
    runs = make_runs().rename(columns={"replicate": "seed"})
    means = runs.groupby(["width", "temp"], as_index=False)[["val_num_error", "num_error"]].mean().assign(seed=word)
    answer = kdtune.analyze(pd.concat([runs.astype({"seed": str}), means], ignore_index=True))
    assert set(answer.t_opt["replicates"]) == {5}
    assert f"Left out: 10 rows that sum up others (seed {word})" in " ".join(answer.reading_notes)


def test_failed_trials_that_are_equal_do_not_block_the_table() -> None:
    runs = make_accuracies().assign(state="COMPLETE", trial_id=[f"t{row}" for row in range(50)])
    failed = runs.iloc[:10].assign(state="FAIL", test_acc=10.0)
    retries = [failed.assign(trial_id=[f"{name}{row}" for row in range(10)]) for name in "yz"]
    assert find_best(pd.concat([runs, *retries], ignore_index=True)) == BEST
