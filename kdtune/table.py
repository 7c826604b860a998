"""The table: one row per network, as Arrow tables and Parquet files.

What does not apply to a network is null. The columns stand in ``kdtune.columns``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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

# In the metadata of a file: versions of software, the measure that T is chosen by, and what an answer must say beside
# it. A frame has the latter two in its ``attrs``.
_VERSIONS_KEY = "kdtune"
_SELECT_KEY = "kdtune.select"
_FACTS_KEY = "kdtune.answer"

# How replicates redraw the data: they are generated anew, or all splits of one set are drawn anew, or only the cut
# between training and validation data is.
GENERATED = "generated"
SPLIT = "split"
VALIDATION = "validation"


@dataclass(frozen=True)
class DataSource:
    """A data set that exists once, so that all of its draws are cuts of the same examples.

    Attributes
    ----------
    name : what the column ``dataset`` calls it.
    content : is equal for data of equal content, whatever their names, and for no others.
    n_examples : the number of examples that are split anew: all of them, or those beside the test data.
    unit : what an example is, as a plural: images, rows or examples.
    """

    name: str
    content: str
    n_examples: int
    unit: str = "examples"


@dataclass(frozen=True)
class AnswerFacts:
    """What an answer must say that the rows of a table do not tell.

    Attributes
    ----------
    data_redraws : how the replicates redraw the data (``GENERATED``, ``SPLIT`` or ``VALIDATION``) -> the names of the
        data sets that they redraw so.
    notes : sentences about the data and the teacher that the answer needs.
    class_names : the name of a data set -> what its classes are called, class 0 first; only of data sets whose classes
        have other names than their numbers.
    sources : the data sets that exist once. All others are generated, so that different draws of them are independent.
    """

    data_redraws: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    class_names: dict[str, list[str]] = field(default_factory=dict)
    sources: list[DataSource] = field(default_factory=list)


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
    missing_names = [name for name in (ID, MODEL, STATUS) if name not in table.column_names]
    if missing_names:
        raise ValueError(f"{file_name} is not a table of kdtune: it has no column {', '.join(missing_names)}")
    if table[ID].null_count:
        raise ValueError(f"{file_name} is not a table of kdtune: it has rows without id")
    for index, name in enumerate(table.column_names):
        if name in COLUMN_TYPES:
            table = table.set_column(index, name, table[name].cast(COLUMN_TYPES[name]))
    return table


def _concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables below each other; a setting that is text in one and a number in another becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        kinds: dict[str, set[pa.DataType]] = {}
        for table in tables:
            for field in table.schema:
                kinds.setdefault(field.name, set()).add(field.type)
        mixed_names = {name for name, types in kinds.items() if pa.string() in types or pa.bool_() in types}
        text_tables = []
        for table in tables:
            for index, field in enumerate(table.schema):
                if field.name in mixed_names - COLUMN_TYPES.keys() and len(kinds[field.name] - {pa.null()}) > 1:
                    table = table.set_column(index, field.name, table[field.name].cast(pa.string()))
            text_tables.append(table)
        return pa.concat_tables(text_tables, promote_options="permissive")


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
    row are dropped. An id without a row is left out.
    """
    detail_names = [name for name in DETAIL_TYPES if name in table.column_names]
    table = order_by_ids(table.drop_columns(detail_names), ids)
    setting_names = sorted(name for name in table.column_names if name not in COLUMN_TYPES)
    return table.select([*COLUMN_TYPES, *(name for name in setting_names if table[name].null_count < len(table))])


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


def stamp_versions(table: pa.Table, versions: Mapping[str, str]) -> pa.Table:
    """Note in a table's metadata the versions of the software that made it."""
    return _add_metadata(table, _VERSIONS_KEY, json.dumps(versions))


def stamp_select(table: pa.Table, select: str) -> pa.Table:
    """Note in a table's metadata the measure that T is chosen by: a key of ``VALIDATION_MEASURES``."""
    return _add_metadata(table, _SELECT_KEY, select)


def _add_metadata(table: pa.Table, key: str, value: str) -> pa.Table:
    return table.replace_schema_metadata({**(table.schema.metadata or {}), key.encode(): value.encode()})


def stamp_facts(table: pa.Table, facts: AnswerFacts) -> pa.Table:
    """Note in a table's metadata what an answer must say beside its rows."""
    return _add_metadata(table, _FACTS_KEY, json.dumps(asdict(facts)))


def find_select(source: Any) -> str | None:
    """Return the measure that T is chosen by, as a table says it: a Parquet file, a frame or an Arrow table.

    Frames that kdtune returns have it in their ``attrs``, which pandas writes into Parquet files as well. It is None
    if the table does not say it, and whatever the table says if that is no measure.
    """
    return _find_metadata(source, _SELECT_KEY)


def find_facts(source: Any) -> AnswerFacts | None:
    """Return what an answer must say beside a table's rows, as ``find_select`` does; None if the table does not say."""
    try:
        facts = json.loads(_find_metadata(source, _FACTS_KEY) or "null")
        redraws = {str(kind): [str(name) for name in names] for kind, names in facts["data_redraws"].items()}
        class_names = {
            str(name): [str(label) for label in labels] for name, labels in facts.get("class_names", {}).items()
        }
        sources = [
            DataSource(str(source["name"]), str(source["content"]), int(source["n_examples"]), str(source["unit"]))
            for source in facts.get("sources", [])
        ]
        return AnswerFacts(redraws, [str(note) for note in facts["notes"]], class_names, sources)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def list_attributes(source: Any) -> dict[str, str]:
    """Return what ``find_select`` and ``find_facts`` read from a table, as it stands in the ``attrs`` of a frame."""
    values = {key: _find_metadata(source, key) for key in (_SELECT_KEY, _FACTS_KEY)}
    return {key: value for key, value in values.items() if value is not None}


def _find_metadata(source: Any, key: str) -> str | None:
    if isinstance(source, pd.DataFrame):
        value = source.attrs.get(key)
        return None if value is None else str(value)
    try:
        schema = pq.read_schema(source) if isinstance(source, Path) else getattr(source, "schema", None)
        metadata = getattr(schema, "metadata", None) or {}
        if key.encode() in metadata:
            return str(metadata[key.encode()].decode(errors="replace"))
        attributes = json.loads(metadata.get(b"PANDAS_ATTRS", b"{}"))
        return str(attributes[key]) if key in attributes else None
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return None


def read_versions(path: Path) -> dict[str, str]:
    """Read the versions of the software that made a table from its file; nothing if the file does not say."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        versions = json.loads(metadata.get(_VERSIONS_KEY.encode(), b"{}"))
        return {str(name): str(version) for name, version in versions.items()}
    except (OSError, ValueError, AttributeError, pa.ArrowException):
        return {}


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
