"""What a recommendation says: which T to use, what others cost, whether distillation helps, what limits it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis.advice import BROKEN_RUN, NO_CLEAR_WINNER, NO_NOISE, ONE_TEMPERATURE, USE
from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.headline import write_opening
from kdtune.analysis.measured import Measured
from kdtune.analysis.selection_measure import Measure
from kdtune.analysis.student_names import name_temperatures
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    ECE,
    FAILED,
    LOSS,
    MODEL,
    NLL,
    NUM_ERROR,
    REPLICATE,
    SCORE,
    STATUS,
    STUDENT,
    TEMP,
    VAL_NLL,
    VAL_NUM_ERROR,
)

DEEP = planted.quadratic(lambda cell: 2.0, 0.3)  # T = 4 is best everywhere
FLAT = planted.quadratic(lambda cell: 2.0, 0.0)
SEVERAL_SETS = {"widths": (50,), "seps": (0.2, 0.6, 1.0), "informative": (1.0,)}


def answer_planted(shape, **options) -> Answer:
    return analyze_table(planted.table(shape, **{**SEVERAL_SETS, **options}))


def test_the_recommendation_comes_first_with_what_other_temperatures_cost():
    answer = answer_planted(DEEP)
    (advice,) = answer.advice
    assert (advice.verdict, advice.T, advice.students) == (USE, 4.0, [{"width": 50}])
    assert advice.text.startswith("Use T = 4 for width 50, over 3 data sets together. ")
    assert "T = 1 costs 1" in advice.text  # 0.3 * 2**2 = 120 %
    assert " more errors (95 % interval 1" in advice.text
    assert "Distillation makes " in advice.text
    assert " fewer errors (95 % interval " in advice.text
    assert "Test errors, mean of 3 data sets: student 1" in advice.text
    assert " of 10,000, labels alone 49" in advice.text
    assert write_opening(answer)[0] == advice.text


def test_flat_curves_leave_the_choice_free():
    answer = answer_planted(FLAT)
    (advice,) = answer.advice
    assert advice.verdict == NO_CLEAR_WINNER
    assert advice.text.startswith("No temperature is clearly better for width 50: choose any of T = 1 to ")


def test_a_usual_temperature_that_costs_is_said_where_no_other_is_clearly_best():
    steep = planted.plateau(lambda cell: 2.0, 0.15)
    one_set = {"seps": (1.0,), "informative": (1.0,), "widths": (50,)}
    table = planted.table(steep, **one_set, replicates=4, noise=30, temperatures=(1, 2, 4, 8, 16, 32), seed=5)
    (advice,) = analyze_table(table).advice
    assert advice.verdict == NO_CLEAR_WINNER
    assert advice.text.startswith(
        "Choose any of T = 2 to 32 for width 50: none of them is clearly the best. T = 1 costs "
    )


def test_means_of_one_sentence_have_as_many_decimals():
    errors = Measured("more errors", "fewer errors")
    assert errors.write_means([22.84, 44.8, 10]) == ["22.8", "44.8", "10.0"]
    assert errors.write_means([1228.4, 144.8, 110]) == ["1,228", "145", "110"]


def test_students_that_share_a_temperature_share_a_recommendation():
    answer = answer_planted(DEEP, widths=(20, 50, 100))
    assert [len(each.students) for each in answer.advice] == [3]
    assert answer.advice[0].text.startswith("Use T = 4 for width 20, 50 and 100")
    moving = answer_planted(planted.quadratic(lambda cell: 0.0 if cell["width"] == 20 else 2.0, 0.3), widths=(20, 50))
    assert [each.T for each in moving.advice] == [1.0, 4.0]


@pytest.mark.parametrize(
    ("optimum", "words"),
    [(-1.0, "T = 1 is the lowest that you tried, and the best: try lower ones, such as T = 0.5."),
     (6.5, "T = 40 is the highest that you tried, and the best: try higher ones, such as T = 80.")],
)  # fmt: skip
def test_an_end_of_the_grid_is_said_and_what_to_try(optimum, words):
    answer = answer_planted(planted.quadratic(lambda cell: optimum, 0.3))
    assert words in answer.advice[0].text
    assert "that you tried" not in answer_planted(DEEP).advice[0].text


def test_without_replicates_the_data_sets_are_the_sample():
    single = answer_planted(DEEP, replicates=1, seps=tuple(np.linspace(0.2, 1, 9)))
    (advice,) = single.advice
    assert advice.verdict == USE
    assert advice.T == 4.0
    one = answer_planted(DEEP, replicates=1, seps=(1.0,))
    assert one.advice[0].verdict == NO_NOISE
    assert "in one run of each temperature" in one.advice[0].text


def test_one_temperature_is_no_choice():
    (advice,) = answer_planted(DEEP, temperatures=(3.0,)).advice
    assert advice.verdict == ONE_TEMPERATURE
    assert advice.text.startswith("Only one temperature was tried for width 50 (T = 3)")


def test_a_baseline_that_is_as_good_is_said():
    table = planted.table(FLAT, **SEVERAL_SETS)
    is_baseline = table[MODEL] == BASELINE
    random = np.random.default_rng(1)
    table.loc[is_baseline, NUM_ERROR] = random.normal(150, 5, is_baseline.sum()).round()
    assert "Distillation is not shown to help here" in analyze_table(table).advice[0].text
    table.loc[is_baseline, NUM_ERROR] = 60 + np.arange(is_baseline.sum()) % 3
    assert "Distillation does harm here" in analyze_table(table).advice[0].text


def test_help_and_harm_are_both_said_of_students_that_share_a_temperature():
    table = planted.table(DEEP, seps=(0.2, 0.6, 1.0), informative=(1.0,), widths=(20, 50, 100))
    is_baseline = table[MODEL] == BASELINE
    students = table[table[MODEL] == STUDENT]
    scale = table["width"].map({20: 0.5, 50: 3.0, 100: 0.92})
    best = students[students[TEMP] == 4][NUM_ERROR].mean()
    table.loc[is_baseline, NUM_ERROR] = (best * scale + np.arange(len(table)) * 7 % 23)[is_baseline].round()
    (advice,) = analyze_table(table).advice
    words = advice.text[advice.text.index("Distillation") :]
    assert words.startswith("Distillation helps for width 50, by ")
    assert " than labels alone, and does harm for width 20, by " in words
    assert "is not shown to help for the other, where labels alone may do as well." in words


@pytest.mark.parametrize(("is_higher_better", "word"), [(True, "lower f1"), (False, "higher f1")])
def test_a_measure_of_the_users_own_costs_in_its_own_units(is_higher_better, word):
    table = planted.table(DEEP, **SEVERAL_SETS)
    table[SCORE] = table[VAL_NUM_ERROR] / 1000
    answer = analyze_table(table, measure=Measure("f1", is_higher_better))
    assert f"T = 1 costs 0.1{''}" in answer.advice[0].text.replace("0.18", "0.1").replace("0.17", "0.1")
    assert word in answer.advice[0].text


def test_unpaired_runs_have_a_recommendation_too():
    table = planted.table(DEEP, **SEVERAL_SETS)
    unpaired = table.assign(replicate=pd.array([pd.NA] * len(table), dtype="Int64")).drop(columns="data_seed")
    answer = analyze_table(unpaired)
    assert not answer.is_paired
    assert answer.advice[0].text.startswith("Use T = 4 for width 50")


def test_failed_runs_are_counted_in_the_recommendation():
    table = planted.table(
        planted.quadratic(lambda cell: 0.0, 0.3), widths=(50,), seps=(1.0,), informative=(1.0,), replicates=10
    )
    fails = (table[MODEL] == STUDENT) & (table[TEMP] == 1) & (table[REPLICATE] < 3)
    results = [VAL_NUM_ERROR, NUM_ERROR, ACCURACY, VAL_NLL, NLL, ECE, LOSS]
    table.loc[fails, results] = np.nan
    table.loc[fails, STATUS] = FAILED
    (advice,) = analyze_table(table).advice
    assert advice.T == 1.0  # three of ten are missing, and it is still compared
    assert "T = 1 has no result in 3 of 10 runs." in advice.text


def test_a_broken_run_is_named_in_the_opening():
    table = planted.table(DEEP, widths=(50,), seps=(1.0,), informative=(1.0,))
    is_broken = (table[MODEL] == STUDENT) & (table[TEMP] == 5) & (table[REPLICATE] == 2)
    table.loc[is_broken, VAL_NUM_ERROR] = 9000
    opening = " ".join(write_opening(analyze_table(table)))
    assert "at T = 5 (replicate 2) it has 9,000 errors, where the other runs suggest about 1" in opening
    assert "suggest about" not in " ".join(write_opening(answer_planted(DEEP)))


def test_where_nothing_is_told_apart_the_replicates_that_would_are_counted():
    (advice,) = answer_planted(FLAT, seps=(1.0,), replicates=3).advice
    assert re.search(
        r"To see that a T makes 10 % more errors takes \d+ replicates \(80 % power\); you have 3\.", advice.text
    )


def test_of_many_ranges_the_first_are_named_and_the_others_counted():
    grid = [float(T) for T in range(1, 31)]
    assert name_temperatures([1.0, 2.0, 4.0, 5.0, 6.0, 9.0], grid) == "T = 1, 2, 4 to 6 and 9"
    text = name_temperatures([T for T in grid if T % 5], grid)
    assert text == "T = 1 to 4, 6 to 9, 11 to 14, 16 to 19, 21 to 24 and 26 to 29"
    assert name_temperatures([T for T in grid if T % 3], grid) == "T = 1, 2, 4, 5, 7, 8 and 14 others"


@pytest.mark.parametrize(
    "grid", [np.logspace(0, 1, 9).tolist(), np.arange(0.1, 1, 0.1).tolist(), [1e-6, 2e-6, 4e-6, 1]]
)
def test_temperatures_are_named_whose_short_text_is_another_number(grid):
    """As in a grid of ``numpy.logspace``: 1.7782794100389228 is written as 1.77828."""
    names = [format_temperature(T, grid) for T in grid]
    assert name_temperatures(grid[:3], grid) == f"T = {names[0]} to {names[2]}"
    assert name_temperatures(grid[1:3], grid) == f"T = {names[1]} and {names[2]}"


def test_a_broken_run_that_hides_the_best_temperature_is_named_with_the_answer_without_it():
    table = planted.table(
        planted.quadratic(lambda cell: 3.0, 0.12), seps=(0.5, 1.0), informative=(1.0,), widths=(16, 64)
    )
    is_broken = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table["replicate"] == 2) & (table["width"] == 16)
    is_broken &= table["class_sep"] == 0.5
    broken = table.assign(**{VAL_NUM_ERROR: table[VAL_NUM_ERROR].mask(is_broken, 9000.0)})
    whole, answer = analyze_table(table), analyze_table(broken)
    first, second = answer.advice
    assert first.verdict == BROKEN_RUN
    assert first.text.startswith("One run looks broken and hides the best temperature for width 16: at T = 4 (")
    assert "replicate 2) it has 9,000 errors, where the other runs suggest about 1" in first.text
    (student,) = [student for student in answer.students if student.settings == {"width": 16}]
    (complete,) = [student for student in whole.students if student.settings == {"width": 16}]
    assert set(student.without_broken_runs.tied) & set(complete.tied)
    assert f"If that run is left out, use T = {student.without_broken_runs.best_temperature:g}" in first.text
    # Its figures are those without the run, as those of the whole table are.
    assert "Distillation makes 6" in first.text
    # The other student has its answer, and no later paragraph says the same again.
    assert second.verdict == USE
    assert not any("suggest about" in paragraph for paragraph in write_opening(answer)[1:])


def test_without_a_broken_run_a_single_setting_has_the_answer_of_its_other_runs():
    table = planted.table(DEEP, widths=(50,), seps=(1.0,), informative=(1.0,), noise=4)
    is_broken = (table[MODEL] == STUDENT) & (table[TEMP] == 4) & (table[REPLICATE] == 2)
    broken = table.assign(**{name: table[name].mask(is_broken, 9000.0) for name in (VAL_NUM_ERROR, NUM_ERROR)})
    (advice,) = analyze_table(broken).advice
    assert advice.verdict == BROKEN_RUN
    assert "If that run is left out, use T = 4." in advice.text
    expected = analyze_table(table[~is_broken]).advice[0].text
    assert expected[expected.index("Test errors") :] in advice.text
    assert expected[expected.index("Distillation") : expected.index("Test errors")] in advice.text


def test_one_temperature_that_no_other_is_clearly_worse_than_is_no_choice_of_any():
    texts = [
        analyze_table(
            planted.table(FLAT, widths=(50,), seps=(1.0,), informative=(1.0,), temperatures=(1.0, 2.0), seed=seed)
        )
        .advice[0]
        .text
        for seed in range(40)
    ]
    undecided = [text for text in texts if "clearly better" in text or "will do" in text]
    assert undecided
    assert not any(re.search(r"[Aa]ny of T = \d(?! and| to)", text) for text in undecided)


def test_equal_counts_of_two_replicates_are_no_certainty():
    table = planted.table(FLAT, widths=(50,), seps=(1.0,), informative=(1.0,), replicates=2)
    few = table[NUM_ERROR].mask(table[MODEL] == STUDENT, 5).mask(table[MODEL] == BASELINE, 3)
    advice = analyze_table(table.assign(**{NUM_ERROR: few})).advice[0].text
    assert "does harm" not in advice
    assert "100 % to 100 %" not in advice


def test_failures_of_students_that_share_advice_are_counted_of_all_their_runs():
    table = planted.table(DEEP, widths=(20, 50), seps=(1.0,), informative=(1.0,), replicates=3)
    is_failed = (table[MODEL] == STUDENT) & (table[TEMP] == 2) & (table["width"] == 20) & (table[REPLICATE] == 1)
    answer = analyze_table(table.assign(**{STATUS: table[STATUS].mask(is_failed, FAILED)}))
    texts = [advice.text for advice in answer.advice if "no result" in advice.text]
    assert texts
    assert "T = 2 has no result in 1 of 6 runs" in texts[0]
