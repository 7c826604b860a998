"""What a user says about a table from elsewhere, and what reading it gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pandas as pd

from kdtune.analysis.selection_measure import Measure, check_select
from kdtune.columns import NUM_ERROR, VAL_NUM_ERROR
from kdtune.errors import RequestError
from kdtune.table_facts import AnswerFacts
from kdtune.text import describe_value

REPEATS = ("once", "keep")


NO_REPLICATE = "none"  # as the column that names the replicate: runs are not paired


@dataclass(frozen=True)
class ReadingOptions:
    """What a user says about a table.

    Raises
    ------
    RequestError
        If an option has another type or value, or two of them contradict each other.
    """

    column_map: Mapping[str, str] = field(default_factory=dict)  # kdtune's name of a column -> the table's own
    cell: list[str] | None = None  # the columns that name a setting; None for the default
    where: str | None = None  # a condition that selects rows, in terms of the table's own columns
    repeats: Literal["once", "keep"] | None = None  # what rows are that are equal in all but an id or a time
    is_paired_by_order: bool = False  # whether the n-th runs of all T belong together
    measure: str | None = None  # the column that T is chosen by, if it is not an error or an accuracy
    is_higher_better: bool | None = None  # the direction of the measure; None if the user does not say
    select: str | None = None  # a measure of kdtune that T is chosen by; None if the user does not say

    def __post_init__(self) -> None:
        is_map = isinstance(self.column_map, Mapping)
        if not is_map or not all(isinstance(name, str) for pair in self.column_map.items() for name in pair):
            raise RequestError(
                f"map: must map names to names, as in map={{'temp': 'tau'}}, not {describe_value(self.column_map)}"
            )
        object.__setattr__(self, "cell", list_names("cell", self.cell))
        for name, value in (("where", self.where), ("measure", self.measure)):
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise RequestError(f"{name}: must be a text, not {describe_value(value)}")
        for name, flag in (("paired_by_order", self.is_paired_by_order), ("higher_is_better", self.is_higher_better)):
            if flag is not None and not isinstance(flag, bool):
                raise RequestError(f"{name}: must be True or False, not {describe_value(flag)}")
        if self.repeats not in (None, *REPEATS):
            raise RequestError(f"repeats: must be 'once' or 'keep', not {describe_value(self.repeats)}")
        if self.select is not None:
            check_select(self.select)
            if self.measure is not None:
                raise RequestError("T is chosen by one measure: leave out --select or --measure")
        if self.is_higher_better and self.measure is None:
            raise RequestError("--higher-is-better needs the name of the measure: --measure NAME --higher-is-better")
        has_errors = not {NUM_ERROR, VAL_NUM_ERROR}.isdisjoint(self.column_map)  # It insists that these are errors.
        if self.is_higher_better is False and self.measure is None and not has_errors:
            raise RequestError("--lower-is-better needs the name of the measure: --measure NAME --lower-is-better")


def list_names(argument: str, names: Any) -> list[str] | None:
    """Return the names of columns in an argument, each once; None if it is None.

    Raises
    ------
    RequestError
        If the argument is not a list of texts.
    """
    if names is None:
        return None
    if isinstance(names, str) and names.strip():
        raise RequestError(f"{argument}: must be a list of names, not the text {names!r}; write {argument}=[{names!r}]")
    is_list = isinstance(names, Iterable) and not isinstance(names, (str, bytes, Mapping))
    listed = list(names) if is_list else []
    if not is_list or not all(isinstance(name, str) for name in listed):
        raise RequestError(
            f"{argument}: must be a list of names, as in {argument}=['width', 'lr'], not {describe_value(names)}"
        )
    return list(dict.fromkeys(listed))


class ReadTable(NamedTuple):
    """A table with the columns that the analysis needs, and what was understood of it."""

    table: pd.DataFrame
    cell_columns: list[str] | None  # the columns that name a cell, as ``table`` calls them; None for the default
    notes: list[str]  # what was understood, assumed or left out: sentences for the user
    measure: Measure | None = None  # None for errors
    reserve: str = ""  # why the settings may be wrong, and what to type then
    select: str = NUM_ERROR  # what T is chosen by, if the user names no measure
    facts: AnswerFacts | None = None  # what the table says beside its rows; None for one from elsewhere
