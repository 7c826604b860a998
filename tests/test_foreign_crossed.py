"""Settings with doubtful names: crossed with the seeds, or with seeds of their own; and what must not hide them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.analysis.answer import Answer
from kdtune.errors import RequestError
from tests.openings import join_opening
from tests.planted_tables import BEST, find_best, make_runs

OPPOSITE = {10: 8.0, 40: 2.0}


def make_settings(name: str, values: tuple[object, object], has_own_seeds: bool) -> pd.DataFrame:
    """Return runs of two values of a column, of which the second one has the opposite answer."""
    first, second = make_runs(), make_runs(OPPOSITE, seed=1)
    if has_own_seeds:
        second["replicate"] += 5
    both = [first.assign(**{name: values[0]}), second.assign(**{name: values[1]})]
    return pd.concat(both, ignore_index=True).rename(columns={"replicate": "seed"})


def list_best(answer: Answer) -> list[float]:
    """Return the best T of all settings, in order."""
    return sorted(answer.t_opt["T_opt"])


@pytest.mark.parametrize("name", ["precision", "group", "device", "model_name"])
@pytest.mark.parametrize("seed", range(5))
def test_what_changes_from_run_to_run_does_not_hide_a_setting(name: str, seed: int) -> None:
    runs = make_settings(name, (16, 32), has_own_seeds=False)
    runs["peak_mb"] = np.random.default_rng(seed).integers(100, 160, len(runs))
    answer = kdtune.analyze(runs)
    assert {column.removesuffix(" (setting)") for column in answer.cell_columns} == {"width", name}
    assert list_best(answer) == [2, 2, 8, 8]


@pytest.mark.parametrize("name", ["precision", "model_name", "teacher_name", "norm", "teacher_id", "data_path"])
@pytest.mark.parametrize("has_own_seeds", [True, False])
def test_a_setting_may_have_seeds_of_its_own(name: str, has_own_seeds: bool) -> None:
    runs = make_settings(name, ("a", "b"), has_own_seeds)
    assert list_best(kdtune.analyze(runs)) == [2, 2, 8, 8]
    assert list_best(kdtune.analyze(runs, cell=["width", name])) == [2, 2, 8, 8]


@pytest.mark.parametrize("name", ["version", "tag", "teacher_acc"])
def test_what_may_be_a_setting_is_said_before_the_answer(name: str) -> None:
    runs = make_settings(name, (1, 2), has_own_seeds=True)
    answer = kdtune.analyze(runs)
    assert join_opening(answer).startswith(f"The runs of all values of {name} are taken together")
    assert f'cell=["width", "{name}"]' in answer.reserve
    assert list_best(kdtune.analyze(runs, cell=["width", name])) == [2, 2, 8, 8]


@pytest.mark.parametrize("name", ["init", "attempt", "rep"])
def test_words_beside_a_seed_are_no_further_seed(name: str) -> None:
    runs = make_settings(name, ("pretrained", "random"), has_own_seeds=False)
    assert list_best(kdtune.analyze(runs)) == [2, 2, 8, 8]
    numbers = make_settings("init", (0, 1), has_own_seeds=False)
    assert list_best(kdtune.analyze(numbers, cell=["width", "init"])) == [2, 2, 8, 8]


@pytest.mark.parametrize(("name", "values"), [("valid", (0, 1)), ("pruned", (True, False)), ("exit_code", (0, 1))])
def test_half_of_the_runs_may_have_failed_or_not(name: str, values: tuple[object, object]) -> None:
    runs = make_settings(name, values, has_own_seeds=False)
    with pytest.raises(RequestError, match="by its name it says which runs failed, but that would be 50% of them"):
        kdtune.analyze(runs)
    assert list_best(kdtune.analyze(runs, cell=["width", name])) == [2, 2, 8, 8]


@pytest.mark.parametrize("seed", ["all", "mean"])
def test_the_seed_of_a_teacher_may_be_called_as_a_mean(seed: str) -> None:
    runs = make_runs().rename(columns={"replicate": "seed"}).astype({"seed": str}).assign(model="distilled_student")
    teacher = pd.DataFrame({"model": ["teacher"], "seed": [seed], "num_error": [100]})
    answer = kdtune.analyze(pd.concat([runs, teacher], ignore_index=True))
    assert (answer.test["teacher"] == 100).all()


def test_errors_and_the_accuracy_of_another_network_are_asked_for() -> None:
    runs = make_runs().drop(columns="val_num_error").rename(columns={"num_error": "test_error"})
    runs["ema_acc"] = 90 - 2 * np.log2(runs["temp"] / 16) ** 2
    with pytest.raises(RequestError, match="they do not agree"):
        kdtune.analyze(runs)
    assert find_best(runs, map={"num_error": "test_error"}) == BEST


@pytest.mark.parametrize("name", ["idx", "split", "Nr"])
def test_a_counter_of_repetitions_is_suspected(name: str) -> None:
    runs = make_runs().rename(columns={"replicate": name})
    answer = kdtune.analyze(runs)
    assert f'map={{"replicate": "{name}"}}' in answer.reserve
    assert find_best(runs, map={"replicate": name}) == BEST


def test_a_word_in_a_column_of_epochs_is_a_setting() -> None:
    assert list_best(kdtune.analyze(make_settings("update", ("ema", "none"), has_own_seeds=False))) == [2, 2, 8, 8]
