"""Findings in plain words. A failure to reject is never worded as equality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "width": "the student's width", "class_sep": "class_sep", "p_informative": "p_informative",
    "teacher_error": "the teacher's errors",
}  # fmt: skip
LEVEL = 0.05


def effect_sentence(row: Mapping[str, Any], margin: float) -> str:
    """What a row of the effects says."""
    name = NAMES.get(row["factor"], row["factor"])
    low, high, p = row["low"], row["high"], row["p_holm"]
    between = f"95 % interval {number(low)} to {number(high)}"
    change = f"log2 T changes by {number(row['effect'])} per doubling ({between}"
    if row["informative_cells"] < row["cells"] / 2:
        return (
            f"Cannot tell whether the best T moves with {name}: only {row['informative_cells']} of {row['cells']} "
            f"cells say where their best T is."
        )
    if -margin <= low and high <= margin:
        return f"The best T does not move with {name} by more than {margin:g} doublings per doubling ({between})."
    if (low > 0 or high < 0) and p < LEVEL:
        verb = "rises" if low > 0 else "falls"
        agrees = "agrees" if row["check_low"] > 0 or row["check_high"] < 0 else "does not settle it"
        if row["check"] * row["effect"] < 0:
            agrees = "disagrees"
        return f"The best T {verb} with {name}: {change}, p = {p:.2g} after Holm); a second method {agrees}."
    return f"Cannot tell whether the best T moves with {name}: {change}, p = {p:.2g} after Holm)."


def number(value: float) -> str:
    """With a sign, and words for what nothing bounds."""
    if math.isinf(value):
        return "no lower bound" if value < 0 else "no upper bound"
    return f"{value:+.2g}"


def interval(low: float, high: float) -> str:
    """An interval of T: 2.3 to 6.1, at most 3.2, at least 8, anything."""
    if low <= 0 and math.isinf(high):
        return "anything"
    if low <= 0:
        return f"at most {high:.2g}"
    return f"at least {low:.2g}" if math.isinf(high) else f"{low:.2g} to {high:.2g}"


def temperatures(chosen: Sequence[float], grid: Sequence[float]) -> str:
    """Temperatures of a grid, runs of them as ranges: 2-5, 10; all; none."""
    places = sorted(list(grid).index(value) for value in chosen)
    if not places:
        return "none"
    if len(places) == len(grid) > 1:
        return "all"
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(f"{grid[run[0]]:g}" + (f"-{grid[run[-1]]:g}" if len(run) > 1 else "") for run in runs)
