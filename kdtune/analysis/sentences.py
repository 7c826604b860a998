"""Write findings in plain words. A failure to reject is never worded as equality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kdtune.analysis.factor_effects import SIGNIFICANCE_LEVEL, STAYS, TEACHER_ERROR, UNKNOWN, FactorEffect

FACTOR_NAMES = {"width": "the student's width", TEACHER_ERROR: "the teacher's errors"}
SMALLEST_P = 1e-4  # A smaller p-value is given as "p < 0.0001": so far out in its tails no noise is normal.


def write_effect_sentence(effect: FactorEffect, margin: float) -> str:
    """Write what an effect allows to say, with its numbers."""
    verdict = write_verdict(effect, margin).rstrip(".")
    if effect.verdict == STAYS:
        interval = f"95 % interval {format_change(effect.low)} to {format_change(effect.high)}"
        return f"{verdict} ({interval}; {_describe_basis(effect)})."
    if effect.verdict == UNKNOWN:
        return f"{verdict}: {_explain_doubt(effect)}."
    second_method = f"a second method gives {format_change(effect.check)}"
    second_method += f" ({format_change(effect.check_low)} to {format_change(effect.check_high)})"
    if effect.check_low <= 0 <= effect.check_high:
        second_method += ", which is inconclusive"
    finding = verdict.partition(",")[0]  # without the remark about the second method, whose numbers follow
    sentence = f"{finding}: {_describe_change(effect)}, from {_describe_basis(effect)}; {second_method}."
    if effect.factor == TEACHER_ERROR:
        sentence += " This compares the same data sets as the effects of their settings: it is no additional evidence."
    return sentence


def write_verdict(effect: FactorEffect, margin: float) -> str:
    """Write what an effect allows to say, in short."""
    name = FACTOR_NAMES.get(effect.factor, effect.factor)
    if effect.verdict == STAYS:
        return f"The best T does not move with {name} by more than {margin:g} doublings per doubling."
    if effect.verdict == UNKNOWN:
        return f"Cannot tell whether the best T moves with {name}."
    doubt = ", but a second method disagrees" if effect.check * effect.effect < 0 else ""
    return f"The best T {effect.verdict} with {name}{doubt}."


def _explain_doubt(effect: FactorEffect) -> str:
    """Say why the verdict on an effect is unknown."""
    if effect.obstacle:
        return effect.obstacle
    if effect.replicates < 2:
        return "one replicate does not show how large the noise is"
    if math.isnan(effect.effect):
        return f"no two {_describe_used_cells(effect) or 'settings'} differ in it alone"
    if not effect.is_informative:
        return f"only {effect.informative_cells} of {effect.cells} settings show where their best T is"
    if math.isinf(effect.low) and math.isinf(effect.high):
        return "the interval excludes nothing"
    numbers = f"{_describe_change(effect)}, from {_describe_basis(effect)}"
    if effect.excludes_zero:
        return f"{numbers}; the interval excludes zero change, but the test does not reject it"
    if effect.p_holm < SIGNIFICANCE_LEVEL:
        return f"{numbers}; the test rejects zero change, but the interval includes it"
    return numbers


def _describe_change(effect: FactorEffect) -> str:
    interval = f"95 % interval {format_change(effect.low)} to {format_change(effect.high)}"
    p_value = f"p = {effect.p_holm:.2g}" if effect.p_holm >= SMALLEST_P else f"p < {SMALLEST_P:g}"
    return f"log2 T changes by {format_change(effect.effect)} per doubling ({interval}, {p_value} after Holm)"


def _describe_basis(effect: FactorEffect) -> str:
    """Say from how many replicates an effect is estimated, and of which settings."""
    basis = f"{effect.replicates} replicates"
    if effect.independent_sets > 1:
        basis += f" of each of {effect.independent_sets} independent data sets"
    used_cells = _describe_used_cells(effect)
    return f"{basis} of {used_cells}" if used_cells else basis


def _describe_used_cells(effect: FactorEffect) -> str:
    """Say which settings an effect is estimated from; empty if from all."""
    if effect.used_cells == effect.cells:
        return ""
    return f"{effect.used_cells} of {effect.cells} settings, which have the same replicates"


def list_rows(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Return the rows of a frame, each by the names of its columns."""
    return frame.to_dict("records")  # type: ignore[return-value]


def format_change(value: float) -> str:
    """Write a change with its sign; one that nothing bounds in words."""
    if math.isinf(value):
        return "no lower bound" if value < 0 else "no upper bound"
    return f"{value:+.2g}"


def is_unbounded(low: float, high: float) -> bool:
    """Return whether an interval of T excludes no T."""
    return low <= 0 and math.isinf(high)


def format_interval(low: float, high: float) -> str:
    """Write an interval of T, as in "2.3 to 6.1", "at most 3.2", "at least 8" or "any T"."""
    if is_unbounded(low, high):
        return "any T"
    if low <= 0:
        return f"at most {format_temperature(high)}"
    if math.isinf(high):
        return f"at least {format_temperature(low)}"
    return f"{format_temperature(low)} to {format_temperature(high)}"


def format_temperature(T: float) -> str:
    """Write a temperature with two digits, or with all before the point."""
    return f"{T:.0f}" if T >= 100 else f"{T:.2g}"


def format_temperatures(temperatures: Sequence[float], grid: Sequence[float]) -> str:
    """Write temperatures of a grid, neighbours as ranges, as in "2-5, 10", "all" or "none"."""
    indices = sorted(list(grid).index(T) for T in temperatures)
    if not indices:
        return "none"
    if len(indices) == len(grid) > 1:
        return "all"
    ranges = []
    first_index = last_index = indices[0]
    for index in indices[1:]:
        if index > last_index + 1:
            ranges.append(_format_range(grid[first_index], grid[last_index]))
            first_index = index
        last_index = index
    ranges.append(_format_range(grid[first_index], grid[last_index]))
    return ", ".join(ranges)


def _format_range(first_T: float, last_T: float) -> str:
    return f"{first_T:g}" if first_T == last_T else f"{first_T:g}-{last_T:g}"
