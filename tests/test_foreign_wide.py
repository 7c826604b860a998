"""Wide tables, with a column for each T or seed: what the message says to type gives the planted answer."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs


def make_long() -> pd.DataFrame:
    runs = make_runs().rename(columns={"replicate": "seed"})
    return runs.assign(acc=100 - runs["num_error"] / 100, err=runs["num_error"] / 100).drop(
        columns=["num_error", "val_num_error"]
    )


def widen(column: str, *measures: str) -> pd.DataFrame:
    index = ["width", "temp" if column == "seed" else "seed"]
    return make_long().pivot(index=index, columns=column, values=list(measures))


def name_columns(wide: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """Name the columns of a pivot by a pattern of the measure and of T or the seed."""
    names = [pattern.format(measure=measure, n=f"{number:g}") for measure, number in wide.columns]
    return wide.set_axis(names, axis=1).reset_index()


def refuse(frame: pd.DataFrame) -> str:
    with pytest.raises(RequestError) as refusal:
        kdtune.analyze(frame)
    return str(refusal.value)


def follow(frame: pd.DataFrame, message: str) -> pd.DataFrame:
    """Type what a message says to type."""
    assert "map=" not in message, message
    ending = r"( for (errors|accuracies), (value_name=|and ).*?)?(; it leaves out .*?)?(; [^;]* becomes? rows .*)?$"
    command = re.search(rf"with pandas, as in (.*?){ending}", message)
    assert command, message
    return eval(command[1], {"frame": frame, "pandas": pd})


PATTERNS = ["{measure}@T={n}", "{measure}_T_{n}", "{measure}_T{n}", "{measure}T{n}", "{measure} (T={n})",
            "{n}_{measure}",
            "T{n}_{measure}", "T={n}/{measure}", "{measure}_{n}", "test_{measure}_temp_{n}", "{measure}_tau{n}",
            "{measure}/{n}"]  # fmt: skip


@pytest.mark.parametrize("measure", ["acc", "err"])
@pytest.mark.parametrize("pattern", [*PATTERNS, "T={n}", "T{n}", "temp_{n}", "tau{n}", "{n}", "temperature {n}"])
def test_a_column_for_each_temperature(pattern, measure):
    wide = name_columns(widen("temp", measure), pattern)
    message = refuse(wide)
    assert "if the numbers in these names are temperatures" in message
    assert find_best(follow(wide, message)) == BEST


@pytest.mark.parametrize("pattern", PATTERNS)
def test_columns_for_each_temperature_of_two_measures(pattern):
    wide = name_columns(widen("temp", "acc", "err"), pattern)
    message = refuse(wide)
    assert "wide_to_long" in message
    long = follow(wide, message)
    assert len(long) == 50
    assert find_best(long) == BEST


@pytest.mark.parametrize("measures", [["acc"], ["acc", "err"]])
def test_a_pivot_with_two_levels_of_names(measures):
    wide = widen("temp", *measures).reset_index()
    assert isinstance(wide.columns, pd.MultiIndex)
    assert find_best(follow(wide, refuse(wide))) == BEST


def test_numbers_as_names():
    wide = widen("temp", "acc")["acc"].reset_index()
    assert find_best(follow(wide, refuse(wide))) == BEST
    wide.columns = [str(name) for name in wide.columns]
    assert find_best(follow(wide, refuse(wide))) == BEST


@pytest.mark.parametrize("measure", ["acc", "err"])
@pytest.mark.parametrize(
    "pattern",
    ["seed{n}", "seed_{n}", "{measure}_seed{n}", "{measure}_{n}", "{measure} run {n}", "split{n}_test_{measure}",
     "{measure}_rep{n}", "fold{n}"],
)  # fmt: skip
def test_the_command_for_a_column_for_each_seed_works(pattern, measure):
    wide = name_columns(widen("seed", measure), pattern)
    message = refuse(wide)
    assert "if the numbers in these names are seeds" in message
    answer = kdtune.analyze(follow(wide, message))
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert set(answer.t_opt["replicates"]) == {5}


@pytest.mark.parametrize("first_seed", [0, 1])
def test_one_of_several_columns_of_accuracies_is_never_read_alone(first_seed):
    wide = widen("seed", "acc")["acc"]
    wide.columns = [f"acc_{first_seed + seed}" for seed in wide.columns]
    assert "if the numbers in these names are seeds" in refuse(wide.reset_index())


def test_a_column_for_each_seed_of_two_measures():
    wide = name_columns(widen("seed", "acc", "err"), "{measure}_seed{n}")
    assert find_best(follow(wide, refuse(wide))) == BEST


def test_other_measures_of_each_seed_come_along():
    long = make_long().assign(loss=lambda runs: runs["err"] / 10)
    wide = name_columns(long.pivot(index=["width", "temp"], columns="seed", values=["acc", "loss"]), "{measure}_{n}")
    melted = follow(wide, refuse(wide))
    assert set(melted.columns) == {"width", "temp", "seed", "acc", "loss"}
    assert find_best(melted) == BEST


def test_a_column_for_each_temperature_and_seed():
    wide = make_long().pivot(index="width", columns=["temp", "seed"], values="acc")
    wide.columns = [f"acc_T{T:g}_seed{seed}" for T, seed in wide.columns]
    wide = wide.reset_index()
    long = follow(wide, refuse(wide))
    assert find_best(follow(long, refuse(long))) == BEST


def test_a_setting_whose_name_begins_like_that_of_a_temperature():
    wide = name_columns(widen("temp", "acc"), "T{n}").assign(Task="a")
    assert find_best(follow(wide, refuse(wide))) == BEST


@pytest.mark.parametrize(
    ("first", "second"),
    [("acc1", "acc5"), ("test_acc@1", "test_acc@5"), ("top1_acc", "top5_acc"), ("prec@1", "prec@5")],
)
def test_accuracies_of_the_first_guesses_are_no_wide_table(first, second):
    runs = make_long().drop(columns="err")
    assert find_best(runs.rename(columns={"acc": first}).assign(**{second: 99 - 0.1 * np.arange(50) / 50})) == BEST


def test_two_columns_of_seeds_beside_a_measure_are_no_wide_table():
    runs = make_long().rename(columns={"seed": "seed1"})
    options = {"map": {"replicate": "seed1"}, "cell": ["width"]}
    assert find_best(runs.assign(seed2=runs["seed1"] + 100), **options) == BEST


def test_numbered_settings_are_no_wide_table():
    assert find_best(make_long().assign(layer_1=64, layer_2=32, dropout_1=0.1, dropout_2=0.2)) == BEST


@pytest.mark.parametrize("measure", ["acc", "err"])
@pytest.mark.parametrize("pattern", ["T={n}", "{n}", "{measure}_T{n}", "T{n}_{measure}"])
@pytest.mark.parametrize("names", [["baseline"], ["teacher", "baseline"]])
def test_results_of_other_networks_become_rows_with_a_role(pattern, measure, names):
    wide = name_columns(widen("temp", measure), pattern)
    if pattern == "{measure}_T{n}":
        names = [f"{measure}_{name}" for name in names]
    best = make_long().groupby(["width", "seed"])[measure].agg("max" if measure == "acc" else "min")
    for name in names:
        worse = 1 if "baseline" in name else -1
        wide[name] = best.to_numpy() + worse * (-1 if measure == "acc" else 1) + np.arange(10) / 100
    message = refuse(wide)
    assert "rows of their own" in message
    long = follow(wide, message)
    assert long["model"].value_counts().to_dict() == {
        "distilled_student": 50, **{"student" if "baseline" in name else "teacher": 10 for name in names}
    }  # fmt: skip
    answer = kdtune.analyze(long)
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert not {"baseline", "teacher"} & set(answer.t_opt)
    assert answer.test["baseline"].notna().all()
    assert (answer.test["student"] < answer.test["baseline"] - 0.5).all()


@pytest.mark.parametrize("names", [("avg", "std"), ("Mittel", "Streuung")])
@pytest.mark.parametrize("column", ["temp", "seed"])
def test_columns_that_sum_up_the_others_are_left_out(column, names):
    wide = name_columns(widen(column, "acc"), "seed{n}" if column == "seed" else "T={n}")
    runs = wide.drop(columns=["width", "temp"] if column == "seed" else ["width", "seed"])
    wide[names[0]], wide[names[1]] = runs.mean(axis=1).round(2), runs.std(axis=1).round(3)
    message = refuse(wide)
    assert f"it leaves out {names[0]} and {names[1]}, which sum up the others" in message
    long = follow(wide, message)
    assert not set(names) & set(long)
    assert find_best(long) == BEST


def test_a_setting_beside_the_runs_is_none_of_their_results():
    wide = name_columns(widen("temp", "err"), "T={n}").assign(teacher_width=512)
    assert set(follow(wide, refuse(wide))) == {"width", "seed", "teacher_width", "temp", "num_error"}


@pytest.mark.parametrize("names", [["kd-T1-s0 - acc", "kd-T2-s0 - acc"], ["pretty-sun-1 - acc"]])
def test_the_chart_of_a_tracker_is_no_table_of_runs(names):
    curves = {f"{name}{end}": [0.5, 0.6] for name in names for end in ("", "__MIN", "__MAX")}
    message = refuse(pd.DataFrame({"Step": [1, 2], **curves}))
    assert message.startswith(f"this is the chart of a tracker (Step, and {names[0]} with __MIN and __MAX)")
    assert "export the table of runs instead" in message
    assert len(message) < 300


def test_the_chart_of_tensorboard_is_no_table_of_runs():
    message = refuse(pd.DataFrame({"Wall time": [1.7e9, 1.7e9], "Step": [0, 1], "Value": [0.5, 0.6]}))
    assert message.startswith("this is the chart of a tracker (Wall time, Step, Value)")
