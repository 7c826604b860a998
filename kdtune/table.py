"""The table: one row a network, in Parquet. Column names stand here and nowhere else.

Rows of packs lie in ``parts/``, one file a pack, each written whole or not at all. ``merge`` makes
one table of them. What does not apply to a network is null.
"""

from __future__ import annotations

import json
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

_STAMP = b"kdtune"


def rows_to_arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table: the columns of the contract first, typed even where all are null."""
    extra = dict.fromkeys(key for row in rows for key in row if key not in COLUMN_TYPES)
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in COLUMN_TYPES.items()}
    columns |= {name: pa.array([row.get(name) for row in rows], DETAIL_TYPES.get(name)) for name in extra}
    return pa.table(columns)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    write_atomically(path, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))


def write_chunks(tables: Iterable[pa.Table], path: Path) -> None:
    """Write one file from tables that are made one after the other; remove it if all are empty. Errors as ``write``."""
    filled = (table for table in tables if len(table))
    first = next(filled, None)
    if first is None:
        path.unlink(missing_ok=True)
        return

    def write_to(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, first.schema) as writer:
            for table in chain([first], filled):
                writer.write_table(table)

    write_atomically(path, write_to)


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file of rows.

    Raises
    ------
    ValueError
        If it is torn, no Parquet, or has no column for the network's id and status.
    """
    try:
        if not path.is_file():
            raise ValueError(f"{path.name} is no file")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        lacking = [name for name in (ID, MODEL, STATUS) if name not in table.column_names]
        if lacking or table[ID].null_count:
            why = f"it has no column {', '.join(lacking)}" if lacking else "it has rows without id"
            raise ValueError(f"{path.name} holds no rows of kdtune: {why}")
        for place, name in enumerate(table.column_names):
            if name in COLUMN_TYPES:
                table = table.set_column(place, name, table[name].cast(COLUMN_TYPES[name]))
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path.name} is torn or no table: {str(error).splitlines()[0]}") from error
    return table


def merge_tables(tables: Iterable[pa.Table]) -> pa.Table:
    """One row for each network: a final one before one to be tried again, a later before an earlier one."""
    table = pa.concat_tables([rows_to_arrow([]), *tables], promote_options="permissive")
    networks, first = pd.factorize(table[ID].to_numpy())
    if len(first) == len(table):
        return table
    final = pc.fill_null(is_final(table), False).to_numpy(zero_copy_only=False)
    order = np.concatenate([np.flatnonzero(~final), np.flatnonzero(final)])  # the best last, for it stays
    best = np.empty(len(first), np.int64)
    best[networks[order]] = order
    return table.take(pa.array(best))


def is_final(table: pa.Table) -> pa.ChunkedArray:
    """Which rows are results: done, or diverged. Crashes and what they skipped are tried again."""
    diverged = pc.and_(
        pc.equal(table[STATUS], FAILED),
        pc.starts_with(pc.fill_null(table[ERROR], ""), DIVERGED),
    )
    return pc.or_(pc.equal(table[STATUS], DONE), diverged)


def final_ids(table: pa.Table) -> set[str]:
    return set(table[ID].filter(is_final(table)).to_pylist())


def select_networks(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The rows of these networks, in this order; those without a row are left out.

    The contract's columns come first, then the other settings by name; of those, what holds nothing goes, as do
    the details.
    """
    table = order_by_ids(table.drop_columns([name for name in DETAIL_TYPES if name in table.column_names]), ids)
    settings = sorted(name for name in table.column_names if name not in COLUMN_TYPES)
    return table.select([*COLUMN_TYPES, *(name for name in settings if table[name].null_count < len(table))])


def order_by_ids(table: pa.Table, ids: Sequence[str] | pa.ChunkedArray) -> pa.Table:
    """The rows of these networks, in this order; those without a row are left out."""
    wanted = ids if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string())
    places = pc.index_in(wanted, value_set=table[ID]).drop_null()
    if isinstance(places, pa.ChunkedArray):
        places = places.combine_chunks()
    if not places.equals(pa.array(np.arange(len(table), dtype=np.int32))):
        table = table.take(places)
    return table


def stamp_versions(table: pa.Table, made_with: Mapping[str, str]) -> pa.Table:
    """The table with a note of what it was made with, beside its columns."""
    return table.replace_schema_metadata({_STAMP: json.dumps(made_with).encode()})


def read_versions(path: Path) -> dict[str, str]:
    """What a file of a table was made with: versions by name; nothing if it does not say."""
    try:
        noted = (pq.read_schema(path).metadata or {}).get(_STAMP, b"{}")
        return {str(name): str(value) for name, value in json.loads(noted).items()}
    except (OSError, ValueError, AttributeError, pa.ArrowException):
        return {}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """As pandas; whole numbers stay whole where some are null (a seed would lose its last digits)."""
    # An index that pandas wrote is a column like any other, or nothing if it only numbers rows.
    table = table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for name in table.column_names:
        if table[name].type == INTEGER and table[name].null_count:
            frame[name] = table[name].to_pandas(types_mapper=lambda _: pd.Int64Dtype())
    return frame
