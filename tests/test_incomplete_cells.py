"""Columns that split settings are named with the settings that mend it; real settings are left in peace."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.answer_files import write_answer
from kdtune.columns import (
    DATA_SEED,
    DONE,
    FAILED,
    ID,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    STATUS,
    STUDENT,
    STUDENT_SEED,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
)
from kdtune.plots.report import write_report
from tests.openings import join_opening

TEMPERATURES = (1, 2, 4, 8, 16)


def make_table(n_replicates: int = 5, temperatures: tuple[int, ...] = TEMPERATURES, **levels: tuple) -> pd.DataFrame:
    """Students of all combinations of these settings; the best T is 4."""
    random = np.random.default_rng(0)
    rows = []
    for *values, T, replicate in itertools.product(*levels.values(), temperatures, range(n_replicates)):
        val_num_error, num_error = (150 * (1 + 0.2 * (np.log2(T) - 2) ** 2) + random.normal(0, 3, 2)).round()
        measures = {VAL_NUM_ERROR: val_num_error, NUM_ERROR: num_error}
        rows.append({**dict(zip(levels, values, strict=True)), TEMP: T, REPLICATE: replicate, **measures})
    return pd.DataFrame(rows).assign(**{MODEL: STUDENT, STATUS: DONE})


def split_at_random(table: pd.DataFrame, n_values: int, seed: int = 0) -> list[str]:
    """The names of machines that took the runs as they came."""
    return [f"m{i}" for i in np.random.default_rng(seed).integers(0, n_values, len(table))]


def unpair(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{REPLICATE: None})


def read_remedy(reserve: str) -> list[str]:
    """The columns of the option --cell that a reserve names."""
    words = shlex.split(reserve[reserve.index("--cell") :].removesuffix("."))
    return words[1].split(",")


def describe(answer: Answer) -> dict:
    return {tuple(row[answer.cell_columns]): row["T_opt"] for _, row in answer.t_opt.iterrows()}


def test_a_reserve_comes_first_and_everywhere(tmp_path):
    table = make_table(width=(10, 40))
    table["box"] = split_at_random(table, 8)
    answer = analyze_table(table)
    assert re.fullmatch(
        r"(All|\d+ of) \d+ settings have only \d to \d of the 5 temperatures, because the column box splits them. "
        r"If it is no setting, name those that are: --cell width.",
        answer.reserve,
    )
    assert join_opening(answer).startswith(f"{answer.reserve} As the table is read now: ")
    write_answer(answer, tmp_path)
    assert json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8"))["reserve"] == answer.reserve
    write_report(table, answer, tmp_path / "report.html", "split")
    assert answer.reserve in html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    mended = analyze_table(table, read_remedy(answer.reserve))
    assert mended.reserve == ""
    assert describe(mended) == {(10,): 4, (40,): 4}
    assert join_opening(mended).startswith("Use T = 4 for width 10 and 40. ")


@pytest.mark.parametrize("change", [unpair, lambda table: table])
def test_several_columns_that_split_only_together_are_all_named(change):
    table = make_table(width=(10, 40), method=("kd", "dkd"))
    # Nearly every run has a second and a memory of its own: without one of them nothing becomes more complete.
    random = np.random.default_rng(1)
    table["took"] = random.permutation(len(table)) // 2
    table["room"] = random.permutation(len(table)) // 2
    reserve = analyze_table(change(table)).reserve
    assert "because the columns took and room split them. If they are no settings" in reserve
    assert read_remedy(reserve) == ["width", "method"]


def test_where_no_setting_is_left_the_remedy_says_so():
    table = make_table()
    table["box"] = split_at_random(table, 6)
    reserve = analyze_table(table).reserve
    assert reserve.endswith("If it is no setting, all runs have the same settings: --cell none.")
    assert len(analyze_table(table, []).t_opt) == 1


def test_names_that_a_shell_would_split_are_quoted():
    table = make_table(**{"student width": (10, 40)})
    table["the box"] = split_at_random(table, 8)
    assert analyze_table(table).reserve.endswith("--cell 'student width'.")


def test_where_no_temperature_has_half_of_its_replicates_the_reserve_names_the_column():
    table = make_table(width=(10, 40))
    table["box"] = [f"m{i % 3}" for i in range(len(table))]  # No temperature has half of a setting's replicates.
    reserve = analyze_table(table).reserve
    assert reserve.startswith("All 6 settings have only 2 of the 5 temperatures, because the column box splits them. ")


def test_a_machine_for_each_part_of_the_grid_may_be_on_purpose():
    table = make_table(width=(10, 40))
    table["box"] = np.where(table[TEMP] <= 4, "left", "right")
    for rows in (table, unpair(table)):
        reserve = analyze_table(rows).reserve
        assert reserve == (
            "All 4 settings have only 2 to 3 of the 5 temperatures: the column box splits them, perhaps on purpose. "
            "If it is no setting, name those that are: --cell width."
        )


def test_a_grid_of_its_own_for_each_data_set_has_no_reserve():
    grids = {"mnist": (1, 2, 4, 8), "svhn": (3, 6, 12), "cifar10": (20, 40, 80)}
    parts = [make_table(temperatures=grid, dataset=(name,)) for name, grid in grids.items()]
    table = pd.concat(parts, ignore_index=True)
    assert analyze_table(table).reserve == ""
    assert analyze_table(unpair(table)).reserve == ""
    # Under any name, if the grids share a temperature: without the column it would have more runs than the others.
    grids = {"mnist": (1, 2, 4, 8), "svhn": (1, 3, 6, 12), "cifar10": (1, 20, 40, 80)}
    parts = [make_table(temperatures=grid, task=(name,)) for name, grid in grids.items()]
    table = pd.concat(parts, ignore_index=True)
    assert analyze_table(table).reserve == ""
    assert analyze_table(unpair(table)).reserve == ""


def test_a_sweep_that_is_not_finished_has_no_reserve():
    table = make_table(method=("kd", "dkd", "rkd", "crd"))
    n_last_runs = {"kd": 25, "dkd": 12, "rkd": 12, "crd": 12}
    is_done = table.groupby("method").cumcount() < table["method"].map(n_last_runs)
    for rows in (table[is_done], unpair(table[is_done])):
        assert analyze_table(rows).reserve == ""


def test_the_width_is_a_setting_whatever_it_splits():
    table = make_table()
    table["width"] = np.random.default_rng(0).integers(1, 6, len(table))
    assert analyze_table(table).reserve == ""


def test_of_columns_that_split_each_other_the_first_and_known_ones_stay():
    table = make_table(method=("kd", "dkd", "rkd", "crd"))
    x, method = np.log2(table[TEMP]).astype(int), pd.factorize(table["method"])[0]
    table["box"] = (x + method + table[REPLICATE]) % 4  # a Latin square: either may be no setting
    assert re.search(r"column box splits them. .*: --cell method\.$", analyze_table(table).reserve)
    renamed = table.rename(columns={"method": "crew", "box": "dropout"})
    assert re.search(r"column crew splits them. .*: --cell dropout\.$", analyze_table(renamed).reserve)


def test_a_sweep_of_kdtune_has_no_reserve():
    table = make_table(method=("kd", "dkd"))
    table["box"] = split_at_random(table, 8)
    assert analyze_table(table).reserve
    identity = {ID: [f"n{i}" for i in range(len(table))], TEACHER_ID: None, DATA_SEED: 0, STUDENT_SEED: 0}
    assert analyze_table(table.assign(**identity)).reserve == ""


def test_single_runs_of_which_one_failed_in_each_setting_have_no_reserve():
    table = unpair(make_table(1, method=("kd", "dkd", "rkd")))
    failures = {"kd": 1, "dkd": 4, "rkd": 16}
    assert analyze_table(table[table[TEMP] != table["method"].map(failures)]).reserve == ""


def test_a_few_settings_with_few_temperatures_have_no_reserve():
    table = make_table(method=("kd", "dkd", "rkd", "crd"))
    table["box"] = "m0"
    is_repeated = (table["method"] == "kd") & (table[TEMP] <= 2)
    table.loc[is_repeated, "box"] = "m1"  # two of five settings
    for rows in (table, unpair(table)):
        answer = analyze_table(rows)
        assert len(answer.t_opt) == 5
        assert answer.reserve == ""


NAMES = st.from_regex(r"x[a-z]{3,8}", fullmatch=True)
SETTINGS = {"width": (10, 40), "method": ("kd", "dkd", "rkd"), "xalpha": (0.1, 0.5)}


@given(
    settings_used=st.lists(st.sampled_from(list(SETTINGS)), min_size=1, max_size=2, unique=True),
    names=st.lists(NAMES, min_size=1, max_size=2, unique=True),
    n_values=st.integers(5, 9),
    failing_share=st.sampled_from([0, 0.04]),
    is_paired=st.booleans(),
    seed=st.integers(0, 100),
    data=st.data(),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.slow
def test_columns_that_split_at_random_are_named(settings_used, names, n_values, failing_share, is_paired, seed, data):
    assume(not set(names) & set(SETTINGS))
    table = make_table(**{name: SETTINGS[name] for name in settings_used})
    for i, name in enumerate(names):
        table[name] = split_at_random(table, n_values, seed + i)
    table = table[data.draw(st.permutations(list(table.columns)), label="order of columns")]
    table = table.sample(frac=1 - failing_share, random_state=seed)
    reserve = analyze_table(table if is_paired else unpair(table)).reserve
    assert set(read_remedy(reserve)) == set(settings_used)
    assert all(name in reserve[: reserve.index("If")] for name in names)


@given(
    settings_used=st.lists(st.sampled_from(list(SETTINGS)), min_size=1, max_size=3, unique=True),
    n_replicates=st.integers(1, 5),
    failing_share=st.sampled_from([0, 0.03, 0.1]),
    is_paired=st.booleans(),
    is_kept=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=25, deadline=None)
def test_failures_alone_make_no_reserve(settings_used, n_replicates, failing_share, is_paired, is_kept, seed):
    # Of 30 single runs that are not paired, failures may leave out by chance what a setting would leave out: of those
    # that this test may draw, 10 % of failures do so in 6 of 606 tables.
    assume(n_replicates > 1 or is_paired or failing_share < 0.1)
    table = make_table(n_replicates, **{name: SETTINGS[name] for name in settings_used})
    is_failed = np.random.default_rng(seed).random(len(table)) < failing_share
    table = table.assign(**{STATUS: np.where(is_failed, FAILED, DONE)})
    table = table if is_kept else table[~is_failed]
    assert analyze_table(table if is_paired else unpair(table)).reserve == ""


@pytest.mark.parametrize(
    "second",
    [
        {1.0: 108.0},  # nothing is left of it beside its level
        {5.0: 109.0, 7.0: 111.0},  # its one difference is that of the first replicate, by chance
    ],
)
def test_one_replicate_and_a_bit_of_another_show_no_noise(second):
    """As in a table of a sweep that runs: nothing is told apart, and the interval is open."""
    first = {1.0: 105.0, 2.0: 94.0, 4.0: 89.0, 5.0: 94.0, 7.0: 96.0, 10.0: 94.0, 20.0: 90.0}
    rows = [(replicate, T, errors) for replicate, runs in enumerate((first, second)) for T, errors in runs.items()]
    table = pd.DataFrame(rows, columns=[REPLICATE, TEMP, VAL_NUM_ERROR]).assign(**{MODEL: STUDENT, STATUS: DONE})
    optimum = analyze_table(table.assign(dataset="one"), ["dataset"]).t_opt.iloc[0]
    assert optimum["tied"] == list(first)
    assert (optimum["T_opt_low"], optimum["T_opt_high"]) == (0, math.inf)
    assert optimum["good_enough"] == []
