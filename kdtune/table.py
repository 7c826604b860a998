"""The table: one row per network, as Arrow tables and Parquet files.

What does not apply to a network is null. The columns stand in ``kdtune.columns``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kdtune.columns import COLUMN_TYPES, DETAIL_TYPES, DIVERGED, DONE, ERROR, FAILED, ID, INTEGER, MODEL, STATUS
from kdtune.files.atomic import write_atomically
from kdtune.files.storage_errors import classify_read_errors, convert_os_errors
from kdtune.table_facts import list_attributes


def rows_to_arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Build an Arrow table: first the columns that every table has, typed even where all are null, then the others."""
    other_names = dict.fromkeys(name for row in rows for name in row if name not in COLUMN_TYPES)
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in COLUMN_TYPES.items()}
    columns |= {name: _make_array([row.get(name) for row in rows], DETAIL_TYPES.get(name)) for name in other_names}
    return pa.table(columns)


def _make_array(values: list[Any], kind: pa.DataType | None) -> pa.Array:
    """Return a column; settings of several types, such as "sqrt" and 0.5, become text."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file, completely or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    write_atomically(path, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))


def write_chunks(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables of one schema into one Parquet file, holding only one of them in memory.

    If all are empty, the file is removed instead.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    chunks = (table for table in tables if len(table))
    first_chunk = next(chunks, None)
    if first_chunk is None:
        with convert_os_errors(f"remove {path}"):
            path.unlink(missing_ok=True)
        return

    def write_to(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, first_chunk.schema) as writer:
            for chunk in chain([first_chunk], chunks):
                writer.write_table(chunk)

    write_atomically(path, write_to)


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file of rows.

    Raises
    ------
    ValueError
        If it does not exist, is torn, no Parquet file, or lacks the id, model or status of its networks.
    StorageError
        If the system cannot read it at the moment.
    """
    with classify_read_errors(path):
        if not path.is_file():
            raise ValueError(f"{path.name} is not a file")
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
            return _check_columns(table, path.name)
        except pa.ArrowException as error:
            raise ValueError(f"{path.name} is torn or not a table: {str(error).splitlines()[0]}") from error


def _check_columns(table: pa.Table, file_name: str) -> pa.Table:
    """Return a table with the types of ``COLUMN_TYPES``; ValueError if it is not a table of kdtune."""
    repeated_names = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated_names:
        raise ValueError(f"{file_name} is not a table of kdtune: it has two columns called {min(repeated_names)}")
    missing_names = [name for name in (ID, MODEL, STATUS) if name not in table.column_names]
    if missing_names:
        raise ValueError(f"{file_name} is not a table of kdtune: it has no column {', '.join(missing_names)}")
    if table[ID].null_count:
        raise ValueError(f"{file_name} is not a table of kdtune: it has rows without id")
    for index, name in enumerate(table.column_names):
        if name in COLUMN_TYPES:
            table = table.set_column(index, name, table[name].cast(COLUMN_TYPES[name]))
        elif name in DETAIL_TYPES and not _is_like(table[name].type, DETAIL_TYPES[name]):
            raise ValueError(f"{file_name} is not a table of kdtune: its column {name} is of type {table[name].type}")
    return table


