"""Choose the settings that one view of the page shows: those that match a search, in an order, some at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Summary = dict[str, Any]  # of a cell: see ``summarize.py``


def select_cells(cells: Sequence[Summary], search: str, order: str, offset: int, limit: int) -> dict[str, Any]:
    """Return some cells, how many match, and the temperatures that all of them lie between.

    Parameters
    ----------
    cells : The summaries of all cells, in the order of the table.
    search : Words that the name of a cell must have.
    order : ``widest``, the least certain best T first; ``highest`` or ``lowest``, by the best T; else as in the table.
    offset : How many of them to leave out before the first one.
    limit : How many to return at most.
    """
    words = search.casefold().split()
    matching = [cell for cell in cells if all(word in cell["name"].casefold() for word in words)]
    if order in _ORDERS:
        matching.sort(key=_ORDERS[order])
    temperatures = [T for cell in cells for T in cell["curve"]["T"]]
    return {
        "cells": matching[offset : offset + limit],
        "n_matching": len(matching),
        "n_cells": len(cells),
        "lowest_T": min(temperatures, default=None),
        "highest_T": max(temperatures, default=None),
    }


def find_cell(cells: Sequence[Summary], cell_id: str) -> Summary | None:
    """Return the summary of a cell by its id; None if there is no such cell."""
    return next((cell for cell in cells if cell["id"] == cell_id), None)


def _measure_interval(cell: Summary) -> float:
    """Return the width of a cell's interval in doublings of T; infinity if an end is open."""
    low, high = cell["low"], cell["high"]
    return math.inf if low is None or high is None else math.log2(high / low)


_ORDERS: dict[str, Callable[[Summary], float]] = {
    "widest": lambda cell: -_measure_interval(cell),
    "lowest": lambda cell: float(cell["best"]),
    "highest": lambda cell: -float(cell["best"]),
}
