"""Temperatures of tables from elsewhere: close numbers are one, rows without T are baselines or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtune.columns import BASELINE, DONE, FAILED, MODEL, NUM_ERROR, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.temperatures import join_close_numbers, read_temperatures


def make_table(temperatures, **columns) -> pd.DataFrame:
    table = pd.DataFrame({TEMP: temperatures, NUM_ERROR: range(150, 150 + len(temperatures))})
    return table.assign(**{MODEL: STUDENT, STATUS: DONE} | columns)


@pytest.mark.parametrize(
    ("values", "joined", "count"),
    [
        ([1.7782794100389228, 1.778279410038923], [1.778279410038923] * 2, 1),
        ([0.30000000000000004, 0.3, 0.6], [0.3, 0.3, 0.6], 1),
        ([float(np.float32(0.1)), 0.1], [0.1, 0.1], 1),
        ([1e-3, 0.0010000000474974513], [1e-3, 1e-3], 1),
        ([1.77828, 10**0.25, 1.15478, 10**0.0625], [1.77828, 1.77828, 1.15478, 1.15478], 2),
        ([2.0000001, 2.0000002, 2.0000002], [2.0000002] * 3, 1),  # as long as the other, and more frequent
        ([-0.30000000000000004, -0.3, 0.0], [-0.3, -0.3, 0.0], 1),
        ([1.0, 1.00001, np.nan, np.inf], [1.0, 1.00001, np.nan, np.inf], 0),
        ([1_000_001.0, 1_000_002.0], [1_000_001.0, 1_000_002.0], 0),
        ([1_000_000.9, 1_000_001.0, 1_000_002.0], [1_000_001.0, 1_000_001.0, 1_000_002.0], 1),
        ([0.0, 5e-324], [0.0, 5e-324], 0),
        ([], [], 0),
    ],
)
def test_numbers_that_agree_to_six_digits_are_one(values, joined, count):
    result, n_joined = join_close_numbers(pd.Series(values, dtype=float, name=TEMP))
    pd.testing.assert_series_equal(result, pd.Series(joined, dtype=float, name=TEMP), check_exact=True)
    assert n_joined == count


@pytest.mark.parametrize("values", [[1_000_001, 1_000_002], ["0.3", "0.30000000000000004"], [True, False]])
def test_values_that_differ_by_more_or_are_no_numbers_stay(values):
    column = pd.Series(values)
    result, count = join_close_numbers(column)
    assert result is column
    assert count == 0


@given(
    st.lists(st.integers(1, 999_999), min_size=1, max_size=12, unique=True),
    st.integers(-8, 8),
    st.lists(st.tuples(st.integers(0, 11), st.integers(-3, 3)), min_size=1, max_size=60),
)
def test_a_grid_computed_in_several_ways_is_one(mantissas, exponent, picks):
    """Numbers of six digits, off by some of their last bits, become as many numbers as there were."""
    grid = [float(f"{mantissa}e{exponent}") for mantissa in mantissas]
    numbers = [grid[i % len(grid)] * (1 + n_bits * np.finfo(float).eps) for i, n_bits in picks]
    picked = [grid[i % len(grid)] for i, _ in picks]
    result, count = join_close_numbers(pd.Series(numbers))
    assert result.nunique() == len(set(picked))
    assert count == len(set(numbers)) - len(set(picked))
    np.testing.assert_allclose(result, picked, rtol=1e-15)
    for number, value in zip(picked, result, strict=True):
        if number in numbers:
            assert value == number  # the shortest text


@given(st.floats(1e-3, 1e3), st.integers(2, 40), st.floats(1e-9, 1e-6))
def test_chains_of_close_numbers_do_not_drift(first, length, step):
    values = pd.Series([first * (1 + step * i) for i in range(length)])
    result, count = join_close_numbers(values)
    unit = 10.0 ** (np.floor(np.log10(values)) - 5)
    assert (np.abs(result - values) <= 0.500001 * unit).all()
    assert count == values.nunique() - result.nunique()
    assert set(result) <= set(values)


@given(st.lists(st.sampled_from([0.1, 0.1 + 1e-9, 0.3, 0.1 + 0.2, 2.0]), min_size=1, max_size=20), st.randoms())
def test_joining_depends_on_no_order(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    column = pd.Series(values)
    pd.testing.assert_series_equal(join_close_numbers(column.iloc[order])[0], join_close_numbers(column)[0].iloc[order])


@pytest.mark.parametrize(
    ("temperatures", "message"),
    [
        ([1, "soft", "soft"], "must be a positive number (0.000001 to 1,000,000), not 'soft', as in 2 rows"),
        ([1, -2], "must be a positive number (0.000001 to 1,000,000), not -2, as in 1 row"),
        ([1, np.inf], "must be a positive number (0.000001 to 1,000,000), not inf"),
        ([True, True], "must be a positive number (0.000001 to 1,000,000), not True"),
        ([1, None, 0], "is empty or 0 in 2 rows"),
        ([1, np.nan], "is empty or 0 in 1 row"),
    ],
)
def test_students_without_a_temperature_are_refused(temperatures, message):
    with pytest.raises(RequestError) as raised:
        read_temperatures(make_table(temperatures))
    assert str(raised.value).startswith(f"{TEMP} ")
    assert message in str(raised.value)
    if "must be" in message:
        assert "--map temp=NAME" in str(raised.value)
    else:
        assert "a column model with 'student' in their rows and 'distilled_student' in the others" in str(raised.value)


@pytest.mark.parametrize("blank", [None, 0])
@pytest.mark.parametrize(
    ("name", "weights"), [("alpha", [0.9, 0, 0]), ("config/kd_alpha", [1, 0, 0]), ("hard_weight", [0.1, 1, 1])]
)
def test_rows_trained_on_labels_alone_are_baselines(name, weights, blank):
    table, notes = read_temperatures(make_table([4, blank, blank], **{name: weights}))
    assert table[MODEL].tolist() == [STUDENT, BASELINE, BASELINE]
    assert table[TEMP].isna().tolist() == [False, True, True]
    assert notes == [f"2 rows without T are baselines, trained on labels alone: {name} = {max(0, weights[1])} says so."]


@pytest.mark.parametrize(
    ("name", "weight"), [("alpha", 1), ("alpha", None), ("hard_weight", 0), ("mixup_alpha", 0), ("lr", 0)]
)
def test_other_weights_mark_no_baseline(name, weight):
    with pytest.raises(RequestError, match="is empty or 0 in 2 rows"):
        read_temperatures(make_table([4, None, None], **{name: [0.5, weight, weight]}))


def test_a_weight_makes_no_baseline_of_a_row_with_a_temperature():
    table, notes = read_temperatures(make_table([4, 8], alpha=0))
    assert table[MODEL].tolist() == [STUDENT, STUDENT]
    assert notes == []


@pytest.mark.parametrize("value", [None, 0, "none", -1, np.inf])
def test_teachers_and_baselines_need_no_temperature(value):
    table, notes = read_temperatures(make_table([4, value, value], **{MODEL: [STUDENT, TEACHER, BASELINE]}))
    assert table[MODEL].tolist() == [STUDENT, TEACHER, BASELINE]
    assert table[TEMP].dtype == np.float64
    assert table[TEMP].isna().tolist() == [False, True, True]
    assert notes == []


def test_failed_runs_without_a_temperature_are_left_out():
    table, _ = read_temperatures(make_table([4, None, "none", 8], **{STATUS: [DONE, FAILED, FAILED, FAILED]}))
    assert table[TEMP].tolist() == [4, 8]


def test_text_of_numbers_is_read():
    table, _ = read_temperatures(make_table(["1", "2.5", "1e1"]))
    assert table[TEMP].tolist() == [1, 2.5, 10]
