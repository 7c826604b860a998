"""What an answer says in words: its headline, the terms of its tables, and where lines end on a terminal."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.headline import write_opening
from kdtune.analysis.optimum import COPIED_REPLICATES, EDGE, FEW_REPLICATES, FLAT, INCOMPLETE, LARGER_THAN_TEACHER
from kdtune.analysis.power import count_replicates
from kdtune.analysis.printed_tables import format_optima, format_test_errors, list_findings
from kdtune.analysis.selection_measure import Measure
from kdtune.analysis.table_terms import explain_optima, explain_test_errors, judge_test_errors
from kdtune.cli import main
from kdtune.cli.folding import fold_lines
from kdtune.cli.print_answers import print_answer
from kdtune.cli.print_power import print_power
from kdtune.cli.printing import print_summary
from kdtune.columns import FAILED, MODEL, NUM_ERROR, REPLICATE, SCORE, STATUS, STUDENT, TEACHER, TEMP, VAL_NUM_ERROR
from kdtune.plots.report import write_report
from tests.openings import join_opening
from tests.test_unpaired import make_unpaired

ONE_CELL = {"widths": (50,), "seps": (1.0,), "informative": (1.0,)}
STILL = planted.quadratic(lambda cell: 2.0, 0.1)


def test_temperatures_that_were_not_compared_are_named_in_the_headline(rising):
    students = rising[rising[MODEL] == STUDENT]
    first = students.groupby(["class_sep", "p_informative", "width"]).ngroup() == 0
    highest = students[TEMP].max()
    has_failed = first & (students[TEMP] == highest)
    answer = analyze_table(students.assign(**{STATUS: students[STATUS].mask(has_failed, FAILED)}))
    assert f"In 1 of {len(answer.cells)} settings temperatures were not compared, because runs are missing (" in (
        join_opening(answer)
    )
    assert f": T = {highest:g}): the best T may be one that was left out." in join_opening(answer)
    assert "not compared" not in join_opening(analyze_table(students))


def test_terms_are_explained_where_they_occur_and_only_there(rising):
    answer = analyze_table(planted.table(STILL, noise=0.1, **ONE_CELL))
    assert explain_optima(answer) == [
        "interval: where the minimum of the mean curve lies, with 95 % confidence; it may lie between tested T, so an "
        "end may be a T that is not tied.",
        "statistically tied: the tested T that are not told apart from the best, which does not mean equal.",
        "To choose a T, take one that is statistically tied.",
        "within 5% of the best: shown to be so with 95 % confidence.",
    ]
    answer = analyze_table(rising)
    for flags in ([EDGE], [FLAT, FEW_REPLICATES], [LARGER_THAN_TEACHER, INCOMPLETE, COPIED_REPLICATES]):
        rows = [flags, *[[]] * (len(answer.t_opt) - 1)]
        terms = explain_optima(replace(answer, t_opt=answer.t_opt.assign(flags=rows)))
        assert [flag for flag in (EDGE, FLAT, FEW_REPLICATES, LARGER_THAN_TEACHER, INCOMPLETE, COPIED_REPLICATES)
                if any(term.startswith(f"{flag}: ") for term in terms)] == flags  # fmt: skip
    nothing = [[]] * len(answer.t_opt)
    assert "none: no T is shown to be within 5% of the best, not even the one that is called best." in explain_optima(
        replace(answer, t_opt=answer.t_opt.assign(good_enough=nothing))
    )
    everything = [[1.0]] * len(answer.t_opt)
    terms = explain_optima(replace(answer, t_opt=answer.t_opt.assign(good_enough=everything)))
    assert not any(term.startswith("none") for term in terms)


def test_a_flag_means_what_it_does_for_the_measure_and_the_runs(rising):
    def read(table, **arguments):
        answer = analyze_table(table, **arguments)
        flags = [[EDGE, FEW_REPLICATES, COPIED_REPLICATES]] * len(answer.t_opt)
        return " ".join(explain_optima(replace(answer, t_opt=answer.t_opt.assign(flags=flags))))

    paired, unpaired = read(rising), read(make_unpaired(rising))
    assert "the minimum of the fitted curve" in paired
    assert "few replicates: fewer than three. " in paired
    assert "their curves differ by a constant" in paired
    assert "few replicates: fewer than three runs of some T. " in unpaired
    assert "the runs of each T are equal" in unpaired
    own = read(rising.assign(**{SCORE: rising[VAL_NUM_ERROR]}), measure=Measure("f1", True))
    assert "the maximum of the fitted curve" in own


def test_what_is_left_out_stands_behind_its_flag(rising):
    answer = analyze_table(rising)
    n_others = len(answer.t_opt) - 1
    t_opt = answer.t_opt.assign(
        flags=[[EDGE, INCOMPLETE, COPIED_REPLICATES], *[[]] * n_others],
        left_out=[["T 4", "replicate 1"], *[[]] * n_others],
    )
    assert format_optima(replace(answer, t_opt=t_opt))["flags"][0] == (
        "edge, incomplete (without T 4, replicate 1), replicates are copies"
    )


def test_the_columns_of_test_errors_are_explained(rising):
    assert [term.split(":")[0] for term in explain_test_errors(analyze_table(rising))] == [
        "student", "baseline", "chosen on test", "gap closed",
    ]  # fmt: skip
    students = rising[rising[MODEL] == STUDENT]
    chosen_on_test = analyze_table(students.drop(columns=VAL_NUM_ERROR))
    # The errors at a T that was chosen on the test split are no other figure than the student's.
    assert "chosen on test" not in format_test_errors(chosen_on_test)
    assert [term.split(":")[0] for term in explain_test_errors(chosen_on_test)] == ["student"]


def test_it_is_said_whether_other_replicates_choose(rising):
    chosen_on_test = rising.drop(columns=VAL_NUM_ERROR)
    assert "on the validation split of the other replicates" in judge_test_errors(analyze_table(rising))
    assert "on the same split, but on the other replicates" in judge_test_errors(analyze_table(chosen_on_test))
    for table in (make_unpaired(chosen_on_test), chosen_on_test[chosen_on_test[REPLICATE] == 0]):
        assert judge_test_errors(analyze_table(table)).endswith("tend to be a little too low.")


def test_the_page_and_the_terminal_explain_in_the_same_words(rising, tmp_path, capsys):
    answer = analyze_table(rising)
    print_answer(answer)
    write_report(rising, answer, tmp_path / "page.html", "planted")
    printed, page = capsys.readouterr().out, (tmp_path / "page.html").read_text(encoding="utf-8")
    for term in [*explain_optima(answer), *explain_test_errors(answer), judge_test_errors(answer), "best T"]:
        assert term in printed
        assert term.replace("'", "&#39;") in page
    assert "T_opt" not in printed


def fake_terminal(monkeypatch, width):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))


def remove_styles(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", [80, 200])
def test_an_answer_is_folded_to_the_terminal_and_to_nothing_else(width, rising, capsys, monkeypatch):
    answer = analyze_table(rising, reading_notes=["word " * 60])
    print_answer(answer)
    whole = capsys.readouterr().out
    assert all(paragraph in whole.splitlines() for paragraph in write_opening(answer))
    fake_terminal(monkeypatch, width)
    print_answer(answer)
    folded = remove_styles(capsys.readouterr().out)
    assert max(map(len, folded.splitlines())) <= width
    for sentence in [*write_opening(answer), *answer.effects["sentence"], *explain_optima(answer)]:
        assert sentence in " ".join(folded.split())


def test_the_table_of_power_repeats_the_differences_where_it_is_split(rising, capsys, monkeypatch):
    answer = analyze_table(rising)
    fake_terminal(monkeypatch, 80)
    print_power(count_replicates(answer.cells, answer.selection_measure, [0.05]), answer)
    printed = remove_styles(capsys.readouterr().out)
    titles = [line for line in printed.splitlines() if line.startswith("difference ")]
    assert len(titles) == 2
    assert all(title.split()[1] == "errors" for title in titles)
    assert "found with 80 % probability" in titles[0]


@given(st.lists(st.text("ab-.'\"", min_size=1, max_size=30), min_size=1), st.integers(10, 100))
def test_folding_breaks_no_word_and_loses_none(words, width):
    folded = fold_lines(" ".join(words), width, "  ")
    assert folded.split() == words
    for line in folded.splitlines():
        assert len(line) <= width or len(line.split()) == 1 or "--" in line


def test_an_option_stays_beside_its_value():
    for option in ("--where \"state == 'done'\"", "--where '`my T` > 0'", "--cell width,task"):
        for width in range(20, 60):
            assert option in fold_lines(f"To read the finished runs only, add {option}, and no other option.", width)


def test_lines_of_a_message_are_folded_one_by_one():
    text = "sweep.yaml:3: a mistake here\n  an indented line of it\nsweep.yaml:5: b"
    assert fold_lines(text, 20, "  ") == (
        "sweep.yaml:3: a\n  mistake here\n  an indented line\n    of it\nsweep.yaml:5: b"
    )


def test_an_error_is_folded_on_a_terminal_only(capsys, monkeypatch):
    arguments = ["analyze", "no such table.csv"]
    for width in (None, 50):
        if width:
            monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
            monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            main(arguments)
        lines = capsys.readouterr().err.splitlines()
        assert (max(map(len, lines)) <= 50) if width else (len(lines) == 1 and len(lines[0]) > 50)


def test_a_teacher_that_is_worse_than_the_baselines_is_said(rising, capsys):
    assert not any("a better teacher" in sentence for sentence in list_findings(analyze_table(rising)))
    weak = rising.assign(**{NUM_ERROR: rising[NUM_ERROR].where(rising[MODEL] != TEACHER, 10**6)})
    answer = analyze_table(weak)
    assert list_findings(answer)[0].startswith(f"In all {len(answer.test)} settings the teacher makes")
    hardest = rising["class_sep"].min()
    is_hard_teacher = (rising[MODEL] == TEACHER) & (rising["class_sep"] == hardest)
    print_summary(rising.assign(**{NUM_ERROR: rising[NUM_ERROR].mask(is_hard_teacher, 10**6)}))
    assert f"settings (class_sep {hardest}, " in " ".join(capsys.readouterr().out.split())
