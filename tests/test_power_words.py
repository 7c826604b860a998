"""What `kdtune power` says: which differences a table finds, and what each of its columns means."""

from __future__ import annotations

import math

import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.power import count_noise_dof, count_replicates
from kdtune.analysis.selection_measure import Measure
from kdtune.cli.print_power import print_power
from kdtune.columns import SCORE, VAL_NUM_ERROR
from tests.planted_tables import make_runs
from tests.test_unpaired import make_unpaired

STILL = planted.quadratic(lambda cell: 2.0, 0.1)
ROUGH = "tell the noise roughly"


def read_power(table, capsys, differences=(0.01, 0.05, 0.2), errors=(), is_percent=False, **arguments):
    answer = analyze_table(table, **arguments)
    frame = count_replicates(answer.cells, answer.selection_measure, differences, errors)
    print_power(frame, answer, is_percent)
    return capsys.readouterr().out, frame


def test_the_headline_says_which_differences_the_table_finds_and_what_the_next_one_takes(rising, capsys):
    text, frame = read_power(rising, capsys, differences=(0.01, 0.2))
    one, twenty = frame["errors"]
    assert frame["to_tell"].tolist()[1] <= 5 < frame["to_tell"].tolist()[0]
    assert text.splitlines()[0] == (
        f"With 5 replicates, as here, a difference of 20% of the errors ({twenty:.3g} errors on the validation split) "
        f"is found with at least 80 % probability in the median of 12 settings; to find 1% of the errors ({one:.3g} "
        f"errors on the validation split) takes {frame['to_tell'][0]}."
    )
    text, frame = read_power(rising, capsys, differences=(0.01,))
    assert text.startswith(
        "With 5 replicates, as here, none of the differences below is found with 80 % probability in the median "
    )
    assert f"takes {frame['to_tell'][0]}." in text.splitlines()[0]
    text, _ = read_power(rising, capsys, differences=(0.5,))
    assert "; to find" not in text.splitlines()[0]
    text, _ = read_power(rising, capsys, differences=(), errors=(1e-6,))
    assert text.splitlines()[0].endswith("(1e-06 errors on the validation split) takes more than 10,000.")


@pytest.mark.parametrize(("n_widths", "words", "others"), [
    (1, ["fewest errors of the setting."], ["9 of 10", "median"]),
    (3, ["for the median of the 3 settings"], ["9 of 10"]),
    (10, ["... in 9 of 10 settings", "the median setting"], ["for the median of the 10 settings"]),
])  # fmt: skip
def test_nine_of_ten_settings_are_counted_where_there_are_ten(n_widths, words, others, capsys):
    table = planted.table(STILL, widths=[10 * (i + 1) for i in range(n_widths)], seps=(1.0,), informative=(1.0,))
    text, _ = read_power(table, capsys)
    assert all(word in text for word in words)
    assert not any(word in text for word in others)


def test_what_a_count_is_for_is_said_in_full(rising, capsys):
    text, _ = read_power(rising, capsys)
    assert "for an interval as wide: so many replicates that the 95 % confidence interval of a difference is, " in text
    assert "errors: the same difference in errors, in the median setting." in text
    assert "\n5%  " in text
    text, _ = read_power(rising, capsys, is_percent=True)
    assert "errors, %: the same difference in percent of the examples, in the median setting." in text
    assert "percentage points on the validation split) is found" in text


def test_few_runs_are_said_to_tell_the_noise_roughly(capsys):
    def read_headline(table):
        return read_power(table, capsys)[0].splitlines()[0]

    two = make_runs({10: 2.0}, replicates=2)  # one degree of freedom for each T but one
    assert ROUGH in read_headline(two.assign(model="distilled_student", status="done"))
    five = make_runs({10: 2.0}).assign(model="distilled_student", status="done")
    assert ROUGH not in read_headline(five)
    three_runs = make_unpaired(make_runs({10: 2.0}, replicates=3).assign(model="distilled_student", status="done"))
    assert ROUGH not in read_headline(three_runs)
    cells = analyze_table(three_runs).cells
    assert count_noise_dof(cells, VAL_NUM_ERROR) == 5 * 2


def test_a_measure_of_ones_own_has_differences_in_its_own_units(rising, capsys):
    table = rising.assign(**{SCORE: -rising[VAL_NUM_ERROR]})
    text, _ = read_power(table, capsys, (), (1, 40), measure=Measure("f1", True))
    assert "a difference of 40 in f1 is found" in text
    assert "difference: in f1, in its own units." in text
    assert "errors" not in text


def test_a_difference_is_no_share_of_no_errors(rising, capsys):
    text, frame = read_power(rising, capsys, (), (5,))
    assert f"{100 * frame['difference'][0]:.3g}% of the errors (5 errors on the validation split)" in text
    answer = analyze_table(rising)
    print_power(frame.assign(difference=math.inf), answer)
    text = capsys.readouterr().out
    assert "none of the differences below" in text or "a difference of 5 errors" in text
    assert "inf" not in text


@pytest.mark.parametrize("has_notes", [True, False])
def test_power_begins_like_every_answer(rising, capsys, has_notes):
    answer = analyze_table(rising, reading_notes=["The temperature is the column T."] if has_notes else [])
    print_power(count_replicates(answer.cells, answer.selection_measure, [0.05]), answer)
    blocks = capsys.readouterr().out.split("\n\n")
    assert blocks[0].startswith("With 5 replicates, ")
    assert blocks[-1].startswith("Replicates that it takes ")
    assert blocks[1:-1] == (["How the table was read:\n- The temperature is the column T."] if has_notes else [])
