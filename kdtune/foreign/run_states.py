"""Read the states of runs, as trackers and batch systems write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import DONE, FAILED, SKIPPED, STATUS
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_states, split_words
from kdtune.foreign.failure_columns import find_failures
from kdtune.text import join_names, pluralize

# kdtune, Optuna (COMPLETE), Ray (TERMINATED), Weights & Biases (finished), MLflow (FINISHED), Slurm (COMPLETED).
_FINISHED = {DONE, "complete", "completed", "terminated", "finished", "success", "successful", "succeeded", "ok",
             "true", "finish", "passed", "active", "yes"}  # fmt: skip
_UNFINISHED = {
    FAILED, SKIPPED, "fail", "error", "errored", "crashed", "crash", "killed", "pruned", "running", "waiting",
    "pending", "paused", "scheduled", "queued", "preempting", "preempted", "canceled", "cancelled", "aborted",
    "stopped", "timeout", "timed_out", "out_of_memory", "oom", "node_fail", "boot_fail", "deadline", "interrupted",
    "created", "starting", "restoring", "unknown", "diverged", "false", "submitted", "suspended", "deleted", "no",
    "nan", "nan_loss", "failure", "in progress", "in_progress", "incomplete",
}  # fmt: skip
# Columns of truths: whether a run failed, or whether it finished.
_FAILURE_NAMES = {"failed", "is failed", "has failed", "diverged", "has diverged", "is diverged", "crashed", "pruned",
                  "is pruned", "has nan", "is nan", "killed", "aborted", "failure"}  # fmt: skip
_SUCCESS_NAMES = {"done", "success", "succeeded", "successful", "finished", "is finished", "completed", "is complete",
                  "is done", "complete", "ok", "valid", "is valid", "converged", "has converged"}  # fmt: skip
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SHOWN_STATES = 5  # in a message
_OPTUNA_STATES = {"0": "running", "1": "complete", "2": "pruned", "3": "fail", "4": "waiting"}


def read_states(
    table: pd.DataFrame, own_names: Mapping[str, str], *, are_rows_selected: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Replace the column that holds the states of runs by ``STATUS`` with the values ``DONE`` and ``FAILED``.

    A column called ``state`` with other values (the states of a country) stays as it is.

    Parameters
    ----------
    table : Plain columns.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    are_rows_selected : Whether the user selected rows: a single state that is left, whatever its name, is taken for the
        one of finished runs.

    Returns
    -------
    The table, with ``STATUS`` if it has states; and notes on what was left out.

    Raises
    ------
    RequestError
        If only some values are known, or the column is called ``status`` and none is.
    """
    for name in find_states(table.columns):
        states = _normalize(table[name])
        numbers = set(states.dropna())
        if numbers == {"0", "1"}:
            _refuse_truths(own_names.get(name, name), table[name])
        if numbers <= set(_OPTUNA_STATES) and "1" in numbers:
            states = states.map(_OPTUNA_STATES)  # as the enumeration TrialState numbers them
        known_states = states.isin(_FINISHED | _UNFINISHED) | states.isna()
        if known_states.all() and states.notna().any():
            return _mark(table, name, states)
        own_name = own_names.get(name, name)
        if name == STATUS and are_rows_selected and table[name].nunique(dropna=False) == 1:
            note = f"{own_name} is {str(table[name].iloc[0])!r} in all selected rows: they are taken for finished runs."
            return table.assign(**{STATUS: DONE}), [note]
        if name == STATUS or known_states[states.notna()].any():
            _refuse_unknown_states(own_name, table[name][states.notna()], states.dropna())
    for name in table.columns:
        words = " ".join(split_words(name))
        if words not in _FAILURE_NAMES | _SUCCESS_NAMES or table[name].nunique() < 2:
            continue
        truths = _normalize(table[name]).map(_TRUTHS)
        if truths.notna().equals(table[name].notna()):
            is_good = truths if words in _SUCCESS_NAMES else ~truths.astype("boolean")
            return _mark(table, name, is_good.map({True: "true", False: f"{name} is {words in _FAILURE_NAMES}"}))
    failures = find_failures(table)
    return (table, []) if failures is None else _mark(table, *failures)


def _refuse_truths(name: str, column: pd.Series) -> NoReturn:
    """Raise RequestError: 0 and 1 may be codes of errors, truths, or states as Optuna numbers them."""
    raise RequestError(
        f"{name}: it has 0 and 1, which may mean that a run failed, or that it finished; select the finished runs: "
        f"{' or '.join(suggest_rows(name, [value]) for value in column.dropna().drop_duplicates().sort_values())}"
    )


def _refuse_unknown_states(name: str, column: pd.Series, states: pd.Series) -> NoReturn:
    """Raise RequestError: some states of runs, or all, are unknown."""
    unknown = column[~states.isin(_FINISHED | _UNFINISHED)]
    listed = join_names([repr(str(value)) for value in unknown.drop_duplicates()], max_names=_SHOWN_STATES)
    start = f"{name} has {listed}, which kdtune does not know as states of runs."
    finished = column[states.isin(_FINISHED)].drop_duplicates()
    if len(finished):
        raise RequestError(f"{start} To read the finished runs only, add {suggest_rows(name, finished)}")
    most_frequent = unknown.value_counts().index[0]
    raise RequestError(
        f"{start} Write {DONE} where a run finished and {FAILED} where it did not, or select the finished runs, as in "
        f"{suggest_rows(name, [most_frequent])}"
    )


def _normalize(column: pd.Series) -> pd.Series:
    """Return states in lower case, without what an enumeration puts in front ("TrialState.COMPLETE")."""
    texts = {value: str(value).strip().lower() for value in column.dropna().unique()}
    return column.map(
        {value: re.sub(r"^[a-z_]+[.]|(?<=\d)[.]0$| by [0-9]+$", "", text) for value, text in texts.items()}
    )


def _mark(table: pd.DataFrame, name: str, states: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    # Some rows may have no state, as those of teachers that nobody ran: they count if they have a result.
    is_finished = states.isin(_FINISHED) | states.isna()
    notes = []
    if not is_finished.all():
        counts = states[~is_finished].value_counts()
        reasons = ", ".join(f"{count} {state}" for state, count in counts.items())
        notes.append(f"Left out: {pluralize(int((~is_finished).sum()), 'row')} of unfinished runs ({name}: {reasons}).")
    if name != STATUS:
        table = table.drop(columns=[name, STATUS], errors="ignore")
    status = is_finished.map({True: DONE, False: FAILED})
    return table.assign(**{STATUS: status.where(states != SKIPPED, SKIPPED)}), notes
