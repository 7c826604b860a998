"""Select the cells that an effect is estimated from, and say which of them are independent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from kdtune.analysis.cell import Cell
from kdtune.analysis.paired_runs import MIN_REPLICATES
from kdtune.analysis.unpaired_runs import pair_at_random

MIN_TEMPERATURES = 5  # fewer show too little of the shape of a curve


def select_usable_cells(cells: list[Cell], measure: str) -> list[Cell]:
    """Return the cells that have a smooth curve, each with the same replicates.

    These are the replicates that all cells have, or those that more than half of the cells have if the former are few.
    Unpaired runs are put together at random to as many replicates as their temperatures allow.

    Parameters
    ----------
    cells : The cells.
    measure : The measure that T is chosen by.
    """
    cells_with_curve = [cell for cell in cells if len(cell.temperatures) >= MIN_TEMPERATURES]
    cells_with_curve = [
        _fill_cell(cell, measure) if cell.is_paired else _make_replicates(cell, measure) for cell in cells_with_curve
    ]
    counts = Counter(name for cell in cells_with_curve for name in cell.replicates)
    shared_names = [name for name, count in counts.items() if count == len(cells_with_curve)]
    if len(shared_names) < min(MIN_REPLICATES, len(counts)):
        shared_names = [name for name, count in counts.items() if count > len(cells_with_curve) / 2]
    fewest_replicates = min((len(cell.replicates) for cell in cells_with_curve), default=0)
    if len(shared_names) < 2 and fewest_replicates >= 2:
        # Each cell has its own names for its replicates, so there are no pairs to keep.
        return [_select_replicates(cell, list(range(fewest_replicates))) for cell in cells_with_curve]
    if not shared_names:
        return []
    usable_cells = []
    for cell in cells_with_curve:
        if set(shared_names) <= set(cell.replicates):
            usable_cells.append(_select_replicates(cell, [cell.replicates.index(name) for name in shared_names]))
    return usable_cells


def _fill_cell(cell: Cell, measure: str) -> Cell:
    """Return a cell whose missing runs are filled: curves must be complete."""
    return replace(cell, student_measures={**cell.student_measures, measure: cell.fill_holes(measure)})


def _make_replicates(cell: Cell, measure: str) -> Cell:
    """Return a cell of unpaired runs with replicates, which are numbered, from ``pair_at_random``."""
    runs = pair_at_random(cell.temperatures, cell.student_measures, measure, MIN_TEMPERATURES)
    return replace(
        cell,
        temperatures=runs.temperatures,
        replicates=list(range(len(runs.measures[measure]))),
        student_measures=runs.measures,
    )


def _select_replicates(cell: Cell, indices: list[int]) -> Cell:
    """Return a cell with the replicates at these indices only."""
    if not cell.is_paired:  # Its baselines and teachers belong to no replicate.
        return replace(
            cell,
            replicates=[cell.replicates[i] for i in indices],
            student_measures={name: values[indices] for name, values in cell.student_measures.items()},
        )
    return replace(
        cell,
        replicates=[cell.replicates[i] for i in indices],
        student_measures={name: values[indices] for name, values in cell.student_measures.items()},
        baseline_measures={name: values[indices] for name, values in cell.baseline_measures.items()},
        teacher_measures={name: values[indices] for name, values in cell.teacher_measures.items()},
    )


def number_independent_sets(cells: Sequence[Cell]) -> list[int]:
    """Return for each cell the number of its set: cells of different sets have no draw of data in common.

    Cells whose data are cuts of one finite data set are in one set, whatever their seeds. All cells are in one set if
    the table does not have the seeds of all data: then equal replicates of different cells may share their random
    draws, and only different replicates are independent. Each cell of unpaired runs is a set.
    """
    if cells and not any(cell.is_paired for cell in cells):
        return list(range(len(cells)))
    if not cells or not all(cell.data_seeds for cell in cells):
        return [0] * len(cells)
    cell_indices, seeds = [], []
    for index, cell in enumerate(cells):
        for seed in cell.data_seeds:
            cell_indices.append(index)
            seeds.append(seed)
        if cell.finite_set is not None and cell.finite_set.source is not None:
            cell_indices.append(index)
            seeds.append(f"data set {cell.finite_set.source}")
    # Cells, seeds and data sets are the nodes of a graph; a cell is connected with those of its data.
    seed_nodes = len(cells) + pd.factorize(np.array(seeds, object))[0]
    n_nodes = int(seed_nodes.max()) + 1
    graph = sparse.coo_array((np.ones(len(seed_nodes)), (cell_indices, seed_nodes)), shape=(n_nodes, n_nodes))
    _, components = sparse.csgraph.connected_components(graph, directed=False)
    return [int(number) for number in pd.factorize(components[: len(cells)])[0]]
