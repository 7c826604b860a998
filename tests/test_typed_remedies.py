"""What a message tells users to type is what they need: each remedy is typed as bash reads it, and gives the answer."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_tables import BEST, make_runs

import kdtune
from kdtune.analysis.option_texts import suggest_cell, suggest_map, suggest_rows
from kdtune.analysis.table_queries import select_rows

OPTION = r"--(?:%s) (?:'[^']*'(?:\"'\"'[^']*')*|[^\s;,]+(?:,[^\s;,]+)*)"
MARKS = ["{}", "my {}", "{} (1)[0]", "{}$x # 2", "{}'s", '"{}"/ä']
SPOILED = {"val_num_error": 1, "num_error": 1}  # errors that would make any T the best


def read_arguments(text):
    """Return the words of a command as bash reads them."""
    run = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True)
    assert not run.stderr
    return run.stdout.decode().split("\0")[:-1]


def find_remedies(message, option):
    """Return the options of a kind in a message, each as a list of words."""
    return [read_arguments(text.rstrip(".")) for text in re.findall(OPTION % option, message)]


@pytest.fixture
def ask(call, tmp_path):
    """Return the message about a table, or the best T by width, as a command finds it."""

    def ask(table, *arguments):
        path = tmp_path / "my runs.csv"
        table.to_csv(path, index=False)
        run = call("analyze", path, *arguments)
        if run.exit_code:
            assert run.exit_code == 2, run.output
            return run.output
        t_opt = pd.read_parquet(f"{path}-analysis/t_opt.parquet")
        return t_opt.groupby("width")["T_opt"].agg(lambda values: values.iloc[0]).to_dict(), run.output

    return ask


def find_answer(ask, table, *arguments):
    answer = ask(table, *arguments)
    assert not isinstance(answer, str), answer
    return answer[0]


def spoil(runs, **columns):
    """Return runs with errors that have another best T than the planted one."""
    errors = (100 + runs["temp"]).astype(int)
    return runs.assign(val_num_error=errors, num_error=errors, **columns)


def join(*tables):
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("mark", MARKS)
def test_rows_without_a_seed_can_be_left_out(ask, mark):
    name = mark.format("seed")
    runs = make_runs().rename(columns={"replicate": name})
    message = ask(join(runs, spoil(runs, **{name: None})))
    (where,) = find_remedies(message, "where")
    assert find_answer(ask, join(runs, spoil(runs, **{name: None})), *where) == BEST


@pytest.mark.parametrize(
    ("name", "has_seeds"), [("epoch", True), ("epoch", False), ("train/epoch", True), ("Epoch # (i)", True)]
)
def test_the_last_epoch_can_be_chosen_or_epochs_be_a_setting(ask, name, has_seeds):
    runs = make_runs() if has_seeds else make_runs().drop(columns="replicate")
    table = join(*(spoil(runs, **{name: epoch}) for epoch in (1, 2)), runs.assign(**{name: 10}))
    message = ask(table)
    assert "several rows per run" in message
    (where,) = find_remedies(message, "where")
    assert find_answer(ask, table, *where) == BEST
    (cell,) = find_remedies(message, "cell")
    assert cell == ["--cell", f"width,{name}"]
    find_answer(ask, table, *cell)


@pytest.mark.parametrize("mark", MARKS)
def test_a_split_can_be_chosen(ask, mark):
    name = mark.format("split")
    table = join(spoil(make_runs(), **{name: "train"}), make_runs().assign(**{name: "val"}))
    (where,) = find_remedies(ask(table), "where")
    assert find_answer(ask, table, *where) == BEST


@pytest.mark.parametrize(
    ("name", "finished", "unknown"),
    [
        ("state", "finished", "exploded"),
        ("status", "COMPLETED", "an 'unknown' state"),
        ("run state", "done", "exploded"),
        ("trial/state", "finished", 'so-called "state"'),
    ],
)
def test_the_finished_runs_can_be_chosen_among_unknown_states(ask, name, finished, unknown):
    table = join(spoil(make_runs(), **{name: unknown}), make_runs().assign(**{name: finished}))
    message = ask(table)
    assert repr(unknown) in message
    without, _ = find_remedies(message, "where")
    assert find_answer(ask, table, *without) == BEST


@pytest.mark.parametrize("options", [[], ["--map", "status=Zustand"]])
def test_a_state_that_nobody_knows_may_be_that_of_finished_runs(ask, options):
    name = "Zustand" if options else "status"
    failed = spoil(make_runs(), **{name: "kaputt"}).iloc[:20]
    table = join(failed, make_runs().assign(**{name: "fertig"}))
    message = ask(table, *options)
    assert message.startswith(f"{name} has 'kaputt' and 'fertig' (70 rows), which kdtune does not know")
    (where,) = find_remedies(message, "where")
    best, output = ask(table, *options, *where)
    assert best == BEST
    assert f"{name} is 'fertig' in all selected rows: they are taken for finished runs." in output


@pytest.mark.parametrize("name", ["role", "model", "model role"])
def test_rows_of_known_roles_can_be_chosen(ask, name):
    table = join(make_runs().assign(**{name: "kd"}), spoil(make_runs(), **{name: "ensemble, big"}))
    message = ask(table)
    assert "'ensemble, big', which kdtune does not know as the role" in message
    (where,) = find_remedies(message, "where")
    assert find_answer(ask, table, *where) == BEST


@pytest.mark.parametrize(
    ("old", "new"),
    [("2025-01-01", "2025-02-01"), ("2025-02-01 10:00", "2025-02-01 10:05"), ("28.02.2025", "01.03.2025"), (1, 2)],
)
@pytest.mark.parametrize("is_new_first", [False, True])
def test_of_reruns_the_newest_is_kept(ask, old, new, is_new_first):
    name = "date" if isinstance(old, str) else "job id"
    tables = [spoil(make_runs(), **{name: old}), make_runs().assign(**{name: new})]
    is_text = isinstance(old, str) and "." in old  # Nobody knows which number is the month: the last rows are newest.
    message = ask(join(*(tables[::-1] if is_new_first and not is_text else tables)))
    (where,) = find_remedies(message, "where")
    which = "the last" if is_text else "the newest" if isinstance(old, str) else "one"
    assert f"If these are reruns, keep {which}: --where" in message
    assert find_answer(ask, join(*tables), *where) == BEST


@pytest.mark.parametrize("mark", ["{}", "{}'s (IP) name"])
@pytest.mark.parametrize("names", [{}, {"temp": "kd T", "width": "student width", "replicate": "run seed"}])
def test_runs_that_share_a_seed_are_reruns_or_another_setting(ask, mark, names):
    name = mark.format("host")
    runs = make_runs().rename(columns=names)
    others = make_runs(seed=1).rename(columns=names)
    table = join(runs.assign(**{name: "a"}), others.assign(**{name: "b"}))
    message = ask(table)
    assert f"have the same {names.get('temp', 'temp')}, {names.get('replicate', 'replicate')} and setting" in message
    assert f"where they differ in {name}. " in message
    (where,) = find_remedies(message, "where")
    (cell,) = find_remedies(message, "cell")
    assert find_answer(ask, table, *where) == BEST
    assert cell == ["--cell", f"{names.get('width', 'width')},{name}"]
    find_answer(ask, table, *cell)


def test_no_run_gets_lost_with_a_rerun(ask):
    runs = make_runs()
    table = join(runs.assign(host="a").iloc[:40], make_runs(seed=1).assign(host="b").iloc[10:])
    message = ask(table)
    assert "If these are reruns, remove all but one of each from the table. If host is a setting: --cell" in message
    assert not find_remedies(message, "where")


@pytest.mark.parametrize("is_equal", [True, False])
def test_runs_that_differ_in_nothing_but_results_are_said_to_do_so(ask, is_equal):
    others = make_runs() if is_equal else make_runs(seed=1)
    message = ask(join(make_runs(), others), *(["--repeats", "keep"] if is_equal else []))
    assert f"where they have {'equal' if is_equal else 'different'} results. If they are more replicates" in message
    assert "give each its own replicate" in message
    seeds = join(make_runs(), make_runs(seed=1).assign(replicate=lambda runs: runs["replicate"] + 5))
    assert find_answer(ask, seeds) == BEST


@pytest.mark.parametrize(("name", "blank"), [("temp", 0), ("kd T", None), ("distill/T", None)])
def test_rows_without_a_temperature_can_be_left_out_or_made_baselines(ask, name, blank):
    baselines = make_runs().iloc[::5].assign(temp=blank, val_num_error=1, num_error=400)
    table = join(make_runs(), baselines).rename(columns={"temp": name})
    message = ask(table)
    assert message.startswith(f"{name} is empty or 0 in 10 rows (the first: width 10, replicate 0). ")
    (where,) = find_remedies(message, "where")
    assert find_answer(ask, table, *where) == BEST
    roles = np.where(table[name] > 0, "distilled_student", "student")
    assert find_answer(ask, table.assign(model=roles)) == BEST


@pytest.mark.parametrize("name", ["temp", "kd T"])
@pytest.mark.parametrize("wrong", [["auto"], [-1], ["it's", "none yet"]])
def test_rows_with_another_temperature_can_be_left_out(ask, name, wrong):
    others = spoil(make_runs().iloc[: len(wrong)])
    table = join(make_runs().astype({"temp": object}), others.assign(temp=wrong)).rename(columns={"temp": name})
    message = ask(table)
    assert f"{name} must be a positive number (0.000001 to 1,000,000), not {wrong[0]!r}" in message
    (where,) = find_remedies(message, "where")
    assert find_answer(ask, table, *where) == BEST


@pytest.mark.parametrize("name", ["gpu", "host name"])
def test_a_column_that_is_no_setting_can_be_one(ask, name):
    table = make_runs()
    table[name] = np.random.default_rng(0).choice(["a", "b", "c"], len(table))
    best, output = ask(table)
    assert best == BEST
    (cell,) = find_remedies(output.replace("\n  ", " "), "cell")
    assert cell == ["--cell", f"width,{name}"]
    find_answer(ask, table, *cell)


def test_a_negative_measure_can_be_chosen(ask):
    table = make_runs().drop(columns="val_num_error")
    for name in ("num_error", "test errors"):
        negative = table.assign(num_error=table["num_error"] - 1000).rename(columns={"num_error": name})
        message = ask(negative)
        assert f"{name}: errors are not negative" in message
        measure = read_arguments(message.split("say ")[1].split(" (or")[0])
        assert find_answer(ask, negative, *measure) == BEST


def test_a_name_with_a_comma_is_renamed_first(ask):
    table = make_runs().rename(columns={"temp": "temp, inner"}).assign(**{"temp, outer": make_runs()["temp"]})
    message = ask(table)
    assert "first give 'temp, inner' another name (map cannot have this one), such as NAME, then add --map" in message
    arguments = find_remedies(message, "map")[0]
    assert find_answer(ask, table.rename(columns={"temp, inner": "NAME"}), *arguments) == BEST
    run_message = ask(table, "--map", "temp=temp, inner")
    assert "if the name of a column has a comma, rename the column first" in run_message


def test_infinite_errors_can_be_counted(ask):
    table = make_runs()
    table["val_num_error"] = table["val_num_error"].astype(float)
    table.loc[[3, 28], "val_num_error"] = np.inf
    assert "2 runs have infinite errors (2 at T 8), perhaps" in ask(table)[1]
    table.loc[[3, 28], "val_num_error"] = 9000
    assert "infinite errors" not in ask(table)[1]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"val_num_error": None, "num_error": None}, "val_num_error and num_error are empty in their rows"),
        ({"state": "RUNNING"}, "Left out: 50 rows of unfinished runs (state: 50 running)."),
        ({"model": "teacher"}, "the roles of its networks are teacher, where kdtune reads"),
    ],
)
def test_a_table_without_results_says_why(ask, columns, reason):
    assert reason in ask(make_runs().assign(**columns))


def test_an_empty_validation_column_is_said(ask):
    best, output = ask(make_runs().assign(val_num_error=None))
    assert best == BEST
    assert "val_num_error is empty in the rows of distilled students: T is chosen on the test split, by num_e" in output


def test_settings_that_change_together_are_said(ask):
    table = make_runs().assign(
        dataset=lambda runs: runs["width"].map({10: "a", 40: "b"}), lr=lambda runs: runs["width"]
    )
    assert "dataset and lr change together with width and are not listed apart." in ask(table)[1]


@pytest.mark.parametrize(("name", "meaning"), [("T", "the temperature"), ("seed", "the replicate")])
def test_a_name_with_a_meaning_is_no_setting(ask, name, meaning):
    runs = make_runs().rename(columns={"temp": "T", "replicate": "seed"})
    assert ask(runs, "--cell", name).strip() == f"--cell: {name} cannot name a setting: it is {meaning}"


def test_a_direction_without_a_measure_is_refused(ask):
    assert "--measure NAME --lower-is-better" in ask(make_runs(), "--lower-is-better")
    renamed = make_runs().rename(columns={"val_num_error": "acc"})
    assert find_answer(ask, renamed, "--map", "val_num_error=acc", "--lower-is-better") == BEST


@pytest.mark.parametrize("errors", ["accuracy", "percent"])
def test_rates_are_not_set_beside_published_errors(call, tmp_path, errors):
    runs = make_runs().drop(columns="val_num_error").assign(n_test=10_000)
    rates = runs.assign(**{"test_acc": 1 - runs["num_error"] / 10_000}).drop(columns="num_error")
    if errors == "percent":
        rates = runs.assign(num_error=runs["num_error"] / 100)
    rates.to_csv(tmp_path / "rates.csv", index=False)
    published = pd.DataFrame({"source": ["me"], "part": "p", "network": "s", "note": "", "label": "", "n": 10_000,
                              "num_error": 150, "model": "distilled_student", "width": 10, "temp": 2})  # fmt: skip
    published.to_csv(tmp_path / "published.csv", index=False)
    run = call("compare", tmp_path / "rates.csv", "--with", tmp_path / "published.csv")
    assert run.exit_code == 2
    assert "add a column num_error with whole numbers of errors" in run.output
    rates.assign(num_error=runs["num_error"]).to_csv(tmp_path / "rates.csv", index=False)
    run = call("compare", tmp_path / "rates.csv", "--with", tmp_path / "published.csv")
    assert run.exit_code == 0, run.output


def test_the_hint_for_conditions_can_be_typed(ask):
    runs = make_runs().assign(**{"my width": 10})
    message = ask(runs, "--where", "my width == 10")
    assert find_answer(ask, runs, *find_remedies(message.rpartition(", as in ")[2], "where")[0]) == BEST


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=8),
    values=st.lists(
        st.one_of(st.integers(-9, 9), st.booleans(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
        min_size=2, max_size=3, unique_by=str,
    ),
)  # fmt: skip
def test_conditions_select_what_they_say_as_bash_reads_them(name, values):
    table = pd.DataFrame({name: pd.Series([values[0], *values[1:]], dtype=object)})
    text = suggest_rows(name, values[:1])
    if "another name" in text:
        table = table.set_axis(["NAME"], axis=1)
    where = read_arguments(text[text.index("--where") :])[1]
    expected = [value for value in values if value == values[0]]
    assert select_rows(table, where).iloc[:, 0].tolist() == expected


@given(names=st.lists(st.text("ab ,'\"ä(.)-=`\\$#").map(lambda name: f"x{name}x"), min_size=1, max_size=3, unique=True))
@settings(max_examples=60, deadline=None)
def test_names_are_told_as_bash_reads_them(names):
    text = suggest_cell(names)
    has_comma = any("," in name for name in names)
    assert ("another name" in text) == has_comma
    if not has_comma:
        assert read_arguments(text) == ["--cell", ",".join(names)]
        assert read_arguments(suggest_map("temp", names[0])) == ["--map", f"temp={names[0]}"]


def test_messages_of_the_library_say_the_same_in_python():
    runs = make_runs().rename(columns={"replicate": "my seed"})
    with pytest.raises(kdtune.errors.RequestError) as refusal:
        kdtune.analyze(join(runs.assign(host="it's"), make_runs(seed=1).rename(columns={"replicate": "my seed"})))
    text = str(refusal.value)
    assert "--" not in text
