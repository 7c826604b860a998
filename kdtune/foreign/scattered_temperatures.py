"""Say what to do where nearly every run has a T of its own, as a search over a range gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP
from kdtune.foreign.mending import MendingNote
from kdtune.foreign.own_names import get_own_name

_MIN_TEMPERATURES = 10  # fewer may be a grid with one run each
_MIN_SHARE = 0.5  # of the runs, as in describe_near_temperatures
# Doublings of T that the runs reach at least -> temperatures for each doubling, so that about three or more are left.
_STEPS = {3.0: 1, 1.5: 2, 0.0: 4}


def describe_scattered_temperatures(
    table: pd.DataFrame, cell_columns: Sequence[str], own_columns: Collection[str], own_names: Mapping[str, str]
) -> str:
    """Say that nearly every run has a T of its own, and how pandas rounds them; the empty text if this is not so.

    Parameters
    ----------
    table : The table that the analysis gets.
    cell_columns : The columns that name a setting.
    own_columns : All columns as the table itself calls them.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    n_temperatures = students[TEMP].nunique()
    if n_temperatures < _MIN_TEMPERATURES or n_temperatures <= _MIN_SHARE * len(students):
        return ""
    logs = np.log2(students[TEMP].to_numpy(np.float64))
    steps = next(steps for width, steps in _STEPS.items() if np.ptp(logs) >= width)
    rounded = students.assign(**{TEMP: _round(logs, steps)})
    own_name = get_own_name(TEMP, own_names)
    power = f"numpy.log2(frame[{own_name!r}]).round()"
    if steps > 1:
        power = f"((numpy.log2(frame[{own_name!r}]) * {steps}).round() / {steps})"
    command = f"frame = frame.assign(**{{{own_name!r}: 2.0 ** {power}}})"
    keys = [*cell_columns, TEMP, *([REPLICATE] if REPLICATE in students.columns else [])]
    own_replicate = get_own_name(REPLICATE, own_names)
    is_named = REPLICATE in students.columns and students[REPLICATE].notna().any() and own_replicate in own_columns
    if is_named and rounded.duplicated(keys).any():  # Runs of one seed and one rounded T are no pairs.
        command += f".drop(columns=[{own_replicate!r}])"
    return MendingNote(
        f"Nearly every run has a T of its own ({n_temperatures:,} temperatures in {len(students):,} runs), and "
        f"temperatures are compared by the runs that share them. Round them with pandas, and read the table again: ",
        [command],
        ".",
    )


def _round(logs: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float64]:
    """Return T rounded to whole powers of two, or to some steps between them, from its binary logarithm."""
    return np.asarray(2.0 ** (np.round(logs * steps) / steps), np.float64)
