"""Findings in plain words. A failure to reject is never worded as equality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

NAMES = {
    "width": "the student's width", "class_sep": "class_sep", "p_informative": "p_informative",
    "teacher_error": "the teacher's errors",
}  # fmt: skip
LEVEL = 0.05
LEAST_P = 1e-4  # that is given as a number: so far out in the tails no noise is normal
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not set
LEAST_DOUBLINGS = 0.5  # of what is measured: over less, noise in it would pass for a steep rule


RISES, FALLS, STAYS, UNKNOWN = "rises", "falls", "stays", "cannot tell"


def decide_verdict(row: Mapping[str, Any], margin: float) -> str:
    """What a row of the effects allows to say."""
    low, high = row["low"], row["high"]
    if row["why_not"] or row["replicates"] < 2 or math.isnan(row["effect"]):
        return UNKNOWN
    if row["informative_cells"] < row["cells"] / 2:
        return UNKNOWN
    if -margin <= low and high <= margin:
        return STAYS
    if not low <= 0 <= high and row["p_holm"] < LEVEL:
        return RISES if low > 0 else FALLS
    return UNKNOWN


def write_effect_sentence(row: Mapping[str, Any], margin: float) -> str:
    """The same in words, with what is behind it."""
    low, high = row["low"], row["high"]
    between = f"95 % interval {format_change(low)} to {format_change(high)}"
    among = f" of {row['used_cells']} of {row['cells']} cells, which have the same replicates"
    among = among if row["used_cells"] < row["cells"] else ""
    drawn = f" of each of {row['independent_sets']} independent data sets" if row["independent_sets"] > 1 else ""
    basis = f"{row['replicates']} replicates{drawn}{among}"
    p_value = f"p = {row['p_holm']:.2g}" if row["p_holm"] >= LEAST_P else f"p < {LEAST_P:g}"
    change = f"log2 T changes by {format_change(row['effect'])} per doubling ({between}, {p_value} after Holm)"
    said = write_brief_sentence(row, margin).rstrip(".")
    if row["verdict"] == STAYS:
        return f"{said} ({between}; {basis})."
    if row["verdict"] != UNKNOWN:
        bounds = f"{format_change(row['check_low'])} to {format_change(row['check_high'])}"
        second = f"a second method gives {format_change(row['check'])} ({bounds})"
        if row["check_low"] <= 0 <= row["check_high"]:
            second += ", which settles nothing"
        text = f"{said.partition(',')[0]}: {change}, from {basis}; {second}."
        if row["factor"] == TEACHER_ERROR:
            text += " That compares data sets, as the effects of their settings do: it is no evidence besides."
        return text
    if row["why_not"]:
        return f"{said}: {row['why_not']}."
    if row["replicates"] < 2:
        return f"{said}: one replicate shows no noise to judge by."
    if math.isnan(row["effect"]):
        return f"{said}: no two{f'{among},' if among else ' cells'} differ in it alone."
    if row["informative_cells"] < row["cells"] / 2:
        return f"{said}: only {row['informative_cells']} of {row['cells']} cells say where their best T is."
    if math.isinf(low) and math.isinf(high):
        return f"{said}: no change is excluded."
    but = "; the test rejects no change, the interval does not exclude it" if row["p_holm"] < LEVEL else ""
    if not low <= 0 <= high:
        but = "; the interval excludes no change, the test does not reject it"
    return f"{said}: {change}, from {basis}{but}."


def write_brief_sentence(row: Mapping[str, Any], margin: float) -> str:
    """What a row of the effects says, in short."""
    name = NAMES.get(row["factor"], row["factor"])
    if row["verdict"] == STAYS:
        return f"The best T does not move with {name} by more than {margin:g} doublings per doubling."
    if row["verdict"] == UNKNOWN:
        return f"Cannot tell whether the best T moves with {name}."
    doubt = ", but a second method disagrees" if row["check"] * row["effect"] < 0 else ""
    return f"The best T {row['verdict']} with {name}{doubt}."


def list_rows(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows of a frame."""
    return frame.to_dict("records")  # type: ignore[return-value]


def format_change(value: float) -> str:
    """With a sign, and words for what nothing bounds."""
    if math.isinf(value):
        return "no lower bound" if value < 0 else "no upper bound"
    return f"{value:+.2g}"


def format_interval(low: float, high: float) -> str:
    """An interval of T: 2.3 to 6.1, at most 3.2, at least 8, anything."""
    if low <= 0 and math.isinf(high):
        return "anything"
    if low <= 0:
        return f"at most {format_temperature(high)}"
    return (
        f"at least {format_temperature(low)}"
        if math.isinf(high)
        else f"{format_temperature(low)} to {format_temperature(high)}"
    )


def format_temperature(T: float) -> str:
    """With two digits, or all before the point."""
    return f"{T:.0f}" if T >= 100 else f"{T:.2g}"


def format_temperatures(chosen: Sequence[float], grid: Sequence[float]) -> str:
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
