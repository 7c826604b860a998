"""Read a file that holds a table: .csv, .tsv or .parquet."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.inputs.errors import InputError
from kdtune.inputs.storage import find_in_memory
from kdtune.text import join_names

TABLE_ENDINGS = (".csv", ".tsv", ".parquet")
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_table_file(path: Path, notes: list[str]) -> pd.DataFrame:
    """Read a table; its first row names the columns.

    Text is UTF-8. Values are separated by whichever of comma, semicolon and tab the first row has most of, by tabs in a
    ``.tsv`` file. What pandas takes for a missing value is one: nothing, NA, N/A, NaN, None, null and the like.

    Parameters
    ----------
    path : the file.
    notes : sentences about what was assumed are appended to it.

    Raises
    ------
    InputError
        If there is no such file, it has another ending, it is torn or empty, or two columns have the same name.
    """
    value = find_in_memory(str(path))
    if value is not None:
        return pd.DataFrame(value)
    ending = path.suffix.lower()
    if ending not in TABLE_ENDINGS:
        raise InputError(f"{path} is no table; give a file that ends in {join_names(TABLE_ENDINGS, 'or')}")
    try:
        frame = _read_parquet(path, notes) if ending == ".parquet" else _read_text(path, ending, notes)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text (byte {error.start:,}); save it again as UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise InputError(f"{path} cannot be read: {reason}; save the table again") from None
    except pa.ArrowException as error:
        raise InputError(f"{path} cannot be read: the file is torn or no Parquet file ({_shorten(error)})") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or _shorten(error)}") from None
    if frame.empty:
        raise InputError(f"{path} has no rows below the names of its columns")
    return frame


def check_column_names(names: list[str], source: str) -> None:
    """Raise InputError if two columns have the same name.

    Parameters
    ----------
    names : the names of all columns.
    source : where they stand, for the message.
    """
    repeated_names = [name for name, count in Counter(names).items() if count > 1]
    if repeated_names:
        raise InputError(f"{source} has two columns called {repeated_names[0]!r}; rename or remove one")


def _read_text(path: Path, ending: str, notes: list[str]) -> pd.DataFrame:
    # pandas renames a second column of the same name, and takes a column too many for row names: both are mistakes.
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = find_separator(path)
        first_rows = [row for row, _ in zip(csv.reader(file, delimiter=separator), range(2), strict=False)]
    if not first_rows:
        raise InputError(f"{path} is empty")
    names = [name.strip() for name in first_rows[0]]
    check_column_names([name for name in names if name], str(path))
    if len(first_rows) > 1 and len(first_rows[1]) > len(names):
        raise InputError(
            f"{path} names {len(names)} columns in its first row and has {len(first_rows[1])} values in the next; "
            f"name each column, and quote values that hold a separator"
        )
    if ending == ".csv" and separator != ",":
        notes.append(f"The values of {path.name} are separated by {_SEPARATOR_NAMES[separator]}.")
    frame = pd.read_csv(path, sep=separator, encoding="utf-8-sig", skipinitialspace=True, low_memory=False)
    return frame.rename(columns=str.strip)


def find_separator(path: Path) -> str:
    """Return what separates the values of a text file: whichever the first row has most of, tabs in a ``.tsv``."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return max(_SEPARATOR_NAMES, key=file.readline().count)


def _read_parquet(path: Path, notes: list[str]) -> pd.DataFrame:
    names = pq.read_schema(path).names
    check_column_names(names, str(path))
    frame = pd.read_parquet(path)
    index_names = [str(name) for name in frame.index.names if name is not None]
    if index_names:
        notes.append(f"{path.name} was saved with row names ({join_names(index_names)}), which are not used.")
    return frame.reset_index(drop=True)


def _shorten(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")[:120]
