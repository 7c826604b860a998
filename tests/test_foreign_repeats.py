"""Rows that stand in a table twice: copies count once, replicates with equal results stay, others are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.columns import BASELINE, LOSS, MODEL, NUM_ERROR, REPLICATE, STUDENT, TEACHER, TEMP, VAL_NUM_ERROR, WIDTH
from kdtune.errors import RequestError
from kdtune.foreign.chance_repeats import estimate_chance_repeats, find_step
from kdtune.foreign.repeated_rows import Repeats, drop_repeated_rows
from kdtune.foreign.row_keys import hash_rows

MEASURES = [NUM_ERROR, VAL_NUM_ERROR, LOSS]
LABELS = ["id", "start_time", "host"]
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)


def make_table(seed: int, *, widths: tuple[int, ...] = (10,), replicates: int = 5, p: float = 0.015) -> pd.DataFrame:
    """A flat truth without a column of seeds: errors of 10,000 around 150, which often agree by chance."""
    places = [(T, width) for width in widths for T in TEMPERATURES for _ in range(replicates)]
    table = pd.DataFrame(places, columns=[TEMP, WIDTH])
    return table.assign(**{NUM_ERROR: np.random.default_rng(seed).binomial(10_000, p, len(table))})


def make_accuracies(seed: int, examples: int, decimals: int) -> pd.DataFrame:
    """Error rates in percent over some examples, rounded to some decimals."""
    errors = np.random.default_rng(seed).binomial(examples, 0.18, 25)
    return pd.DataFrame({TEMP: np.repeat(TEMPERATURES, 5), NUM_ERROR: np.round(100 * errors / examples, decimals)})


def drop(table: pd.DataFrame, repeats=None) -> Repeats:
    return drop_repeated_rows(
        table,
        measures=MEASURES,
        labels=LABELS,
        replicate=REPLICATE if REPLICATE in table.columns else None,
        repeats=repeats,
    )


def sort(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(list(table.columns)).reset_index(drop=True)


def append(table: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, *others], ignore_index=True)


@pytest.mark.parametrize("times", [2, 3])
def test_an_export_appended_to_itself_counts_once(times):
    for seed in range(30):
        table = make_table(seed)
        result = drop(append(*[table] * times))
        pd.testing.assert_frame_equal(result.table, table)  # chance repeats stay: also where all stand there in pairs
        assert f"Each row stands in the table {times} times" in result.notes[0]
        assert "(25 of " in result.notes[0]
        assert "--repeats keep" in result.notes[0]


@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4]), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_doubling_changes_nothing_in_any_order(seed, times, is_coarse, random):
    table = make_accuracies(seed, 100, 1) if is_coarse else make_table(seed)
    rows = list(range(len(table))) * times
    random.shuffle(rows)
    pd.testing.assert_frame_equal(sort(drop(table.iloc[rows]).table), sort(drop(table).table))


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2]), st.integers(0, 6), st.sampled_from([None, 0.5, 0.53214]), st.integers(0, 3)),
        max_size=25,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_dropping_depends_on_no_order_and_happens_once(rows, has_id, random):
    table = pd.DataFrame(rows, columns=[TEMP, NUM_ERROR, LOSS, "id"]).astype({LOSS: float})
    if not has_id:
        table = table.drop(columns="id")
    shuffled = table.sample(frac=1, random_state=random.randrange(2**32))[random.sample(list(table), table.shape[1])]
    try:
        result = drop(table)
    except RequestError:
        with pytest.raises(RequestError):
            drop(shuffled)
        return
    pd.testing.assert_frame_equal(sort(drop(shuffled).table[list(table)]), sort(result.table))
    pd.testing.assert_frame_equal(drop(result.table).table, result.table)
    kept, all_rows = result.table.drop_duplicates(), table.drop_duplicates()
    assert len(kept) == len(all_rows)  # no row vanishes altogether


@pytest.mark.parametrize(
    "make",
    [
        make_table,
        lambda seed: make_table(seed, replicates=10, widths=(10, 20)),
        lambda seed: make_table(seed).assign(**{VAL_NUM_ERROR: make_table(seed + 1000)[NUM_ERROR]}),
        lambda seed: make_table(seed).assign(**{LOSS: lambda table: (table[NUM_ERROR] / 10_000).round(4)}),
        lambda seed: make_accuracies(seed, 100, 1),
        lambda seed: make_accuracies(seed, 450, 1),
        lambda seed: make_accuracies(seed, 450, 12),
        lambda seed: make_accuracies(seed, 10_000, 2),
        lambda seed: make_table(seed, p=0.0002),
    ],
)
def test_replicates_with_equal_results_stay(make):
    for seed in range(40):
        table = make(seed)
        assert drop(table).table is table
        assert drop(table.assign(id=range(100, 100 + len(table)))).notes == []


def test_replicates_that_fail_in_the_same_way_stay():
    for seed in range(10):
        table = make_table(seed, widths=(10, 20, 40, 80))
        is_failure = (table[TEMP] >= 4) & (np.random.default_rng(seed).random(len(table)) < 0.7)
        table[NUM_ERROR] = table[NUM_ERROR].mask(is_failure, 9_000)
        table[VAL_NUM_ERROR] = make_table(seed + 1000, widths=(10, 20, 40, 80))[NUM_ERROR].mask(is_failure, 9_000)
        assert drop(table).table is table


def test_replicates_without_any_error_stay():
    table = make_table(0, p=0)
    assert drop(table).table is table


def test_a_resumed_export_counts_once():
    """The first width stands in both exports; what is equal by chance within one of them stays."""
    for seed in range(20):
        table = make_table(seed, widths=(10, 20))
        result = drop(append(table[table[WIDTH] == 10], table))
        pd.testing.assert_frame_equal(sort(result.table), sort(table))
        assert "25 rows repeat another row in all columns" in result.notes[0]


@pytest.mark.parametrize(
    "columns",
    [
        {"id": [f"run-{i}" for i in range(25)]},
        {"start_time": [f"2024-05-01 10:{i:02d}" for i in range(25)], "host": "a"},
        {REPLICATE: list(range(5)) * 5},
        {LOSS: np.random.default_rng(0).normal(0.53, 0.01, 25).round(6)},
    ],
)
def test_a_single_row_is_a_copy_if_it_shares_what_replicates_do_not_share(columns):
    table = make_table(2).assign(**columns)
    result = drop(append(table, table.head(1)))
    pd.testing.assert_frame_equal(result.table, table)
    assert "1 row repeats another row in all columns" in result.notes[0]


@pytest.mark.parametrize("labels", [{"host": "a"}, {"id": [None, *(f"run-{i}" for i in range(24))]}])
def test_a_host_or_a_blank_id_tells_no_copies(labels):
    table = make_table(2).assign(**labels)
    doubled = append(table, table.head(1))
    assert drop(doubled).table is doubled


@pytest.mark.parametrize("replicate", [True, False])
def test_rows_that_are_equal_in_all_but_labels_are_refused(replicate):
    table = make_table(3).drop_duplicates()
    if replicate:
        table[REPLICATE] = range(len(table))
    n_logged_again = 2 if replicate else len(table)
    doubled = append(table, table.head(n_logged_again)).assign(host="a")
    doubled["id"] = range(len(doubled))
    with pytest.raises(RequestError) as raised:
        drop(doubled)
    message = str(raised.value)
    assert f"{n_logged_again} rows repeat another row in all columns but id, as at temp 1, width 10" in message
    assert "add --repeats once" in message
    assert ("give each its own value in replicate" if replicate else "add --repeats keep") in message
    assert "host" not in message

    once = drop(doubled, "once")
    assert len(once.table) == len(table)
    assert "--repeats once" in once.notes[0]
    keep = drop(doubled, "keep")
    assert keep.table is doubled
    assert f"{n_logged_again} rows repeat another row in all columns but id: taken" in keep.notes[0]


def test_runs_with_one_id_and_two_times_are_refused():
    table = make_table(3).assign(id=[f"run-{i}" for i in range(25)], start_time=[f"10:{i:02d}" for i in range(25)])
    with pytest.raises(RequestError, match=r"in all columns but start_time.*start_time 10:00 and 11:00"):
        drop(append(table, table.head(1).assign(start_time="11:00")))


def test_the_user_may_say_what_is_clear_already():
    table = make_table(4).drop_duplicates()
    assert drop(table, "once").table is table
    assert drop(table, "once").notes == drop(table, "keep").notes == []
    doubled = append(table, table)
    pd.testing.assert_frame_equal(drop(doubled, "once").table, table.reset_index(drop=True))
    assert drop(doubled, "keep").table is doubled
    assert "--repeats keep" in drop(doubled, "keep").notes[0]


@pytest.mark.parametrize("labels", [{}, {"id": range(1000, 1025)}])
@pytest.mark.parametrize("role", [TEACHER, BASELINE])
def test_a_teacher_that_stands_beside_each_student_counts_once(role, labels):
    students = make_table(5).assign(**{MODEL: STUDENT}, **({"id": range(25)} if labels else {}))
    teachers = pd.DataFrame({TEMP: np.nan, WIDTH: 10, NUM_ERROR: 100, MODEL: role}, index=range(25)).assign(**labels)
    result = drop(append(students, teachers))
    assert (result.table[MODEL] == role).sum() == 1
    assert (result.table[MODEL] == STUDENT).sum() == 25
    assert f"with model {role}" in result.notes[0]
    assert "each counts once" in result.notes[0]


def test_teachers_of_several_tasks_count_once_where_runs_are_missing():
    teachers = pd.DataFrame({WIDTH: [10] * 25 + [20] * 23, NUM_ERROR: [100] * 25 + [380] * 23, MODEL: TEACHER})
    result = drop(append(make_table(5, widths=(10, 20)).assign(**{MODEL: STUDENT}), teachers))
    assert result.table.loc[result.table[MODEL] == TEACHER, NUM_ERROR].tolist() == [100, 380]


def test_baselines_with_equal_results_by_chance_stay():
    for seed in range(20):
        baselines = make_table(seed, replicates=4).assign(**{MODEL: BASELINE, TEMP: np.nan})
        table = append(make_table(seed).assign(**{MODEL: STUDENT}), baselines)
        assert drop(table).table is table


def test_failed_runs_are_no_equal_results():
    table = make_table(1)
    table[NUM_ERROR] = table[NUM_ERROR].mask(table[TEMP] == 16)
    assert drop(table).table is table
    assert drop(table.assign(id=range(25))).notes == []
    pd.testing.assert_frame_equal(drop(append(table, table)).table, table)


def test_a_table_without_measures_stays():
    table = pd.DataFrame({TEMP: [1, 1], "note": ["a", "a"]})
    assert drop(table).table is table
    assert drop(table.head(0)).notes == []


@given(st.integers(20, 5_000), st.integers(0, 10**6), st.sampled_from([1, 100]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_accuracy_has_no_finer_step_than_one_example(examples, seed, unit, is_single):
    accuracies = unit * np.random.default_rng(seed).binomial(examples, 0.85, 30) / examples
    if is_single:
        accuracies = accuracies.astype(np.float32).astype(np.float64)
    step = find_step(accuracies)
    assert step == 0 or step >= 0.999 * unit / examples


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([3, 5, 9], 2),
        ([82.2, 82.5, 83.2], 0.1),
        ([0.1, 0.12, 0.1], 0.02),
        ([0.53214, 0.52199, 0.54001, 0.50102, 0.55555, 0.54783], 1e-5),
        ([1e300, 2e300], 1),
        ([5, 5, np.nan], 0),
    ],
)
def test_the_finest_step_between_values_is_found(values, step):
    assert find_step(np.array(values, float)) == pytest.approx(step)


def test_the_chance_of_equal_results_is_that_of_binomial_errors():
    """Two numbers of errors around 150 agree in 1 of 2 sqrt(pi) 12.2 pairs; accuracies and noisy copies add nothing."""
    random = np.random.default_rng(0)
    settings_of_rows = np.repeat(np.arange(40, dtype=np.uint64), 5)
    errors = random.binomial(10_000, 0.015, 200) + 1_000.0 * settings_of_rows
    runs = random.permutation(200).astype(np.uint64)
    alone = estimate_chance_repeats(errors[:, None], settings_of_rows, runs)
    assert alone.of_pair == pytest.approx(1 / (2 * np.sqrt(np.pi) * 12.2), rel=0.25)
    assert alone.expected == pytest.approx(400 * alone.of_pair)
    assert not alone.is_fine
    with_accuracy = estimate_chance_repeats(np.column_stack([errors, errors / 1e4]), settings_of_rows, runs)
    assert with_accuracy.of_pair == pytest.approx(alone.of_pair, rel=0.3)
    others = random.binomial(10_000, 0.015, 200)
    assert estimate_chance_repeats(np.column_stack([errors, others]), settings_of_rows, runs).of_pair == pytest.approx(
        alone.of_pair**2, rel=0.5
    )


def test_keys_depend_on_no_order_of_columns():
    table = make_table(0).assign(**{LOSS: 0.5, "id": range(25), "host": "a"})
    reversed_table = table[table.columns[::-1]]
    keys, others = (
        hash_rows(frame, measures, labels, None, np.ones(25, bool))
        for frame, measures, labels in (
            (table, [NUM_ERROR, LOSS], ["id", "host"]),
            (reversed_table, [LOSS, NUM_ERROR], ["host", "id"]),
        )
    )
    for name, array in vars(keys).items():
        np.testing.assert_array_equal(array, getattr(others, name))
    assert keys.ids.shape == (25, 1)  # a host is no id
