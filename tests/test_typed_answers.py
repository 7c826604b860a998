"""What a message says about a table is so in the file, and what it tells users to do gives the answer."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from mended_tables import read_options, run_command
from planted_tables import BEST, make_runs
from test_typed_remedies import ask, find_answer, find_remedies, join

from benchmarks import planted

__all__ = ["ask"]  # a fixture


def make_accuracies(**columns):
    """Return the planted runs as tables from elsewhere have them: T, width, seed and accuracy."""
    runs = make_runs().rename(columns={"temp": "T", "replicate": "seed"})
    accuracy = 1 - runs["num_error"] / 10_000
    return runs.drop(columns=["num_error", "val_num_error"]).assign(accuracy=accuracy, **columns)


def give_own_seeds(copies):
    return copies.assign(seed=copies["seed"] + 100)


@pytest.mark.parametrize("has_ids", [True, False])
def test_copies_that_have_a_seed_need_another_one_to_be_replicates(ask, has_ids):
    runs, copies = make_accuracies(), make_accuracies()
    if has_ids:
        copies = copies.iloc[:20]
        runs, copies = (
            table.assign(id=[f"{k}{i}" for i in range(len(table))])
            for k, table in zip("rx", (runs, copies), strict=True)
        )
    answer = ask(join(runs, copies))
    message = answer if has_ids else answer[1]
    assert "if they are replicates, give each its own value in seed." in " ".join(message.split())
    assert "--repeats keep" not in message
    assert find_answer(ask, join(runs, give_own_seeds(copies))) == BEST
    refused = ask(join(runs, copies), "--repeats", "keep")
    assert "have the same T, seed and setting" in refused
    assert "write --repeats once instead: each counts once." in refused
    assert find_answer(ask, join(runs, copies), "--repeats", "once") == BEST


def test_reruns_with_other_results_are_not_said_to_count_once(ask):
    runs = make_accuracies(id=range(50))
    message = ask(join(runs, runs.assign(accuracy=runs["accuracy"] + 0.001, id=range(50, 100))), "--repeats", "keep")
    assert "have the same T, seed and setting" in message
    assert "--repeats once" not in message


def test_copies_without_a_seed_are_kept_as_replicates(ask):
    runs = make_accuracies().drop(columns="seed")
    answer = ask(join(runs, runs))
    assert "add --repeats keep" in " ".join(answer[1].split())
    assert find_answer(ask, join(runs, runs), "--repeats", "keep") == BEST


@pytest.mark.parametrize("name", ["state", "status", "job state"])
@pytest.mark.parametrize("extra", [[], ["crashed"], [None], ["crashed", None]])
def test_unknown_states_may_be_those_of_finished_runs(ask, name, extra):
    runs = make_accuracies()
    runs[name] = np.where(runs["seed"] == 4, "zombie", "OK")
    others = [
        spoil_accuracy(runs.query("seed == 0"), i).assign(**{name: state}) for i, state in enumerate(extra) if state
    ]
    blank = [
        spoil_accuracy(runs.query("seed == 0"), i).assign(**{name: None, "accuracy": None})
        for i, state in enumerate(extra)
        if not state
    ]
    table = join(runs, *others, *blank)
    message = ask(table)
    assert message.startswith(f"{name} has 'zombie' (10 rows), which kdtune does not know")
    without, finished_too = find_remedies(message, "where")
    assert find_answer(ask, table, *without) == BEST
    best, output = ask(table, *finished_too)
    assert best == BEST
    assert f"{name} is 'zombie' in 10 selected rows: taken for finished runs" in " ".join(output.split())


def spoil_accuracy(runs, number):
    """Return runs of other seeds with accuracies that have another best T than the planted one."""
    return runs.assign(seed=runs["seed"] + 10 * (number + 1), accuracy=0.99 - runs["T"] / 1000)


@pytest.mark.parametrize("condition", ["width > 0", "note == 'state'", 'note != "state"', "`a state` == 1"])
def test_a_condition_on_something_else_says_nothing_about_states(ask, condition):
    table = make_accuracies(state=["OK", "zombie"] * 25, note="state", **{"a state": 1})
    if "!=" in condition:
        table["note"] = "other"
    assert ask(table, "--where", condition).startswith("state has 'zombie' (25 rows), which kdtune does not know")


def test_known_states_of_unfinished_runs_do_not_count_whatever_the_condition(ask):
    table = join(make_accuracies(state="meh"), spoil_accuracy(make_accuracies(), 0).assign(state="crashed"))
    best, output = ask(table, "--where", "state != 'done'")
    assert best == BEST
    assert "Left out: 50 rows of unfinished runs (state: 50 crashed)." in " ".join(output.split())


def test_a_single_seed_is_said_to_name_no_replicates(ask):
    runs = make_accuracies().query("seed == 0")
    text = " ".join(ask(runs)[1].split())
    assert "seed has one value only among finished distilled students (0), so it tells no replicates apart." in text
    assert "Each setting has one run per T, so nothing shows how much results vary by chance." in text
    text = " ".join(ask(make_accuracies(seed=0))[1].split())
    assert "No column tells replicates apart, so runs are not paired" in text
    assert find_answer(ask, make_accuracies(seed=0), "--paired-by-order") == BEST


@pytest.mark.parametrize(
    "order", [["temperature", "width", "seed", "test_acc"], ["test_acc", "seed", "temperature", "width"]]
)
def test_other_names_among_the_rows_are_found(call, tmp_path, order):
    parts = [make_accuracies().query("width == @width") for width in BEST]
    second = parts[1].rename(columns={"T": "temperature", "accuracy": "test_acc"})[order]
    path = tmp_path / "runs.csv"
    path.write_text(parts[0].to_csv(index=False) + second.to_csv(index=False))
    run = call("analyze", path)
    assert run.exit_code == 2
    assert f"runs.csv:27: a row ({', '.join(order)}) looks like other names of the columns" in run.output
    lines = path.read_text().splitlines(keepends=True)
    if order[0] == "temperature":  # They mean the same in this order.
        path.write_text("".join(lines[:26] + lines[27:]))
        assert call("analyze", path).exit_code == 0
        assert pd.read_parquet(f"{path}-analysis/t_opt.parquet")["T_opt"].tolist() == list(BEST.values())


@pytest.mark.parametrize("row", ["baseline,ten,one,failed", "T,width,seed,accuracy"])
def test_rows_of_words_are_no_other_names(call, tmp_path, row):
    path = tmp_path / "runs.csv"
    path.write_text(make_accuracies().to_csv(index=False) + row + "\n")
    assert "looks like other names" not in call("analyze", path).output


def test_two_exports_with_other_names_can_be_made_one(ask):
    parts = [make_accuracies().query("width == @width") for width in BEST]
    table = join(parts[0], parts[1].rename(columns={"T": "temperature", "accuracy": "test_acc"}))
    for name in ("T", "accuracy"):
        message = ask(table)
        assert message.startswith(f"{name} has a value in 25 rows and ")
        table = follow_line(message, table)
    assert find_answer(ask, table) == BEST
    assert sorted(table.columns) == ["T", "accuracy", "seed", "width"]


def test_one_of_two_columns_can_be_meant(ask):
    parts = [make_accuracies().query("width == @width") for width in BEST]
    table = join(parts[0], parts[1].rename(columns={"accuracy": "test_acc"}))
    options = find_remedies(ask(table), "map")
    assert options == [["--map", "accuracy=accuracy"], ["--map", "accuracy=test_acc"]]
    t_opt = [ask(table, *option) for option in options]
    assert all(not isinstance(answer, str) for answer in t_opt)


def test_other_measures_of_other_rows_are_no_parts(ask):
    runs = make_accuracies(model="distilled_student", acc=np.nan)
    teacher = pd.DataFrame({"model": ["teacher"], "acc": [0.99], "seed": [0], "width": [99]})
    assert find_answer(ask, join(runs, teacher)) == BEST


def follow(message):
    """Return the frame that the command of pandas in a message writes."""
    return pd.read_csv(run_command(message))


def follow_line(message, frame):
    """Return a frame after the line of pandas in a message."""
    names = {"frame": frame.copy()}
    exec(re.search(r"with pandas: (frame.*?)(?=; if |[.] If |\n|$)", message)[1], names)
    return names["frame"]


@pytest.mark.parametrize(("factor", "formula"), [(1, "100 * (1 - accuracy)"), (100, "100 - accuracy")])
def test_the_rate_of_errors_is_what_the_note_says(ask, factor, formula):
    table = make_accuracies()
    table["accuracy"] *= factor
    assert f"errors are rates in percent of the examples ({formula})." in " ".join(ask(table)[1].split())


def test_rows_are_quoted_as_the_file_has_them(ask):
    runs = make_accuracies()
    percents = runs.assign(acc=[f"{100 * value:.2f}%" for value in runs["accuracy"]]).drop(columns="accuracy")
    assert find_answer(ask, percents.assign(T="T=" + percents["T"].astype(int).astype(str))) == BEST
    message = ask(percents.assign(T=percents["T"].astype(int).astype(str) + "!"))
    assert "as in 50 rows (the first: width 10, seed 0). If the number in each text is T, take" in message
    assert find_answer(ask, percents) == BEST
    message = ask(percents.assign(T=[None] * 3 + percents["T"].tolist()[3:]))
    assert "T is empty or 0 in 3 rows (the first: width 10, seed 0)." in message
    message = ask(join(percents.assign(id=range(50)), percents.head(5).assign(id=range(50, 55))))
    assert "as at T 1, width 10, seed 0: id 0 and 50." in message


@pytest.mark.parametrize("form", ["log T={}", "x{}", "{}!"])
def test_what_may_be_no_label_of_temperatures_is_not_to_be_removed(ask, form):
    runs = make_accuracies()
    message = ask(runs.assign(T=[form.format(int(T)) for T in runs["T"]]))
    assert "Remove" not in message
    assert "Mend them" in message


def test_the_help_says_what_happens_to_repeats(call):
    text = " ".join(call("analyze", "--help-all").output.split())
    assert (
        "[default: copies of whole rows count once; distilled students that differ in an id or a time only are refused]"
        in text
    )


@pytest.mark.parametrize("names", [{}, {"T": "kd temp", "seed": "my seed", "epoch": "train/epoch"}])
@pytest.mark.parametrize("role", [None, "model"])
def test_the_last_row_of_each_run_can_be_kept(ask, names, role):
    runs = make_accuracies(**({role: "kd"} if role else {}))
    if role:
        runs = join(runs, pd.DataFrame({"model": ["scratch"], "width": [10], "seed": [0], "accuracy": [0.95]}))
    epochs = [spoil_accuracy(runs, -1).assign(epoch=epoch) for epoch in (1, 2)]
    table = join(*epochs, runs.assign(epoch=3)).rename(columns=names)
    early = (table[names.get("epoch", "epoch")] == 3) & (table[names.get("T", "T")] == 4) & (table["width"] == 40)
    table = table[~(early & (table[names.get("seed", "seed")] == 1))]
    message = ask(table)
    assert "some runs end earlier than others; keep the last row of each with pandas" in message
    kept = follow(message)
    assert len(kept) == len(runs)
    assert find_answer(ask, kept) == BEST


def test_runs_without_seeds_are_not_reduced_to_one(ask):
    table = join(*(make_accuracies(epoch=epoch) for epoch in (1, 2, 3)))
    table = table.drop(columns="seed").drop(index=len(table) - 1)
    message = ask(table)
    assert "keep only the row of each run with the last epoch" in message
    assert "pandas" not in message


def test_a_column_called_run_is_said_to_be_the_replicate(ask):
    text = " ".join(ask(make_accuracies().rename(columns={"seed": "run"}))[1].split())
    assert "The replicate is the column run: runs with the same value there belong together." in text


def test_roles_are_counted_in_the_words_of_the_table(ask):
    runs = make_accuracies(model="kd")
    others = pd.DataFrame(
        {"model": ["scratch", "Vanilla", "teacher"], "width": [10, 40, 99], "seed": 0, "accuracy": 0.95}
    )
    text = " ".join(ask(join(runs, others))[1].split())
    assert (
        "The role of a network is the column model; its rows are 50 distilled students ('kd'), 2 baselines ('scratch' "
        "and 'Vanilla') and 1 teacher ('teacher')."
    ) in text
    text = " ".join(ask(join(runs.assign(model=None), others.tail(1)))[1].split())
    assert "its rows are 50 distilled students (no value) and 1 teacher ('teacher')." in text


def test_a_random_search_whose_seeds_pair_nothing_is_answered_without_them(ask):
    random = np.random.default_rng(3)
    searched = join(make_accuracies(), make_accuracies())
    searched["learning_rate"] = random.uniform(0.001, 0.01, len(searched))
    searched["accuracy"] += random.normal(0, 0.0005, len(searched)).round(5)
    message = ask(searched)
    assert "as in a random search, seed pairs no runs: --map replicate=none leaves it out" in message
    (option,) = [each for each in read_options(message, "--map") if each.startswith("replicate")]
    _, text = ask(searched, "--map", option)
    assert "Runs are not paired, as --map replicate=none says: seed is left out." in " ".join(text.split())


def test_replicates_of_a_sweep_of_kdtune_stay_paired(ask):
    message = ask(planted.table(planted.RISES, replicates=2), "--map", "replicate=none")
    assert "this is a sweep of kdtune, whose replicates are paired" in message
