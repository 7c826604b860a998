"""The numbers of a table's rows, against pandas' own grouping."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from kdtune.analysis.row_numbers import RowNumbers, list_first_of_pairs, number_pairs

_VALUES = (
    st.sampled_from([1.0, 2.5, None, float("nan")]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from([0, 1, 7]),
    st.just("same"),
    st.integers(0, 10**12),
)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a table of up to 12 rows and four columns of different kinds."""
    n_rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(_VALUES), min_size=1, max_size=4))
    return pd.DataFrame(
        {f"c{place}": draw(st.lists(kind, min_size=n_rows, max_size=n_rows)) for place, kind in enumerate(kinds)}
    )


@given(tables())
def test_rows_have_one_number_where_pandas_puts_them_into_one_group(table: pd.DataFrame) -> None:
    names = list(table.columns)
    numbers = RowNumbers(table).number(names)
    groups = table.groupby(names, dropna=False, sort=False).ngroup().to_numpy()
    assert ((numbers[:, None] == numbers) == (groups[:, None] == groups)).all()


@given(tables())
def test_duplicates_are_those_of_pandas(table: pd.DataFrame) -> None:
    names = list(table.columns)
    rows = RowNumbers(table)
    assert rows.has_duplicates(names) == table.duplicated().any()
    assert rows.count_values(names[0]) == table[names[0]].nunique(dropna=False)
    assert set(rows.list_values(names[0])) == set(table[names[0]].dropna())


@given(tables(), st.data())
def test_the_combinations_of_selected_rows_are_those_of_pandas(table: pd.DataFrame, data: st.DataObject) -> None:
    n_rows = len(table)
    is_selected = np.array(data.draw(st.lists(st.booleans(), min_size=n_rows, max_size=n_rows)))
    rows = RowNumbers(table)
    combinations = rows.select_combinations(list(table.columns), is_selected)
    pd.testing.assert_frame_equal(combinations, table[is_selected].drop_duplicates(keep="last"))
    values = rows.list_values(str(table.columns[0]), is_selected)
    assert set(values) == set(table[is_selected].iloc[:, 0].dropna())


@given(tables())
def test_the_rows_of_a_value_are_found(table: pd.DataFrame) -> None:
    for name in table.columns:
        value = table[name].iloc[0]
        if not pd.isna(value):
            assert (RowNumbers(table).find_rows(name, value) == (table[name] == value).fillna(False)).all()


def test_numbers_follow_a_table_with_other_columns_but_not_one_with_fewer_rows() -> None:
    table = pd.DataFrame({"a": [3, 3, 5, 5], "b": [1, 2, 1, 1]})
    rows = RowNumbers(table)
    assert rows.has_duplicates(["a", "b"])
    assert rows.follow(table.drop(columns="b")).number(["a"]).tolist() == [0, 0, 1, 1]
    assert not rows.follow(table.iloc[:3]).has_duplicates(["a", "b"])


def test_many_possible_pairs_are_numbered_without_a_place_for_each() -> None:
    first = np.arange(1000)
    numbers, firsts = number_pairs(first, first[::-1].copy())
    assert len(np.unique(numbers)) == 1000
    assert sorted(firsts) == first.tolist()
    assert sorted(list_first_of_pairs(first, first[::-1].copy())) == first.tolist()
