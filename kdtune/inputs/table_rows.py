"""The rows of one or several tables as one, which know where they came from."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from ruamel.yaml import YAML

from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import PartName
from kdtune.inputs.table_files import check_column_names
from kdtune.text import find_nearest, join_names, pluralize

# What people call the splits in a column that names them.
SPLIT_SPELLINGS: dict[str, PartName] = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}


@dataclass(frozen=True)
class TableRows:
    """The rows of all tables below each other, each with the part of the data set that it belongs to.

    Attributes
    ----------
    frame : all rows; the names of its columns are text.
    parts : the part of each row, (rows,).
    first_rows : the setting of each table and its first row in ``frame``, in ascending order.
    """

    frame: pd.DataFrame
    parts: npt.NDArray[np.str_]
    first_rows: dict[str, int]

    @property
    def is_training_row(self) -> npt.NDArray[np.bool_]:
        """Whether each row may be trained on, (rows,)."""
        return np.isin(self.parts, ("train", "all"))

    def make_row_error(self, row: int, problem: str, setting: str | None = None) -> InputError:
        """Make the error for a row.

        Parameters
        ----------
        row : its index in ``frame``.
        problem : what is wrong and would be right; ``{row}`` in it stands for the row in the user's own table.
        setting : the setting at fault; None for that of the row's table.
        """
        table, start = [(name, first) for name, first in self.first_rows.items() if first <= row][-1]
        place = f"row {row - start:,} (counted from 0)"
        if setting not in (None, table) and len(self.first_rows) > 1:
            place += f" of {table}"
        return InputError(problem.replace("{row}", place), table if setting is None else setting)


def stack_tables(
    frames: Mapping[PartName, pd.DataFrame], names: Mapping[PartName, str], drop: Collection[str]
) -> TableRows:
    """Put tables below each other, their columns matched by name.

    Parameters
    ----------
    frames : the table of each part.
    names : the setting that holds each table.
    drop : columns that are left out.

    Raises
    ------
    InputError
        If two columns of a table have the same name, a column to drop is in no table, or a column is in some only.
    """
    columns: dict[PartName, list[str]] = {}
    for part, frame in frames.items():
        columns[part] = [str(name) for name in frame.columns]
        try:
            check_column_names(columns[part], "the table")
        except InputError as error:
            raise InputError(str(error), names[part]) from None
    known_columns = list(dict.fromkeys(name for part_columns in columns.values() for name in part_columns))
    for name in drop:
        if name not in known_columns:
            raise InputError(
                f"names the column {name!r}, which is not there; {suggest_column(name, known_columns)}", "drop"
            )
    kept_columns = [name for name in known_columns if name not in drop]
    for part in frames:
        for name in kept_columns:
            if name not in columns[part]:
                other_part = next(other for other in frames if name in columns[other])
                raise InputError(
                    f"has no column {name!r}, and {names[other_part]} has; both must have the same columns "
                    f"({write_drop([name])} leaves it out of all)",
                    names[part],
                )
    renamed = [
        frame.set_axis(columns[part], axis="columns")[kept_columns].reset_index(drop=True)
        for part, frame in frames.items()
    ]
    lengths = [len(frame) for frame in renamed]
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    stacked = renamed[0] if len(renamed) == 1 else pd.concat(renamed, ignore_index=True)
    parts = np.repeat(np.array(list(frames), dtype=np.str_), lengths)
    return TableRows(stacked, parts, dict(zip([names[part] for part in frames], starts, strict=True)))


def write_drop(names: Sequence[str]) -> str:
    """Return the setting that leaves columns out as it stands in a sweep file: ``drop: ['Unnamed: 0', id]``."""
    text = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = True
    yaml.width = 10_000  # on one line
    yaml.dump({"drop": list(names)}, text)
    return f"`{text.getvalue().strip().removeprefix('{').removesuffix('}')}`"


def suggest_column(name: str, columns: Collection[str]) -> str:
    """Return which column the user probably meant, or else the first ones."""
    nearest_name = find_nearest(name, columns)
    if nearest_name is not None:
        return f"did you mean {nearest_name!r}?"
    return f"its columns are {join_names(list(columns), max_names=10)}"


def split_rows(rows: TableRows, split: str, notes: list[str]) -> TableRows:
    """Give each row the part that a column names, and take that column away.

    Parameters
    ----------
    rows : the rows of one table.
    split : the column.
    notes : a sentence that says how the splits were read is appended to it.

    Raises
    ------
    InputError
        If there is no such column, it names something else than a split, or no row for training or for test.
    """
    if split not in rows.frame.columns:
        raise InputError(f"there is no column {split!r}; {suggest_column(split, rows.frame.columns)}", "split")
    column = rows.frame[split]
    codes, spellings = pd.factorize(column)
    if (codes < 0).any():
        raise rows.make_row_error(
            int(np.argmax(codes < 0)), f"column {split!r} names no split in {{row}}; write train, val or test", "split"
        )
    parts: list[PartName] = []
    for code, spelling in enumerate(spellings):
        part = SPLIT_SPELLINGS.get(str(spelling).strip().casefold())
        if part is None:
            raise rows.make_row_error(
                int(np.argmax(codes == code)),
                f"column {split!r} has {str(spelling)!r} in {{row}}; write train, val or test in each row",
                "split",
            )
        parts.append(part)
    for needed_part in ("train", "test"):
        if needed_part not in parts:
            raise InputError(f"column {split!r} names no {needed_part} row; write {needed_part} in some rows", "split")
    counts = np.bincount(codes)
    readings = [
        f"{pluralize(int(count), 'row')} of {str(spelling)!r}" + ("" if str(spelling) == part else f" as {part}")
        for spelling, part, count in zip(spellings, parts, counts, strict=True)
    ]
    notes.append(f"The column {split!r} names the split of each row: {join_names(readings)}.")
    row_parts = np.array(parts, dtype=np.str_)[codes]
    return replace(rows, frame=rows.frame.drop(columns=split), parts=row_parts)
