"""Messages of the library name its arguments, where those of the command line name options."""

from __future__ import annotations

import ast
import shlex

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdtune
from kdtune.api.option_names import rename_options
from kdtune.errors import RequestError


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("--map temp=my tau: there is no column 'my tau'", """map={"temp": "my tau"}: there is no column 'my tau'"""),
        ("say --map temp=tau or --map temp='my tau'.", 'say map={"temp": "tau"} or map={"temp": "my tau"}.'),
        ("(--map num_error=NAME), or", '(map={"num_error": "NAME"}), or'),
        ("--map: temp and T cannot be one column", "map: temp and T cannot be one column"),
        ("--where state = 5: invalid; the columns are", 'where="state = 5": invalid; the columns are'),
        ("5 of 9 rows match --where a == 'x'.", """5 of 9 rows match where="a == 'x'"."""),
        ("""select one: --where "`my a` == '5'"; or""", """select one: where="`my a` == '5'"; or"""),
        ("""keep one: --where '`my a` == "5"'. If""", """keep one: where='`my a` == "5"'. If"""),
        ("add --where 'seed == seed'", 'add where="seed == seed"'),
        ("""--where '`a'"'"'b` == "it'"'"'s"'.""", """where='`a\\'b` == "it\\'s"'."""),
        ("or select rows with --where", 'or select rows with where="..."'),
        ("name the others: --cell 'width,my lr'.", 'name the others: cell=["width", "my lr"].'),
        ("name all settings: --cell ...,lr", 'name all settings: cell=[..., "lr"]'),
        ("all runs have the same settings: --cell none.", "all runs have the same settings: cell=[]."),
        ("Use --cell to name the column.", "Use cell=[...] to name the column."),
        ("--cell: there is no column 'a'", "cell: there is no column 'a'"),
        (
            "say --measure 'my acc' --higher-is-better",
            'say measure="my acc", higher_is_better=True',
        ),
        (
            "--measure f1: say which, with --higher-is-better or --lower-is-better",
            'measure="f1": say which, with higher_is_better=True or higher_is_better=False',
        ),
        ("(--measure NAME with --higher-is-better)", '(measure="NAME" with higher_is_better=True)'),
        ("add --repeats once: each counts once", 'add repeats="once": each counts once'),
        ("add --paired-by-order", "add paired_by_order=True"),
        ("No --margin says which", "No margin says which"),
        ("as in --errors 0.5", "as in errors=[0.5]"),
        ("--columns: there is no column 'a'", "columns: there is no column 'a'"),
        ("choose another name with -o", "choose another name with output"),
        ("a -- b, kd-o and well-off stay", "a -- b, kd-o and well-off stay"),
    ],
)
def test_options_become_arguments(text, renamed):
    assert rename_options(text) == renamed


@given(names=st.lists(st.text("ab ,'\"ä(.)-=`\\").map(lambda name: f"{name}a"), min_size=1, max_size=3))
def test_any_quoted_name_becomes_text_in_python(names):
    own_name, column = names[0], ",".join(names)
    renamed = rename_options(f"say --map temp={shlex.quote(own_name)}; or --cell {shlex.quote('x' + column)}.")
    mapping, cell = renamed.removeprefix("say map=").removesuffix(".").split("; or cell=")
    assert ast.literal_eval(mapping) == {"temp": own_name}
    assert ast.literal_eval(cell) == f"x{column}".split(",")


@given(
    words=st.lists(st.sampled_from(["--map", "--cell", "--measure", "--where", "a=", "'", '"', "\\", "b", ":", " "]))
)
def test_any_text_is_rewritten_without_an_error(words):
    rename_options("".join(words))
    rename_options(" ".join(words))


RUNS = pd.DataFrame(
    [
        {"tau": T, "f1": 0.5 + T / 100 + seed / 1000, "state": "finished", "host": f"h{seed}", "seed": seed}
        for T in (1, 2, 4)
        for seed in range(4)
    ]
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'measure="NAME" with higher_is_better=True or higher_is_better=False'),
        ({"measure": "f1"}, 'measure="f1": say which values are better, with higher_is_better=True or'),
        ({"map": {"temp": "tua"}}, """map={"temp": "tua"}: there is no column 'tua'"""),
        ({"where": "state == 'x'"}, """where="state == 'x'": no row of 12 matches"""),
        ({"cell": ["width"]}, "cell: there is no column 'width'"),
        ({"higher_is_better": True}, 'higher_is_better=True needs the name of the measure: measure="NAME", higher_is'),
    ],
)
def test_errors_of_every_function_name_arguments(arguments, message):
    for answer in (kdtune.analyze, kdtune.plot, kdtune.report, kdtune.power):
        with pytest.raises(RequestError) as error:
            answer(RUNS, **arguments)
        assert str(error.value).startswith(message) or message in str(error.value)
        assert "--" not in str(error.value)


def test_errors_of_show_name_arguments():
    for arguments, start in (
        ({"columns": ["tua"]}, "columns: "),
        ({"sort": ["tua"]}, "sort: "),
        ({"where": "tua == 1"}, 'where="tua == 1": '),
    ):
        with pytest.raises(RequestError) as error:
            kdtune.show(RUNS, **arguments)
        assert str(error.value).startswith(start)


def test_notes_of_an_answer_name_arguments():
    arguments = {"measure": "f1", "higher_is_better": True, "where": "state == 'finished'"}
    notes = kdtune.analyze(RUNS, **arguments).reading_notes
    assert """12 of 12 rows match where="state == 'finished'".""" in notes
    assert any(note.endswith('If host is a setting, too: cell=["host"].') for note in notes)
    assert any(note.startswith("No margin was given, ") for note in notes)
    assert not any("--" in note for note in notes)


def test_notes_and_errors_of_the_command_line_name_options(call, tmp_path):
    RUNS.to_csv(tmp_path / "runs.csv", index=False)
    run = call("analyze", tmp_path / "runs.csv", "--measure", "f1", "--higher-is-better", "-w", "state == 'finished'")
    assert "12 of 12 rows match --where state == 'finished'." in run.output
    assert "If host is a setting, too: --cell host." in run.output
    run = call("analyze", tmp_path / "runs.csv")
    assert "--measure NAME with --higher-is-better or --lower-is-better" in run.output
