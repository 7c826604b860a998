"""A search that draws T from a range gives each run a T of its own: the message says how to round them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError


def search(low: float, high: float, n_runs: int = 100, seed: int = 0) -> pd.DataFrame:
    """Return trials of a search over T and a learning rate; T = 4 is the best."""
    random = np.random.default_rng(seed)
    T, rate = low * (high / low) ** random.random(n_runs), 10 ** random.uniform(-4, -2, n_runs)
    error = 0.07 + 0.01 * np.log2(T / 4) ** 2 + random.normal(0, 0.001, n_runs)
    return pd.DataFrame(
        {
            "number": np.arange(n_runs),
            "params_T": T,
            "params_lr": rate,
            "user_attrs_seed": random.integers(0, 5, n_runs),
            "datetime_start": [f"2025-03-01 10:{n // 60:02d}:{n % 60:02d}" for n in range(n_runs)],
            "user_attrs_test_acc": 1 - error,
        }
    )


def follow(frame: pd.DataFrame, reserve: str) -> pd.DataFrame:
    command = re.search(r"read the table again: frame = (.*)\.$", reserve)
    assert command, reserve
    return eval(command[1], {"frame": frame, "numpy": np})


@pytest.mark.parametrize(("low", "high", "n_least"), [(0.5, 32, 6), (1.5, 8, 4), (3, 6, 4)])
@pytest.mark.parametrize("has_seeds", [True, False])
def test_temperatures_of_a_search_are_rounded_by_what_the_answer_says(low, high, n_least, has_seeds):
    table = search(low, high) if has_seeds else search(low, high).drop(columns="user_attrs_seed")
    answer = kdtune.analyze(table)
    assert answer.reserve.startswith("Nearly every run has a T of its own (100 temperatures in 100 runs)")
    assert "As the table is read now: T = " in str(answer)
    assert len(re.findall(r"T 0\.\d+|T \d+\.\d+", str(answer))) < 20  # of 100
    rounded = kdtune.analyze(follow(table, answer.reserve))
    assert not rounded.reserve
    (best,) = rounded.t_opt["T_opt"]
    assert 0.7 < best / 4 < 1.45
    assert rounded.t_opt["temperatures"].iloc[0] >= n_least


def test_a_grid_with_few_runs_is_no_search():
    runs = pd.DataFrame({"T": [1, 2, 4, 8, 16, 32], "acc": [0.9, 0.91, 0.92, 0.93, 0.92, 0.91]})
    assert not kdtune.analyze(runs).reserve


def test_what_was_planned_is_named_first_and_the_seed_may_be_left_out():
    table = search(0.5, 32).assign(params_T=lambda trials: 2.0 ** np.log2(trials["params_T"]).round())
    with pytest.raises(RequestError, match=r"where they differ in params_lr, number and datetime_start\.") as refusal:
        kdtune.analyze(table)
    assert 'user_attrs_seed pairs no runs: map={"replicate": "none"} leaves it out' in str(refusal.value)
    assert kdtune.analyze(table.drop(columns="user_attrs_seed")).t_opt["T_opt"].tolist() == [4]
