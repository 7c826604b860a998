"""Write how pandas mends a table: the steps, and for a file the whole command, which can be pasted into a shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.errors import RequestError


class MendingError(RequestError):
    """A refusal with steps of pandas that mend the table. Without a file, users have the table as ``frame``."""

    def __init__(self, start: str, steps: Sequence[str], end: str = "") -> None:
        self.start, self.steps, self.end = start, list(steps), end
        super().__init__(f"{start}{'; '.join(self.steps)}{end}")

    def write_for(self, source: Any, frame: pd.DataFrame) -> RequestError:
        """Return the refusal with the command that reads the file, mends it and writes another one.

        Parameters
        ----------
        source : The file, or a frame.
        frame : The plain columns that were read from it. Where pandas reads others, the steps are told without command.
        """
        if not self.steps or not isinstance(source, (str, Path)):
            return RequestError(str(self))
        path = Path(source)
        reading = _find_reading(path, frame)
        if reading is None:
            return RequestError(str(self))
        mended = f"{path.with_suffix('')}-mended.csv"
        lines = ["import pandas", f"frame = {reading}", *self.steps, f"frame.to_csv({quote(mended)}, index=False)"]
        command = f"python -c {shlex.quote('; '.join(lines))}"
        return RequestError(f"{self.start}{command} (it writes {mended}; analyze that){self.end}")


def quote(value: object) -> str:
    """Return a value as Python writes it; text in double quotes, since the whole stands in single ones."""
    value = value.item() if isinstance(value, np.generic) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def write_column_step(name: str, values: str) -> str:
    """Return the step that gives a frame a column with some values, which are an expression."""
    return f"frame[{quote(name)}] = {values}"


def _find_reading(path: Path, frame: pd.DataFrame) -> str | None:
    """Return the shortest expression with which pandas reads the same columns and number of rows; None if none does."""
    readings: dict[str, Callable[[], pd.DataFrame]] = {
        f"pandas.read_csv({quote(str(path))})": lambda: pd.read_csv(path),
        f'pandas.read_csv({quote(str(path))}, sep=";", decimal=",")': lambda: pd.read_csv(path, sep=";", decimal=","),
        f'pandas.read_csv({quote(str(path))}, sep="\\t")': lambda: pd.read_csv(path, sep="\t"),
        f"pandas.read_parquet({quote(str(path))})": lambda: pd.read_parquet(path),
    }
    for text, read in readings.items():
        try:
            other = read()
        except Exception:  # pandas raises what its parsers do.
            continue
        if list(other.columns) == list(frame.columns) and len(other) == len(frame):
            return text
    return None
