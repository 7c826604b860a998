"""Read published figures from CSV files: those that come with kdtune, and others of the same form."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kdtune.columns import LABEL, NUM_ERROR
from kdtune.errors import RequestError
from kdtune.text import suggest_nearest

REFERENCES = Path(__file__).parent / "references"
TEXT_COLUMNS = ("source", "part", "network", "note")
FIGURE_COLUMNS = (LABEL, "n", NUM_ERROR)


def read_published(name: str) -> pd.DataFrame:
    """Read published figures by their name, or from a CSV file; all as text.

    Raises
    ------
    RequestError
        If there are none, columns are missing, or a figure is not a whole number.
    """
    bundled_files = {path.stem: path for path in REFERENCES.glob("*.csv")}
    path = bundled_files.get(name, Path(name))
    if not path.is_file():
        raise RequestError(
            f"--with {name}: there is no such file and there are no bundled figures of that name; "
            f"{suggest_nearest(name, bundled_files)}"
        )
    try:
        reference = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: cannot be read as a CSV file: {str(error).splitlines()[0]}") from None
    missing_columns = [column for column in (*TEXT_COLUMNS, *FIGURE_COLUMNS) if column not in reference.columns]
    if missing_columns:
        raise RequestError(f"{path}: has no column {', '.join(missing_columns)}, which published figures need")
    for index, row in enumerate(reference.to_dict("records")):
        for column in FIGURE_COLUMNS:
            text = row[column]
            is_all_classes = column == LABEL and text == ""
            if not text.isdecimal() and not is_all_classes:
                line = index + 2  # Lines count from 1, and the first holds the names.
                raise RequestError(f"{path}: line {line}: {column}: must be a whole number, not {text!r}")
    return reference
