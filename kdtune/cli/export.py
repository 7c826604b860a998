"""Write a table to a file or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kdtune.errors import RequestError
from kdtune.text import join_names

if TYPE_CHECKING:
    import pandas as pd


_FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}  # by the ending of a file's name


def choose_format(output: Path) -> str:
    """Return the file format that a file's name ends in; raise RequestError if it is none that kdtune writes."""
    file_format = _FORMATS.get(output.suffix.lower())
    if file_format is None:
        raise RequestError(f"{output}: the file's name must end in {join_names(list(_FORMATS), 'or')}")
    return file_format


def export_table(table: pd.DataFrame, file_format: str, output: Path | None) -> None:
    """Write a table as plain text, CSV, JSON or Parquet, always in UTF-8.

    Parameters
    ----------
    table : what to write.
    file_format : ``table`` (plain text), ``csv``, ``json`` or ``parquet``.
    output : the file; None stands for standard output.

    Raises
    ------
    RequestError
        If the file cannot be written.
    OSError
        If standard output takes no more.
    """
    content = _encode(table, file_format)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise RequestError(f"{output}: cannot be written: {error.strerror or error}") from None


def _encode(table: pd.DataFrame, file_format: str) -> bytes:
    """Return the table in the bytes of a file format."""
    if file_format == "parquet":
        return table.to_parquet(None, index=False)
    if file_format == "json":
        text = table.to_json(orient="records", indent=2, double_precision=15) + "\n"
    elif file_format == "csv":
        text = table.to_csv(index=False)
    else:
        text = table.to_string(index=False) + "\n"
    return text.encode("utf-8")


def refuse_table_itself(results: str, output: Path | None) -> None:
    """Raise RequestError if an output file is the table that is read."""
    from kdtune.analysis.table_files import locate_table

    if output is not None and output.exists() and output.samefile(locate_table(results)):
        raise RequestError(f"{output}: this is the table itself; choose another name with -o")
