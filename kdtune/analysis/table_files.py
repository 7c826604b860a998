"""Find and read the files of tables: those of sweeps and those from elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.columns import DETAIL_FILES, ID, MODEL, STATUS
from kdtune.errors import RequestError
from kdtune.table import read_table, to_frame
from kdtune.text import suggest_nearest

TABLE_FILE = "table.parquet"
_PARQUET_MAGIC = b"PAR1"  # how every Parquet file starts: the format's specification, "File format"
_RUN_AGAIN = "run the sweep again, which writes the file anew"


def locate_table(results: str | Path) -> Path:
    """Return the table's file: of a folder, of a sweep's name under results/, or the file itself.

    Raises
    ------
    RequestError
        If there is none.
    """
    candidates = (Path(results), Path("results") / results)
    try:
        for path in candidates:
            if path.is_file():
                return path
            if (path / TABLE_FILE).is_file():
                return path / TABLE_FILE
        folders = [path for path in candidates if path.is_dir()]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"{results}: cannot be read: {reason}") from None
    raise RequestError(f"{results}: {_describe_missing_table(str(results), folders)}")


def _describe_missing_table(results: str, folders: list[Path]) -> str:
    """Say why there is no table, and what to do."""
    for folder in folders:
        sweep_file = folder / "sweep.yaml"
        if (folder / "parts").is_dir() and sweep_file.is_file():
            command = shlex.join(["kdtune", "sweep", str(sweep_file)])
            return f"the sweep has not written its table yet; wait for it, or run it again: `{command}`"
    known_sweeps = sorted(str(path.parent) for path in Path("results").glob(f"*/{TABLE_FILE}"))
    problem = f"the folder has no {TABLE_FILE}" if folders else "there is no such file, folder or sweep under results/"
    if not known_sweeps:
        return f"{problem}; `kdtune sweep` makes a table"
    return f"{problem}; {suggest_nearest(results, known_sweeps)}"


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
        return to_frame(read_table(path))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, pa.ArrowException) as error:
        raise RequestError(
            f"{path}: the file is damaged: {_first_line(error.__cause__ or error)}; {_RUN_AGAIN}"
        ) from None


def _check_sweep_table(path: Path) -> None:
    """Raise RequestError if a file is not the table of a sweep, with what it is instead."""
    remedy = f"`{shlex.join(['kdtune', 'analyze', str(path)])}` reads tables from elsewhere"
    if path.stat().st_size == 0:
        raise RequestError(f"{path}: the file is empty; {_RUN_AGAIN}")
    if _is_delimited_text(path):
        raise RequestError(f"{path}: this is a CSV file, not the Parquet table of a sweep; {remedy}")
    if not _is_parquet(path):
        raise RequestError(f"{path}: this is not a Parquet file; name a sweep's folder, or its {TABLE_FILE}")
    columns = pq.read_schema(path).names
    missing_columns = [name for name in (ID, MODEL, STATUS) if name not in columns]
    if missing_columns:
        raise RequestError(
            f"{path}: this is not the table of a sweep: it has no column {', '.join(missing_columns)}; {remedy}"
        )


def read_external_table(path: Path) -> pd.DataFrame:
    """Read a Parquet, CSV or TSV file, which may be compressed, as it is.

    Raises
    ------
    RequestError
        If it is none of them.
    """
    try:
        if path.stat().st_size == 0:
            raise RequestError(f"{path}: the file is empty; a table needs a line of column names and rows below it")
        if _is_delimited_text(path):
            separator = "\t" if ".tsv" in _suffixes(path) else ","
            table = pd.read_csv(path, sep=separator, encoding="utf-8-sig")
            return table.rename(columns=lambda name: str(name).strip())
        if not _is_parquet(path):
            raise RequestError(
                f"{path}: this is not a Parquet file; the name of a text file must end in .csv (commas) or .tsv (tabs)"
            )
        return to_frame(pq.read_table(path))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RequestError(f"{path}: cannot be read as a table: {_first_line(error)}") from None


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
        return to_frame(pq.read_table(path, columns=list(DETAIL_FILES[name])))
    except (OSError, pa.ArrowException) as error:
        raise RequestError(f"{path}: the file is damaged or not kdtune's: {_first_line(error)}; {_RUN_AGAIN}") from None


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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
