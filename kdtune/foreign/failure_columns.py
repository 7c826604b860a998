"""Find the columns that say which runs failed, though they are not called a state: exit codes, messages of errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from kdtune.analysis.column_values import has_several_values, list_first_values
from kdtune.foreign.column_names import split_words

# Words that are states whatever the column is called; "ok", "active" or "created" may be settings.
_SURELY_FINISHED = {"finished", "complete", "completed", "terminated", "success", "succeeded", "done"}
_SURELY_UNFINISHED = {"failed", "fail", "crashed", "killed", "pruned", "running", "error", "errored", "canceled",
                      "cancelled", "aborted", "timeout", "out_of_memory", "oom"}  # fmt: skip
_EXIT_CODES = {"exit code", "exitcode", "return code", "returncode", "exit status"}
_MESSAGE_WORDS = {"error", "err", "exception", "traceback", "failure", "msg", "message", "reason", "text", "fail"}
_MESSAGE_NAMES = {"error", "exception", "traceback", "failure", "fail"}  # one of them must be there


class FailureColumn(NamedTuple):
    """A column that says which runs failed."""

    name: str
    states: pd.Series  # "finished", or in a few words why a run is not


def find_failures(table: pd.DataFrame) -> FailureColumn | None:
    """Return the first column that says which runs failed; None if there is none.

    Columns of any name whose values are all states and some of each kind; exit codes other than 0; and columns of error
    messages that are blank in some rows.
    """
    return next(_iterate_failures(table), None)


def _iterate_failures(table: pd.DataFrame) -> Iterator[FailureColumn]:
    for name in table.columns:
        column = table[name]
        words = split_words(name)
        if " ".join(words[-2:]) in _EXIT_CODES or words[-1:] == ["exitcode"]:
            codes = pd.to_numeric(column, errors="coerce")
            if (codes == 0).any() and codes.notna().all() and has_several_values(codes):
                yield FailureColumn(name, codes.map(lambda code: "finished" if code == 0 else f"code {code:g}"))
        elif column.dtype.kind != "O":
            continue
        elif set(words) <= _MESSAGE_WORDS and _MESSAGE_NAMES & set(words):
            if column.isna().any() and column.notna().any():
                yield FailureColumn(name, column.isna().map({True: "finished", False: "not blank"}))
        elif _has_only_states(list_first_values(column)) and _has_only_states(column.dropna()):
            texts = column.dropna().astype(str).str.lower()
            if texts.isin(_SURELY_FINISHED).any() and texts.isin(_SURELY_UNFINISHED).any():
                yield FailureColumn(name, texts.reindex(column.index))


def _has_only_states(values: pd.Series) -> bool:
    """Return whether all values are states of runs."""
    return {str(value).lower() for value in values.unique()} <= _SURELY_FINISHED | _SURELY_UNFINISHED
