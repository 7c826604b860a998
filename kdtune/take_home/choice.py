"""Choose the network to take home: of a setting's students that of the answer, or the one with an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import format_setting
from kdtune.columns import (
    BASELINE,
    DONE,
    ERROR,
    ID,
    MODEL,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
    VAL_NLL,
)
from kdtune.errors import RequestError
from kdtune.text import find_nearest, format_number, pluralize, suggest_nearest

Row = dict[str, Any]  # of a table, by column
MAX_LISTED = 12  # settings in a message
MODEL_NAMES = {STUDENT: "distilled student", BASELINE: "baseline", "teacher": "teacher"}


@dataclass(frozen=True)
class Choice:
    """The network to take home.

    Attributes
    ----------
    row, teacher_row : its row of the table, and that of its teacher; None where it has none.
    position : which of the answer's settings it is a student of; None for other networks.
    n_candidates : the replicates that it was chosen from; 0 if the user named it by its id.
    """

    row: Row
    teacher_row: Row | None
    position: int | None
    n_candidates: int = 0


def choose_by_cell(
    table: pd.DataFrame, answer: Answer, settings: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str]
) -> Choice:
    """Choose the student at the best T of a setting; of its replicates the best on the validation split.

    Parameters
    ----------
    table, answer : a sweep's table, and what it says.
    settings : columns with values that name the setting; as many as it takes to tell it from others.
    write : writes the settings of a cell as the user gives them.

    Raises
    ------
    RequestError
        If the settings fit no cell, or several.
    """
    position = _find_cell(answer, settings, write)
    cell, T = answer.cells[position], answer.t_opt["T_opt"].iloc[position]
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE) & (table[TEMP] == T)]
    students = students[is_in_cell(students, cell.settings)]
    order = [name for name in (answer.selection_measure, VAL_NLL, REPLICATE) if name in students.columns]
    best = students.sort_values(order, kind="stable").iloc[0]
    return Choice(_to_row(best), _find_teacher(table, best), position, len(students))


def choose_by_id(table: pd.DataFrame, answer: Answer | None, id: str) -> Choice:
    """Choose the network with an id; its first digits are enough if they are unique.

    Raises
    ------
    RequestError
        If there is none, or several, or it has failed.
    """
    matches = table[table[ID].str.startswith(id)] if id else table.head(0)
    if len(matches) > 1:
        raise RequestError(f"id {id!r} begins the ids of {len(matches)} networks; give more digits")
    if matches.empty:
        nearest_id = find_nearest(id, table[ID])
        hint = f"; did you mean {nearest_id}?" if nearest_id else "; `kdtune show -c id,model,temp` lists them"
        raise RequestError(f"the table has no network with the id {id!r}{hint}")
    row = matches.iloc[0]
    if row[STATUS] != DONE:
        raise RequestError(f"network {row[ID]} is {row[STATUS]}: {row[ERROR]}; choose one that is done")
    position = None
    if row[MODEL] == STUDENT and answer is not None:
        positions = [index for index, cell in enumerate(answer.cells) if is_in_cell(matches, cell.settings).all()]
        position = positions[0] if positions else None
    return Choice(_to_row(row), _find_teacher(table, row), position)


def _find_cell(answer: Answer, settings: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str]) -> int:
    """Return the position of the only cell that has these settings."""
    for name in settings:
        if name not in answer.cell_columns:
            reason = f"choose from {', '.join(answer.cell_columns)}" if answer.cell_columns else "there is one setting"
            nearest_name = suggest_nearest(name, answer.cell_columns) if answer.cell_columns else reason
            raise RequestError(f"cell: {name!r} does not tell the settings of this table apart; {nearest_name}")
    matches = [
        index
        for index, cell in enumerate(answer.cells)
        if all(_is_equal(cell.settings[name], value) for name, value in settings.items())
    ]
    if len(matches) == 1:
        return matches[0]
    cells = [answer.cells[index] for index in matches] or list(answer.cells)
    listed = _list_cells(cells, write)
    if not matches:
        named = format_setting(list(settings), list(settings.values()))
        has_failed = [text for text in answer.cells_without_results if text == named]
        problem = "has no results" if has_failed else "does not exist"
        raise RequestError(f"cell: the setting {named} {problem}; choose one of:\n{listed}")
    count = pluralize(len(matches), "setting")
    raise RequestError(f"cell: the table has {count}; choose one of:\n{listed}")


def _list_cells(cells: list[Cell], write: Callable[[Mapping[str, Any]], str]) -> str:
    lines = [f"  {write(cell.settings)}" for cell in cells[:MAX_LISTED]]
    if len(cells) > MAX_LISTED:
        lines.append(f"  ... and {len(cells) - MAX_LISTED:,} more")
    return "\n".join(lines)


def _is_equal(value: Any, wanted: Any) -> bool:
    """Return whether a value of a table is what the user wrote, as text or as a value; a null is ``none``."""
    if value is None or pd.isna(value):
        return wanted is None or str(wanted).lower() in ("none", "-", "")
    if format_number(value) == str(wanted) or str(value) == str(wanted):
        return True
    try:
        return float(value) == float(wanted)
    except (TypeError, ValueError):
        return False


def is_in_cell(students: pd.DataFrame, settings: Mapping[str, Any]) -> pd.Series:
    """Return for each row whether it has these settings."""
    is_inside = pd.Series(data=True, index=students.index)
    for name, value in settings.items():
        is_inside &= students[name].isna() if value is None or pd.isna(value) else students[name] == value
    return is_inside


def _find_teacher(table: pd.DataFrame, row: pd.Series) -> Row | None:
    """Return the row of a student's teacher; of a baseline, which has none, nothing."""
    if TEACHER_ID not in table.columns or pd.isna(row[TEACHER_ID]):
        return None
    teachers = table[table[ID] == row[TEACHER_ID]]
    return None if teachers.empty else _to_row(teachers.iloc[0])


def _to_row(row: pd.Series) -> Row:
    return {str(name): None if _is_null(value) else value for name, value in row.items()}


def _is_null(value: Any) -> bool:
    is_missing = pd.isna(value)
    return bool(is_missing) if isinstance(is_missing, bool) or getattr(is_missing, "ndim", 1) == 0 else False
