"""Whether T_opt moves with the settings of a sweep, and with the teacher's measured errors: a row a factor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from kdtune import table as t
from kdtune.analysis import curves, effects
from kdtune.analysis.cells import data_columns, students_only
from kdtune.analysis.curves import Array
from kdtune.analysis.layout import Cell
from kdtune.analysis.sentences import LEAST_DOUBLINGS, TEACHER_ERROR, effect_sentence, records


def movement(found: list[Cell], columns: Sequence[str], decide: str, informative: int, margin: float) -> pd.DataFrame:
    """Change of log2 T_opt per doubling of each factor.

    Parameters
    ----------
    columns : that name a cell.
    decide : the measure that T_opt is the minimum of.
    informative : cells that say where their best T is.
    margin : a change that does not matter.
    """
    usable = _alike(found)
    smooth = _curves(usable, decide)
    rows = []
    for factor in _factors(usable, columns):
        within = [name for name in columns if name != factor]
        if factor == TEACHER_ERROR:
            within = [name for name in columns if name not in data_columns(columns) and not students_only(name)]
        some = [
            effects.Curve(*curve, math.log2(_value(cell, factor)), tuple(cell.names[name] for name in within))
            for cell, curve in zip(usable, smooth, strict=True)
        ]
        doublings = max(curve.factor for curve in some) - min(curve.factor for curve in some)
        asked = factor != TEACHER_ERROR or doublings >= LEAST_DOUBLINGS
        rows.append({"factor": factor, "doublings": doublings, **_row(effects.effect(some) if asked else None)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    frame["informative_cells"], frame["cells"] = informative, len(found)
    frame["replicates"] = len(usable[0].replicates)
    tested = frame["p_value"].notna()
    frame["p_holm"] = math.nan
    if tested.any():
        frame.loc[tested, "p_holm"] = multipletests(frame.loc[tested, "p_value"], method="holm")[1]
    frame["sentence"] = [effect_sentence(row, margin) for row in records(frame)]
    return frame


def _row(moved: effects.Effect | None) -> dict[str, Any]:
    if moved is None:
        nothing = curves.Optimum(math.nan, -math.inf, math.inf)
        moved = effects.Effect(nothing, math.nan, math.nan, math.nan, math.nan)
    return {
        "effect": moved.optimum.at, "low": moved.optimum.low, "high": moved.optimum.high, "p_value": moved.p_value,
        "check": moved.check, "check_low": moved.check_low, "check_high": moved.check_high,
    }  # fmt: skip


def _alike(found: list[Cell]) -> list[Cell]:
    """Cells with several temperatures and the replicates that most cells have: curves of one rule need the same."""
    counts = Counter(name for cell in found for name in cell.replicates)
    common = {name for name, count in counts.items() if count > len(found) / 2}
    alike = []
    for cell in found:
        if common <= set(cell.replicates) and len(cell.temperatures) > 1:
            rows = [i for i, name in enumerate(cell.replicates) if name in common]
            alike.append(_rows(cell, rows))
    return alike


def _rows(cell: Cell, rows: list[int]) -> Cell:
    students, baseline, teacher = (
        {name: array[rows] for name, array in part.items()} for part in (cell.students, cell.baseline, cell.teacher)
    )
    some = [cell.replicates[i] for i in rows]
    return replace(cell, replicates=some, students=students, baseline=baseline, teacher=teacher)


def _factors(usable: list[Cell], columns: Sequence[str]) -> list[str]:
    """What may move T_opt: settings that are positive numbers and vary; the teacher's errors."""
    found = []
    for name in [*columns, TEACHER_ERROR]:
        values = [_value(cell, name) for cell in usable]
        if (
            all(isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in values)
            and len({*values}) > 1
        ):
            found.append(name)
    return found


def _value(cell: Cell, factor: str) -> Any:
    if factor == TEACHER_ERROR:
        errors = cell.teacher.get(t.NUM_ERROR, np.full(1, np.nan))
        return float(np.nanmean(errors)) if not np.isnan(errors).all() else None
    value = cell.names[factor]
    return value.item() if isinstance(value, np.generic) else value


def _curves(usable: list[Cell], decide: str) -> list[tuple[Array, Array, Array]]:
    """Of each cell points, values and slopes. Cells of one grid share a smoother: its bias is no difference then."""
    alike: dict[tuple[float, ...], list[Array]] = {}
    for cell in usable:
        alike.setdefault(tuple(np.log2(cell.temperatures)), []).append(cell.students[decide])
    shared = {x: curves.smoother(x, ys) for x, ys in alike.items()}
    found = []
    for cell in usable:
        y, one = cell.students[decide], shared[tuple(np.log2(cell.temperatures))]
        y = y / (curves.residual_variance(y) or 1.0)
        found.append((one.points, y @ one.values.T, y @ one.slopes.T))
    return found
