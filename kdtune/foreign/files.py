"""Read a table from a file of any common kind. The kind is known by the content, not by the name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from kdtune.analysis.file_problems import ARROW, PARQUET, make_damage_error, make_empty_error
from kdtune.errors import RequestError
from kdtune.foreign.compression import decompress
from kdtune.foreign.encodings import decode_text
from kdtune.foreign.file_kinds import (
    ARROW_MAGIC,
    HEAD_SIZE,
    PARQUET_MAGIC,
    STREAM_MAGIC,
    refuse_binary_kind,
    refuse_text_kind,
)
from kdtune.foreign.json_files import is_json, read_json
from kdtune.foreign.plain_tables import to_plain_table
from kdtune.foreign.text_files import read_delimited_text
from kdtune.table import to_frame

_COLUMN_MAGICS = (PARQUET_MAGIC, ARROW_MAGIC, STREAM_MAGIC)


class FileTable(NamedTuple):
    """A table that was read from a file."""

    frame: pd.DataFrame  # as the file has it; the names of columns are text, and unique
    notes: list[str]  # what was understood, each a sentence
    is_plain: bool = False  # whether the columns are plain already
    doubts: Mapping[str, str] = MappingProxyType({})  # columns whose numbers can be read in two ways, with a sentence


def read_file(path: Path) -> FileTable:
    """Read a table from Parquet, Feather (Arrow), JSON, or text with separated values, compressed or not.

    Raises
    ------
    RequestError
        If the file is of another kind, damaged, empty or no table, or the system cannot read it. The message says what
        to do.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_SIZE)
        if not head:
            raise make_empty_error(path)
        if head.startswith(_COLUMN_MAGICS):
            return _to_file_table(path, _read_arrow(path, head, pa.OSFile(str(path))))
        content, notes = decompress(path, path.read_bytes())
    except OSError as error:
        raise RequestError(f"{path}: cannot be read as a table: {error.strerror or error}") from None
    head = content[:HEAD_SIZE]
    if head.startswith(_COLUMN_MAGICS):
        table = _to_file_table(path, _read_arrow(path, head, pa.BufferReader(content)))
    else:
        refuse_binary_kind(path, head)
        table = _read_text(path, content)
    return table._replace(notes=[*notes, *table.notes])


def _read_arrow(path: Path, head: bytes, source: Any) -> Any:
    """Read Parquet, an Arrow file (which Feather is) or a stream of Arrow from an open file of Arrow."""
    try:
        if head.startswith(PARQUET_MAGIC):
            with pq.ParquetFile(source, page_checksum_verification=True) as file:
                return file.read()
        open_source = pa.ipc.open_file if head.startswith(ARROW_MAGIC) else pa.ipc.open_stream
        table = open_source(source).read_all()
        table.validate(full=True)  # Arrow trusts what the file says; a wrong offset would end the process later.
        return table
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise make_damage_error(path, PARQUET if head.startswith(PARQUET_MAGIC) else ARROW) from None


def _to_file_table(path: Path, table: Any) -> FileTable:
    """Convert a table of Arrow to pandas."""
    try:
        if len(set(table.column_names)) < len(table.column_names):
            return FileTable(*to_plain_table(table))
        return FileTable(to_frame(table), [])
    except (ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RequestError(f"{path}: cannot be read as a table: {reason}") from None


def _read_text(path: Path, content: bytes) -> FileTable:
    """Read a table from text of any encoding.

    Raises
    ------
    RequestError
        If it is no text, or no table.
    """
    if path.suffix.lower() == ".parquet" and b"\0" in content[:HEAD_SIZE]:
        raise make_damage_error(path)
    text, notes = decode_text(path, content)
    head = text[:HEAD_SIZE].decode(errors="replace")
    refuse_text_kind(path, head)
    if is_json(head):
        table = read_json(path, text.decode())
        return FileTable(table.frame, [*notes, "The file is JSON.", *table.notes])
    delimited = read_delimited_text(path, text)
    return FileTable(delimited.frame, [*notes, *delimited.notes], True, delimited.doubts)
