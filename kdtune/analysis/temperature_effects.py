"""Whether T_opt moves with the settings of a sweep, and with the teacher's measured errors: a row a factor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from statsmodels.stats.multitest import multipletests

from kdtune.analysis.cell_arrays import FEW_REPLICATES, Cell
from kdtune.analysis.cells import is_students_only, select_data_columns
from kdtune.analysis.sentences import LEAST_DOUBLINGS, TEACHER_ERROR, decide_verdict, list_rows, write_effect_sentence
from kdtune.columns import NUM_ERROR
from kdtune.statistics import effects
from kdtune.statistics import smooth_minimum as curves
from kdtune.statistics.smooth_minimum import Array

# Steps of ``curves.smoothers``: many cells together have less noise than one, and the same bias. With 3 curves that
# turn with the width passed for moves too often in simulations; with more a move was found more rarely.
ROUGHER = 4
LEAST_NOISE = 0.1  # of the median cell's: a cell that happens to show less would outweigh all others


def estimate_effects(
    found: list[Cell], columns: Sequence[str], decide: str, informative: int, margin: float
) -> pd.DataFrame:
    """Change of log2 T_opt per doubling of each factor.

    Parameters
    ----------
    columns : that name a cell.
    decide : the measure that T_opt is the minimum of.
    informative : cells that say where their best T is.
    margin : a change that does not matter.
    """
    usable = _alike(found)
    noise = np.array([math.sqrt(curves.residual_variance(cell.students[decide])) for cell in usable])
    sets = _independent(usable)
    axis, smooth = effects.place_on_one_axis(_curves(usable, noise, decide)) if usable else (noise, [])
    rows = []
    for factor in _factors(found, columns):
        values = [_value(cell, factor) for cell in usable]
        why_not = _why_not(factor, values, usable, noise)
        within = [name for name in columns if name != factor]
        if factor == TEACHER_ERROR:
            within = [
                name for name in columns if name not in select_data_columns(columns) and not is_students_only(name)
            ]
        moved = None
        if not why_not:
            blocks = [tuple(cell.names[name] for name in within) for cell in usable]
            moved = effects.estimate_effect(axis, smooth, [math.log2(value) for value in values], blocks, sets)
        rows.append({"factor": factor, "why_not": why_not, **_row(moved)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    frame["informative_cells"], frame["cells"], frame["used_cells"] = informative, len(found), len(usable)
    frame["replicates"] = len(usable[0].replicates) if usable else 0
    frame["independent_sets"] = max(sets, default=0) + 1
    tested = frame["p_value"].notna()
    frame["p_holm"] = math.nan
    if tested.any():
        frame.loc[tested, "p_holm"] = multipletests(frame.loc[tested, "p_value"], method="holm")[1]
    frame["verdict"] = [decide_verdict(row, margin) for row in list_rows(frame)]
    frame["sentence"] = [write_effect_sentence(row, margin) for row in list_rows(frame)]
    return frame.drop(columns="why_not")


def _why_not(factor: str, values: Sequence[Any], usable: Sequence[Cell], noise: Array) -> str:
    """Why the effect of a factor is not asked, in words; empty if it is."""
    if not usable:
        return f"no cell has {curves.SPLINE_FROM} temperatures, which a curve takes"
    if len(usable[0].replicates) > 1 and np.median(noise) == 0:
        return "the replicates of most cells are copies, which show no noise to judge by"
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 for value in values):
        return "it is no number above 0 in every cell, so that nothing doubles; compare its cells"
    least, most = min(values), max(values)
    if factor == TEACHER_ERROR and most / least < 2**LEAST_DOUBLINGS:
        return f"they differ by a factor of {most / least:.2g} at most"
    return ""


def _row(moved: effects.Effect | None) -> dict[str, Any]:
    if moved is None:
        nothing = curves.Optimum(math.nan, -math.inf, math.inf)
        moved = effects.Effect(nothing, math.nan, math.nan, math.nan, math.nan)
    return {
        "effect": moved.optimum.at, "low": moved.optimum.low, "high": moved.optimum.high, "p_value": moved.p_value,
        "check": moved.check, "check_low": moved.check_low, "check_high": moved.check_high,
    }  # fmt: skip


def _alike(found: list[Cell]) -> list[Cell]:
    """Cells with a curve, and the same replicates of each: those that all have, or most if those are few."""
    curved = [cell for cell in found if len(cell.temperatures) >= curves.SPLINE_FROM]
    counts = Counter(name for cell in curved for name in cell.replicates)
    common = [name for name, count in counts.items() if count == len(curved)]
    if len(common) < min(FEW_REPLICATES, len(counts)):
        common = [name for name, count in counts.items() if count > len(curved) / 2]
    if len(common) < 2 <= min((len(cell.replicates) for cell in curved), default=0):
        least = min(len(cell.replicates) for cell in curved)  # names of their own in each cell: no pairs to keep
        return [_rows(cell, range(least)) for cell in curved]
    return [
        _rows(cell, [cell.replicates.index(name) for name in common])
        for cell in curved
        if {*common} <= {*cell.replicates} and common
    ]


def _independent(usable: Sequence[Cell]) -> list[int]:
    """For each cell the set that it belongs to: cells of different sets have no draw of data in common.

    One set where the table does not say from which seeds its data came: then one replicate of all cells may
    share what is random, and only replicates are independent.
    """
    if not usable or not all(cell.data_seeds for cell in usable):
        return [0] * len(usable)
    owners, drawn = zip(*((place, seed) for place, cell in enumerate(usable) for seed in cell.data_seeds), strict=True)
    seeds = len(usable) + pd.factorize(np.array(drawn, object))[0]  # cells and seeds are the nodes of a graph
    nodes = int(seeds.max()) + 1
    graph = sparse.coo_array((np.ones(len(seeds)), (owners, seeds)), shape=(nodes, nodes))
    components = sparse.csgraph.connected_components(graph, directed=False)[1][: len(usable)]
    return [int(number) for number in pd.factorize(components)[0]]


def _rows(cell: Cell, rows: Sequence[int]) -> Cell:
    rows = list(rows)
    students, teacher = ({name: array[rows] for name, array in part.items()} for part in (cell.students, cell.teacher))
    return replace(cell, replicates=[cell.replicates[i] for i in rows], students=students, teacher=teacher)


def _factors(found: list[Cell], columns: Sequence[str]) -> list[str]:
    """What may move T_opt: settings that vary; the teacher's errors."""
    return [name for name in [*columns, TEACHER_ERROR] if len({_value(cell, name) for cell in found}) > 1]


def _value(cell: Cell, factor: str) -> Any:
    if factor == TEACHER_ERROR:
        errors = cell.teacher.get(NUM_ERROR, np.full(1, np.nan))
        return float(np.nanmean(errors)) if not np.isnan(errors).all() else None
    value = cell.names[factor]
    return value.item() if isinstance(value, np.generic) else value


def _curves(usable: list[Cell], noise: Array, decide: str) -> list[effects.Curve]:
    """Of each cell in units of its noise. Cells of one grid share a smoother."""
    alike: dict[tuple[float, ...], list[Array]] = {}
    for cell in usable:
        alike.setdefault(tuple(np.log2(cell.temperatures)), []).append(cell.students[decide])
    shared = {x: curves.choose_smoother(x, ys, ROUGHER) for x, ys in alike.items()}
    least = LEAST_NOISE * np.median(noise) if len(noise) else 0.0
    found = []
    for cell, own in zip(usable, noise, strict=True):
        x = np.log2(cell.temperatures)
        one, unit = shared[tuple(x)], max(own, least) or 1.0
        y = cell.students[decide] / unit
        found.append(effects.Curve(one.points, y @ one.values.T, y @ one.slopes.T, x))
    return found
