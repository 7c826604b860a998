"""Select rows and columns of a sweep's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.class_names import add_class_names
from kdtune.analysis.table_files import locate_table, read_details
from kdtune.columns import (
    ACCURACY,
    CLASS_NAME,
    CLASS_SEP,
    HARD_WEIGHT,
    ID,
    LABEL,
    LOGIT_STD,
    MODEL,
    N_LABEL,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    RESULT_COLUMNS,
    SEEN,
    SHIFT_COLUMNS,
    SOFTMAX_ENTROPY,
    STATUS,
    TEACHER,
    TEMP,
    TRANSFER,
    VAL_NUM_ERROR,
    VALIDATION_MEASURES,
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.table_facts import find_facts
from kdtune.text import suggest_nearest

_LISTED_COLUMNS = 12  # in a message
_MAIN_SETTINGS = (CLASS_SEP, P_INFORMATIVE, TRANSFER, WIDTH, TEMP, HARD_WEIGHT, "bias_start", "bias_shift")
_RESULTS = (NUM_ERROR, ACCURACY, VAL_NUM_ERROR, STATUS)
_RESULTS_BY_CLASS = (LABEL, CLASS_NAME, N_LABEL, NUM_ERROR, ACCURACY, SEEN)


def query_table(
    table: pd.DataFrame, columns: str | None, where: str | None, sort: str | None, select: str = NUM_ERROR
) -> pd.DataFrame:
    """Return the selected rows and columns of a table.

    Parameters
    ----------
    table : One row per network.
    columns : The names of columns, separated by commas, or "all". None selects the main settings and results.
    where : A condition in terms of columns, as in ``"width > 20"``.
    sort : The names of columns, separated by commas. A minus in front of a name sorts in descending order.
    select : The measure that T is chosen by, which is among the main results.

    Raises
    ------
    RequestError
        If a column does not exist, or ``where`` is not a condition.
    """
    if where:
        table = select_rows(table, where)
    if sort:
        table = _sort_rows(table, sort)
    if columns == "all":
        return table
    if columns is None or not columns:
        return table[_choose_columns(table, select)]
    names = list(dict.fromkeys(name.strip() for name in columns.split(",")))
    _check_columns(names, table, "--columns")
    return table[names]


def select_rows(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the rows that fulfil a condition in terms of columns, as in ``"width > 20"``.

    Raises
    ------
    RequestError
        If it is not a condition.
    """
    try:
        is_selected = table.eval(where, engine="python", local_dict={}, global_dict={})
    except Exception as error:  # The expression is the user's and may raise anything.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        hint = (
            "write == for equal, put names with blanks or other marks between backquotes, and the whole condition "
            "between single quotes, as in --where '`my width` == 10'"
        )
        listed = ", ".join(map(str, table.columns[:_LISTED_COLUMNS]))
        raise RequestError(f"--where {where}: {reason}; the columns are {listed}; {hint}") from None
    if isinstance(is_selected, pd.Series) and is_selected.dtype == "boolean":
        is_selected = is_selected.fillna(False).astype(bool)  # a comparison with a missing value holds for no row
    if not isinstance(is_selected, pd.Series) or is_selected.dtype != bool:
        raise RequestError(
            f'--where {where}: this is not a condition; compare a column with a value, as in "width == 10"'
        )
    return table[is_selected]


def _sort_rows(table: pd.DataFrame, sort: str) -> pd.DataFrame:
    keys = [key.strip() for key in sort.split(",")]
    names = [key.lstrip("-") for key in keys]
    _check_columns(names, table, "--sort")
    return table.sort_values(names, ascending=[not key.startswith("-") for key in keys], kind="stable")


def _choose_columns(table: pd.DataFrame, select: str) -> list[str]:
    """Return the columns with the main settings and results of a network, without those that are all null."""
    results = [name for name in _RESULTS if name != STATUS]
    results += [select, VALIDATION_MEASURES.get(select, select), STATUS]
    names = [MODEL]
    if "architecture" in table.columns and table["architecture"].nunique() > 1:
        names.append("architecture")
    settings = [name for name in find_cell_columns(table) if name not in _RESULTS_BY_CLASS]
    names += [*_MAIN_SETTINGS, *settings, REPLICATE]
    names += _RESULTS_BY_CLASS if SEEN in table.columns else results
    if SEEN not in table.columns and (table[MODEL] == TEACHER).all():
        names += [LOGIT_STD, SOFTMAX_ENTROPY]  # what T acts on
    if CLASS_NAME in table.columns:
        names = [name for name in names if name != LABEL]  # The class is called by its name.
    existing_names = [name for name in dict.fromkeys(names) if name in table.columns]
    return [name for name in existing_names if name == STATUS or table[name].notna().any()]


def _check_columns(names: Sequence[str], table: pd.DataFrame, option: str) -> None:
    for name in names:
        if name not in table.columns:
            raise RequestError(f"{option}: there is no column {name!r}; {suggest_nearest(name, table.columns)}")


def join_classes(results: str | Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network and class: its settings, and its errors on that class.

    Where the user's classes have names, the column ``class_name`` has them beside ``label``, the number of the class.

    Raises
    ------
    RequestError
        If the sweep did not record them.
    """
    classes = read_details(results, "per_class.parquet")
    if classes is None:
        raise RequestError(
            f"{results}: there are no errors by class; no network is done, or an old version trained them"
        )
    by_class = table.drop(columns=[*RESULT_COLUMNS, *SHIFT_COLUMNS], errors="ignore").merge(classes, on=ID)
    facts = find_facts(locate_table(results))
    return by_class if facts is None else add_class_names(by_class, facts.class_names)
