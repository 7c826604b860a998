"""Answers from runs that nothing pairs. They do not depend on the order of the rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import planted
from benchmarks.promises.dunnett import compute_dunnett_value
from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.optimum import COPIED_REPLICATES, FEW_REPLICATES, FLAT, INCOMPLETE, LARGER_THAN_TEACHER
from kdtune.analysis.power import count_replicates
from kdtune.analysis.unpaired_runs import arrange_runs, pair_at_random
from kdtune.cli.print_answers import print_answer
from kdtune.cli.print_power import print_power
from kdtune.columns import (
    BASELINE,
    DATA_SEED,
    DONE,
    FAILED,
    MODEL,
    N_PARAMS,
    NUM_ERROR,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.plots.report import write_report
from kdtune.statistics.one_way_layout import describe_one_way_layout

FRAMES = ("t_opt", "test", "curves", "fixed", "effects")


def make_students(runs, **columns):
    """Return a table of unpaired distilled students, given the validation errors of the runs at each temperature."""
    rows = [(float(T), errors) for T, values in runs.items() for errors in values]
    table = pd.DataFrame(rows, columns=[TEMP, VAL_NUM_ERROR])
    return table.assign(**{MODEL: STUDENT, STATUS: DONE, REPLICATE: None, **columns})


def make_unpaired(table):
    return table.assign(**{REPLICATE: None})


def assert_same_answers(answer: Answer, other: Answer):
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(answer, name), getattr(other, name), check_exact=True)
    assert answer.matching_notes == other.matching_notes


def test_the_planted_answer_comes_out_of_unpaired_runs(rising):
    paired, answer = analyze_table(rising), analyze_table(make_unpaired(rising))
    assert paired.is_paired
    assert not answer.is_paired
    truth = 4 * answer.t_opt["width"].astype(float) / 50
    assert (answer.t_opt["T_opt_low"] <= truth).all()
    assert (truth <= answer.t_opt["T_opt_high"]).all()
    assert (answer.t_opt["T_opt"] == paired.t_opt["T_opt"]).all()
    for name in ("student", "baseline", "teacher", "at_T1", "minus_baseline", "chosen_on_test", "gap_closed", "nll"):
        np.testing.assert_allclose(answer.test[name], paired.test[name])
    assert answer.test.filter(like="cross_fitted").isna().all(axis=None)
    np.testing.assert_allclose(answer.curves["regret"], paired.curves["regret"], atol=1e-9)
    # No runs of the same replicate are there to choose T for it, so costs are those of the networks that chose.
    assert (answer.fixed["cross_fitted_cells"] == 0).all()
    np.testing.assert_allclose(answer.fixed["median"], paired.fixed["median"], atol=0.01)
    shares = paired.curves["regret"] / (paired.curves["num_error"] - paired.curves["regret"])
    np.testing.assert_allclose(answer.fixed["median"], shares.groupby(paired.curves["T"]).median())
    effects = answer.effects.set_index("factor")
    assert "rises with the student's width" in effects.loc["width", "sentence"]
    assert "based on 12 settings with 5 runs of each T" in effects.loc["width", "sentence"]
    assert (effects["independent_sets"] == 12).all()
    assert answer.redraws.parts == []


def test_differences_on_the_test_split_are_welchs(rising):
    table = make_unpaired(rising)
    answer = analyze_table(table)
    cell = answer.test.iloc[4]
    assert answer.curves["band"].notna().all()
    rows = table[(table[answer.cell_columns] == cell[answer.cell_columns].tolist()).all(axis=1)]
    runs = rows[rows[MODEL] == STUDENT].groupby(TEMP)[NUM_ERROR]
    student, at_T1 = runs.get_group(cell["T"]), runs.get_group(1.0)
    baseline = rows.loc[rows[MODEL] == BASELINE, NUM_ERROR]
    for name, other in (("minus_T1", at_T1), ("minus_baseline", baseline)):
        expected = stats.ttest_ind(student, other, equal_var=False).confidence_interval()
        assert (cell[f"{name}_low"], cell[f"{name}_high"]) == pytest.approx((expected.low, expected.high))
    curves = answer.curves[(answer.curves[answer.cell_columns] == cell[answer.cell_columns].tolist()).all(axis=1)]
    gain = curves[curves["T"] == 1].iloc[0]
    expected = stats.ttest_ind(baseline, at_T1, equal_var=False).confidence_interval()
    assert (gain["gain_low"], gain["gain_high"]) == pytest.approx((expected.low, expected.high))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, 13.0]),
            st.sampled_from([10, 20]),
            st.one_of(st.none(), st.integers(5, 12)),
            st.one_of(st.none(), st.integers(5, 12)),
            st.sampled_from([STUDENT] * 6 + [BASELINE, TEACHER]),
            st.sampled_from([DONE] * 5 + [FAILED]),
        ),
        min_size=8,
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_never_matters(rows, random):
    """Also with ties, with gaps in either measure, with failed runs, and in any number of runs."""
    start = [(1.0, width, 9, 9, STUDENT, DONE) for width in (10, 20)]
    names = [TEMP, WIDTH, VAL_NUM_ERROR, NUM_ERROR, MODEL, STATUS]
    rows = start + rows
    shuffled_rows = random.sample(rows, len(rows))
    table, shuffled_table = (
        pd.DataFrame(some_rows, columns=names)
        .astype({VAL_NUM_ERROR: float, NUM_ERROR: float})
        .assign(**{REPLICATE: None})
        for some_rows in (rows, shuffled_rows)
    )
    assert_same_answers(analyze_table(table, [WIDTH]), analyze_table(shuffled_table, [WIDTH]))


def test_the_order_of_rows_does_not_matter_for_rates(rising):
    """Sums of decimals depend on the order of the terms."""
    table = make_unpaired(rising).drop(columns=TEACHER_ID)
    for name in (VAL_NUM_ERROR, NUM_ERROR):
        table[name] = table[name] / 9973
    answer = analyze_table(table)
    for seed in range(3):
        assert_same_answers(answer, analyze_table(table.sample(frac=1, random_state=seed)))


def test_the_unit_of_errors_does_not_matter(rising):
    table = make_unpaired(rising)
    in_eighths = table.assign(**{name: table[name] / 8 for name in (VAL_NUM_ERROR, NUM_ERROR)})
    answer, other = analyze_table(table), analyze_table(in_eighths)
    pd.testing.assert_frame_equal(answer.t_opt, other.t_opt)
    pd.testing.assert_frame_equal(answer.effects, other.effects)


def test_a_table_sorted_by_its_measure_is_the_same_table():
    random = np.random.default_rng(1)
    table = make_students({T: random.normal(150, 10, 5).round() for T in (1, 2, 4, 8, 16)})
    sorted_table = table.sort_values([VAL_NUM_ERROR, TEMP])
    assert_same_answers(analyze_table(table), analyze_table(sorted_table))
    assert FLAT in analyze_table(sorted_table).t_opt["flags"].iloc[0]


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_are_lost_make_the_answer_wider_and_never_wrong(seed):
    """Replicates with a level of their own: without their names that level is noise."""
    table = planted.table(planted.RISES, noise=3, seed=seed, seps=(1.0,))
    paired, answer = analyze_table(table), analyze_table(make_unpaired(table))
    assert (answer.t_opt["T_opt"] == paired.t_opt["T_opt"]).all()
    for tied, unpaired_tied in zip(paired.t_opt["tied"], answer.t_opt["tied"], strict=True):
        assert set(tied) <= set(unpaired_tied)
    assert answer.t_opt["tied"].map(len).mean() > paired.t_opt["tied"].map(len).mean()
    truth = 4 * answer.t_opt["width"].astype(float) / 50
    assert ((answer.t_opt["T_opt_low"] <= truth) & (truth <= answer.t_opt["T_opt_high"])).all()
    widths = [found.test["minus_T1_high"] - found.test["minus_T1_low"] for found in (paired, answer)]
    assert (widths[1] > widths[0]).mean() >= 0.8
    assert (answer.curves["band"] > paired.curves["band"]).mean() >= 0.8
    needed = [count_replicates(found.cells, VAL_NUM_ERROR, [0.05])["to_tell"].item() for found in (paired, answer)]
    assert needed[1] > needed[0]


def test_any_number_of_runs_at_each_temperature_is_used():
    runs = {1: [170, 172, 168, 171], 2: [150, 152, 149], 4: [131, 130, 128, 129, 132], 8: [151, 149], 16: [169]}
    answer = analyze_table(make_students(runs))
    optimum = answer.t_opt.iloc[0]
    assert optimum["T_opt"] == 4
    assert optimum["tied"] == [4]
    assert optimum["replicates"] == 1
    assert FEW_REPLICATES in optimum["flags"]
    assert INCOMPLETE not in optimum["flags"]
    assert answer.curves["replicates"].tolist() == [4, 3, 5, 2, 1]
    assert answer.curves["errors"].tolist() == [np.mean(values) for values in runs.values()]
    bands = answer.curves["band"].to_numpy()
    assert bands / bands[-1] == pytest.approx(1 / np.sqrt([4, 3, 5, 2, 1]))


def test_the_runs_that_a_difference_takes_follow_from_the_noise_of_runs():
    random = np.random.default_rng(6)
    runs = {T: random.normal(150, 10, n) for T, n in ((1, 5), (2, 4), (4, 6))}
    answer = analyze_table(make_students(runs))
    counts = count_replicates(answer.cells, VAL_NUM_ERROR, [], errors=[12.0]).iloc[0]
    layout = describe_one_way_layout(pd.DataFrame([pd.Series(values) for values in runs.values()]).T.to_numpy())
    # Three temperatures do not show unequal noise here, so that their pooled variance counts.
    deviation, count = math.sqrt(2 * layout.variance), int(counts["to_tell"])
    # The noise is known with 12 degrees of freedom, so that the mean power over what it may be is 80 %.
    variances = deviation**2 * layout.dof / random.chisquare(layout.dof, 4000)
    powers = []
    for n in (count - 1, count):
        dof = 3 * (n - 1)
        critical_value = compute_dunnett_value(3, dof)
        powers.append(stats.nct.sf(critical_value, dof, 12 * np.sqrt(n / variances)).mean())
    assert powers[0] < 0.81
    assert powers[1] > 0.79


def test_one_run_of_a_temperature_says_less_than_several():
    others = {1: [170, 172, 168, 171], 4: [150, 152, 149, 151], 8: [151, 149, 152, 150]}
    single, several = (analyze_table(make_students({**others, 2: values})) for values in ([146], [146] * 4))
    assert 2 in several.t_opt["tied"].iloc[0]
    assert set(several.t_opt["tied"].iloc[0]) < set(single.t_opt["tied"].iloc[0]) or (
        several.curves["band"].max() < single.curves["band"].max()
    )


def test_one_run_of_each_temperature_tells_nothing():
    answer = analyze_table(make_students({T: [100 + 10 * T] for T in (1, 2, 4, 8, 16)}))
    optimum = answer.t_opt.iloc[0]
    assert optimum["T_opt"] == 1
    assert (optimum["T_opt_low"], optimum["T_opt_high"]) == (0, math.inf)
    assert len(optimum["tied"]) == 5
    assert optimum["good_enough"] == []
    assert FLAT not in optimum["flags"]
    assert answer.curves["band"].isna().all()
    with pytest.raises(RequestError, match="two temperatures, one of them with two runs"):
        count_replicates(answer.cells, VAL_NUM_ERROR, [0.1])


def test_one_temperature_has_nothing_to_be_compared_with():
    answer = analyze_table(make_students({3: [100, 104, 99]}, **{NUM_ERROR: [110, 111, 109]}))
    optimum = answer.t_opt.iloc[0]
    assert optimum["tied"] == [3]
    assert optimum["temperatures"] == 1
    assert answer.test["student"].item() == 110
    assert np.isfinite(answer.test[["student_low", "student_high"]]).all(axis=None)


@pytest.mark.parametrize("runs", [{1: [5, 5, 5], 2: [7, 7, 7]}, {1: [5], 2: [7, 7], 4: [9]}])
def test_copies_are_flagged_and_tell_nothing(runs):
    """Two counts of errors may be equal by chance: then every difference would seem significant."""
    answer = analyze_table(make_students(runs))
    optimum = answer.t_opt.iloc[0]
    assert COPIED_REPLICATES in optimum["flags"]
    assert optimum["tied"] == list(runs)
    assert (optimum["T_opt_low"], optimum["T_opt_high"]) == (0, math.inf)
    with pytest.raises(RequestError, match="copies"):
        count_replicates(answer.cells, VAL_NUM_ERROR, [0.1])


def test_runs_without_a_value_are_left_out_and_named():
    runs = {1: [170, np.nan, 168], 2: [150, 152, 149], 4: [np.nan, 130, 128, np.nan], 8: [np.nan, np.nan]}
    table = make_students(runs, **{NUM_ERROR: 100.0})
    table.loc[(table[TEMP] == 2) & (table[VAL_NUM_ERROR] == 150), STATUS] = FAILED
    table.loc[(table[TEMP] == 1) & (table[VAL_NUM_ERROR] == 170), NUM_ERROR] = np.nan
    answer = analyze_table(table)
    optimum = answer.t_opt.iloc[0]
    assert optimum["left_out"] == [
        "T 8",
        "1 run at T 1",
        "1 run at T 2",
        "2 runs at T 4",
        "test errors of 1 run at T 1",
    ]
    assert INCOMPLETE in optimum["flags"]
    assert answer.curves["T"].tolist() == [1, 2, 4]
    assert answer.curves["replicates"].tolist() == [2, 2, 2]
    assert answer.curves["num_error"].tolist() == [100, 100, 100]
    many = make_students({T: [100, 101, np.nan] for T in range(1, 10)})
    assert analyze_table(many).t_opt["left_out"].iloc[0] == ["9 runs at 9 temperatures"]


def test_a_temperature_without_test_errors_has_no_figures_there():
    runs = {1: [170, 171, 168], 2: [150, 152, 149], 4: [131, 130, 128]}
    table = make_students(runs, **{NUM_ERROR: 100.0})
    table.loc[table[TEMP] == 4, NUM_ERROR] = np.nan
    answer = analyze_table(table)
    assert answer.t_opt["T_opt"].item() == 4
    assert math.isnan(answer.test["student"].item())
    assert answer.test["chosen_on_test"].item() == 100
    assert answer.curves["num_error"].isna().tolist() == [False, False, True]
    assert answer.curves["regret"].isna().all()


def test_a_cell_without_any_result_is_named():
    table = pd.concat([
        make_students({1: [5, 6], 2: [9, 8]}, **{WIDTH: 10}), make_students({1: [np.nan], 2: [np.nan]}, **{WIDTH: 20}),
    ])  # fmt: skip
    answer = analyze_table(table, [WIDTH])
    assert len(answer.t_opt) == 1
    assert answer.cells_without_results == ["width 20"]


def make_compared(n_teachers, n_baselines, student_parameters=100.0):
    """Return unpaired students with some teachers and baselines."""
    students = make_students({1: [170, 172, 168], 4: [130, 128, 133], 16: [150, 151, 149]})
    students = students.assign(**{NUM_ERROR: students[VAL_NUM_ERROR] + 10.0, N_PARAMS: student_parameters})
    networks = []
    for model, errors, count in ((TEACHER, 80.0, n_teachers), (BASELINE, 300.0, n_baselines)):
        for i in range(count):
            networks.append({MODEL: model, STATUS: DONE, NUM_ERROR: errors + 3 * i, TEMP: 1.0, N_PARAMS: 200.0})
    return pd.concat([students, pd.DataFrame(networks)]) if networks else students


def test_a_single_teacher_is_taken_as_it_is_and_a_single_baseline_has_unknown_noise():
    row = analyze_table(make_compared(1, 1)).test.iloc[0]
    assert row["minus_teacher"] == pytest.approx(row["student"] - 80)
    assert row["minus_teacher_high"] - row["minus_teacher"] == pytest.approx(row["student_high"] - row["student"])
    assert row["minus_baseline"] == pytest.approx(row["student"] - 300)
    assert math.isinf(row["minus_baseline_low"])
    assert math.isnan(row["gap_closed"])
    row = analyze_table(make_compared(1, 3)).test.iloc[0]
    assert row["gap_low"] < row["gap_closed"] < row["gap_high"]
    assert np.isfinite(row["minus_baseline_low"])
    row = analyze_table(make_compared(0, 0)).test.iloc[0]
    assert row[["teacher", "baseline", "minus_teacher", "minus_baseline", "gap_closed"]].isna().all()


def test_an_unpaired_student_larger_than_a_teacher_is_flagged():
    smaller, larger = (analyze_table(make_compared(2, 2, size)).t_opt["flags"].iloc[0] for size in (100.0, 300.0))
    assert LARGER_THAN_TEACHER not in smaller
    assert LARGER_THAN_TEACHER in larger


def test_runs_are_paired_at_random_and_reproducibly():
    random = np.random.default_rng(0)
    T = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0], [4, 6, 5, 6, 5])
    errors = T * 1000 + random.permutation(len(T))
    cell = arrange_runs(T, {VAL_NUM_ERROR: errors}, VAL_NUM_ERROR)
    pairs = pair_at_random(cell.temperatures, cell.measures, VAL_NUM_ERROR, 5)
    values = pairs.measures[VAL_NUM_ERROR]
    assert values.shape == (4, 5)
    for column, temperature in zip(values.T, (1, 2, 4, 8, 16), strict=True):
        assert len(set(column)) == 4
        assert set(column) <= set(errors[temperature == T])
    again = pair_at_random(cell.temperatures, {VAL_NUM_ERROR: cell.measures[VAL_NUM_ERROR] / 8}, VAL_NUM_ERROR, 5)
    np.testing.assert_array_equal(again.measures[VAL_NUM_ERROR] * 8, values)
    ranks = set()
    for seed in range(20):
        other = np.random.default_rng(seed).normal(size=(5, 5))
        columns = {VAL_NUM_ERROR: np.sort(other, axis=0)}
        paired = pair_at_random(cell.temperatures, columns, VAL_NUM_ERROR, 5).measures[VAL_NUM_ERROR]
        ranks.add(tuple(paired.argsort(axis=0).ravel()))
    assert len(ranks) == 20  # one seed for all tables would give each the same chance correlations


def test_temperatures_with_few_runs_do_not_take_the_others_with_them():
    table = planted.table(planted.RISES, replicates=6)
    students = make_unpaired(table[table[MODEL] == STUDENT].drop(columns=DATA_SEED))
    is_repeated = students.duplicated([TEMP, WIDTH, "class_sep", "p_informative"])
    few = students[(students[TEMP] != 40) | ~is_repeated]  # one run of T = 40 in each setting
    effects = analyze_table(few).effects.set_index("factor")
    assert (effects["replicates"] == 6).all()
    assert (effects["used_cells"] == 12).all()
    assert "rises with the student's width" in effects.loc["width", "sentence"]
    single = students.drop_duplicates([TEMP, WIDTH, "class_sep", "p_informative"])
    effects = analyze_table(single).effects.set_index("factor")
    assert "at least two runs of each T are needed" in effects.loc["width", "sentence"]


def test_what_is_printed_says_that_runs_are_not_paired(rising, capsys):
    table = make_unpaired(rising)
    fewer = table.drop(index=table[(table[MODEL] == STUDENT) & (table[TEMP] == 3)].index[:1])
    answer = analyze_table(fewer)
    print_answer(answer)
    text = capsys.readouterr().out
    assert "on the validation split, 4 to 5 runs of each T.\nRuns are not paired: " in text
    assert "Differences in mean errors with 95 % confidence intervals (Welch's, since runs are not paired)" in text
    for word in ("cross-fitted", "Paired", "replicate"):
        assert word not in text
    print_power(count_replicates(answer.cells, answer.selection_measure, [0.05]), answer)
    text = capsys.readouterr().out
    assert text.startswith("With 5 runs of each T, ")
    assert "Runs of each T that it takes to find a difference between two temperatures, " in text
    assert "from the noise in 12 settings with up to 5 runs of each T, which are not paired:" in text
    assert "Each best T is compared with its neighbours" in text
    assert "replicate" not in text
    print_answer(analyze_table(table.drop(columns=VAL_NUM_ERROR)))
    assert "T was chosen on the same split, so these errors tend to be a little too low.\n" in capsys.readouterr().out


def test_the_page_says_that_runs_are_not_paired(rising, tmp_path):
    texts = []
    for number, table in enumerate((rising, make_unpaired(rising))):
        page = tmp_path / f"{number}.html"
        write_report(table, analyze_table(table), page, "planted")
        texts.append(page.read_text(encoding="utf-8"))
    for words in ("Runs are not paired", "Differences in errors</h3>", "differences of means."):
        assert words in texts[1]
    assert "Runs are not paired" not in texts[0]
    for words in ("Paired differences", "student: each replicate at the T", "paired differences."):
        assert words in texts[0]
        assert words not in texts[1]
