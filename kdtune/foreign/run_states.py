"""Read the states of runs, as trackers and batch systems write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_cell, suggest_rows
from kdtune.columns import DONE, FAILED, SKIPPED, STATUS, TEMP, WIDTH
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
_MAX_FAILED = 0.4  # of the runs; where more failed, as many at each T, a column may be a setting
# The names in a condition: words, and what stands between backquotes; texts in quotes are passed over.
_NAMES_AND_TEXTS = re.compile(r"""`(?P<quoted>[^`]*)`|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?P<word>\w+)""", re.DOTALL)
_OPTUNA_STATES = {"0": "running", "1": "complete", "2": "pruned", "3": "fail", "4": "waiting"}


def read_states(
    table: pd.DataFrame, own_names: Mapping[str, str], *, where: str | None, cell_columns: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Replace the column that holds the states of runs by ``STATUS``: ``DONE``, or the state of an unfinished run.

    A column called ``state`` with other values (the states of a country) stays as it is.

    Parameters
    ----------
    table : Plain columns.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    where : The condition that the user selected rows by. If it names the column, the unknown states that are left are
        taken for those of finished runs; so is a single state, whatever the condition.
    cell_columns : The columns that the user names settings: they are no states.

    Returns
    -------
    The table, with ``STATUS`` if it has states; and notes on what was left out.

    Raises
    ------
    RequestError
        If only some values are known, or the column is called ``status`` and none is.
    """
    names = [name for name in table.columns if name not in cell_columns]
    for name in find_states(names):
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
        if name == STATUS and where is not None and table[name].nunique(dropna=False) == 1:
            note = f"{own_name} is {str(table[name].iloc[0])!r} in all selected rows: they are taken for finished runs."
            return table.assign(**{STATUS: DONE}), [note]
        if name == STATUS or known_states[states.notna()].any():
            unknown = table[name][~known_states]
            if where is None or not _has_column(where, own_name):
                _refuse_unknown_states(own_name, table[name], states, unknown)
            marked, notes = _mark(table, name, states.where(known_states, DONE))
            note = (
                f"{own_name} is {_list_states(unknown)} in {pluralize(len(unknown), 'selected row')}: taken for "
                f"finished runs, since the condition names {own_name}."
            )
            return marked, [note, *notes]
    for name in names:
        words = " ".join(split_words(name))
        if words not in _FAILURE_NAMES | _SUCCESS_NAMES or table[name].nunique() < 2:
            continue
        truths = _normalize(table[name]).map(_TRUTHS)
        if truths.notna().equals(table[name].notna()):
            is_good = truths if words in _SUCCESS_NAMES else ~truths.astype("boolean")
            _refuse_setting(table, name, ~is_good.fillna(True).astype(bool), own_names)
            return _mark(table, name, is_good.map({True: "true", False: f"{name} is {words in _FAILURE_NAMES}"}))
    failures = find_failures(table[names])
    if failures is None:
        return table, []
    _refuse_setting(table, failures.name, failures.states.notna() & ~failures.states.isin(_FINISHED), own_names)
    return _mark(table, *failures)


def _refuse_setting(table: pd.DataFrame, name: str, is_failed: pd.Series, own_names: Mapping[str, str]) -> None:
    """Raise RequestError if about half of the runs failed, as many at each T: it may be a setting that is called so."""
    if TEMP not in table.columns or is_failed.mean() < _MAX_FAILED:
        return
    n_failed = table[TEMP][is_failed].value_counts()
    if n_failed.nunique() == 1 and len(n_failed) == table[TEMP].nunique() > 1:
        good = table[name][~is_failed].dropna().unique()
        keep = suggest_rows(name, good) if len(good) else "remove them from the table"
        settings = [own_names.get(WIDTH, WIDTH), name] if WIDTH in table.columns else [name]
        raise RequestError(
            f"{name}: by its name it says which runs failed, but that would be {is_failed.mean():.0%} of them, and as "
            f"many at each T. If they failed, leave them out: {keep}. If {name} is a setting, name all settings: "
            f"{suggest_cell(settings)}"
        )


def _refuse_truths(name: str, column: pd.Series) -> NoReturn:
    """Raise RequestError: 0 and 1 may be codes of errors, truths, or states as Optuna numbers them."""
    raise RequestError(
        f"{name}: it has 0 and 1, which may mean that a run failed, or that it finished; select the finished runs: "
        f"{' or '.join(suggest_rows(name, [value]) for value in column.dropna().drop_duplicates().sort_values())}"
    )


def _has_column(where: str, name: str) -> bool:
    """Return whether a condition names a column, outside of texts in quotes."""
    return name in {found["quoted"] or found["word"] for found in _NAMES_AND_TEXTS.finditer(where)}


def _refuse_unknown_states(name: str, column: pd.Series, states: pd.Series, unknown: pd.Series) -> NoReturn:
    """Raise RequestError: some states of runs, or all, are unknown.

    Parameters
    ----------
    name : The column by the table's own name.
    column, states : Its values as they are, and in lower case.
    unknown : Its values of unknown meaning.
    """
    start = (
        f"{name} has {_list_states(unknown)} ({pluralize(len(unknown), 'row')}), which kdtune does not know as states "
        f"of runs."
    )
    values = unknown.drop_duplicates()
    finished = column[states.isin(_FINISHED)].drop_duplicates()
    if not len(finished):
        raise RequestError(
            f"{start} Write {DONE} where a run finished and {FAILED} where it did not, or select the finished runs, as "
            f"in {suggest_rows(name, [unknown.value_counts().index[0]])}"
        )
    unfinished = column[states.isin(_UNFINISHED)].drop_duplicates()
    are_few = len(values) <= _SHOWN_STATES
    without = suggest_rows(name, values, are_left_out=True) if are_few else suggest_rows(name, finished)
    # What names all states would leave out rows without one, such as teachers.
    can_be_listed = are_few and not column.isna().any()
    options = [*finished, *values] if can_be_listed else [*unfinished] or [FAILED]
    raise RequestError(
        f"{start} To leave these rows out: {without}. If such runs finished: "
        f"{suggest_rows(name, options, are_left_out=not can_be_listed)}"
    )


def _list_states(column: pd.Series) -> str:
    return join_names([repr(str(value)) for value in column.drop_duplicates()], max_names=_SHOWN_STATES)


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
    return table.assign(**{STATUS: states.fillna(DONE).where(~is_finished, DONE)}), notes
