"""Tables that look right and are not: rounded exports, runs that stopped early, one T in two forms, no tables."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kdtune
from kdtune.columns import DONE, LOSS, MODEL, NUM_ERROR, REPLICATE, STATUS, STUDENT, TEACHER, TEMP, WIDTH
from kdtune.errors import RequestError
from kdtune.foreign.bookkeeping import _DOUBTFUL_WORDS
from kdtune.foreign.early_stops import describe_early_stops
from kdtune.foreign.files import read_file
from kdtune.foreign.plain_columns import STRIPPED_TEXTS
from kdtune.foreign.plain_tables import to_plain_table
from kdtune.foreign.repeated_rows import Repeats, drop_repeated_rows
from kdtune.foreign.rounded_copies import Rounding, find_digits, pair_rounded_rows
from kdtune.foreign.seed_texts import join_seed_texts
from tests.planted_tables import make_runs

TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)


# Two exports of the same runs, one of them rounded.


def make_losses(seed: int, replicates: int = 4, digits: int = 6) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    T = np.repeat(TEMPERATURES, replicates)
    errors, losses = random.normal(0.12, 0.004, len(T)), random.normal(0.98, 0.03, len(T))
    return pd.DataFrame({TEMP: T, WIDTH: 10, NUM_ERROR: errors.round(digits), LOSS: losses.round(digits)})


def round_numbers(table: pd.DataFrame, form: str) -> pd.DataFrame:
    return table.assign(**{name: [float(form % value) for value in table[name]] for name in (NUM_ERROR, LOSS)})


def drop(table: pd.DataFrame, labels=(), repeats=None) -> Repeats:
    replicate = REPLICATE if REPLICATE in table.columns else None
    return drop_repeated_rows(
        table, measures=[NUM_ERROR, LOSS], labels=list(labels), replicate=replicate, repeats=repeats
    )


def sort(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(list(table.columns)).reset_index(drop=True)


@given(
    seed=st.integers(0, 10**6),
    replicates=st.integers(2, 6),  # one run of each T gives too little evidence
    form=st.sampled_from(["%.4f", "%.3f", "%.4g"]),
    order=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_the_rounded_export_of_the_same_runs_does_not_count(seed, replicates, form, order):
    table = make_losses(seed, replicates)
    both = pd.concat([table, round_numbers(table, form)]).sample(frac=1, random_state=order)
    result = drop(both)
    pd.testing.assert_frame_equal(sort(result.table), sort(table))
    assert f"({len(table)} of {2 * len(table)} rows)" in result.notes[0]
    assert "--repeats keep" in result.notes[0]


def test_rounded_copies_stay_if_the_user_says_so():
    table = make_losses(0)
    both = pd.concat([table, round_numbers(table, "%.4f")], ignore_index=True)
    assert len(drop(both, repeats="keep").table) == len(both)
    assert len(drop(both, repeats="once").table) == len(table)


def test_a_number_halfway_may_be_rounded_down_or_up():
    longer = make_losses(3, digits=5)
    for direction in (-1e-9, 1e-9):
        both = pd.concat(
            [longer, ((longer[[NUM_ERROR, LOSS]] + direction).round(4)).assign(temp=longer.temp, width=10)]
        )
        pd.testing.assert_frame_equal(sort(drop(both[longer.columns]).table), sort(longer))


def test_a_column_that_is_not_rounded_must_be_equal():
    table = make_losses(1).assign(lr=0.015, val_acc=np.random.default_rng(0).binomial(200, 0.9, 20) / 200)
    both = pd.concat([table, round_numbers(table, "%.4f")], ignore_index=True)
    result = drop_repeated_rows(
        both, measures=[NUM_ERROR, LOSS, "val_acc"], labels=[], replicate=None, repeats=None
    )  # accuracies over 200 examples have two or three decimals in both exports
    pd.testing.assert_frame_equal(sort(result.table), sort(table))
    others = pd.concat([table, round_numbers(table, "%.4f").assign(lr=0.02)], ignore_index=True)
    assert len(drop(others).table) == len(others)


def test_runs_that_differ_in_an_id_are_asked_for():
    table = make_losses(2).assign(id=range(20), seconds=np.random.default_rng(0).normal(12, 1, 20))
    rounded = round_numbers(table, "%.4f").assign(seconds=table["seconds"].round(2))
    both = pd.concat([table, rounded], ignore_index=True)
    pd.testing.assert_frame_equal(sort(drop(both, ["id", "seconds"]).table), sort(table))
    numbered = both.assign(id=range(40))
    with pytest.raises(RequestError, match=r"in all columns but id and seconds, with rounded.*--repeats once.*keep"):
        drop(numbered, ["id", "seconds"])
    assert len(drop(numbered, ["id", "seconds"], repeats="once").table) == 20
    assert len(drop(numbered, ["id", "seconds"], repeats="keep").table) == 40


def test_run_times_must_be_rounded_too():
    table = make_losses(5).assign(seconds=np.random.default_rng(0).normal(12, 1, 20))
    others = round_numbers(table, "%.4f").assign(seconds=np.random.default_rng(1).normal(12, 1, 20).round(2))
    with pytest.raises(RequestError, match=r"in all columns but seconds, with rounded numbers"):
        drop(pd.concat([table, others], ignore_index=True), ["seconds"])


def test_accuracies_over_200_examples_are_not_rounded():
    accuracies = np.random.default_rng(0).binomial(200, 0.9, 40) / 200  # 0.9 and 0.905
    assert find_digits(accuracies, False) is None
    assert find_digits(np.append(accuracies + 0.000321, accuracies.round(2)), False) == 2


def test_numbers_with_few_digits_are_equal_in_both_exports():
    table = pd.DataFrame({NUM_ERROR: [0.1234, 0.12, 0.12, 0.12]})
    pairs = pair_rounded_rows(table, [NUM_ERROR], Rounding({NUM_ERROR: 2}, False))
    assert (pairs.precise.tolist(), len(pairs.rounded), len(pairs.surplus)) == ([0], 1, 2)


def test_teachers_and_failures_of_a_rounded_export_do_not_count_either():
    table = make_losses(4).assign(**{MODEL: STUDENT, REPLICATE: list(range(4)) * 5})
    teacher = pd.DataFrame({TEMP: [np.nan] * 2, WIDTH: 10, NUM_ERROR: [0.051234, 0.049871], LOSS: [0.2, 0.212346],
                            MODEL: TEACHER, REPLICATE: [0, 1]})  # fmt: skip
    table = pd.concat([table, teacher], ignore_index=True)
    table.loc[0, [NUM_ERROR, LOSS]] = np.nan  # it failed
    both = pd.concat([table, round_numbers(table, "%.4f")], ignore_index=True)
    pd.testing.assert_frame_equal(sort(drop(both).table), sort(table))


def make_replicates(seed: int) -> tuple[pd.DataFrame, str]:
    """Real replicates whose measures have few digits, the same in all rows or (two scripts) not."""
    random = np.random.default_rng(seed)
    replicates = int(random.choice([2, 3, 4, 5, 10, 20]))
    T = np.repeat(2.0 ** np.arange(random.integers(2, 7)), replicates)
    rate = random.choice([0.02, 0.1, 0.3]) + random.choice([0, 0, 0.02]) * np.log2(T) ** 2
    noise = random.choice([0.001, 0.005, 0.02])
    few = int(random.integers(1, 4))
    kind = str(random.choice(["examples", "percents", "decimals", "steps", "two scripts"]))
    examples = int(random.choice([40, 80, 100, 200, 360, 400, 1000, 2000, 10_000]))
    normal = random.normal(rate, noise)
    errors = {
        "examples": lambda: random.binomial(examples, rate.clip(0, 0.9)) / examples,
        "percents": lambda: np.round(100 * random.binomial(examples, rate.clip(0, 0.9)) / examples, few),
        "decimals": lambda: normal.round(few + 1),
        "steps": lambda: np.round(200 * normal) / random.choice([2, 4, 8, 20]),
        "two scripts": lambda: np.where(np.arange(len(T)) % 2, normal.round(few + 2), normal.round(few)),
    }[kind]()
    table = pd.DataFrame({TEMP: T, NUM_ERROR: errors, LOSS: random.normal(1, 0.02, len(T)).round(few + 1)})
    return (table if random.random() < 0.5 else table.assign(**{LOSS: 1.0})), kind


@pytest.mark.slow
def test_real_replicates_with_few_digits_are_never_taken_for_rounded_copies():
    for seed in range(600):
        table, kind = make_replicates(seed)
        notes = drop(table).notes
        assert not any("rounded" in note for note in notes), (seed, kind, notes)


def test_a_rounded_export_changes_no_answer():
    runs = make_runs().drop(columns=["replicate", "num_error"]).rename(columns={"val_num_error": "val_acc"})
    runs["val_acc"] = 1 - (runs["val_acc"] + np.random.default_rng(0).random(len(runs))) / 10_000
    runs["val_acc"] = runs["val_acc"].round(7)
    both = pd.concat([runs, runs.assign(val_acc=runs["val_acc"].round(5))], ignore_index=True)
    once, twice = kdtune.analyze(runs), kdtune.analyze(both)
    pd.testing.assert_frame_equal(once.t_opt, twice.t_opt)
    assert "rounded numbers" in " ".join(twice.reading_notes)


# Runs that were stopped early.


def make_trials(steps, name="training_iteration") -> pd.DataFrame:
    T = np.repeat(TEMPERATURES, 8)
    return pd.DataFrame({TEMP: T, MODEL: STUDENT, STATUS: DONE, NUM_ERROR: np.arange(40), name: steps})


HALVED = [100] * 8 + [100] * 4 + [25] * 4 + [100] * 22 + [25, 50]  # by a scheduler: 4 at T = 2, 2 at T = 16


@pytest.mark.parametrize(
    "name", ["training_iteration", "epoch", "step", "_step", "iterations", "Iters", "timesteps_total", "last_epoch",
             "epochs_completed"]
)  # fmt: skip
def test_runs_that_stopped_early_are_said(name):
    (note,) = describe_early_stops(make_trials(HALVED, name), [MODEL, TEMP])
    assert note.startswith(f"{name}: 6 rows have fewer than 100 (4 at T 2 and 2 at T 16)")
    assert f"--where '{name} == 100'" in note


def test_the_condition_that_is_suggested_can_be_typed():
    for name in ("training_iteration", "training iteration"):
        trials = make_trials(HALVED, name)
        (note,) = describe_early_stops(trials, [MODEL, TEMP])
        condition = note.split("--where '")[1].split("'")[0]
        answer = kdtune.analyze(trials.drop(columns=[MODEL, STATUS]), where=condition)
        assert "34 of 40 rows match" in " ".join(answer.reading_notes)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("best_epoch", HALVED),
        ("stopped_epoch", HALVED),
        ("config/step", HALVED),
        ("epochs_per_cycle", HALVED),
        ("epoch", [100] * 40),
        ("epoch", list(range(8)) * 5),  # numbers repetitions
        ("epoch", list(range(31, 71))),  # each run ends when it likes to
    ],
)
def test_columns_that_vary_by_nature_need_no_note(name, steps):
    assert describe_early_stops(make_trials(steps, name), [MODEL, TEMP]) == []


def test_steps_are_compared_within_a_setting():
    steps = [100, 100, 100, 100, 40, 40, 40, 40] * 5
    trials = make_trials(steps, "epoch").assign(dataset=["a", "a", "a", "a", "b", "b", "b", "b"] * 5)
    assert describe_early_stops(trials, [MODEL, TEMP, "dataset"]) == []
    (note,) = describe_early_stops(trials.assign(epoch=[7, *steps[1:]]), [MODEL, TEMP, "dataset"])
    assert "1 row has fewer than other rows of their setting (1 at T 1)" in note
    assert "--where 'epoch in [40, 100]'" in note
    (note,) = describe_early_stops(trials.assign(epoch=[40, *steps[1:]]), [MODEL, TEMP, "dataset"])
    assert "epoch in" not in note  # in the other setting 40 is all


def test_failed_runs_and_teachers_are_no_early_stops():
    trials = make_trials(HALVED)
    is_short = trials["training_iteration"] < 100
    assert describe_early_stops(trials.assign(**{STATUS: np.where(is_short, "failed", DONE)}), [MODEL, TEMP]) == []
    assert describe_early_stops(trials.assign(**{MODEL: np.where(is_short, TEACHER, STUDENT)}), [MODEL, TEMP]) == []


def test_iterations_of_early_stopped_runs_are_no_setting():
    assert {"iterations", "iters"} <= _DOUBTFUL_WORDS
    runs = make_runs().assign(iterations=np.random.default_rng(0).choice([10, 30, 90], 50))
    assert kdtune.analyze(runs).cell_columns == ["width"]
    assert kdtune.analyze(runs.drop(columns="replicate")).cell_columns == ["width"]


# Temperatures that agree to four digits.


def notes_on_temperatures(temperatures) -> list[str]:
    runs = make_runs(temperatures=temperatures, best={10: temperatures[0]}).drop(columns="replicate")
    return [note for note in kdtune.analyze(runs).reading_notes if "agree to 4 digits" in note]


@pytest.mark.parametrize("other", [1.7783, 1.778])
def test_one_temperature_in_two_forms_is_said(other):
    (note,) = notes_on_temperatures([1.0, other, 1.77828, 4.0])
    assert f"T {min(other, 1.77828)} and {max(other, 1.77828)} agree to 4 digits but not to 6" in note
    assert "write the same number" in note


def test_temperatures_that_are_one_or_differ_need_no_note():
    assert not notes_on_temperatures([1.0, 1.7782794100389228, 1.77828, 4.0])  # one
    assert not notes_on_temperatures([1.0, 1.77, 1.78, 1.8])
    assert not notes_on_temperatures([10_000, 10_001, 10_002])  # whole numbers are what they are
    random = np.random.default_rng(0)
    runs = pd.DataFrame({"temp": random.uniform(1, 20, 400), "num_error": random.integers(100, 200, 400)})
    assert "4 digits" not in " ".join(kdtune.analyze(runs).reading_notes)  # drawn at random


# Files that are no tables.


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"a": 3}, r"a single object \(a\)"),
        ([1, 2.5], "a list of numbers"),
        ([3], "a list of numbers"),
        (["a", "b"], "a list of texts"),
        ([True, 1], "a list of different values"),
        ([None], "a list of null"),
        ([], "an empty list"),
        ({}, "an empty object"),
        ({"a": {}, "b": 1, "c": [1]}, r"a single object \(a, b and c\)"),
    ],
)
def test_json_that_is_no_table_is_named(tmp_path, value, form):
    path = tmp_path / "runs.json"
    for end in ("", "\n"):
        path.write_text(json.dumps(value) + end)
        with pytest.raises(RequestError, match=f"this JSON is no table, but {form}; kdtune reads a list of records"):
            read_file(path)


LOGS = {
    "loop": "Starting training\nUsing device cuda:0\n"
    + "".join(f"Epoch {n}, loss 0.{n}, acc 0.8{n}\n" for n in range(9)),
    "logging": "".join(f"2024-05-01 10:00:0{n},123 - root - INFO - loss 0.{n}\n" for n in range(5)),
    "brackets": "[2024-05-01 10:00:01] INFO start\n[2024-05-01 10:00:02] INFO stop\n",
    "pairs": "T=4 seed=0 acc=0.93\nT=4 seed=1 acc=0.92\nT=8 seed=0 acc=0.94\n",
    "colons": "run 1: T: 4, seed: 0, acc: 0.93\nrun 2: T: 4, seed: 1, acc: 0.92\n",
    "keras": "Epoch 1/2\nstep 10: loss 0.3\nEpoch 2/2\nstep 10: loss 0.2\n",
    "level": "INFO:root:temp 4 error 150\nINFO:root:temp 8 error 160\n",
    "sentences": "Training with T 4 and seed 0\nTraining with T 4 and seed 1\nTraining with T 8 and seed 0\n",
}


@pytest.mark.parametrize("name", LOGS)
def test_logs_are_named(tmp_path, name):
    path = tmp_path / "train.log"
    path.write_text(LOGS[name])
    with pytest.raises(RequestError, match=r"train\.log: this is a log, .* write a table as CSV") as error:
        read_file(path)
    assert "\n" not in str(error.value)


def test_a_text_without_numbers_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello world\nthis is a text\nwith lines\n")
    with pytest.raises(RequestError, match=r"this is a text without numbers, .* write a table as CSV"):
        read_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "time,T,err\n2024-05-01 10:00:01,4,150\n2024-05-01 10:00:02,8,160\n",
        "date time T err\n2024-05-01 10:00:01 4 150\n2024-05-01 10:00:02 8 160\n",
        "time;note;T\n2024-05-01 10:00 INFO;a;4\n2024-05-01 10:00 INFO;b;4\n",
        "run,T,err\nT=4 seed=0,4,150\nT=4 seed=1,4,150\n",
        "stage,T,err\nepoch 1/10,4,150\nepoch 2/10,8,150\n",
        "T|run\n4|step 3: acc=1 loss=2\n8|step 3: acc=1 loss=3\n",
        # Ray's experiment_tag holds the separator, and stands in quotes.
        'experiment_tag,T,err\n"T=4,seed=0",4,150\n"T=8,seed=0",8,160\n',
        'note,T,err\n"epoch 1: loss=1,\nacc=2",4,150\n"epoch 1: loss=3,\nacc=4",8,160\n',
    ],
)
def test_tables_with_times_and_names_in_their_values_are_no_logs(tmp_path, text):
    path = tmp_path / "runs.txt"
    path.write_text(text)
    assert len(read_file(path).frame) == 2


# Blanks around texts, and seeds that are written in two ways.


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda columns: pd.DataFrame(columns).astype("category")])
def test_blanks_around_texts_are_left_out_as_in_files(make):
    plain = to_plain_table(make({"data": [" a", "a", "b\t", "\u00a0b"], "n": ["1", " 1", "2 ", "3"], "c": ["x"] * 4}))
    assert plain.frame["data"].tolist() == ["a", "a", "b", "b"]
    assert plain.frame["n"].tolist() == [1, 1, 2, 3]
    assert [note for note in plain.notes if STRIPPED_TEXTS in note] == [f"data: {STRIPPED_TEXTS}."]


def test_blanks_around_texts_in_mixed_columns_are_removed():
    plain = to_plain_table(pd.DataFrame({"data": [" a", "a", 3, None]}))
    assert plain.frame["data"].tolist()[:3] == ["a", "a", "3"]


def test_one_setting_with_and_without_blanks_is_one():
    runs = make_runs(best={10: 2.0})
    runs["dataset"] = np.where(np.arange(len(runs)) % 2, "mnist", " mnist ")
    assert "dataset" not in kdtune.analyze(runs).cell_columns


def test_seeds_that_are_written_in_two_ways_are_one():
    table = pd.DataFrame({"seed": ["0", "1", "000", "001", "2.0", None], "data": ["0", "00", "1", "1", "1", "1"]})
    joined, notes = join_seed_texts(table)
    assert joined["seed"].tolist()[:5] == [0, 1, 0, 1, 2]
    assert pd.isna(joined["seed"].iloc[5])
    assert joined["data"].tolist() == table["data"].tolist()
    assert notes == ["seed: 0 and 000 as well as 1 and 001 are the same number."]


@pytest.mark.parametrize("seeds", [["000", "001", "002"], ["0", "00", "a"], ["0", "1"], [0, 1], [None, None], [0.5, 1]])
def test_other_seeds_stay_as_they_are(seeds):
    table = pd.DataFrame({"seed": seeds})
    joined, notes = join_seed_texts(table)
    assert joined is table
    assert notes == []
