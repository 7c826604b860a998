"""What stands where: units, reasons and sections of an answer, on a terminal, in a pipe and on the page."""

from __future__ import annotations

import html
import re
import shlex

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.error_units import are_percents
from kdtune.analysis.margins import Margins
from kdtune.analysis.printed_effects import format_effects
from kdtune.analysis.table_terms import describe_pairing, explain_test_errors
from kdtune.cli.print_answers import print_answer
from kdtune.columns import ACCURACY, ECE, MODEL, NLL, NUM_ERROR, REPLICATE, STUDENT, TEMP, VAL_ACCURACY, VAL_NUM_ERROR
from kdtune.foreign.options import ReadingOptions
from kdtune.plots.report_command import write_report_command
from tests.planted_tables import make_runs
from tests.test_unpaired import make_unpaired

PERCENT = "in percent of the examples. "
OPTIONS = ReadingOptions(
    column_map={"temp": "my T"}, cell=["width"], where='width > 1 and note != "it\'s"', repeats="once",
    is_paired_by_order=True, measure="f1", is_higher_better=True,
)  # fmt: skip


@pytest.fixture
def runs_csv(tmp_path):
    path = tmp_path / "runs.csv"
    runs = make_runs()
    accuracy = 1 - runs["num_error"] / 10_000
    runs.drop(columns=["num_error", "val_num_error"]).assign(test_acc=accuracy).to_csv(path, index=False)
    return path


def read_page(call, path, *options):
    run = call("report", path, *options)
    assert run.exit_code == 0, run.output
    return html.unescape(path.with_name(f"{path.name}-report.html").read_text(encoding="utf-8"))


def test_runs_are_said_to_be_unpaired_only_where_that_matters(rising, capsys):
    assert describe_pairing(analyze_table(rising)) == ""
    unpaired = make_unpaired(rising)
    assert describe_pairing(analyze_table(unpaired)).startswith("Runs are not paired: ")
    single = make_unpaired(rising[rising[REPLICATE] == 0])
    assert describe_pairing(analyze_table(single)) == ""
    print_answer(analyze_table(single))
    assert "not paired" not in capsys.readouterr().out


def test_one_run_of_each_temperature_has_no_differences_on_the_page(call, tmp_path):
    path = tmp_path / "runs.csv"
    make_runs().query("replicate == 0").assign(replicate=0).to_csv(path, index=False)
    page = read_page(call, path)
    for words in ("not paired", "ifferences in errors", "Welch"):
        assert words not in page
    assert "Errors on the test split</h2>" in page


def test_rates_of_errors_have_their_unit_on_the_terminal_and_on_the_page(call, runs_csv, tmp_path):
    printed, page = call("analyze", runs_csv).stdout, read_page(call, runs_csv)
    assert f"Errors at that T on the test split, {PERCENT}" in printed
    assert "minus another network, in percentage points:" in printed
    assert f"mean errors, {PERCENT}" in page
    assert re.search(r"replicate, in percentage points,\s+with 95 %", page)
    make_runs().to_csv(tmp_path / "counts.csv", index=False)
    for text in (call("analyze", tmp_path / "counts.csv").stdout, read_page(call, tmp_path / "counts.csv")):
        assert "percent of the examples" not in text
        assert "percentage points" not in text


def test_errors_are_percents_if_the_accuracy_says_so():
    accuracy = np.array([0.5, np.nan, 0.25])
    table = pd.DataFrame({NUM_ERROR: [50, np.nan, 75], ACCURACY: accuracy, VAL_NUM_ERROR: 5, VAL_ACCURACY: 0.5})
    assert are_percents(table, NUM_ERROR)
    assert not are_percents(table, VAL_NUM_ERROR)
    assert not are_percents(table.drop(columns=ACCURACY), NUM_ERROR)
    assert not are_percents(table.assign(**{NUM_ERROR: np.nan, ACCURACY: np.nan}), NUM_ERROR)
    assert not are_percents(table, "score")


def test_a_dash_is_explained_where_there_is_one(rising):
    students = rising[rising[MODEL] == STUDENT]
    all_have_T1 = explain_test_errors(analyze_table(students))
    assert not any(term.startswith("-: ") for term in all_have_T1)
    lacks_T1 = (students[TEMP] == 1) & (students["width"] == students["width"].min())
    assert explain_test_errors(analyze_table(students[~lacks_T1]))[-1].startswith("-: there is no such run")


def test_a_note_says_how_to_get_a_margin_and_only_where_one_can_be_given(call, tmp_path):
    runs = make_runs()
    path = tmp_path / "f1.csv"
    runs.assign(f1=1 - runs.pop("val_num_error") / 10_000).drop(columns="num_error").to_csv(path, index=False)
    options = ("--measure", "f1", "--higher-is-better")
    note = "add --margin with the difference of f1 that does not matter, such as 0.01."
    for command in ("analyze", "report", "plot"):
        assert note in call(command, path, *options).output
        assert "margin" not in call(command, path, *options, "--margin", "0.02").stdout.split("Best T")[0]
    run = call("power", path, *options, "--errors", "0.001")
    assert run.exit_code == 0
    assert "margin" not in run.output
    answer = kdtune.analyze(path, measure="f1", higher_is_better=True)
    assert any("add margin with the difference of f1 " in text for text in answer.reading_notes)


