"""Answers to tables with planted ones: every cell's best temperature, what it is worth, what it moves with."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis import external_tables as foreign
from kdtune.analysis import printed_tables as tables
from kdtune.analysis import sentences
from kdtune.analysis.answer import Margins, analyze_table
from kdtune.analysis.headline import write_headline
from kdtune.analysis.optimum import COPIES, EDGE, FEW, FLAT, INCOMPLETE, LARGE
from kdtune.columns import (
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

RISES = planted.RISES
STILL = planted.quadratic(lambda cell: 2.0, 0.1)


def test_the_planted_answer_comes_out(rising):
    found = analyze_table(rising)
    assert len(found.t_opt) == 12
    truth = 4 * found.t_opt["width"].astype(float) / 50
    assert (found.t_opt["T_opt_low"] <= truth).all()
    assert (truth <= found.t_opt["T_opt_high"]).all()
    assert all(any(abs(math.log2(T / at)) < 0.4 for T in tied)
               for tied, at in zip(found.t_opt["tied"], truth, strict=True))  # fmt: skip
    effects = found.effects.set_index("factor")
    assert effects.loc["width", "low"] <= 1 <= effects.loc["width", "high"]
    assert "rises with the student's width" in effects.loc["width", "sentence"]
    for factor in ("class_sep", "p_informative"):
        assert "rises" not in effects.loc[factor, "sentence"]
        assert "falls" not in effects.loc[factor, "sentence"]
    assert "differ by a factor" in effects.loc["teacher_error", "sentence"]


def test_what_it_is_worth_is_reckoned_on_the_test_split(rising):
    found = analyze_table(rising)
    students = rising[rising[MODEL] == STUDENT]
    for names, cell in found.test.groupby(found.columns):
        own = students[(students[found.columns] == list(names)).all(axis=1)]
        at = own[own[TEMP] == cell["T"].item()]
        assert cell["student"].item() == pytest.approx(at[NUM_ERROR].mean())
        means = own.groupby(TEMP)[VAL_NUM_ERROR].mean()
        assert means[cell["T"].item()] == means.min()
        baseline = rising[(rising[MODEL] == BASELINE) & (rising[found.columns] == list(names)).all(axis=1)]
        assert cell["baseline"].item() == baseline[NUM_ERROR].mean()
        pairs = at.set_index(REPLICATE)[NUM_ERROR] - baseline.set_index(REPLICATE)[NUM_ERROR]
        assert cell["minus_baseline"].item() == pytest.approx(pairs.mean())
        assert cell["chosen_on_test"].item() <= cell["student"].item()
        assert 0 < cell["gap_low"].item() < cell["gap_closed"].item() < cell["gap_high"].item() < 1


def test_the_order_of_rows_changes_nothing(rising):
    one, other = analyze_table(rising), analyze_table(rising.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(one.t_opt, other.t_opt)
    pd.testing.assert_frame_equal(one.effects, other.effects)


@pytest.mark.parametrize(("shape", "low", "high"), [(planted.falling, None, math.inf), (planted.rising, 0.0, None)])
def test_an_optimum_at_the_edge_is_flagged_and_its_interval_open(shape, low, high):
    found = analyze_table(planted.table(shape, noise=1)).t_opt
    assert found["flags"].map(lambda flags: EDGE in flags).all()
    assert (found["T_opt_low" if low is not None else "T_opt_high"] == (low if low is not None else high)).all()


def test_a_flat_curve_is_flagged_and_nothing_is_excluded():
    found = analyze_table(planted.table(lambda x, cell: 150 + 0 * x)).t_opt
    assert found["flags"].map(lambda flags: FLAT in flags).mean() >= 0.75  # its test has 5 % errors
    assert found["tied"].map(len).median() >= 10


def test_few_informative_cells_say_that_nothing_can_be_told():
    sentences_ = analyze_table(planted.table(lambda x, cell: 150 + 0 * x)).effects["sentence"]
    assert all(sentence.startswith("Cannot tell") for sentence in sentences_)


@pytest.mark.parametrize("replicates", [1, 2])
def test_few_replicates_are_flagged(replicates):
    found = analyze_table(planted.table(RISES, replicates=replicates))
    assert found.t_opt["flags"].map(lambda flags: FEW in flags).all()
    if replicates == 1:
        assert (found.t_opt["T_opt_low"] == 0).all()
        assert np.isinf(found.t_opt["T_opt_high"]).all()
        assert found.t_opt["tied"].map(len).eq(len(planted.GRID)).all()
        asked = found.effects["factor"] != "teacher_error"
        assert found.effects["sentence"][asked].str.contains("one replicate").all()


def hole(table, replicates, **cell):
    """Which distilled students of a cell at T = 40 these replicates hold."""
    students = (table[MODEL] == STUDENT) & (table[TEMP] == 40) & table[REPLICATE].isin(replicates)
    return students & (table[[*cell]] == list(cell.values())).all(axis=1)


@pytest.mark.parametrize(("lost", "left_out"), [([1], ["replicate 1"]), ([0, 1, 3], ["T 40"])])
def test_a_gap_in_a_cell_leaves_out_what_lacks_and_says_so(rising, lost, left_out):
    which = hole(rising, lost, class_sep=0.2, width=20)
    found = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(which, FAILED)}))
    lacking = found.t_opt[found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags)]
    assert lacking["left_out"].tolist() == [left_out] * 2
    assert (found.t_opt.drop(lacking.index)["temperatures"] == len(planted.GRID)).all()


def test_cells_that_lack_a_replicate_are_not_left_out_silently(rising):
    one, three = (hole(rising, lost, width=20) for lost in ([1], [1, 2, 3]))
    for which, cells, replicates in ((one, 12, 4), (three, 12, 5)):
        moves = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(which, FAILED)})).effects
        assert (moves["used_cells"] == cells).all()
        assert (moves["replicates"] == replicates).all()
    few = (rising[WIDTH] == 20) & (rising[REPLICATE] > 1)
    moves = analyze_table(rising[~few]).effects
    assert (moves["used_cells"] == 8).all()
    asked = moves[moves["effect"].notna()]
    assert asked["sentence"].str.contains("8 of 12 cells").all()


def test_replicates_with_names_of_their_own_are_taken_in_order(rising):
    names = rising[CLASS_SEP].astype(str) + rising[WIDTH].astype(str) + rising[REPLICATE].astype(str)
    found = analyze_table(rising.assign(**{REPLICATE: names})).effects.set_index("factor")
    assert "rises with the student's width" in found.loc["width", "sentence"]


def test_a_missing_cell_is_missing_and_no_more(rising):
    found = analyze_table(rising[~((rising[WIDTH] == 50) & (rising[CLASS_SEP] == 1.0))])
    assert len(found.t_opt) == 10
    assert "rises with the student's width" in found.effects.set_index("factor").loc["width", "sentence"]


def test_rows_that_are_not_finite_are_left_out(rising):
    spoiled = rising.copy()
    which = (spoiled[MODEL] == STUDENT) & (spoiled[TEMP] == 3) & (spoiled[REPLICATE] == 2)
    spoiled.loc[which, [VAL_NUM_ERROR, NUM_ERROR]] = np.nan
    found = analyze_table(spoiled)
    assert found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(found.test["student"]).all()


def test_test_errors_that_lack_are_named_and_others_are_compared(rising):
    which = hole(rising, [3], class_sep=0.2, width=20)
    found = analyze_table(rising.assign(**{NUM_ERROR: rising[NUM_ERROR].mask(which)}))
    lacking = found.t_opt[found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags)]
    assert lacking["left_out"].tolist() == [["test errors of replicate 3"]] * 2
    pd.testing.assert_frame_equal(
        found.t_opt.drop(columns=["flags", "left_out"]), analyze_table(rising).t_opt.drop(columns=["flags", "left_out"])
    )
    nowhere = analyze_table(rising.assign(**{NUM_ERROR: np.nan}))
    assert not nowhere.t_opt["left_out"].map(len).any()


def test_a_student_larger_than_its_teacher_is_flagged(rising):
    sizes = rising[WIDTH].astype("float64").fillna(60) * 100
    found = analyze_table(rising.assign(**{N_PARAMS: sizes})).t_opt
    assert [LARGE in flags for flags in found["flags"]] == [width > 60 for width in found["width"]]


def test_an_index_is_no_setting(rising):
    assert "row" not in analyze_table(rising.assign(row=range(len(rising)))).columns


def test_rows_that_are_infinite_are_left_out_as_those_without_a_number_are(rising):
    which = (rising[MODEL] == STUDENT) & (rising[TEMP] == 3) & (rising[REPLICATE] == 2)
    spoiled = rising.assign(**{VAL_NUM_ERROR: rising[VAL_NUM_ERROR].mask(which, np.inf)})
    found = analyze_table(foreign.standardize(spoiled, {}, None)[0])
    assert found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(found.curves["errors"]).all()


def test_rates_are_printed_as_rates(rising):
    measures = [VAL_NUM_ERROR, NUM_ERROR]
    shown = tables.format_test_errors(
        analyze_table(rising.assign(**{name: rising[name] / 10_000 for name in measures}))
    )
    counts = tables.format_test_errors(analyze_table(rising))
    assert [float(rate) for rate in shown["student"]] == pytest.approx(
        [float(count) / 10_000 for count in counts["student"]], abs=1e-4
    )


def test_one_temperature_for_all_costs_what_it_costs_in_each(rising):
    found = analyze_table(rising)
    fixed, own = found.fixed.set_index("T"), found.test.set_index(found.columns)["student"]
    students = rising[rising[MODEL] == STUDENT]
    for T in (1, 4, 40):
        at_T = students[students[TEMP] == T].groupby(found.columns)[NUM_ERROR].mean()
        shares = at_T / own - 1
        assert fixed.loc[T, "median"] == pytest.approx(shares.median())
        assert fixed.loc[T, "worst"] == pytest.approx(shares.max())
        assert fixed.loc[T, "tied"] == sum(T in tied for tied in found.t_opt["tied"])


def test_the_headline_never_says_that_nothing_moves_without_the_margin():
    found = analyze_table(planted.table(STILL, noise=2), margins=Margins(effect=0.3))
    assert found.effects.set_index("factor").loc["width", "verdict"] == sentences.STAYS
    assert "does not move with the student's width by more than 0.3 doublings" in write_headline(found)


def test_the_edge_is_seen_on_the_smooth_curve_too():
    table = planted.table(planted.falling, noise=1, temperatures=(1, 2, 3, 5, 10, 20, 40))
    assert analyze_table(table).t_opt["flags"].map(lambda flags: EDGE in flags).all()
    for name in ("T_opt_continuous", "T_opt_low", "T_opt_high"):
        inside = analyze_table(table).t_opt[name]
        near = [T for T in (5, 10, 20, 40) for value in inside if 0 < abs(value - T) < 1e-9]
        assert not near  # a value of the grid is that value


def test_copies_are_no_replicates():
    table = planted.table(RISES, replicates=1)
    students = table[table[MODEL] == STUDENT]
    found = analyze_table(pd.concat([students.assign(**{REPLICATE: i}) for i in range(3)]))
    assert found.t_opt["flags"].map(lambda flags: COPIES in flags).all()
    assert found.effects["sentence"].str.contains("copies").all()


def test_the_baseline_of_another_cell_is_not_this_ones(rising):
    others = rising.assign(**{WIDTH: rising[WIDTH].where(rising[MODEL] != BASELINE, rising[WIDTH] + 1000)})
    assert analyze_table(others).test["baseline"].isna().all()


def test_baselines_that_train_in_another_way_are_compared_with(rising):
    lr = np.where(rising[MODEL] == BASELINE, 0.1, 0.2)
    assert analyze_table(rising.assign(lr=lr)).test["baseline"].notna().all()


def test_networks_without_replicates_are_numbered_within_their_cells(rising):
    unnamed = analyze_table(foreign.standardize(rising.drop(columns=REPLICATE), {}, None)[0])
    named = analyze_table(rising)
    pd.testing.assert_frame_equal(unnamed.test, named.test)
    pd.testing.assert_frame_equal(unnamed.t_opt, named.t_opt)


def test_settings_that_are_called_like_figures_keep_their_values(rising):
    own = rising.rename(columns={WIDTH: "student", CLASS_SEP: "T_opt", P_INFORMATIVE: "errors"})
    found = analyze_table(foreign.standardize(own, {}, None)[0])
    assert {*found.columns} == {"student (setting)", "T_opt (setting)", "errors (setting)"}
    named = analyze_table(rising)
    assert found.test["student"].tolist() == pytest.approx(named.test["student"].tolist())


def test_no_figure_of_an_answer_can_be_overwritten_by_a_setting(rising):
    found = analyze_table(rising)
    frames = (found.t_opt, found.test, found.curves)
    names = {name for frame in frames for name in frame.columns} - {*found.columns}
    ours = {name for name in names if name not in foreign.RESERVED}
    assert all(any(part in name for part in ("minus", *RESULT_COLUMNS)) for name in ours), ours


def test_a_factor_that_cannot_double_is_named(rising):
    dropout = rising[P_INFORMATIVE].map({0.5: 0.0, 1.0: 0.3})
    moves = analyze_table(rising.drop(columns=P_INFORMATIVE).assign(dropout=dropout)).effects.set_index("factor")
    assert "no number above 0" in moves.loc["dropout", "sentence"]
    assert "rises" in moves.loc["width", "sentence"]


def test_teachers_are_found_by_number_whatever_the_type_of_it(rising):
    number = {name: i for i, name in enumerate(rising[ID])}
    ids = rising[ID].map(number).astype(str)
    own = rising.assign(**{ID: ids, TEACHER_ID: rising[TEACHER_ID].map(number)})
    found = analyze_table(foreign.standardize(own, {}, None)[0])
    assert found.test["teacher"].tolist() == analyze_table(rising).test["teacher"].tolist()


def test_failed_networks_are_said_to_be_missing(rising):
    """As those without figures are: a T that failed in all replicates, and a cell of which nothing is done."""
    students = rising[MODEL] == STUDENT
    first = (rising[CLASS_SEP] == 1) & (rising[P_INFORMATIVE] == 1)
    failed = students & first & ((rising[WIDTH] == 50) | (rising[WIDTH] == 20) & (rising[TEMP] == 3))
    found = analyze_table(rising.assign(**{STATUS: rising[STATUS].mask(failed, FAILED)}))
    assert found.without == ["class_sep 1, p_informative 1, width 50"]
    cells = found.t_opt.set_index([CLASS_SEP, P_INFORMATIVE, WIDTH])
    assert cells.loc[(1.0, 1.0, 20), "left_out"] == ["T 3"]
    assert (cells["left_out"].map(len) > 0).sum() == 1
    # One that failed and was trained again is there.
    again = pd.concat([rising[failed].assign(**{STATUS: FAILED, ID: "again"}), rising])
    assert not analyze_table(again).t_opt["left_out"].map(len).any()


def test_a_setting_may_be_called_what_the_answer_calls_its_figures(rising):
    found = analyze_table(rising)
    taken = {*found.curves, *found.test, *found.t_opt} - {*found.columns, *RESULT_COLUMNS}
    assert taken <= foreign.RESERVED


@pytest.mark.parametrize(("numbers", "said"), [
    ({}, "The best T rises with the student's width: log2 T changes by +1.7 per doubling (95 % interval +0.5 to +1.9, "
         "p = 0.03 after Holm), from 5 replicates; a second method gives +0.55 (+0.47 to +0.63)."),
    ({"check_low": -0.1}, "a second method gives +0.55 (-0.1 to +0.63), which settles nothing."),
    ({"low": -1.0}, "the test rejects no change, the interval does not exclude it."),
    ({"low": -1.0, "p_holm": 0.2},
        "Cannot tell whether the best T moves with the student's width: log2 T changes by +1.7 per doubling (95 % "
        "interval -1 to +1.9, p = 0.2 after Holm), from 5 replicates."),
    ({"p_holm": 1e-12}, "(95 % interval +0.5 to +1.9, p < 0.0001 after Holm)"),
    ({"independent_sets": 3}, "from 5 replicates of each of 3 independent data sets; a second method"),
    ({"low": 0.0}, "Cannot tell"),
    ({"p_holm": 0.2}, "the interval excludes no change, the test does not reject it."),
    ({"low": -0.05, "high": 0.05}, "does not move with the student's width by more than 0.1 doublings per doubling"),
    ({"informative_cells": 4}, "only 4 of 9 cells say where their best T is."),
])  # fmt: skip
def test_a_sentence_says_what_its_numbers_allow(numbers, said):
    row = {"factor": "width", "effect": 1.7, "low": 0.5, "high": 1.9, "p_holm": 0.03, "check": 0.55, "check_low": 0.47,
           "check_high": 0.63, "informative_cells": 9, "cells": 9, "used_cells": 9, "replicates": 5,
           "independent_sets": 1, "why_not": "", **numbers}  # fmt: skip
    row["verdict"] = sentences.decide_verdict(row, 0.1)
    assert said in sentences.write_effect_sentence(row, 0.1)


def test_data_sets_are_independent_where_their_seeds_are(rising):
    """Students of all widths share the data of theirs: four data sets, not twelve."""
    known, unknown = analyze_table(rising), analyze_table(rising.drop(columns=DATA_SEED))
    shared = analyze_table(rising.assign(**{DATA_SEED: rising[REPLICATE]}))
    gap = analyze_table(rising.assign(**{DATA_SEED: rising[DATA_SEED].where(rising[WIDTH] != 20)}))
    counts = [set(found.effects["independent_sets"]) for found in (known, unknown, shared, gap)]
    assert counts == [{4}, {1}, {1}, {1}]
    width = [found.effects.set_index("factor").loc["width"] for found in (known, unknown, shared)]
    assert width[1].equals(width[2])
    assert width[0]["p_value"] < width[1]["p_value"]  # 16 degrees of freedom tell more than 4
    assert "of each of 4 independent data sets" in width[0]["sentence"]
