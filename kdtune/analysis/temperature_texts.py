"""Write temperatures and confidence intervals of temperatures as text."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context

GRID_DIGITS = 6  # the significant digits of a temperature that was tried
EXACT_DIGITS = 4  # A temperature with no more significant digits than these is written in full.
ESTIMATE_DIGITS = 3  # the significant digits of any other temperature
MIN_EXPONENT_T = 1e6  # Smaller temperatures are written without an exponent.


def is_unbounded(low: float, high: float) -> bool:
    """Return whether an interval of T excludes no T."""
    return low <= 0 and math.isinf(high)


def format_temperature(T: float, grid: Collection[float] = (), rounding: str = ROUND_HALF_EVEN) -> str:
    """Write a temperature.

    Parameters
    ----------
    T : The temperature. It is positive.
    grid : The temperatures that were tried. They are written with six significant digits, other temperatures
        with three, unless four are exact.
    rounding : The rounding mode, a constant of ``decimal``.
    """
    if T >= MIN_EXPONENT_T:
        return f"{T:g}"
    if T in grid:
        return _format_rounded(T, GRID_DIGITS, ROUND_HALF_EVEN)
    text = _format_rounded(T, EXACT_DIGITS, rounding)
    if float(text) == T:
        return text
    return _format_rounded(T, ESTIMATE_DIGITS, rounding)


def _format_rounded(T: float, digits: int, rounding: str) -> str:
    """Write a number with at most this many significant digits and without an exponent."""
    number = Context(prec=digits, rounding=rounding).create_decimal(repr(float(T)))
    return f"{number.normalize():f}"


def format_interval(low: float, high: float, grid: Collection[float] = ()) -> str:
    """Write an interval of T, as in "2.3 to 6.1", "at most 3.2", "at least 8" or "any T".

    Ends that are not on the grid are rounded outwards, so that rounding excludes nothing.
    """
    if is_unbounded(low, high):
        return "any T"
    if low <= 0:
        return f"at most {format_temperature(high, grid, ROUND_CEILING)}"
    if math.isinf(high):
        return f"at least {format_temperature(low, grid, ROUND_FLOOR)}"
    return f"{format_temperature(low, grid, ROUND_FLOOR)} to {format_temperature(high, grid, ROUND_CEILING)}"


def format_temperatures(temperatures: Sequence[float], grid: Sequence[float]) -> str:
    """Write temperatures of a grid, neighbours as ranges, as in "2-5, 10", "all" or "none"."""
    ranges = list_ranges(temperatures, grid)
    if not ranges:
        return "none"
    if ranges == [(0, len(grid) - 1)] and len(grid) > 1:
        return "all"
    return ", ".join(_format_range(grid, first_index, last_index) for first_index, last_index in ranges)


def list_ranges(temperatures: Sequence[float], grid: Sequence[float]) -> list[tuple[int, int]]:
    """List the first and last index in the grid of each run of neighbours among temperatures of the grid."""
    ranges: list[tuple[int, int]] = []
    for index in sorted(list(grid).index(T) for T in temperatures):
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], index
        else:
            ranges.append((index, index))
    return ranges


def _format_range(grid: Sequence[float], first_index: int, last_index: int) -> str:
    first_text = format_temperature(grid[first_index], grid)
    if first_index == last_index:
        return first_text
    return f"{first_text}-{format_temperature(grid[last_index], grid)}"
