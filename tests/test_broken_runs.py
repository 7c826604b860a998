"""Several runs that have not trained are found together, and the answer says what to use without them."""

import math
import re

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.analysis.broken_runs import find_broken_runs, find_broken_values
from kdtune.analysis.cell import Cell
from kdtune.analysis.evidence import _write_range
from kdtune.analysis.measured import Measured
from kdtune.statistics.pooled_curves import MeanDifference

TRUTH = {1.0: 14.0, 2.0: 12.5, 4.0: 11.0, 8.0: 12.0, 16.0: 13.5}


def _make_table(broken: list[tuple[float, int]], seed: int = 3) -> pd.DataFrame:
    """Make six replicates of which some runs, by T and replicate, have chance accuracy; T = 0 is labels alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for replicate in range(6):
        level = rng.normal(0, 0.5)
        for T, errors in {0.0: 14.5, **TRUTH}.items():
            accuracy = 1 - (errors + level + rng.normal(0, 0.25)) / 100
            accuracy = 0.1 if (T, replicate) in broken else accuracy
            rows.append({"T": T or np.nan, "alpha": 0.9 if T else 0.0, "seed": replicate, "val_acc": accuracy})
    return pd.DataFrame(rows)


def _write_advice(broken: list[tuple[float, int]]) -> str:
    return kdtune.analyze(_make_table(broken)).advice[0].text


@pytest.mark.parametrize(
    ("broken", "places"),
    [
        ([(1.0, 5), (8.0, 3), (16.0, 0)], "T = 1 (replicate 5), T = 8 (replicate 3) and T = 16 (replicate 0)"),
        ([(16.0, 0), (16.0, 1)], "T = 16 (replicates 0 and 1)"),
        ([(1.0, 1), (2.0, 3)], "T = 1 (replicate 1) and T = 2 (replicate 3)"),
        ([(4.0, 1), (8.0, 1)], "T = 4 (replicate 1) and T = 8 (replicate 1)"),
    ],
)
def test_several_broken_runs_are_named_with_what_to_use_without_them(
    broken: list[tuple[float, int]], places: str
) -> None:
    text = _write_advice(broken)
    start = f"{len(broken)} runs look broken and hide the best temperature: at {places}; the first has 90 errors, where"
    assert text.startswith(start)
    assert "If they are left out, use T = 4. Every other temperature is significantly worse." in text


@pytest.mark.parametrize("count", [2, 4])
def test_temperature_of_which_many_runs_diverged_is_not_recommended(count: int) -> None:
    text = _write_advice([(16.0, number) for number in range(count)])
    assert f"{count} of 6 runs at T = 16 diverged: that T is not recommended" in text


def test_temperature_of_which_all_runs_are_bad_is_only_worse() -> None:
    text = _write_advice([(16.0, number) for number in range(6)])
    assert text.startswith("Use T = 4. Every other temperature is significantly worse.")
    assert "broken" not in text
    assert "diverged" not in text


def test_more_than_a_third_of_the_runs_are_not_odd() -> None:
    assert "broken" not in _write_advice([(T, number) for T in (1.0, 4.0, 16.0) for number in range(4)])


def test_noise_seldom_looks_broken() -> None:
    rng = np.random.default_rng(11)
    n_found = 0
    for _ in range(300):
        noise = 2.4 * rng.standard_t(3, (6, 5)) / np.sqrt(3)  # a fifth of the errors, with heavy tails
        y = np.maximum(np.array(list(TRUTH.values())) + rng.normal(0, 0.6, (6, 1)) + noise, 0.1)
        cell = Cell({}, np.array(list(TRUTH)), list(range(6)), {"val_num_error": y}, {}, {})
        n_found += len(find_broken_runs(cell, "val_num_error")) > 0
    assert n_found <= 6


def test_values_of_one_kind_are_broken_only_far_from_their_median() -> None:
    assert (
        find_broken_values(np.array([14.0, 14.5, 90.0, 15.0, np.nan, 14.2])).tolist()
        == [False] * 2 + [True] + [False] * 3
    )
    assert not find_broken_values(np.array([14.0, 90.0, 15.0])).any()
    assert not find_broken_values(np.array([14.0, 14.5, 90.0, 90.0, 15.0])).any()
    assert not find_broken_values(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 8.0])).any()


def test_broken_baseline_is_named_and_left_out_of_the_comparison() -> None:
    text = _write_advice([(0.0, 2)])
    assert "One run with labels alone looks broken (replicate 2): it has 90 errors, where" in text
    found = re.search(r"Distillation makes (\d+) % fewer errors \(95 % interval (\d+) % to (\d+) %\)", text)
    assert found
    assert 20 <= int(found[2]) < int(found[1]) < int(found[3]) <= 30


def test_run_that_is_broken_on_the_test_split_alone_is_named() -> None:
    table = _make_table([])
    table["test_acc"] = table["val_acc"].mask((table["T"] == 4) & (table["seed"] == 2), 0.1)
    text = kdtune.analyze(table).advice[0].text
    assert "One run looks broken on the test split (T = 4, replicate 2): it has 90" in text
    assert "these runs cannot tell" not in text
    assert "Distillation makes 2" in text


def test_no_one_makes_fewer_errors_than_none() -> None:
    difference = MeanDifference(-0.6, -1.2, -0.05, -math.inf, math.inf, 1, 1)
    text = _write_range([difference], "fewer errors", Measured("more errors", "fewer errors"))
    assert text == "60 % fewer errors (95 % interval 5 % to 100 %)"
