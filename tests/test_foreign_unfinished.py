"""Runs without a result are counted by their states; pruned ones get a reserve; Optuna's objective is named."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, make_runs


def make_states(states: dict[int, str]) -> pd.DataFrame:
    """Return runs with a column of states."""
    state = pd.Series("COMPLETE", index=range(50))
    for row, word in states.items():
        state[row] = word
    return make_runs().assign(state=state)


def make_optuna_frame() -> pd.DataFrame:
    """Return what a study of Optuna gives as a frame, with accuracies as its objective."""
    runs = make_runs()
    return pd.DataFrame(
        {
            "number": range(50),
            "value": 1 - runs["val_num_error"] / 10_000,
            "params_T": runs["temp"],
            "params_width": runs["width"],
            "user_attrs_seed": runs["replicate"],
            "user_attrs_test_acc": 1 - runs["num_error"] / 10_000,
            "state": "COMPLETE",
        }
    )


def test_runs_without_a_result_are_not_all_called_failed() -> None:
    runs = make_states({0: "RUNNING", 5: "FAIL", 26: "RUNNING"}).astype({"num_error": float, "val_num_error": float})
    runs.loc[10, ["num_error", "val_num_error"]] = None
    answer = kdtune.analyze(runs)
    notes = " ".join(answer.reading_notes)
    assert "Without a result: 3 of 10 rows at T = 1 (1 running, 1 fail, 1 without a number) and 1 of 10 rows" in notes
    assert not answer.reserve
    text = " ".join(advice.text for advice in answer.advice)
    assert "has no result in 3 of 5 runs" in text
    assert "failed" not in text


def test_a_temperature_of_which_more_runs_were_pruned_gets_a_reserve() -> None:
    answer = kdtune.analyze(make_states({4: "PRUNED", 9: "PRUNED", 3: "FAIL"}))
    assert answer.reserve.startswith(
        "More runs were pruned at some T than at others (2 of 10 rows at T = 16). Pruned runs are the bad ones"
    )
    alike = kdtune.analyze(make_states(dict.fromkeys(range(5), "PRUNED")))
    assert "pruned" not in alike.reserve


def test_the_objective_of_a_study_is_named_and_can_be_typed() -> None:
    frame = make_optuna_frame()
    answer = kdtune.analyze(frame)
    note = next(note for note in answer.reading_notes if "objective" in note)
    assert 'value looks like Optuna\'s objective. To choose T by it: map={"val_accuracy": "value"}' in note
    chosen = kdtune.analyze(frame, map={"val_accuracy": "value"})
    assert chosen.t_opt["T_opt"].tolist() == list(BEST.values())
    assert chosen.selection_split == "validation"
    assert "objective" not in " ".join(chosen.reading_notes)
    errors = frame.assign(value=1 - frame["value"])
    by_errors = kdtune.analyze(errors, map={"val_num_error": "value"})
    assert by_errors.t_opt["T_opt"].tolist() == list(BEST.values())
    assert "objective" not in " ".join(kdtune.analyze(make_runs().assign(value=1)).reading_notes)


def test_a_study_without_another_measure_is_told_of_its_objective() -> None:
    frame = make_optuna_frame().drop(columns="user_attrs_test_acc")
    with pytest.raises(RequestError) as raised:
        kdtune.analyze(frame)
    assert "value looks like Optuna's objective" in str(raised.value)
    for name in re.findall(r'map=\{"(\w+)": "value"\}', str(raised.value)):
        values = frame["value"] if name == "val_accuracy" else 1 - frame["value"]
        answer = kdtune.analyze(frame.assign(value=values), map={name: "value"})
        assert answer.t_opt["T_opt"].tolist() == list(BEST.values())
