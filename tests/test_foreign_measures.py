"""Which measure T is chosen by, and in which direction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from kdtune.foreign.door import standardize_table
from kdtune.foreign.options import ReadingOptions
from tests.planted_tables import BEST, find_best, make_runs


def with_accuracy(name: str, unit: str, digits: int = 2) -> pd.DataFrame:
    runs = make_runs()
    accuracy = 1 - runs["val_num_error"] / 10_000 * 5  # 50 to 93 %
    values = {
        "fraction": accuracy.round(digits + 2),
        "percent": (accuracy * 100).round(digits),
        "sign": (accuracy * 100).round(digits).map("{:g}%".format),
        "spaced sign": (accuracy * 100).round(digits).map("{:g} %".format),
    }
    return runs.drop(columns=["val_num_error", "num_error"]).assign(**{name: values[unit]})


@pytest.mark.parametrize("unit", ["fraction", "percent", "sign", "spaced sign"])
@pytest.mark.parametrize("name", ["accuracy", "test_acc", "val_acc", "Accuracy", "metrics.val_accuracy", "top1"])
def test_accuracies_are_read_as_they_are(name, unit):
    runs = with_accuracy(name, unit)
    assert find_best(runs) == BEST
    answer = kdtune.analyze(runs)
    assert f"{name} is read as accuracies" in " ".join(answer.reading_notes)
    expected = with_accuracy(name, "percent")[name].groupby([runs["width"], runs["temp"]]).mean()
    np.testing.assert_allclose(100 - answer.curves["errors"], expected, atol=0.02)


@pytest.mark.parametrize("unit", ["fraction", "percent", "sign"])
@pytest.mark.parametrize(
    ("name", "target"), [("test_acc", "num_error"), ("score", "num_error"), ("r", "val_num_error")]
)
def test_an_accuracy_that_is_mapped_to_errors_is_refused(name, target, unit):
    runs = with_accuracy(name, unit)
    with pytest.raises(RequestError, match=r"more is better.*higher_is_better=False"):
        kdtune.analyze(runs, map={target: name})
    target = {"num_error": "accuracy", "val_num_error": "val_accuracy"}[target]
    assert find_best(runs, map={target: name}) == BEST
    if unit != "sign":
        worst = kdtune.analyze(runs, map={"num_error": name}, higher_is_better=False)
        assert worst.t_opt["T_opt"].tolist() != list(BEST.values())  # who insists gets it


def test_errors_in_percent_are_not_taken_for_accuracies():
    runs = make_runs()
    rates = runs.assign(num_error=runs["num_error"] / 100).drop(columns="val_num_error")
    assert find_best(rates) == BEST
    assert find_best(rates.rename(columns={"num_error": "err"}), map={"num_error": "err"}) == BEST
    assert find_best(rates.rename(columns={"num_error": "test_error"})) == BEST


@pytest.mark.parametrize(
    ("name", "factor"), [("test_error", 1), ("error rate (%)", 100), ("test_error_pct", 100), ("err", 1)]
)
def test_rates_of_errors_are_read_in_percent(name, factor):
    runs = make_runs()
    rates = runs["num_error"] / 10_000
    table = runs.drop(columns=["val_num_error", "num_error"]).assign(**{name: rates * factor})
    answer = kdtune.analyze(table)
    assert answer.is_percent
    assert f"{name} is a rate of errors" in " ".join(answer.reading_notes)
    assert " %" in answer.advice[0].text.partition("Test errors: ")[2]
    expected = rates.groupby([runs["width"], runs["temp"]]).mean()
    np.testing.assert_allclose(answer.curves["errors"], 100 * expected, atol=1e-6)


def test_numbers_of_errors_stay_numbers():
    runs = make_runs()[["temp", "replicate", "width", "num_error"]]
    answer = kdtune.analyze(runs)
    assert not answer.is_percent
    assert not any("rate" in note for note in answer.reading_notes)


def test_a_low_accuracy_that_was_mapped_is_said_to_be_low():
    runs = make_runs()
    table = runs.drop(columns=["val_num_error", "num_error"]).assign(value=runs["num_error"] / 50_000)
    answer = kdtune.analyze(table, map={"accuracy": "value"})
    assert any("if these are error rates" in note and "num_error" in note for note in answer.reading_notes)


def test_fractions_beside_percents_are_refused():
    runs = with_accuracy("accuracy", "percent")
    runs.loc[:4, "accuracy"] /= 100
    with pytest.raises(RequestError, match="some values are fractions"):
        kdtune.analyze(runs)


@pytest.mark.parametrize("value", [101.0, -3.0])
def test_impossible_accuracies_are_refused(value):
    runs = with_accuracy("accuracy", "percent")
    runs.loc[3, "accuracy"] = value
    with pytest.raises(RequestError, match="an accuracy lies between 0 and 1"):
        kdtune.analyze(runs)


@pytest.mark.parametrize("is_higher_better", [True, False])
def test_any_other_measure_goes_in_the_direction_that_the_user_says(is_higher_better):
    runs = make_runs()
    sign = -1 if is_higher_better else 1
    runs = runs.assign(f1=sign * runs["val_num_error"] / 1000)
    options = {"measure": "f1", "higher_is_better": is_higher_better}
    assert find_best(runs, **options) == BEST
    answer = kdtune.analyze(runs, **options)
    assert all(found == [] for found in answer.t_opt["good_enough"])
    assert "T is chosen by f1" in " ".join(answer.reading_notes)
    generous = kdtune.analyze(runs, **options, margin=100.0)
    assert all(len(found) == 5 for found in generous.t_opt["good_enough"])
    means = runs.groupby(["width", "temp"])["f1"].mean()
    np.testing.assert_allclose(answer.curves["errors"], means)
    assert (answer.curves["excess"] >= 0).all()


def test_a_measure_without_a_direction_is_refused():
    runs = make_runs().assign(f1=0.5)
    with pytest.raises(RequestError, match="higher_is_better=True or higher_is_better=False"):
        kdtune.analyze(runs, measure="f1")
    with pytest.raises(RequestError, match="needs the name of the measure"):
        kdtune.analyze(runs, higher_is_better=True)
    with pytest.raises(RequestError, match="no column 'f2'"):
        kdtune.analyze(runs, measure="f2", higher_is_better=True)


def test_a_table_without_errors_says_how_to_name_them():
    runs = make_runs().drop(columns=["num_error", "val_num_error"]).assign(value=range(50))
    with pytest.raises(RequestError, match=r'measure="NAME" with higher_is_better=True.*value'):
        kdtune.analyze(runs)


def test_validation_goes_before_test():
    runs = with_accuracy("val_acc", "percent").assign(test_acc=90.5)
    answer = kdtune.analyze(runs)
    assert answer.selection_split == "validation"
    np.testing.assert_allclose(answer.test["student"], 9.5)


@pytest.mark.parametrize("name", ["ece", "nll"])
def test_calibration_of_an_unknown_split_is_not_called_that_on_the_test_split(name):
    runs = with_accuracy("test_acc", "percent")
    runs = runs.assign(**{name: np.random.default_rng(0).normal(0.1, 0.01, len(runs))})
    answer = kdtune.analyze(runs)
    assert f"Not settings: {name}" in " ".join(answer.reading_notes)
    for table in (runs, runs.assign(**{name: 0.1})):
        assert name not in standardize_table(table, ReadingOptions()).table.columns
    assert name in standardize_table(runs, ReadingOptions({name: name})).table.columns
    assert name in standardize_table(make_runs().assign(**{name: 0.1}), ReadingOptions()).table.columns


def test_another_accuracy_is_a_measure_whatever_its_name_says_besides():
    runs = make_runs()
    runs["worst_group_acc"] = np.repeat(np.linspace(0.5, 0.6, 10), 5).round(2)
    notes = " ".join(kdtune.analyze(runs).reading_notes)
    assert "worst_group_acc (bookkeeping)" not in notes
    assert "worst_group_acc" in notes
