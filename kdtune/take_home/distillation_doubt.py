"""Whether a sweep shows that distillation helps the network that is taken home."""

from __future__ import annotations

import math

from kdtune.analysis.answer import Answer
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.columns import MODEL, NUM_ERROR, STUDENT, TEMP
from kdtune.take_home.choice import Choice


def describe_doubt(answer: Answer | None, choice: Choice) -> list[str]:
    """Say that it is not shown whether distillation helps, with the figures of the test split; nothing where it is.

    The figures are those of the answer: students at its T minus students that were trained on labels alone. Of networks
    at another T it has none, and nothing is said.
    """
    row, position = choice.row, choice.position
    if answer is None or position is None or row[MODEL] != STUDENT:
        return []
    if row[TEMP] != answer.t_opt["T_opt"].iloc[position]:
        return []
    measure = answer.test_measure
    frame = answer.get_test(measure)
    if "minus_baseline" not in frame.columns:
        return []
    figures = frame.iloc[position]
    difference, low, high = (float(figures[f"minus_baseline{end}"]) for end in ("", "_low", "_high"))
    if math.isnan(difference):
        return ["Whether distillation helps is not shown: no students were trained on labels alone to compare with."]
    style = "+.1f" if measure == NUM_ERROR else "+.4f"
    name = answer.measure_name
    compared = (
        f"on the test split, {name} of students at T = {format_temperature(row[TEMP])} minus {name} of students that "
        f"were trained on labels alone: {difference:{style}} in the mean"
    )
    if not math.isfinite(low):
        return [f"Whether distillation helps is not shown: {compared}, and one replicate has no interval."]
    interval = f"95 % interval {low:{style}} to {high:{style}}"
    if low > 0:
        return [f"Distillation does not help here: {compared} ({interval})."]
    if high >= 0:
        return [f"Whether distillation helps is not shown: {compared} ({interval}, which holds 0)."]
    return []
