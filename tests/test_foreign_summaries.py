"""Rows that sum up others are no runs, whatever they are called: their values tell."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs

STATISTICS = {
    "Durchschnitt": "mean", "Gesamt": "mean", "平均": "mean", "σ": "std", "Stabw.": "std", "95% CI": "sem",
    "Zentralwert": "median", "высший": "max", "n": "count",
}  # fmt: skip
NOTES = {"mean": "mean", "std": "standard deviation", "sem": "95 % interval", "median": "median",
         "max": "largest value", "count": "number"}  # fmt: skip


def make_accuracies() -> pd.DataFrame:
    runs = make_runs(noise=8).rename(columns={"replicate": "seed", "temp": "T"})
    return runs.assign(acc=100 - runs["num_error"] / 100).drop(columns=["val_num_error", "num_error"])


def sum_up(runs: pd.DataFrame, *statistics: str) -> list[pd.DataFrame]:
    groups = runs.groupby(["width", "T"], as_index=False)["acc"]
    factors = {name: 1.96 if name == "sem" else 1 for name in statistics}
    return [
        groups.agg(name).assign(acc=lambda rows, name=name: factors[name] * rows["acc"]).round(2) for name in factors
    ]


@pytest.mark.parametrize("word", STATISTICS)
@pytest.mark.parametrize("is_percent", [False, True])
def test_rows_that_sum_up_the_seeds_are_known_by_their_values(word, is_percent):
    runs = make_accuracies()
    (summaries,) = sum_up(runs, STATISTICS[word])
    table = pd.concat([runs.astype({"seed": str}), summaries.assign(seed=word)], ignore_index=True)
    if is_percent:
        table["acc"] = table["acc"].map("{:.2f} %".format)
    answer = kdtune.analyze(table)
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert set(answer.t_opt["replicates"]) == {5}
    statistic = NOTES[STATISTICS[word]]
    note = f"Left out: 10 rows that sum up others (seed {word}): each is the {statistic} of the runs beside it."
    assert note in answer.reading_notes


def test_several_summaries_in_a_column_that_the_user_maps():
    runs = make_accuracies()
    mean, std = sum_up(runs, "mean", "std")
    parts = [runs.astype({"seed": str}), mean.assign(seed="Mittelwert"), std.assign(seed="Stabw")]
    table = pd.concat(parts, ignore_index=True).rename(columns={"seed": "Lauf"})
    answer = kdtune.analyze(table, map={"replicate": "Lauf"})
    assert set(answer.t_opt["replicates"]) == {5}
    assert "Left out: 10 rows that sum up others (Lauf Mittelwert)." in answer.reading_notes
    assert any(note.startswith("Left out: 10 rows that sum up others (Lauf Stabw)") for note in answer.reading_notes)


@pytest.mark.parametrize("has_note", [False, True])
def test_means_without_a_seed_are_known_by_their_values(has_note):
    runs = make_accuracies()
    (mean,) = sum_up(runs, "mean")
    mean = mean.assign(note="mean") if has_note else mean
    answer = kdtune.analyze(pd.concat([runs, mean], ignore_index=True))
    assert set(answer.t_opt["replicates"]) == {5}
    assert any("(seed empty): each is the mean of the runs" in note for note in answer.reading_notes)


def test_means_among_runs_with_names_alone_are_known_by_their_values():
    runs = make_accuracies()
    (mean,) = sum_up(runs, "mean")
    runs["run"] = [f"w{width}-T{T:g}-s{seed}" for width, T, seed in runs[["width", "T", "seed"]].to_numpy()]
    mean["run"] = [f"w{width:g}-T{T:g}-mean" for width, T in mean[["width", "T"]].to_numpy()]
    table = pd.concat([runs.drop(columns="seed"), mean], ignore_index=True)
    answer = kdtune.analyze(table)
    assert set(answer.t_opt["replicates"]) == {5}
    assert any("sum up others (run w10-T1-mean, w10-T2-mean" in note for note in answer.reading_notes)


def test_what_may_be_a_run_or_sum_up_others_is_asked_for():
    runs = make_accuracies()
    (others,) = sum_up(runs, "mean")
    others["acc"] += np.random.default_rng(1).normal(0, 0.5, len(others)).round(2)
    table = pd.concat([runs.astype({"seed": str}), others.assign(seed="x")], ignore_index=True)
    with pytest.raises(RequestError, match="seed is 'x' in 10 rows, one of each T, and a number in the") as refusal:
        kdtune.analyze(table)
    where = re.search(r"where='(.*?)'\. If they are runs", str(refusal.value))
    assert where, refusal.value
    assert find_best(table, where=where[1]) == BEST
    assert set(kdtune.analyze(table.replace({"seed": {"x": "9"}})).t_opt["replicates"]) == {6}


def test_a_run_of_another_name_is_left_in():
    runs = make_accuracies()
    runs["run"] = [f"{'late' if seed == 4 else 'early'}-{n}" for n, seed in enumerate(runs["seed"])]
    answer = kdtune.analyze(runs)
    assert set(answer.t_opt["replicates"]) == {5}
    assert not any("sum up others" in note for note in answer.reading_notes)
    assert find_best(runs.drop(columns="seed")) == BEST


def make_means() -> pd.DataFrame:
    groups = make_accuracies().groupby(["width", "T"])["acc"]
    return pd.DataFrame({"acc_mean": groups.mean().round(2), "acc_std": groups.std().round(2)}).reset_index()


@pytest.mark.parametrize("names", [("acc_mean", "acc_std"), ("acc", "acc_sd"), ("test/acc avg", "test/acc stderr")])
@pytest.mark.parametrize("one_width", [False, True])
def test_means_beside_their_deviations_are_no_runs(names, one_width):
    table = make_means().set_axis(["width", "T", *names], axis=1)
    table = table[table["width"] == 40].drop(columns="width") if one_width else table
    with pytest.raises(RequestError, match=r"each row seems to sum up several runs: .* write one row for each run"):
        kdtune.analyze(table)
    assert find_best(make_accuracies().rename(columns={"acc": names[0]}).assign(**{names[1]: 0.1})) == BEST


@pytest.mark.parametrize("counts", [[5], [4, 5]])
def test_numbers_of_seeds_say_that_rows_are_means(counts):
    table = make_means().drop(columns="acc_std").assign(n_seeds=np.resize(counts, 10))
    with pytest.raises(RequestError, match="each row seems to sum up several runs: n_seeds counts them"):
        kdtune.analyze(table)
    assert find_best(make_accuracies().assign(n_seeds=5)) == BEST


@pytest.mark.parametrize("text", ["{:.2f} ± {:.2f}", "{:.2f}+-{:.2f}", "{:.2f}% +/- {:.2f}%", r"{:.2f} $\pm$ {:.2f}"])
def test_means_with_their_deviations_in_one_cell_are_no_runs(text):
    means = make_means()
    cells = [text.format(*pair) for pair in means[["acc_mean", "acc_std"]].to_numpy()]
    with pytest.raises(
        RequestError, match=r"Top-1 acc: each row seems to sum up several runs, as '.*' ?; write one row"
    ):
        kdtune.analyze(means[["width", "T"]].assign(**{"Top-1 acc": cells}))


@pytest.mark.parametrize("spread", ["sd", "std", "stderr", "ci95", "acc_sd"])
@pytest.mark.parametrize("measure", ["accuracy", "mean"])
def test_deviations_beside_a_measure_of_any_name_say_that_rows_are_means(spread, measure):
    table = make_means().set_axis(["width", "T", measure, spread], axis=1)
    with pytest.raises(RequestError, match=f"each row seems to sum up several runs: {spread} ") as refusal:
        kdtune.analyze(table, map={"accuracy": measure})
    assert ('If sd is a setting: cell=["width", "sd"]' in str(refusal.value)) == (spread == "sd")


@pytest.mark.parametrize("name", ["n", "runs"])
def test_numbers_of_runs_that_differ_are_no_setting(name):
    table = make_means().drop(columns="acc_std").assign(**{name: np.resize([3, 5, 6, 6, 2], 10)})
    with pytest.raises(RequestError, match=f"each row seems to sum up several runs: {name} counts them") as refusal:
        kdtune.analyze(table)
    assert f'cell=["width", "{name}"]' in str(refusal.value)
    assert kdtune.analyze(table, cell=["width", name]).t_opt[name].nunique() == 4


def test_a_setting_that_is_called_n_or_std_stays_one():
    first, second = make_means().drop(columns="acc_std"), make_means().drop(columns="acc_std")
    table = pd.concat([first.assign(n=10), second.assign(n=20)])
    assert set(kdtune.analyze(table).t_opt["n"]) == {10, 20}
    table = table.rename(columns={"n": "std"})
    assert set(kdtune.analyze(table, cell=["width", "std"]).t_opt["std"]) == {10, 20}


@pytest.mark.parametrize("seed", [-1, 99])
@pytest.mark.parametrize("digits", [2, 9])
def test_means_with_a_number_for_a_seed_are_no_further_replicate(seed, digits):
    runs = make_accuracies()
    means = runs.groupby(["width", "T"], as_index=False)["acc"].mean().round(digits).assign(seed=seed)
    answer = kdtune.analyze(pd.concat([runs, means], ignore_index=True))
    assert set(answer.t_opt["replicates"]) == {5}
    note = f"Left out: 10 rows that sum up others (seed {seed}): each is the mean of the runs beside it."
    assert note in answer.reading_notes
    other = means.assign(acc=means["acc"] + 0.05)
    assert set(kdtune.analyze(pd.concat([runs, other], ignore_index=True)).t_opt["replicates"]) == {6}
