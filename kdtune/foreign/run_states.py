"""Read the states of runs, as trackers and batch systems write them."""

from __future__ import annotations

import re

import pandas as pd

from kdtune.columns import DONE, FAILED, SKIPPED, STATUS
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_states, split_words
from kdtune.text import pluralize

# kdtune, Optuna (COMPLETE), Ray (TERMINATED), Weights & Biases (finished), MLflow (FINISHED), Slurm (COMPLETED).
_FINISHED = {DONE, "complete", "completed", "terminated", "finished", "success", "successful", "succeeded", "ok",
             "true", "finish", "passed", "active", "yes"}  # fmt: skip
_UNFINISHED = {
    FAILED, SKIPPED, "fail", "error", "errored", "crashed", "crash", "killed", "pruned", "running", "waiting",
    "pending", "paused", "scheduled", "queued", "preempting", "preempted", "canceled", "cancelled", "aborted",
    "stopped", "timeout", "timed_out", "out_of_memory", "oom", "node_fail", "boot_fail", "deadline", "interrupted",
    "created", "starting", "restoring", "unknown", "diverged", "false", "submitted", "suspended", "deleted", "no",
    "nan", "nan_loss",
}  # fmt: skip
# Columns of truths: whether a run failed, or whether it finished.
_FAILURE_NAMES = {"failed", "is failed", "has failed", "diverged", "has diverged", "is diverged", "crashed", "pruned",
                  "is pruned", "has nan", "is nan", "killed", "aborted", "failure"}  # fmt: skip
_SUCCESS_NAMES = {"done", "success", "succeeded", "successful", "finished", "is finished", "completed", "is complete",
                  "is done", "complete", "ok"}  # fmt: skip
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_OPTUNA_STATES = {"0": "running", "1": "complete", "2": "pruned", "3": "fail", "4": "waiting"}


def read_states(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Replace the column that holds the states of runs by ``STATUS`` with the values ``DONE`` and ``FAILED``.

    A column called ``state`` with other values (the states of a country) stays as it is.

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
        if set(states.dropna()) <= set(_OPTUNA_STATES) and "1" in set(states):
            states = states.map(_OPTUNA_STATES)  # as the enumeration TrialState numbers them
        known_states = states.isin(_FINISHED | _UNFINISHED) | states.isna()
        if known_states.all() and states.notna().any():
            return _mark(table, name, states)
        if name == STATUS or known_states[states.notna()].any():
            unknown = sorted(set(table[name][~known_states].astype(str)))
            raise RequestError(
                f"{name}: {', '.join(map(repr, unknown[:5]))} is no known state of a run; "
                f"kdtune reads done, finished, failed, running and the like; "
                f"select the finished rows instead: --where \"{name} == '{unknown[0]}'\""
                if name != STATUS
                else f"its column {name} has {', '.join(unknown[:5])}, where kdtune reads "
                f"{DONE}, {FAILED}, {SKIPPED}, and the states of Optuna, Ray, MLflow and Weights & Biases"
            )
    for name in table.columns:
        words = " ".join(split_words(name))
        if words not in _FAILURE_NAMES | _SUCCESS_NAMES or table[name].nunique() < 2:
            continue
        truths = _normalize(table[name]).map(_TRUTHS)
        if truths.notna().equals(table[name].notna()):
            is_good = truths if words in _SUCCESS_NAMES else ~truths.astype("boolean")
            return _mark(table, name, is_good.map({True: "true", False: f"{name} is {words in _FAILURE_NAMES}"}))
    return table, []


def _normalize(column: pd.Series) -> pd.Series:
    """Return states in lower case, without what an enumeration puts in front ("TrialState.COMPLETE")."""
    texts = {value: str(value).strip().lower() for value in column.dropna().unique()}
    return column.map({value: re.sub(r"^[a-z_]+[.]|(?<=\d)[.]0$", "", text) for value, text in texts.items()})


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
