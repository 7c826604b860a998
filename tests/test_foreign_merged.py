"""Merged cells of a spreadsheet, of which a file has the first row only, are not taken for baselines."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kdtune import analyze
from kdtune.foreign.merged_cells import find_merged_columns
from tests.planted_tables import BEST, make_runs
from tests.test_foreign_roles import mend, refuse


def merge(runs: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return runs sorted by some columns, whose values stand where they change only."""
    table = runs.sort_values([*names, "replicate"], ignore_index=True)
    for position in range(len(names), 0, -1):
        keys = list(names[:position])
        table[names[position - 1]] = table[names[position - 1]].where(~table.duplicated(keys))
    return table


@pytest.mark.parametrize("names", [("temp",), ("temp", "width"), ("width", "temp")])
@pytest.mark.parametrize("separator", [",", ";"])
def test_merged_cells_are_filled_by_the_message(names: tuple[str, ...], separator: str, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    merge(make_runs(), *names).to_csv(path, index=False, sep=separator)
    message = refuse(path)
    assert "perhaps cells of a spreadsheet were merged" in message
    assert "where" not in message
    assert "model with 'student' in the rows of students that were trained on labels alone" in message
    assert analyze(mend(message)).t_opt["T_opt"].tolist() == list(BEST.values())


@pytest.mark.parametrize(
    ("temperatures", "is_merged"),
    [
        ([1, None, None, 2, None, None], True),
        ([1, None, None, 2, None], True),  # not complete yet
        ([1, 2, None, 1, 2, None], False),  # a baseline after each sweep
        ([1, None, None, 2, None, 4], False),
        ([None, 1, None, 2], False),
        ([1, None, None], False),
        ([1, 2, 3], False),
    ],
)
def test_blocks_of_equal_length_are_merged_cells(temperatures: list[float | None], is_merged: bool) -> None:
    table = pd.DataFrame({"temp": temperatures, "replicate": range(len(temperatures))})
    assert find_merged_columns(table) == (["temp"] if is_merged else [])


def test_baselines_that_alternate_with_students_are_not_called_merged_cells() -> None:
    runs = make_runs()
    pairs = [pd.DataFrame([row, {**row, "temp": None, "exp": "scratch"}]) for row in runs.to_dict("records")]
    message = refuse(pd.concat(pairs, ignore_index=True).fillna({"exp": "ours"}))
    assert "merged" not in message
    assert "exp has 'scratch' in these rows" in message
