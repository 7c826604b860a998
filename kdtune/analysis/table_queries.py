"""Read, filter and export a table for `kdtune show` and `kdtune plot`."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    ACCURACY,
    CLASS_SEP,
    DETAIL_FILES,
    HARD_WEIGHT,
    ID,
    LABEL,
    MODEL,
    N_LABEL,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    RESULT_COLUMNS,
    SEEN,
    SHIFT_COLUMNS,
    STATUS,
    TEMP,
    TRANSFER,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.table import read_table, to_frame
from kdtune.text import nearest

_SHORT = (
    MODEL,
    CLASS_SEP,
    P_INFORMATIVE,
    TRANSFER,
    WIDTH,
    TEMP,
    HARD_WEIGHT,
    "bias_start",
    "bias_shift",
)
_FIGURES = (NUM_ERROR, ACCURACY, VAL_NUM_ERROR, STATUS)
_BY_CLASS = (LABEL, N_LABEL, NUM_ERROR, ACCURACY, SEEN)


def locate_table(results: str) -> Path:
    """The Parquet file of a folder, of a sweep's name under results/, or the file itself.

    Raises
    ------
    RequestError
        If there is none.
    """
    try:
        for path in (Path(results), Path("results") / results):
            if path.is_file():
                return path
            if (path / "table.parquet").is_file():
                return path / "table.parquet"
    except OSError as error:
        raise RequestError(f"{results}: {error.strerror}") from None
    known = sorted(str(path.parent) for path in Path("results").glob("*/table.parquet"))
    hint = f"; {nearest(results, known)}" if known else "; `kdtune sweep` makes one"
    raise RequestError(f"{results}: there is no table there{hint}")


def read_sweep_table(results: str) -> pd.DataFrame:
    """The table as a DataFrame; RequestError if it is torn or no table of networks."""
    path = locate_table(results)
    try:
        return to_frame(read_table(path))
    except ValueError as error:
        raise RequestError(str(error).replace(path.name, str(path), 1)) from None


def read_details(results: str, name: str) -> pd.DataFrame | None:
    """A file of details beside the table; None if there is none."""
    path = locate_table(results).with_name(name)
    if not path.is_file():
        return None
    try:
        return to_frame(pq.read_table(path, columns=list(DETAIL_FILES[name])))
    except (OSError, pa.ArrowException) as error:
        raise RequestError(f"{path}: is torn or another's: {str(error).splitlines()[0]}; run the sweep again") from None


def describe_lag(path: Path) -> str | None:
    """What to say of a table that is older than the rows beside it."""
    parts = [part.stat().st_mtime for part in (path.parent / "parts").glob("[!.]*.parquet")]
    if path.name == "table.parquet" and parts and max(parts) > path.stat().st_mtime:
        return f"{path.parent}: rows have come since the table was written; the sweep runs, or was killed: run it again"
    return None


def query(table: pd.DataFrame, columns: str | None, where: str | None, sort: str | None) -> pd.DataFrame:
    """Rows and columns that were asked for, all mistakes as one RequestError each."""
    if where:
        try:
            chosen_rows = table.eval(where, engine="python", local_dict={}, global_dict={})
            if not isinstance(chosen_rows, pd.Series) or chosen_rows.dtype != bool:
                raise ValueError("is no condition; compare a column with a value")
            table = table[chosen_rows]
        except Exception as error:  # pandas lets through whatever the expression raises
            raise RequestError(f"--where {where}: {str(error).splitlines()[0]}") from None
    if sort:
        names = [name.strip() for name in sort.split(",")]
        _check([name.lstrip("-") for name in names], table, "--sort")
        table = table.sort_values(
            [name.lstrip("-") for name in names], ascending=[not n.startswith("-") for n in names], kind="stable"
        )
    if columns == "all":
        return table
    if columns:
        chosen = list(dict.fromkeys(name.strip() for name in columns.split(",")))
        _check(chosen, table, "--columns")
    else:
        figures = _BY_CLASS if SEEN in table.columns else _FIGURES
        kinds = ["architecture"] if "architecture" in table.columns and table["architecture"].nunique() > 1 else []
        all_names = dict.fromkeys([MODEL, *kinds, *_SHORT, *find_cell_columns(table), REPLICATE, *figures])
        there = [name for name in all_names if name in table.columns]
        chosen = [name for name in there if table[name].notna().any() or name == STATUS]
    return table[chosen]


def join_classes(results: str, table: pd.DataFrame) -> pd.DataFrame:
    """A row for each network and class: its settings, and its errors on that class.

    Raises
    ------
    RequestError
        If they were not kept.
    """
    classes = read_details(results, "per_class.parquet")
    if classes is None:
        raise RequestError(f"{results}: no errors by class are kept there; nothing is done, or long ago")
    return table.drop(columns=[*RESULT_COLUMNS, *SHIFT_COLUMNS], errors="ignore").merge(classes, on=ID)


def export_table(table: pd.DataFrame, kind: str, output: Path | None) -> None:
    """Write a table as text or Parquet, to a file or to standard output."""
    try:
        if kind == "parquet":
            table.to_parquet(output or sys.stdout.buffer, index=False)
            return
        if kind == "json":
            text = table.to_json(orient="records", indent=2, double_precision=15) + "\n"
        elif kind == "csv":
            text = table.to_csv(index=False)
        else:
            text = table.to_string(index=False) + "\n"
        if output:
            output.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RequestError(f"{output}: cannot be written: {error.strerror or error}") from None


def _check(names: list[str], table: pd.DataFrame, option: str) -> None:
    for name in names:
        if name not in table.columns:
            raise RequestError(f"{option}: there is no column {name!r}; {nearest(name, table.columns)}")