def test_how_the_table_was_read_is_part_of_what_goes_into_a_pipe(call, runs_csv):
    for command in ("analyze", "power", "report"):
        run = call(command, runs_csv)
        opening, _, rest = run.stdout.partition("\n\nHow the table was read:\n")
        assert "" not in opening.split("\n\n")
        assert rest.startswith("- ")
        assert "How the table" not in run.stderr
    assert run.stderr == f"Wrote {runs_csv}-report.html\n"
    assert opening.startswith("Use T = ")


def test_plot_prints_the_names_of_files_alone(call, runs_csv):
    run = call("plot", runs_csv, "-f", "t_opt")
    assert [line.rpartition("/")[2] for line in run.stdout.splitlines()] == ["t_opt.png", "t_opt.svg"]
    assert run.stderr.startswith("How the table was read:\n- ")


def test_the_page_has_a_section_on_calibration_only_with_its_measures(call, runs_csv, tmp_path, rising):
    assert "Calibration" not in read_page(call, runs_csv)
    rising.assign(**{NLL: 0.5, ECE: 0.1}).to_csv(tmp_path / "own.csv", index=False)
    assert "Calibration</h3>" in read_page(call, tmp_path / "own.csv")


def test_the_table_of_effects_speaks_as_its_sentence_does(rising):
    answer = analyze_table(rising)
    table = format_effects(answer).set_index("factor")
    row, sentence = table.loc["the student's width"], answer.effects.set_index("factor").loc["width", "sentence"]
    assert f"the best T is {row['best T per doubling of it']} as high" in sentence
    assert f"95 % interval for these data sets {row['95 % interval'].removesuffix(' times')}," in sentence
    assert f"for data sets like these {row['for data sets like these'].removesuffix(' times')};" in sentence
    assert row["settings that locate the best T"] == "12 of 12"
    assert row["replicates"] == 5
    assert not any("_" in title for title in [table.index.name, *table.columns])
    unpaired = format_effects(analyze_table(make_unpaired(rising)))
    assert "replicates" not in unpaired
    assert "runs of each T" in unpaired
    assert format_effects(kdtune.analyze(make_runs({10: 2.0}))).empty


def test_an_effect_that_is_not_known_is_no_number(rising):
    table = format_effects(analyze_table(rising[rising[TEMP].isna() | (rising[TEMP] < 3)])).set_index("factor")
    assert set(table.loc["the student's width"].drop(["settings that locate the best T", "replicates"])) == {"-"}


@pytest.mark.parametrize(("options", "margins", "words"), [
    (ReadingOptions(), Margins(), []),
    (ReadingOptions(cell=[]), Margins(0.1, 0.2), ["--cell", "none", "--margin", "0.1", "--effect-margin", "0.2"]),
    (OPTIONS, Margins(None), [
        "--map", "temp=my T", "--cell", "width", "--where", 'width > 1 and note != "it\'s"', "--repeats", "once",
        "--measure", "f1", "--paired-by-order", "--higher-is-better",
    ]),
    (ReadingOptions(measure="loss", is_higher_better=False), Margins(0.05), [
        "--measure", "loss", "--lower-is-better", "--margin", "0.05",
    ]),
])  # fmt: skip
def test_the_command_of_a_report_says_what_the_user_said(options, margins, words):
    assert shlex.split(write_report_command("my runs.csv", options, margins)) == [
        "kdtune",
        "report",
        "my runs.csv",
        *words,
    ]


def test_no_command_names_a_column_with_a_comma():
    assert write_report_command("a.csv", ReadingOptions(column_map={"temp": "T, softmax"}), Margins()) == ""
    assert write_report_command("a.csv", ReadingOptions(cell=["a,b"]), Margins()) == ""


def test_the_command_on_the_page_makes_the_page_again(call, runs_csv):
    page = read_page(call, runs_csv, "--where", "width == 10", "--margin", "0.1")
    command = re.search(r"How to reproduce</h2>\n<pre><code>(kdtune report .*)\n", page)[1]
    assert "--margin 0.1" in command
    again = read_page(call, runs_csv, *shlex.split(command)[3:])
    assert re.sub(r"\d\d:\d\d UTC", "", again.split("<nav")[0]) == re.sub(r"\d\d:\d\d UTC", "", page.split("<nav")[0])
    kdtune.report(pd.read_csv(runs_csv), output=runs_csv.with_name("frame.html"))
    assert "kdtune report " not in runs_csv.with_name("frame.html").read_text().split("How to reproduce</h2>")[1]
