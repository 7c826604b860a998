"""Name students and their temperatures in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdtune.analysis.cells import format_setting
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.temperature_texts import format_temperature, list_ranges
from kdtune.text import format_number, join_names

MAX_NAMES = 6  # students that one sentence names, or ranges of temperatures


def name_students(settings: Sequence[dict[str, Any]]) -> str:
    """Name students by their settings, as in "width 5, 10 and 20"; empty if nothing tells them apart."""
    if len(settings[0]) == 1:
        name = next(iter(settings[0]))
        values = [format_number(each[name]) for each in settings if each[name] is not None]
        return f"{name} {join_names(values, max_names=MAX_NAMES)}" if values else ""
    written = [format_setting(list(each), list(each.values())) for each in settings]
    return "; ".join(written[:MAX_NAMES]) + (
        f"; and {len(written) - MAX_NAMES} more" if len(written) > MAX_NAMES else ""
    )


def join_grids(group: Sequence[StudentAnswer]) -> list[float]:
    """Return the temperatures that all students of a group have."""
    return [float(T) for T in group[0].temperatures if all(T in student.temperatures for student in group)]


def list_choice(group: Sequence[StudentAnswer]) -> list[float]:
    """List the temperatures that are tied with the best of all students of a group, or the grid if there are none."""
    grid = join_grids(group)
    return [T for T in grid if all(T in student.tied for student in group)] or grid


def name_range(grid: Sequence[float]) -> str:
    """Name a grid of temperatures by its ends, as in "T = 1 to 40"."""
    return f"T = {format_temperature(grid[0], grid)} to {format_temperature(grid[-1], grid)}"


def name_temperatures(temperatures: Sequence[float], grid: Sequence[float]) -> str:
    """Name temperatures of a grid, as in "T = 2 to 8 and 20"; empty if there are none.

    Of very many ranges the first are named and the rest counted.
    """
    if not temperatures:
        return ""
    if len(temperatures) == len(grid):
        return name_range(grid)
    names, counts = [], []
    for first_index, last_index in list_ranges(temperatures, grid):
        low, high = (format_temperature(grid[index], grid) for index in (first_index, last_index))
        count = last_index - first_index + 1
        names += [low, high] if count == 2 else [f"{low} to {high}" if count > 2 else low]
        counts += [1, 1] if count == 2 else [count]
    if len(names) <= MAX_NAMES:
        return f"T = {join_names(names)}"
    return f"T = {join_names([*names[:MAX_NAMES], f'{sum(counts[MAX_NAMES:])} others'])}"
