"""Say which runs have infinite errors, as those that diverged: such values count as missing."""

from __future__ import annotations

import pandas as pd

from kdtune.analysis.column_values import MAX_MEASURE
from kdtune.columns import MODEL, NUM_ERROR, SCORE, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.text import pluralize


def describe_infinite_values(table: pd.DataFrame) -> list[str]:
    """Say which distilled students have infinite errors, and what that does to the answer.

    Parameters
    ----------
    table : The table with ``MODEL``, ``TEMP`` (numbers or not) and the measures.
    """
    is_infinite = pd.Series(False, index=table.index)
    for name in (SCORE, VAL_NUM_ERROR, NUM_ERROR):
        if name in table.columns and table[name].dtype.kind not in "iu":
            is_infinite |= pd.to_numeric(table[name], errors="coerce").abs() > MAX_MEASURE
    if is_infinite.any():
        is_infinite &= table[MODEL] == STUDENT
    if not is_infinite.any():
        return []
    counts = pd.to_numeric(table.loc[is_infinite, TEMP], errors="coerce").value_counts().sort_index()
    places = ", ".join(f"{count} at T {T:g}" for T, count in counts.items())
    count = int(is_infinite.sum())
    subject = f"{pluralize(count, 'run')} {'has' if count == 1 else 'have'}"
    value, cost = "infinite errors", "the errors of guessing"
    if SCORE in table.columns:
        value, cost = "an infinite value", "the worst possible value"
    return [
        f"{subject} {value}{f' ({places})' if places else ''}, perhaps because of divergence. Infinite values are left "
        f"out, which makes these T look better than they are. To count them, write {cost} into these rows."
    ]
