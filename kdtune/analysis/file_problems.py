"""Say why there is no table, or why a file cannot be read as one, and what to do."""

from __future__ import annotations

import os
import shlex
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.columns import DETAIL_FILES
from kdtune.errors import RequestError
from kdtune.text import find_nearest, join_names, suggest_nearest

TABLE_FILE = "table.parquet"
EXTERNAL_TABLES = (
    "`kdtune analyze` reads tables from elsewhere: CSV, TSV, JSON, Feather and Parquet files with one row per network"
)
PARQUET, ARROW = "Parquet", "Arrow (Feather)"
SWEEP_FILE = "sweep.yaml"  # the copy of the sweep file in the folder of its results
_MAX_SUGGESTIONS = 3  # folders or files that are suggested; more would hide the message
_MAX_LISTED_FILES = 10_000  # of a folder, among which the nearest name is found in a second
_TABLE_ENDINGS = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow"}


def describe_missing_table(results: str, folders: list[Path]) -> str:
    """Say why there is no table under a name, and what to do.

    Parameters
    ----------
    results : The name that was given.
    folders : The existing folders that it may mean.
    """
    for folder in folders:
        if (folder / "parts").is_dir() and (folder / SWEEP_FILE).is_file():
            return (
                f"the sweep has not written its table yet; "
                f"wait for it, or run it again: `{_make_sweep_command(folder)}`"
            )
    for folder in folders:
        sweep_folders = sorted(table.parent for table in folder.glob(f"*/{TABLE_FILE}"))
        if sweep_folders:
            return f"the folder has no {TABLE_FILE}, but sweeps in it have; {_suggest_paths(sweep_folders)}"
    if not folders and Path(results).exists():
        return "this is not a regular file; name a sweep's folder, or save the table to a file first"
    known_sweeps = sorted(str(path.parent) for path in Path("results").glob(f"*/{TABLE_FILE}"))
    if folders:
        return f"the folder has no {TABLE_FILE}; {_suggest_in_folders(folders, known_sweeps)}"
    path = Path(results)
    if path.suffix or path.parent not in (Path(), Path("results")):
        return f"there is no such file; {_suggest_files(path)}"
    nearest = find_nearest(results, [*known_sweeps, *_list_files(path.parent)])
    remedy = f"did you mean {nearest!r}?" if nearest else _suggest_sweeps(results, known_sweeps)
    return f"there is no such file, folder or sweep under results/; {remedy}"


def _suggest_in_folders(folders: list[Path], known_sweeps: list[str]) -> str:
    """Say what to name instead of a folder that is none of a sweep."""
    files = [Path(name) for folder in folders for name in _list_files(folder) if _is_named_like_table(name)]
    if files:
        return f"name the file of the table: {_suggest_paths(files)}"
    if known_sweeps or any(folder.parent == Path("results") for folder in folders):
        return _suggest_sweeps(str(folders[0]), known_sweeps)
    return "name the file of a table, or the folder of a sweep"


def _suggest_sweeps(results: str, known_sweeps: list[str]) -> str:
    return suggest_nearest(results, known_sweeps) if known_sweeps else "`kdtune sweep` makes a table"


def _suggest_files(path: Path) -> str:
    """Say which files a mistyped name of a file may mean."""
    if not path.parent.is_dir():
        return f"the folder {str(path.parent)!r} does not exist"
    names = _list_files(path.parent)
    nearest = find_nearest(str(path), names)
    if nearest is not None:
        return f"did you mean {nearest!r}?"
    tables = [Path(name) for name in names if _is_named_like_table(name)]
    return _suggest_paths(tables) if tables else "name a file, with its folder"


def _list_files(folder: Path) -> list[str]:
    """Return the files of a folder, without hidden ones."""
    paths = islice(folder.glob("[!.]*"), _MAX_LISTED_FILES) if folder.is_dir() else ()
    return sorted(str(path) for path in paths if path.is_file())


def _is_named_like_table(name: str) -> bool:
    """Return whether a file's name ends as that of a table does, compressed or not."""
    return any(suffix.lower() in _TABLE_ENDINGS for suffix in Path(name).suffixes[-2:])


def _suggest_paths(paths: list[Path]) -> str:
    """Return ``did you mean r/a, r/b or r/c?``, with the number of paths if some are not listed."""
    choices = [shlex.quote(str(path)) for path in paths[:_MAX_SUGGESTIONS]]
    if len(paths) > len(choices):
        choices.append(f"another of {len(paths):,}")
    return f"did you mean {join_names(choices, 'or')}?"


def make_empty_error(path: Path) -> RequestError:
    """Return the error for a file without content."""
    if _is_written_by_sweep(path):
        return RequestError(f"{path}: the file is empty; {_suggest_sweep(path)}")
    return RequestError(f"{path}: the file is empty; {EXTERNAL_TABLES}, below a header row in text")


def make_damage_error(path: Path, kind: str = PARQUET) -> RequestError:
    """Return the error for a file that is named or begins like a file of a kind, but cannot be read as one."""
    remedy = _suggest_sweep(path) if _is_written_by_sweep(path) else "get the file again from where it came from"
    return RequestError(
        f"{path}: this is not a readable {kind} file (damaged, or another kind of file under this name); {remedy}"
    )


def make_encoding_error(path: Path, encoding: str) -> RequestError:
    """Return the error for a text file that is damaged, or not in the encoding that it seems to have."""
    return RequestError(
        f"{path}: the file begins as text in {encoding}, but is none (damaged, or another kind of file under this "
        f"name); save it as UTF-8, which spreadsheet programs call CSV UTF-8"
    )


def make_decompression_error(path: Path) -> RequestError:
    """Return the error for a compressed file that cannot be decompressed."""
    return RequestError(
        f"{path}: the file cannot be decompressed (damaged, or another kind of file under this name); "
        f"get the file again, or decompress it first"
    )


def make_compression_error(path: Path) -> RequestError:
    """Return the error for a file in a compression that needs a package which is not installed."""
    return RequestError(f"{path}: this compression needs a package that is not installed; decompress the file first")


def is_readable_parquet(path: Path) -> bool:
    """Return whether all of a Parquet file can be read, whatever its columns are; this reads the file."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            file.read()
    except (OSError, ValueError, pa.ArrowException):
        return False
    return True


def _is_written_by_sweep(path: Path) -> bool:
    """Return whether a file is one that a sweep writes, in the folder of a sweep."""
    return path.name in (TABLE_FILE, *DETAIL_FILES) and (path.parent / SWEEP_FILE).is_file()


def _suggest_sweep(path: Path) -> str:
    """Say how to write one of a sweep's files anew."""
    return f"run the sweep again, which writes the file anew: `{_make_sweep_command(path.parent)}`"


def _make_sweep_command(folder: Path) -> str:
    """Return the command that continues the sweep of a results folder, quoted for a shell."""
    command = ["kdtune", "sweep", str(folder / SWEEP_FILE)]
    results = os.path.normpath(folder / "..")  # Path(".").parent would be the folder itself.
    if results != "results":
        command += ["--results", results]
    return shlex.join(command)
