"""Find the files of tables, and read those of sweeps."""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.analysis.file_problems import (
    EXTERNAL_TABLES,
    TABLE_FILE,
    describe_missing_table,
    is_readable_parquet,
    make_damage_error,
    make_empty_error,
)
from kdtune.columns import DETAIL_FILES, ID, MODEL, STATUS
from kdtune.errors import RequestError
from kdtune.objects.places import mirror_sweep
from kdtune.objects.urls import is_object_url
from kdtune.table import drop_details, read_table, to_frame

_PARQUET_MAGIC = b"PAR1"  # how every Parquet file starts: the format's specification, "File format"


def locate_table(results: str | Path) -> Path:
    """Return the table's file: of a folder, of a sweep's name under results/, or the file itself.

    Of a sweep in an object store it is a copy on this machine, made when this process asked for the first time.

    Raises
    ------
    RequestError
        If there is none.
    """
    if not str(results):
        raise RequestError("the name of the table is empty; name a sweep's folder, its name under results/, or a file")
    if is_object_url(results):
        return _locate_mirrored_table(str(results))
    candidates = (Path(results), Path("results") / results)
    try:
        for path in candidates:
            if path.is_file():
                return path
            if (path / TABLE_FILE).is_file():
                return path / TABLE_FILE
        folders = [path for path in candidates if path.is_dir()]
        problem = describe_missing_table(str(results), folders)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"{results}: cannot be read: {reason}") from None
    raise RequestError(f"{results}: {problem}")


@lru_cache  # A command asks several times, and answers from one state of the table.
def _locate_mirrored_table(url: str) -> Path:
    """Copy the table of a sweep in an object store, and what lies beside it, and return the table's file."""
    path = mirror_sweep(url) / TABLE_FILE
    if not path.is_file():
        raise RequestError(f"{url}: the sweep has no table yet")
    return path


def read_sweep_table(results: str | Path) -> pd.DataFrame:
    """Read the table of a sweep.

    Raises
    ------
    RequestError
        If there is no table, or its file is none of a sweep.
    """
    path = locate_table(results)
    try:
        _check_sweep_table(path)
        return to_frame(drop_details(read_table(path)))
    except (OSError, ValueError, pa.ArrowException) as error:
        if _is_system_error(error):
            raise RequestError(f"{path}: cannot be read: {_first_line(error)}") from None
        if not is_readable_parquet(path):
            raise make_damage_error(path) from None
        reason = _first_line(error.__cause__ or error)
        raise RequestError(f"{path}: this is not the table of a sweep: {reason}; {EXTERNAL_TABLES}") from None


def _check_sweep_table(path: Path) -> None:
    """Raise RequestError if a file is not the table of a sweep, with what it is instead."""
    remedy = f"`{shlex.join(['kdtune', 'analyze', str(path)])}` reads tables from elsewhere"
    if path.stat().st_size == 0:
        raise make_empty_error(path)
    if not _is_parquet(path):
        if _is_delimited_text(path):
            raise RequestError(f"{path}: this is a CSV file, not the Parquet table of a sweep; {remedy}")
        if path.suffix.lower() == ".parquet":
            raise make_damage_error(path)
        raise RequestError(
            f"{path}: this is not a Parquet file; name a sweep's folder, or its {TABLE_FILE}; {EXTERNAL_TABLES}"
        )
    columns = pq.read_schema(path).names
    missing_columns = [name for name in (ID, MODEL, STATUS) if name not in columns]
    if missing_columns:
        if not is_readable_parquet(path):
            raise make_damage_error(path)
        raise RequestError(
            f"{path}: this is not the table of a sweep: it has no column {', '.join(missing_columns)}; {remedy}"
        )


def read_details(results: str | Path, name: str) -> pd.DataFrame | None:
    """Read a file of details beside the table; return None if there is none.

    Raises
    ------
    RequestError
        If the file is damaged.
    """
    path = locate_table(results).with_name(name)
    if not path.is_file():
        return None
    try:
        schema = DETAIL_FILES[name]
        return to_frame(pq.read_table(path, columns=schema.names).cast(schema))
    except (OSError, pa.ArrowException) as error:
        if _is_system_error(error):
            raise RequestError(f"{path}: cannot be read: {_first_line(error)}") from None
        if path.stat().st_size == 0:
            raise make_empty_error(path) from None
        if not is_readable_parquet(path):
            raise make_damage_error(path) from None
        raise RequestError(f"{path}: this is not a file of kdtune: {_first_line(error)}") from None


def describe_stale_table(path: Path) -> str | None:
    """Return a warning if a sweep's table is older than the rows beside it, else None."""
    if path.name != TABLE_FILE:
        return None
    part_times = [part.stat().st_mtime for part in (path.parent / "parts").glob("[!.]*.parquet")]
    if not part_times or max(part_times) <= path.stat().st_mtime:
        return None
    return (
        f"{path.parent}: the table is older than the newest rows: the sweep is running, or was killed; "
        f"run it again to complete the table"
    )


def _suffixes(path: Path) -> list[str]:
    return [suffix.lower() for suffix in path.suffixes]


def _is_delimited_text(path: Path) -> bool:
    """Return whether a file's name says that it is a CSV or TSV file, compressed or not."""
    return ".csv" in _suffixes(path) or ".tsv" in _suffixes(path)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _is_system_error(error: BaseException) -> bool:
    """Return whether the operating system raised an error; pyarrow's for wrong content have no number."""
    return isinstance(error, OSError) and error.errno is not None


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]
