"""Group the cells that an effect is estimated from into data sets, and select some of very many."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import format_setting, select_data_columns
from kdtune.analysis.factor_effects import TEACHER_ERROR

MAX_CELLS = 300  # that an effect is estimated from: more take minutes and tell little more
MIN_BLOCK_CELLS = 12  # that stay of each block, where blocks are large
ALL_DATA = "all data"


def number_parts(
    cells: Sequence[Cell], columns: Sequence[str], factor: str, blocks: Sequence[Hashable], sets: Sequence[int]
) -> list[int]:
    """Return for each cell the number of its part: the cells of one part share data.

    Cells of one block are in one part, and so are cells of one independent set. Where a table does not say which cells
    share data, so that all are one set, cells with the same settings of the data are. Of the teacher's errors, which
    differ between data sets, there is one part.

    Parameters
    ----------
    cells : The cells.
    columns : The columns that name a cell.
    factor : The factor.
    blocks : The block of each cell, whose cells differ only in the factor.
    sets : The number of each cell's independent set.
    """
    are_sets_known = any(cell.is_paired for cell in cells) and len(set(sets)) > 1
    data_columns = [name for name in select_data_columns(columns) if name != factor]
    labels: list[Hashable] = list(sets)
    if not are_sets_known:
        is_one = factor == TEACHER_ERROR
        labels = [() if is_one else tuple(str(cell.settings[name]) for name in data_columns) for cell in cells]
    rows = np.arange(len(cells))
    block_nodes = len(cells) + pd.factorize(_to_objects(blocks))[0]
    label_nodes = block_nodes.max() + 1 + pd.factorize(_to_objects(labels))[0]
    n_nodes = int(label_nodes.max()) + 1
    starts, ends = np.concatenate([rows, rows]), np.concatenate([block_nodes, label_nodes])
    graph = sparse.coo_array((np.ones(len(starts)), (starts, ends)), shape=(n_nodes, n_nodes))
    _, components = sparse.csgraph.connected_components(graph, directed=False)
    return [int(number) for number in pd.factorize(components[: len(cells)])[0]]


def name_parts(cells: Sequence[Cell], columns: Sequence[str], factor: str, parts: Sequence[int]) -> dict[int, str]:
    """Return what sentences call each part: by the settings that all of its cells share but other parts do not."""
    settings = pd.DataFrame([{name: str(cell.settings[name]) for name in columns} for cell in cells], dtype=object)
    by_part = settings.groupby(np.asarray(parts))
    names = [
        name
        for name in columns
        if name != factor and (by_part[name].nunique() == 1).all() and settings[name].nunique() > 1
    ]
    first_cells = {part: cells[index] for index, part in reversed(list(enumerate(parts)))}
    texts: dict[int, str] = {}
    for part, cell in sorted(first_cells.items()):
        values: list[Any] = [cell.settings[name] for name in names]
        texts[part] = format_setting(names, values) or (ALL_DATA if len(first_cells) == 1 else f"data {part + 1}")
    return texts


def select_cells(factors: Sequence[float], blocks: Sequence[Hashable]) -> list[int]:
    """Return the indices of the cells that an effect is estimated from: all, or of very many a part.

    Of ``MAX_CELLS`` or more cells, blocks are taken at even distances, and of large blocks cells at even distances of
    the factor.

    Parameters
    ----------
    factors : The factor of each cell.
    blocks : The block of each cell.
    """
    cells_by_block: dict[Hashable, list[int]] = {}
    for cell, block in enumerate(blocks):
        cells_by_block.setdefault(block, []).append(cell)
    compared = [cells for cells in cells_by_block.values() if len({factors[cell] for cell in cells}) > 1]
    if sum(map(len, compared)) <= MAX_CELLS:
        return list(range(len(factors)))
    limit = max(MIN_BLOCK_CELLS, MAX_CELLS // len(compared))
    trimmed = [_spread(sorted(cells, key=lambda cell: factors[cell]), limit) for cells in compared]
    mean_size = sum(map(len, trimmed)) / len(trimmed)
    return sorted(cell for cells in _spread(trimmed, max(1, int(MAX_CELLS / mean_size))) for cell in cells)


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return so many items at even distances, the first and the last among them; all if there are no more."""
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _to_objects(values: Sequence[Hashable]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Return an array of one dimension, whatever the values are."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