def _is_like(kind: pa.DataType, expected: pa.DataType) -> bool:
    """Return whether tables with these types of a column can be merged, as those of two versions of kdtune must."""
    if pa.types.is_null(kind):
        return True
    if pa.types.is_list(expected):
        return pa.types.is_list(kind) and _is_like(kind.value_type, expected.value_type)
    for is_kind in (pa.types.is_integer, pa.types.is_struct):
        if is_kind(expected):
            return bool(is_kind(kind))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables below each other; a setting that is text in one and a number in another becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        kinds: dict[str, set[pa.DataType]] = {}
        for table in tables:
            for field in table.schema:
                if not pa.types.is_null(field.type):
                    kinds.setdefault(field.name, set()).add(field.type)
        mixed_names = {name for name, types in kinds.items() if len(types) > 1 and not all(map(_is_number, types))} - (
            COLUMN_TYPES.keys() | DETAIL_TYPES.keys()
        )
        text_tables = []
        for table in tables:
            for name in mixed_names.intersection(table.column_names):
                table = table.set_column(table.column_names.index(name), name, _to_text(table[name]))
            text_tables.append(table)
        return pa.concat_tables(text_tables, promote_options="permissive")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _to_text(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as text: as Arrow writes its values or, of types that it does not write, as Python does."""
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


def merge_tables(tables: Iterable[pa.Table]) -> pa.Table:
    """Merge tables into one with one row per network.

    Of several rows of a network a final one is kept rather than one that is tried again, then a later one rather
    than an earlier one.
    """
    table = _concatenate([rows_to_arrow([]), *tables])
    network_of_row, unique_ids = pd.factorize(table[ID].to_numpy())
    if len(unique_ids) == len(table):
        return table
    final_rows = pc.fill_null(is_final(table), False).to_numpy(zero_copy_only=False)
    # The row to keep comes last in this order, so that it overwrites the others of its network.
    row_order = np.concatenate([np.flatnonzero(~final_rows), np.flatnonzero(final_rows)])
    row_of_network = np.empty(len(unique_ids), np.int64)
    row_of_network[network_of_row[row_order]] = row_order
    return table.take(pa.array(row_of_network))


def is_final(table: pa.Table) -> pa.ChunkedArray:
    """Return which rows are results: done or diverged. Networks that crashed or were skipped are tried again."""
    is_failed = pc.equal(table[STATUS], FAILED)
    is_divergence = pc.starts_with(pc.fill_null(table[ERROR], ""), DIVERGED)
    return pc.or_(pc.equal(table[STATUS], DONE), pc.and_(is_failed, is_divergence))


def get_final_ids(table: pa.Table) -> set[str]:
    """Return the ids of networks that have a final row."""
    return set(table[ID].filter(is_final(table)).to_pylist())


def select_networks(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """Select the rows of networks, in the order of ``ids``, as ``table.parquet`` holds them.

    First come the columns that every table has, then settings by name. Details and settings that are null in every
    row are dropped, and so are lists and mappings, which would be details of another version. An id without a row is
    left out.
    """
    table = order_by_ids(drop_details(table), ids)
    setting_names = sorted(name for name in table.column_names if name not in COLUMN_TYPES)
    return table.select([*COLUMN_TYPES, *(name for name in setting_names if table[name].null_count < len(table))])


def drop_details(table: pa.Table) -> pa.Table:
    """Return a table without details: those of this version, and lists and mappings, which are those of another."""
    names = [field.name for field in table.schema if field.name in DETAIL_TYPES or pa.types.is_nested(field.type)]
    return table.drop_columns(names)


def order_by_ids(table: pa.Table, ids: Sequence[str] | pa.ChunkedArray) -> pa.Table:
    """Select the rows of networks, in the order of ``ids``; an id without a row is left out."""
    ids_array = ids if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string())
    row_indices = pc.index_in(ids_array, value_set=table[ID]).drop_null()
    if isinstance(row_indices, pa.ChunkedArray):
        row_indices = row_indices.combine_chunks()
    # Copying a table of a million rows takes seconds, and mostly it has that order already.
    if row_indices.equals(pa.array(np.arange(len(table), dtype=np.int32))):
        return table
    return table.take(row_indices)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert a table to pandas; integers stay integers where some are null (a seed would lose its last digits)."""
    # An index that pandas wrote is read as an ordinary column, and dropped if it only numbers rows.
    table = table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    frame.attrs |= list_attributes(table)
    for name in table.column_names:
        if table[name].type == INTEGER and table[name].null_count:
            frame[name] = table[name].to_pandas(types_mapper=lambda _: pd.Int64Dtype())
    return frame
