"""The split of a measure, where a column says it and not the measure's name."""

from __future__ import annotations

import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, make_runs


def make_splits(measure: str) -> pd.DataFrame:
    runs = make_runs()
    errors = {"val": runs["val_num_error"] / 100, "test": 2 * runs["num_error"] / 100}
    runs = runs.drop(columns=["val_num_error", "num_error"])
    parts = [runs.assign(split=split, **{measure: 100 - values}) for split, values in errors.items()]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("measure", ["acc", "accuracy"])
def test_a_split_that_is_selected_is_that_of_the_measure(measure, tmp_path):
    path = tmp_path / "runs.csv"
    make_splits(measure).to_csv(path, index=False)
    with pytest.raises(RequestError) as refusal:
        kdtune.analyze(path)
    answer = kdtune.analyze(path, where=str(refusal.value).split("where='")[1].split("'")[0])
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    notes = " ".join(answer.reading_notes)
    assert "split is 'val' in all rows" in notes
    assert "accuracies on the validation split" in notes
    assert "Test errors" not in str(answer)
    assert "on the test split" in " ".join(kdtune.analyze(path, where="split == 'test'").reading_notes)


def test_numbers_of_errors_follow_the_split_too():
    runs = make_runs().drop(columns="num_error").rename(columns={"val_num_error": "num_error"})
    answer = kdtune.analyze(runs.assign(split="validation"))
    assert "Test errors" not in str(answer)
    assert "fewest errors on the validation split" in str(answer)


def test_a_column_that_names_the_measure_of_each_row_is_named():
    runs = make_runs().drop(columns="num_error")
    parts = [
        runs.assign(metric="accuracy", value=1 - runs["val_num_error"] / 10_000),
        runs.assign(metric="loss", value=runs["val_num_error"] / 1000),
    ]
    table = pd.concat(parts, ignore_index=True).drop(columns="val_num_error")
    with pytest.raises(RequestError, match=r"one for each metric \(accuracy and loss\)") as refusal:
        kdtune.analyze(table)
    assert """where='metric == "accuracy"' map={"accuracy": "value"}""" in str(refusal.value)
    with pytest.raises(RequestError, match="one for each metric"):
        kdtune.analyze(table, map={"accuracy": "value"})
    answer = kdtune.analyze(table, where='metric == "accuracy"', map={"accuracy": "value"})
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST


def test_the_german_word_for_validation_is_known():
    runs = make_runs()
    table = runs.assign(**{"Genauigkeit Validierung (%)": 100 - runs["val_num_error"] / 100}).drop(
        columns=["val_num_error", "num_error"]
    )
    table["Genauigkeit Test (%)"] = 50.0 + table["temp"]
    answer = kdtune.analyze(table)
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
