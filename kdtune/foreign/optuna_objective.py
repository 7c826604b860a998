"""Know the objective in a frame of Optuna: a column called value says nothing, so it is not taken for a measure."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from kdtune.columns import STATUS, VAL_ACCURACY, VAL_NUM_ERROR

_OBJECTIVE = "value"
_PREFIXES = ("params_", "user_attrs_", "system_attrs_")
_STATES = {"state", STATUS}


def describe_objective(names: Collection[str], *used: str | None) -> str:
    """Return the sentence that says how T is chosen by Optuna's objective; the empty text if there is none.

    Parameters
    ----------
    names : The columns, by the table's own names or kdtune's.
    used : The columns that the user names already.
    """
    has_marks = any(name.startswith(_PREFIXES) or name in _STATES for name in names)
    is_optuna = {"number", _OBJECTIVE} <= set(names) and has_marks
    if not is_optuna or _OBJECTIVE in used:
        return ""
    options = {
        "an accuracy": f"--map {VAL_ACCURACY}={_OBJECTIVE}",
        "an error": f"--map {VAL_NUM_ERROR}={_OBJECTIVE}",
        "a loss": f"--measure {shlex.quote(_OBJECTIVE)} --lower-is-better",
    }
    choices = "; ".join(f"{option} if it is {kind}" for kind, option in options.items())
    return f"{_OBJECTIVE} looks like Optuna's objective. To choose T by it: {choices}."
