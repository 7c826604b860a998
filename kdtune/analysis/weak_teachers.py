"""Say in which settings the teacher has less to give than the labels."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import format_setting

MAX_SETTINGS = 3  # settings that the sentence names


def describe_weak_teachers(answer: Answer) -> list[str]:
    """Return a sentence if teachers make more errors on the test split than baselines, as means; else nothing."""
    if not {"teacher", "baseline"} <= set(answer.test.columns):
        return []
    weak = answer.test[answer.test["teacher"] > answer.test["baseline"]]
    if weak.empty:
        return []
    settings = "the only setting"
    if len(answer.test) > 1:
        settings = f"all {len(weak)} settings"
    if len(weak) < len(answer.test):
        rows = weak[answer.cell_columns].head(MAX_SETTINGS).itertuples(index=False, name=None)
        names = "; ".join(format_setting(answer.cell_columns, row) for row in rows)
        more = "; ..." if len(weak) > MAX_SETTINGS else ""
        settings = f"{len(weak)} of {len(answer.test)} settings ({names}{more})"
    return [
        f"In {settings} the teacher makes more errors on the test split than the students that were trained on labels "
        f"alone: a better teacher may gain more than any T."
    ]
