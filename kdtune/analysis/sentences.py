"""Findings in plain words. A failure to reject is never worded as equality."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from kdtune.analysis.answer import Answer

NAMES = {
    "width": "the student's width", "class_sep": "class_sep", "p_informative": "p_informative",
    "teacher_error": "the teacher's errors",
}  # fmt: skip
LEVEL = 0.05
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not set
LEAST_DOUBLINGS = 0.5  # of what is measured: over less, noise in it would pass for a steep rule


def effect_sentence(row: Mapping[str, Any], margin: float) -> str:
    """What a row of the effects says."""
    name = NAMES.get(row["factor"], row["factor"])
    cannot = f"Cannot tell whether the best T moves with {name}"
    low, high, p = row["low"], row["high"], row["p_holm"]
    if row["replicates"] < 2:
        return f"{cannot}: one replicate shows no noise to judge by."
    if row["factor"] == TEACHER_ERROR and row["doublings"] < LEAST_DOUBLINGS:
        return f"{cannot}: they differ by a factor of {2 ** row['doublings']:.2g} at most."
    if math.isnan(row["effect"]):
        return f"{cannot}: no two cells differ in it alone."
    if row["informative_cells"] < row["cells"] / 2:
        return f"{cannot}: only {row['informative_cells']} of {row['cells']} cells say where their best T is."
    between = f"95 % interval {number(low)} to {number(high)}"
    change = f"log2 T changes by {number(row['effect'])} per doubling ({between}, p = {p:.2g} after Holm)"
    if -margin <= low and high <= margin:
        return f"The best T does not move with {name} by more than {margin:g} doublings per doubling ({between})."
    if (low >= 0 or high <= 0) and p < LEVEL:
        verb = "rises" if low >= 0 else "falls"
        agrees = "agrees" if row["check_low"] > 0 or row["check_high"] < 0 else "does not settle it"
        if row["check"] * row["effect"] < 0:
            agrees = "disagrees"
        return f"The best T {verb} with {name}: {change}; a second method {agrees}."
    return f"{cannot}: {change}."


def headline(answer: Answer) -> str:
    """The answer in a sentence or two."""
    best = answer.t_opt
    told = [interval(low, high) for low, high in zip(best["T_opt_low"], best["T_opt_high"], strict=True)]
    if len(best) == 1:
        tied = temperatures(best["tied"][0], answer.cells[0].temperatures.tolist())
        smooth = best["T_opt_continuous"][0]
        return (
            f"Best temperature: {best['T_opt'][0]:g} of the grid, {smooth:.2g} on the smooth curve (95 % interval: "
            f"{told[0]}). Not told apart from the best: {tied}."
        )
    known = sum(text != "anything" for text in told)
    low, high = best["T_opt"].min(), best["T_opt"].max()
    text = f"Best temperature: {low:g} to {high:g} over {len(best)} cells, median {best['T_opt'].median():g}"
    text += f". The intervals of {known} cells exclude some T."
    moves = answer.effects
    if len(moves):
        clear = [row for row in records(moves) if row["sentence"].startswith("The best T")]
        said = " ".join(brief(row) for row in clear)
        return f"{text} {said}" if clear else f"{text} Whether it moves with anything cannot be told."
    return text


def brief(row: Mapping[str, Any]) -> str:
    """The sentence of an effect up to its figures."""
    return re.split(r": | by more than", str(row["sentence"]))[0].rstrip(".") + "."


def records(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows of a frame."""
    return frame.to_dict("records")  # type: ignore[return-value]


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
