"""Logs with a row for each epoch are refused, also where a learning rate or a time changes with the epoch."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs


def log_epochs(n_epochs: int = 6, length: int = 1, **columns) -> pd.DataFrame:
    """Return planted runs with a row for each epoch, in all but the last of which the largest T is the best."""
    runs = make_runs().rename(columns={"replicate": "seed"}).drop(columns="num_error").assign(end=n_epochs)
    runs["end"] -= np.arange(len(runs)) % length
    rows = [runs.assign(epoch=epoch) for epoch in range(1, n_epochs + 1)]
    log = pd.concat(rows, ignore_index=True).query("epoch <= end").reset_index(drop=True)
    spoiled = (4000 - 10 * log["temp"] - 100 * log["epoch"]).astype(int)
    log["val_num_error"] = log["val_num_error"].where(log["epoch"] == log["end"], spoiled)
    log = log.assign(**{name: make(log) for name, make in columns.items()})
    return log.drop(columns="end")


def cool(log: pd.DataFrame) -> pd.Series:
    return (0.1 * np.cos(log["epoch"] / 5)).round(5)


def reach_plateaus(log: pd.DataFrame) -> pd.Series:
    """Return a learning rate that falls in each run when it likes to."""
    falls_after = 2 + log.groupby(["temp", "width", "seed"]).ngroup() % 3
    return 0.1 / (1 + (log["epoch"] > falls_after))


def refuse(table: pd.DataFrame, **options) -> str:
    with pytest.raises(RequestError, match="the table has several rows per run") as refusal:
        kdtune.analyze(table, **options)
    return str(refusal.value)


def follow(table: pd.DataFrame, message: str) -> dict:
    """Type the first remedy of a message, and return the best T."""
    command = re.search(r"with pandas: frame = (.*?); if", message)
    if command:
        return find_best(eval(command[1], {"frame": table}))
    where = re.search(r'keep the last row of each: where="(.*?)"( cell=(\[.*?\]))?;', message)
    assert where, message
    return find_best(table, where=where[1], **({"cell": eval(where[3])} if where[3] else {}))


SCHEDULES = {"lr": cool, "momentum": lambda log: 0.9 + log["epoch"] / 500, "T_0 (s)": lambda log: log["epoch"] // 2}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("n_epochs", [2, 3, 6])
@pytest.mark.parametrize("length", [1, 2])
def test_a_schedule_makes_no_settings_of_epochs(name, n_epochs, length):
    table = log_epochs(n_epochs, length, **{name: SCHEDULES[name]})
    if table[name].nunique() < 2 or (n_epochs == 2 and length == 2):
        return
    message = refuse(table)
    assert f"one for each epoch ({len(table)} rows of 50 runs, baselines and teachers not counted)" in message
    assert f"and {name} changes with it, as in a schedule" in message
    assert follow(table, message) == BEST


def test_a_schedule_of_each_run_of_its_own():
    table = log_epochs(lr=reach_plateaus)
    message = refuse(table)
    assert "lr changes with it" in message
    assert follow(table, message) == BEST


def test_two_schedules_of_each_run_of_its_own():
    table = log_epochs(lr=reach_plateaus, warm=lambda log: 1 - reach_plateaus(log), momentum=SCHEDULES["momentum"])
    assert "and lr, warm and momentum change with it" in refuse(table[table["width"] == 40])


def test_a_run_is_known_by_a_name_of_its_own():
    table = log_epochs(lr=reach_plateaus)
    table["path"] = [f"/runs/{T:g}-{width}-{seed}" for T, width, seed in table[["temp", "width", "seed"]].to_numpy()]
    message = refuse(table.drop(columns="seed"))
    assert "lr changes with it" in message
    assert "(300 rows of 50 runs, baselines and teachers not counted)" in message or "keep the last row" in message


def test_what_the_user_calls_a_setting_is_none_of_a_schedule():
    table = log_epochs(lr=cool)
    message = refuse(table)
    assert 'if lr is a setting: cell=["width", "lr"]' in message
    assert len(kdtune.analyze(table, cell=["width", "lr"]).t_opt) == 12
    assert len(kdtune.analyze(table, cell=["width", "epoch"]).t_opt) == 12


def test_times_in_seconds_are_no_settings():
    for unit in (1, 1000):
        table = log_epochs(ts=lambda log, unit=unit: (1_700_000_000 + 60 * log["epoch"]) * unit)
        message = refuse(table)
        assert "ts" not in re.findall(r"\w+", message)
        assert follow(table, message) == BEST
    runs = make_runs()
    answer = kdtune.analyze(runs.assign(ts=1_700_000_000 + runs["replicate"] * 7 + runs["width"]))
    assert any("ts" in note and "(bookkeeping)" in note for note in answer.reading_notes)


def test_sizes_of_networks_are_no_times():
    runs = make_runs().drop(columns="width")
    runs["replicate"] = np.arange(len(runs)) // 5
    sizes = [1_300_000_000, 1_500_000_000, 1_700_000_000, 2_000_000_000]
    table = pd.concat([runs.assign(size=size) for size in sizes], ignore_index=True)
    assert any("Settings: size" in note for note in kdtune.analyze(table).reading_notes)


@pytest.mark.parametrize(
    "make",
    [
        lambda lr, n: np.where(lr == 0.1, 100, 200),  # planned together
        lambda lr, n: np.where(lr == 0.1, 27, 1),  # a scheduler stops what does not learn
        lambda lr, n: np.where(lr == 0.1, 27, np.resize([1, 3, 9], n)),
        lambda lr, n: np.random.default_rng(0).integers(50, 80, n),  # each run ends when it likes to
        lambda lr, n: 100,
    ],
)
@pytest.mark.parametrize("has_seeds", [True, False])
def test_a_row_for_each_run_is_no_log(make, has_seeds):
    runs = make_runs()
    table = pd.concat([runs.assign(lr=lr) for lr in (0.1, 0.01)], ignore_index=True)
    table["epoch"] = make(table["lr"], len(table))
    table = table if has_seeds else table.drop(columns="replicate")
    answer = kdtune.analyze(table)
    assert {"width", "lr"} <= set(answer.t_opt)


def test_what_a_tracker_calls_the_configuration_is_no_schedule():
    runs = make_runs()
    rates = (0.1, 0.03, 0.01, 0.003)
    table = pd.concat([runs.assign(**{"config/lr": lr, "epoch": 10 * n}) for n, lr in enumerate(rates, 1)])
    assert set(find_cells(table)["config/lr"]) == set(rates)


def find_cells(table: pd.DataFrame) -> pd.DataFrame:
    return kdtune.analyze(table.reset_index(drop=True)).t_opt


def test_the_remedies_are_typed_in_a_shell(call, tmp_path):
    path = tmp_path / "log.csv"
    log_epochs(lr=reach_plateaus).to_csv(path, index=False)
    output = call("analyze", path).output
    remedy = re.search(r"keep the last row of each: (.*?); if lr", output)
    assert remedy, output
    run = call("analyze", path, *shlex.split(remedy[1]))
    assert run.exit_code == 0, run.output
    assert "lr (" not in run.output.split("Not settings")[0]


@pytest.mark.parametrize("time", ["", "text", "seconds"])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_a_log_without_epochs_is_known_by_its_results(time, is_shuffled):
    if is_shuffled and not time:
        return
    table = log_epochs(length=2)
    table["val_num_error"] += (2 * (table["epoch"] % 2)).astype(int)
    if time:
        seconds = 1_700_000_000 + 60 * table["epoch"] + table["seed"] * 10_000
        table["date"] = seconds if time == "seconds" else pd.to_datetime(seconds, unit="s").astype(str)
    table = table.drop(columns="epoch")
    table = table.sample(frac=1, random_state=0).reset_index(drop=True) if is_shuffled else table
    message = refuse(table)
    order = "in the order of date" if time else "in the order of the rows"
    assert f"({len(table)} rows of 50 runs), and their results go one way {order}" in message
    assert follow(table, message) == BEST


def test_repetitions_in_no_order_are_no_log():
    table = pd.concat([make_runs(seed=seed) for seed in range(4)], ignore_index=True)
    with pytest.raises(RequestError, match="rows have the same temp, replicate and setting"):
        kdtune.analyze(table)


def test_values_of_a_label_that_may_be_a_setting_are_no_epochs():
    runs = make_runs()
    tables = [runs.assign(host=f"n{n}", val_num_error=runs["val_num_error"] + 50 * n) for n in range(4)]
    with pytest.raises(RequestError, match="host is a setting"):
        kdtune.analyze(pd.concat(tables, ignore_index=True).drop(columns="num_error"))


def test_the_last_row_is_that_of_the_validation_split_where_a_test_stands_below():
    log = log_epochs().assign(step=lambda rows: rows["epoch"])
    tests = log[log["epoch"] == 6].assign(epoch=7, step=7, val_num_error=np.nan, loss=np.nan)
    tests["test_err"] = 4000 - 10 * tests["temp"]  # the largest T would be the best
    table = pd.concat([log.assign(loss=0.4), tests], ignore_index=True).rename(columns={"val_num_error": "val_err"})
    message = refuse(table)
    assert 'where="epoch == 6 and val_err == val_err"' in message
    assert "300 rows of 50 runs, baselines and teachers not counted" in message
    assert "as in a schedule" not in message
    assert follow(table, message) == BEST


def test_a_measure_that_some_rows_lack_is_no_setting():
    runs = make_runs().assign(val_loss=0.4)
    lacking = runs.assign(val_num_error=np.nan, num_error=np.nan, val_loss=np.nan)
    answer = kdtune.analyze(pd.concat([runs, lacking]))
    assert "val_loss" not in answer.t_opt.columns
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
