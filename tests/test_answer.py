"""Answers to tables with planted ones: every cell's best temperature, what it is worth, what it depends on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.factor_effects import STAYS
from kdtune.analysis.margins import Margins
from kdtune.analysis.optimum import COPIED_REPLICATES, EDGE, FEW_REPLICATES, FLAT, INCOMPLETE, LARGER_THAN_TEACHER
from kdtune.analysis.printed_tables import format_test_errors
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    CLASS_SEP,
    DATA_SEED,
    FAILED,
    ID,
    MODEL,
    N_PARAMS,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    RESULT_COLUMNS,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.foreign.door import RESERVED, read_table
from kdtune.foreign.options import ReadingOptions
from tests.openings import join_opening

NAN = math.nan
RISES = planted.RISES
STILL = planted.quadratic(lambda cell: 2.0, 0.1)


def test_the_planted_answer_comes_out(rising):
    answer = analyze_table(rising)
    assert len(answer.t_opt) == 12
    truth = 4 * answer.t_opt["width"].astype(float) / 50
    assert (answer.t_opt["T_opt_low"] <= truth).all()
    assert (truth <= answer.t_opt["T_opt_high"]).all()
    assert all(any(abs(math.log2(T / at)) < 0.4 for T in tied)
               for tied, at in zip(answer.t_opt["tied"], truth, strict=True))  # fmt: skip
    effects = answer.effects.set_index("factor")
    assert effects.loc["width", "low"] <= 1 <= effects.loc["width", "high"]
    assert "rises with the student's width" in effects.loc["width", "sentence"]
    for factor in ("class_sep", "p_informative"):
        assert "rises" not in effects.loc[factor, "sentence"]
        assert "falls" not in effects.loc[factor, "sentence"]
    assert "differ by a factor" in effects.loc["teacher_error", "sentence"]


def test_the_chosen_temperature_is_evaluated_on_the_test_split(rising):
    answer = analyze_table(rising)
    students = rising[rising[MODEL] == STUDENT]
    for names, cell in answer.test.groupby(answer.cell_columns):
        own = students[(students[answer.cell_columns] == list(names)).all(axis=1)]
        at = own[own[TEMP] == cell["T"].item()]
        assert cell["student"].item() == pytest.approx(at[NUM_ERROR].mean())
        means = own.groupby(TEMP)[VAL_NUM_ERROR].mean()
        assert means[cell["T"].item()] == means.min()
        baseline = rising[(rising[MODEL] == BASELINE) & (rising[answer.cell_columns] == list(names)).all(axis=1)]
        assert cell["baseline"].item() == baseline[NUM_ERROR].mean()
        pairs = at.set_index(REPLICATE)[NUM_ERROR] - baseline.set_index(REPLICATE)[NUM_ERROR]
        assert cell["minus_baseline"].item() == pytest.approx(pairs.mean())
        assert cell["chosen_on_test"].item() <= cell["student"].item()
        assert 0 < cell["gap_low"].item() < cell["gap_closed"].item() < cell["gap_high"].item() < 1


def test_the_order_of_rows_changes_nothing(rising):
    sorted_rows, shuffled_rows = analyze_table(rising), analyze_table(rising.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(sorted_rows.t_opt, shuffled_rows.t_opt)
    pd.testing.assert_frame_equal(sorted_rows.effects, shuffled_rows.effects)


@pytest.mark.parametrize(("shape", "low", "high"), [(planted.falling, None, math.inf), (planted.rising, 0.0, None)])
def test_an_optimum_at_the_edge_is_flagged_and_its_interval_open(shape, low, high):
    optima = analyze_table(planted.table(shape, noise=1)).t_opt
    assert optima["flags"].map(lambda flags: EDGE in flags).all()
    assert (optima["T_opt_low" if low is not None else "T_opt_high"] == (low if low is not None else high)).all()


def test_a_flat_curve_is_flagged_and_nothing_is_excluded():
    optima = analyze_table(planted.table(lambda x, cell: 150 + 0 * x)).t_opt
    assert optima["flags"].map(lambda flags: FLAT in flags).mean() >= 0.75  # its test has 5 % errors
    assert optima["tied"].map(len).median() >= 10


def test_few_informative_cells_say_that_nothing_can_be_told():
    sentences_ = analyze_table(planted.table(lambda x, cell: 150 + 0 * x)).effects["sentence"]
    assert all(sentence.startswith("Cannot tell") for sentence in sentences_)


@pytest.mark.parametrize("replicates", [1, 2])
def test_few_replicates_are_flagged(replicates):
    answer = analyze_table(planted.table(RISES, replicates=replicates))
    assert answer.t_opt["flags"].map(lambda flags: FEW_REPLICATES in flags).all()
    if replicates == 1:
        assert (answer.t_opt["T_opt_low"] == 0).all()
        assert np.isinf(answer.t_opt["T_opt_high"]).all()
        assert answer.t_opt["tied"].map(len).eq(len(planted.GRID)).all()
        estimated = answer.effects["factor"] != "teacher_error"
        assert answer.effects["sentence"][estimated].str.contains("at least two replicates").all()


def select_gap(table, replicates, **cell):
    """Return which rows are the distilled students at T = 40 of these replicates and of the cells so named."""
    students = (table[MODEL] == STUDENT) & (table[TEMP] == 40) & table[REPLICATE].isin(replicates)
    return students & (table[[*cell]] == list(cell.values())).all(axis=1)


@pytest.mark.parametrize(
    ("gap_replicates", "left_out"),
    [([1], ["1 run at T 40"]), ([0, 1, 3], ["3 runs at T 40"]), ([0, 1, 2, 3, 4], ["T 40"])],
)
def test_a_gap_in_a_cell_leaves_out_a_run_or_a_temperature_and_says_so(rising, gap_replicates, left_out):
    is_gap = select_gap(rising, gap_replicates, class_sep=0.2, width=20)
    answer = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(is_gap, FAILED)}))
    incomplete_cells = answer.t_opt[answer.t_opt["flags"].map(lambda flags: INCOMPLETE in flags)]
    assert incomplete_cells["left_out"].tolist() == [left_out] * 2
    assert (answer.t_opt.drop(incomplete_cells.index)["temperatures"] == len(planted.GRID)).all()
    n_left = len(planted.GRID) - (left_out == ["T 40"])
    assert (incomplete_cells["temperatures"] == n_left).all()
    assert (incomplete_cells["replicates"] == 5).all()
    n_failed = [0 if left_out == ["T 40"] else len(gap_replicates)]
    assert [failed[-1:] for failed in incomplete_cells["failed_runs"]] == [n_failed] * 2
    assert all(planned == [5] * n_left for planned in incomplete_cells["planned_runs"])


def test_a_failed_student_without_a_teacher_does_not_hide_the_teacher_of_its_replicate(rising):
    """The row of T = 1 is the first of its replicate."""
    is_gap = (rising[MODEL] == STUDENT) & (rising[TEMP] == 1)
    failed = rising.assign(**{STATUS: rising[STATUS].mask(is_gap, FAILED), TEACHER_ID: rising[TEACHER_ID].mask(is_gap)})
    teachers, expected = analyze_table(failed).test["teacher"], analyze_table(rising).test["teacher"]
    assert teachers.notna().all()
    assert teachers.tolist() == expected.tolist()


def test_cells_that_lack_a_replicate_are_not_left_out_silently(rising):
    for gap_replicates, cells, replicates in (([1], 12, 5), ([1, 2, 3], 12, 5)):
        is_gap = select_gap(rising, gap_replicates, width=20)
        effects = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(is_gap, FAILED)})).effects
        assert (effects["used_cells"] == cells).all()
        assert (effects["replicates"] == replicates).all()
    few = (rising[WIDTH] == 20) & (rising[REPLICATE] > 1)
    effects = analyze_table(rising[~few]).effects
    assert (effects["used_cells"] == 8).all()
    estimated = effects[effects["effect"].notna()]
    assert estimated["sentence"].str.contains("8 of 12 settings").all()


def test_replicates_with_names_of_their_own_are_taken_in_order(rising):
    names = rising[CLASS_SEP].astype(str) + rising[WIDTH].astype(str) + rising[REPLICATE].astype(str)
    effects = analyze_table(rising.assign(**{REPLICATE: names})).effects.set_index("factor")
    assert "rises with the student's width" in effects.loc["width", "sentence"]


def test_a_missing_cell_changes_nothing_for_the_others(rising):
    answer = analyze_table(rising[~((rising[WIDTH] == 50) & (rising[CLASS_SEP] == 1.0))])
    assert len(answer.t_opt) == 10
    assert "rises with the student's width" in answer.effects.set_index("factor").loc["width", "sentence"]


def test_rows_that_are_not_finite_are_left_out(rising):
    spoiled = rising.copy()
    is_gap = (spoiled[MODEL] == STUDENT) & (spoiled[TEMP] == 3) & (spoiled[REPLICATE] == 2)
    spoiled.loc[is_gap, [VAL_NUM_ERROR, NUM_ERROR]] = np.nan
    answer = analyze_table(spoiled)
    assert answer.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(answer.test["student"]).all()


def test_missing_test_errors_are_named_and_the_others_are_compared(rising):
    is_gap = select_gap(rising, [3], class_sep=0.2, width=20)
    answer = analyze_table(rising.assign(**{NUM_ERROR: rising[NUM_ERROR].mask(is_gap)}))
    incomplete_cells = answer.t_opt[answer.t_opt["flags"].map(lambda flags: INCOMPLETE in flags)]
    assert incomplete_cells["left_out"].tolist() == [["test errors of replicate 3"]] * 2
    pd.testing.assert_frame_equal(
        answer.t_opt.drop(columns=["flags", "left_out"]),
        analyze_table(rising).t_opt.drop(columns=["flags", "left_out"]),
    )
    nowhere = analyze_table(rising.assign(**{NUM_ERROR: np.nan}))
    assert not nowhere.t_opt["left_out"].map(len).any()


def test_a_student_larger_than_its_teacher_is_flagged(rising):
    sizes = rising[WIDTH].astype("float64").fillna(60) * 100
    optima = analyze_table(rising.assign(**{N_PARAMS: sizes})).t_opt
    assert [LARGER_THAN_TEACHER in flags for flags in optima["flags"]] == [width > 60 for width in optima["width"]]


def test_an_index_is_no_setting(rising):
    assert "row" not in analyze_table(rising.assign(row=range(len(rising)))).cell_columns


def test_rows_that_are_infinite_are_left_out_as_those_without_a_number_are(rising):
    is_gap = (rising[MODEL] == STUDENT) & (rising[TEMP] == 3) & (rising[REPLICATE] == 2)
    spoiled = rising.assign(**{VAL_NUM_ERROR: rising[VAL_NUM_ERROR].mask(is_gap, np.inf)})
    answer = analyze_table(read_table(spoiled, ReadingOptions()).table)
    assert answer.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(answer.curves["errors"]).all()


def test_rates_are_printed_as_rates(rising):
    measures = [VAL_NUM_ERROR, NUM_ERROR]
    shown = format_test_errors(analyze_table(rising.assign(**{name: rising[name] / 10_000 for name in measures})))
    counts = format_test_errors(analyze_table(rising))
    assert [float(rate) for rate in shown["student"]] == pytest.approx(
        [float(count) / 10_000 for count in counts["student"]], abs=1e-4
    )


def test_one_temperature_for_all_costs_what_it_costs_in_each(rising):
    answer = analyze_table(rising)
    fixed, own = answer.fixed.set_index("T"), answer.test.set_index(answer.cell_columns)["cross_fitted"]
    students = rising[rising[MODEL] == STUDENT]
    for T in (1, 4, 40):
        at_T = students[students[TEMP] == T].groupby(answer.cell_columns)[NUM_ERROR].mean()
        shares = at_T / own - 1
        assert fixed.loc[T, "mean"] == pytest.approx(shares.mean())
        assert fixed.loc[T, "mean_low"] < shares.mean() < fixed.loc[T, "mean_high"]
        assert fixed.loc[T, "median"] == pytest.approx(shares.median())
        assert fixed.loc[T, "mean"] < fixed.loc[T, "worst"] <= shares.max()
        assert fixed.loc[T, "worst_low"] < shares.max() < fixed.loc[T, "worst_high"]
        assert fixed.loc[T, "tied"] == sum(T in tied for tied in answer.t_opt["tied"])


def test_the_frames_have_the_columns_that_files_have(rising):
    """Their names and their order: files that were written before are read with them."""
    answer = analyze_table(rising)
    assert list(answer.t_opt) == [
        "class_sep", "p_informative", "width", "T_opt", "T_opt_continuous", "T_opt_low", "T_opt_high", "tied",
        "good_enough", "flags", "left_out", "replicates", "temperatures",
        "failed_runs", "planned_runs", "T_second",
    ]  # fmt: skip
    assert list(answer.test) == [
        "class_sep", "p_informative", "width", "T", "student", "student_low", "student_high", "baseline", "teacher",
        "at_T1", "minus_baseline", "minus_baseline_low", "minus_baseline_high", "minus_teacher", "minus_teacher_low",
        "minus_teacher_high", "minus_T1", "minus_T1_low", "minus_T1_high", "gap_closed", "gap_low", "gap_high",
        "cross_fitted", "cross_fitted_low", "cross_fitted_high", "cross_fitted_minus_baseline",
        "cross_fitted_minus_baseline_low", "cross_fitted_minus_baseline_high", "cross_fitted_minus_teacher",
        "cross_fitted_minus_teacher_low", "cross_fitted_minus_teacher_high", "cross_fitted_minus_T1",
        "cross_fitted_minus_T1_low", "cross_fitted_minus_T1_high", "cross_fitted_gap_closed", "cross_fitted_gap_low",
        "cross_fitted_gap_high", "optimism", "chosen_on_test",
        "nll", "baseline_nll", "teacher_nll", "ece", "baseline_ece", "teacher_ece",
    ]  # fmt: skip
    assert list(answer.curves) == [
        "class_sep", "p_informative", "width", "T", "errors", "excess", "band", "tied", "good_enough", "replicates",
        "num_error", "num_error_low", "num_error_high", "baseline_num_error", "teacher_num_error", "accuracy",
        "accuracy_low", "accuracy_high", "baseline_accuracy", "teacher_accuracy", "regret", "gain", "gain_low",
        "gain_high", "relative_regret",
    ]  # fmt: skip
    assert list(answer.fixed) == [
        "T", "mean", "mean_low", "mean_high", "median", "worst", "worst_low", "worst_high", "tied", "cells",
        "cross_fitted_cells",
    ]  # fmt: skip
    assert list(answer.effects) == [
        "factor", "effect", "low", "high", "p_value", "informative_cells", "cells", "used_cells", "replicates",
        "independent_sets", "sample_low", "sample_high", "p_heterogeneity", "p_heterogeneity_holm", "sd_between_sets",
        "sd_low", "sd_high", "data_sets", "rising_sets", "falling_sets", "p_holm", "verdict", "sentence",
    ]  # fmt: skip
    without_test = analyze_table(rising.drop(columns=[NUM_ERROR, ACCURACY]))
    assert list(without_test.test) == ["class_sep", "p_informative", "width", "T"]
    assert list(without_test.curves)[3:] == ["T", "errors", "excess", "band", "tied", "good_enough", "replicates"]


def test_the_headline_gives_the_recommendation_and_then_the_evidence():
    one_cell = {"widths": (50,), "seps": (1.0,), "informative": (1.0,)}
    answer = analyze_table(planted.table(STILL, **one_cell))
    assert join_opening(answer).startswith("Use T = 4 for width 50. T = ")
    assert " are statistically tied with it. " in join_opening(answer)
    clear = planted.table(planted.quadratic(lambda cell: 2.0, 1.0), noise=1, **one_cell)
    assert join_opening(analyze_table(clear)).startswith(
        "Use T = 4 for width 50. Every other temperature is significantly worse. "
    )


def test_the_headline_names_the_factors_that_it_cannot_tell_about(rising):
    assert join_opening(analyze_table(rising)).endswith(
        "The best T rises with the student's width. "
        "Whether it depends on class_sep, p_informative or the teacher's errors cannot be told."
    )


def test_the_headline_of_one_temperature_or_none_recommends_none(rising):
    one_temperature = analyze_table(rising[~(rising[TEMP] > 1)])
    assert join_opening(one_temperature).startswith(
        "Only one temperature was tried for width 20, 50 and 100 (T = 1): no best one can be determined. Try several."
    )
    empty = one_temperature.limit_cells(0)
    assert join_opening(empty) == "No setting has results: the best temperature cannot be determined."


def test_the_headline_never_says_that_nothing_moves_without_the_margin():
    answer = analyze_table(planted.table(STILL, noise=2), margins=Margins(effect=0.5))
    assert answer.effects.set_index("factor").loc["width", "verdict"] == STAYS
    headline = join_opening(answer)
    assert "The best T changes by at most 0.5 doublings per doubling of the student's width." in headline


def test_the_edge_is_seen_on_the_smooth_curve_too():
    table = planted.table(planted.falling, noise=1, temperatures=(1, 2, 3, 5, 10, 20, 40))
    assert analyze_table(table).t_opt["flags"].map(lambda flags: EDGE in flags).all()
    for name in ("T_opt_continuous", "T_opt_low", "T_opt_high"):
        inside = analyze_table(table).t_opt[name]
        near = [T for T in (5, 10, 20, 40) for value in inside if 0 < abs(value - T) < 1e-9]
        assert not near  # a value of the grid is that value


def test_copies_are_flagged_since_they_are_no_replicates():
    table = planted.table(RISES, replicates=1)
    students = table[table[MODEL] == STUDENT]
    answer = analyze_table(pd.concat([students.assign(**{REPLICATE: i}) for i in range(3)]))
    assert answer.t_opt["flags"].map(lambda flags: COPIED_REPLICATES in flags).all()
    assert answer.effects["sentence"].str.contains("copies").all()


def test_a_cell_is_not_compared_with_the_baseline_of_another_cell(rising):
    others = rising.assign(**{WIDTH: rising[WIDTH].where(rising[MODEL] != BASELINE, rising[WIDTH] + 1000)})
    assert analyze_table(others).test["baseline"].isna().all()


def test_baselines_that_train_in_another_way_are_compared_with(rising):
    lr = np.where(rising[MODEL] == BASELINE, 0.1, 0.2)
    assert analyze_table(rising.assign(lr=lr)).test["baseline"].notna().all()


def test_networks_without_replicates_are_numbered_within_their_cells_for_those_who_say_so(rising):
    options = ReadingOptions(is_paired_by_order=True)
    unnamed = analyze_table(read_table(rising.drop(columns=[REPLICATE, DATA_SEED]), options).table)
    named = analyze_table(rising)
    pd.testing.assert_frame_equal(unnamed.test, named.test)
    pd.testing.assert_frame_equal(unnamed.t_opt, named.t_opt)


def test_settings_that_are_called_like_figures_keep_their_values(rising):
    renamed = rising.rename(columns={WIDTH: "student", CLASS_SEP: "T_opt", P_INFORMATIVE: "errors"})
    answer = analyze_table(read_table(renamed, ReadingOptions()).table)
    assert {*answer.cell_columns} == {"student (setting)", "T_opt (setting)", "errors (setting)"}
    named = analyze_table(rising)
    assert answer.test["student"].tolist() == pytest.approx(named.test["student"].tolist())


def test_no_figure_of_an_answer_can_be_overwritten_by_a_setting(rising):
    answer = analyze_table(rising)
    frames = (answer.t_opt, answer.test, answer.curves)
    names = {name for frame in frames for name in frame.columns} - {*answer.cell_columns}
    unreserved_names = {name for name in names if name not in RESERVED}
    assert all(any(part in name for part in ("minus", *RESULT_COLUMNS)) for name in unreserved_names), unreserved_names


def test_a_factor_that_cannot_double_is_named(rising):
    dropout = rising[P_INFORMATIVE].map({0.5: 0.0, 1.0: 0.3})
    effects = analyze_table(rising.drop(columns=P_INFORMATIVE).assign(dropout=dropout)).effects.set_index("factor")
    assert "not a number above 0" in effects.loc["dropout", "sentence"]
    assert "rises" in effects.loc["width", "sentence"]


def test_teachers_are_matched_by_a_number_of_any_type(rising):
    number = {name: i for i, name in enumerate(rising[ID])}
    ids = rising[ID].map(number).astype(str)
    numbered = rising.assign(**{ID: ids, TEACHER_ID: rising[TEACHER_ID].map(number)})
    answer = analyze_table(read_table(numbered, ReadingOptions()).table)
    assert answer.test["teacher"].tolist() == analyze_table(rising).test["teacher"].tolist()


def test_failed_networks_are_said_to_be_missing(rising):
    """As those without figures are: a T that failed in all replicates, and a cell of which nothing is done."""
    students = rising[MODEL] == STUDENT
    first = (rising[CLASS_SEP] == 1) & (rising[P_INFORMATIVE] == 1)
    failed = students & first & ((rising[WIDTH] == 50) | (rising[WIDTH] == 20) & (rising[TEMP] == 3))
    answer = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(failed, FAILED)}))
    assert answer.cells_without_results == ["class_sep 1, p_informative 1, width 50"]
    cells = answer.t_opt.set_index([CLASS_SEP, P_INFORMATIVE, WIDTH])
    assert cells.loc[(1.0, 1.0, 20), "left_out"] == ["T 3"]
    assert (cells["left_out"].map(len) > 0).sum() == 1
    # One that failed and was trained again is there.
    again = pd.concat([rising[failed].assign(**{STATUS: FAILED, ID: "again"}), rising])
    assert not analyze_table(again).t_opt["left_out"].map(len).any()


def test_a_setting_may_be_called_what_the_answer_calls_its_figures(rising):
    answer = analyze_table(rising)
    taken = {*answer.curves, *answer.test, *answer.t_opt} - {*answer.cell_columns, *RESULT_COLUMNS}
    assert taken <= RESERVED


@pytest.mark.parametrize(("T", "grid", "text"), [
    (1.25, (), "1.25"), (12.5, (), "12.5"), (99.5, (), "99.5"), (1999.0, (), "1999"), (123456.0, (), "123000"),
    (3.7123, (), "3.71"), (3.7123, (3.7123,), "3.7123"), (0.0123456, (), "0.0123"), (2e6, (), "2e+06"),
])  # fmt: skip
def test_temperatures_are_written_in_full_if_tried_and_else_with_three_digits(T, grid, text):
    assert format_temperature(T, grid) == text


def test_data_sets_are_independent_where_their_seeds_are(rising):
    """Students of all widths share the data of theirs: four data sets, not twelve."""
    known, unknown = analyze_table(rising), analyze_table(rising.drop(columns=DATA_SEED))
    shared = analyze_table(rising.assign(**{DATA_SEED: rising[REPLICATE]}))
    gap = analyze_table(rising.assign(**{DATA_SEED: rising[DATA_SEED].where(rising[WIDTH] != 20)}))
    counts = [set(found.effects["independent_sets"]) for found in (known, unknown, shared, gap)]
    assert counts == [{4}, {1}, {1}, {1}]
    width = [found.effects.set_index("factor").loc["width"] for found in (known, unknown, shared)]
    assert width[1].equals(width[2])
    assert "in 4 independent groups of data sets" in width[0]["sentence"]


def test_flat_curves_at_levels_of_their_own_are_no_copies():
    """As errors on few examples: T changes nothing, and each replicate has another number."""
    table = planted.table(RISES, replicates=3)
    levels = table[VAL_NUM_ERROR].mean() + table[REPLICATE].map({0: 0, 1: 3, 2: 5})
    flat = table.assign(**{VAL_NUM_ERROR: levels, NUM_ERROR: levels})
    answer = analyze_table(flat)
    assert not answer.t_opt["flags"].map(lambda flags: COPIED_REPLICATES in flags).any()
    assert answer.t_opt["flags"].map(lambda flags: FLAT in flags).all()
