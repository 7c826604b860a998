"""The answer that a table gives: the best temperature of every cell, and whether it moves. No files, no drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from kdtune import table as t
from kdtune.analysis import against, best, curves, effects, held_out
from kdtune.analysis.cells import cell_columns, data_columns, students_only
from kdtune.analysis.layout import Cell, cells
from kdtune.analysis.sentences import effect_sentence
from kdtune.errors import RequestError

EDGE, FLAT, FEW, INCOMPLETE = "edge", "flat", "few replicates", "incomplete"
FEW_REPLICATES = 3
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not set


@dataclass(frozen=True)
class Margins:
    """What counts as no difference that matters, stated beforehand."""

    error: float = 0.05  # excess error, as a share of the best temperature's
    effect: float = 0.1  # change of log2 T_opt per doubling of a factor


@dataclass(frozen=True)
class Answer:
    """Frames of figures, all of them from one table."""

    t_opt: pd.DataFrame  # a row a cell: the best temperature, on the split that decides
    test: pd.DataFrame  # a row a cell: what it is worth on the test split
    curves: pd.DataFrame  # a row a cell and temperature
    effects: pd.DataFrame  # a row a factor
    cells: list[Cell]
    columns: list[str]  # that name a cell
    decide: str  # the measure that T_opt is the minimum of
    margins: Margins


def answer(table: pd.DataFrame, columns: Sequence[str] | None = None, margins: Margins = Margins()) -> Answer:
    """Analyze a table with the columns of ``kdtune.table``.

    Parameters
    ----------
    columns : that name a cell; those that vary over the distilled students unless given.

    Raises
    ------
    RequestError
        If the table has no distilled student with figures, or no measure of errors.
    """
    columns = cell_columns(table) if columns is None else list(columns)
    decide = next((name for name in (t.VAL_NUM_ERROR, t.NUM_ERROR) if _known(table, name)), None)
    if decide is None:
        raise RequestError(f"the table has no errors: it needs the column {t.VAL_NUM_ERROR}, or {t.NUM_ERROR}")
    found = [cell for cell in cells(table, columns, decide) if cell.replicates]
    if not found:
        raise RequestError("the table has no distilled student with figures")
    optima, tests, each = [], [], []
    for cell in found:
        place, compared = _lowest(cell, decide), best.compare(cell.students[decide])
        optimum = _optimum(cell, place, decide, compared, margins)
        optima.append({**cell.names, **optimum})
        tests.append({**cell.names, "T": cell.temperatures[place], **held_out.report(cell, place, decide)})
        each += against.rows(cell, place, decide, compared, optimum["good_enough"])
    t_opt = pd.DataFrame(optima)
    moves = _effects(found, t_opt, columns, decide, margins)
    return Answer(t_opt, pd.DataFrame(tests), pd.DataFrame(each), moves, found, list(columns), decide, margins)


def _known(table: pd.DataFrame, name: str) -> bool:
    return name in table.columns and bool(table.loc[table[t.MODEL] == t.STUDENT, name].notna().any())


def _lowest(cell: Cell, decide: str) -> int:
    """The T of the least mean; ties go to the lower validation nll, then to the lower T."""
    mean = cell.students[decide].mean(axis=0)
    tied = np.flatnonzero(mean == mean.min())
    if decide == t.VAL_NUM_ERROR and len(tied) > 1 and t.VAL_NLL in cell.students:
        nll = cell.students[t.VAL_NLL][:, tied].mean(axis=0)
        tied = tied[nll == np.nanmin(nll)] if not np.isnan(nll).all() else tied
    return int(tied[0])


def smooth(cell: Cell, measure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cell's smooth curves over log2 T: points (n,), values and slopes (R, n)."""
    y = cell.students[measure]
    one = curves.smoother(tuple(np.log2(cell.temperatures)), [y])
    return one.points, y @ one.values.T, y @ one.slopes.T


def _optimum(cell: Cell, place: int, decide: str, compared: best.Comparison, margins: Margins) -> dict[str, Any]:
    y, T = cell.students[decide], cell.temperatures
    lowest = y.mean(axis=0)[place]
    row: dict[str, Any] = {"T_opt": T[place]}
    if len(T) > 1:
        found = curves.out_to_grid(curves.minimum(*smooth(cell, decide)), np.log2(T), compared.tied)
        at, low, high = (2.0**value for value in (found.at, found.low, found.high))
    else:
        at, low, high = T[0], 0.0, math.inf
    row |= {"T_opt_continuous": at, "T_opt_low": low, "T_opt_high": high}
    row["tied"] = T[compared.tied].tolist()
    row["good_enough"] = T[compared.upper <= margins.error * lowest].tolist() if len(T) > 1 else []
    flags = []
    if place in (0, len(T) - 1) or at in (T[0], T[-1]):
        flags.append(EDGE)
    if len(y) > 1 and len(T) > 1 and (compared.tied.all() or compared.p_flat >= 0.05):
        flags.append(FLAT)
    if len(y) < FEW_REPLICATES:
        flags.append(FEW)
    if cell.left_out:
        flags.append(INCOMPLETE)
    row |= {"flags": flags, "left_out": cell.left_out, "replicates": len(y), "temperatures": len(T)}
    return row


def _effects(
    found: list[Cell], t_opt: pd.DataFrame, columns: Sequence[str], decide: str, margins: Margins
) -> pd.DataFrame:
    usable = _alike(found)
    shared = _shared(usable, decide)
    rows = []
    for factor in _factors(usable, columns):
        within = [name for name in columns if name != factor]
        if factor == TEACHER_ERROR:
            within = [name for name in columns if name not in data_columns(columns) and not students_only(name)]
        some = [_curve(cell, shared, decide, _value(cell, factor), within) for cell in usable]
        moved = effects.effect(some)
        if moved is not None:
            rows.append({"factor": factor, **_effect_row(moved)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    bounded = ~(np.isinf(t_opt["T_opt_high"]) & (t_opt["T_opt_low"] == 0))
    flat = t_opt["flags"].map(lambda flags: FLAT in flags)
    frame["informative_cells"], frame["cells"] = int((bounded & ~flat).sum()), len(t_opt)
    frame["p_holm"] = multipletests(frame["p_value"].fillna(1), method="holm")[1]
    frame["sentence"] = [effect_sentence(row, margins.effect) for row in frame.to_dict("records")]
    return frame


def _effect_row(moved: effects.Effect) -> dict[str, Any]:
    return {
        "effect": moved.optimum.at, "low": moved.optimum.low, "high": moved.optimum.high, "p_value": moved.p_value,
        "check": moved.check, "check_low": moved.check_low, "check_high": moved.check_high,
    }  # fmt: skip


def _alike(found: list[Cell]) -> list[Cell]:
    """Cells with several temperatures and the replicates that most cells have: curves of one rule need the same."""
    counts = pd.Series([name for cell in found for name in cell.replicates]).value_counts()
    common = set(counts.index[counts > len(found) / 2])
    alike = []
    for cell in found:
        if common <= set(cell.replicates) and len(cell.temperatures) > 1:
            rows = [i for i, name in enumerate(cell.replicates) if name in common]
            alike.append(_rows(cell, rows))
    return alike


def _rows(cell: Cell, rows: list[int]) -> Cell:
    return Cell(
        cell.names, cell.temperatures, [cell.replicates[i] for i in rows],
        *({name: array[rows] for name, array in part.items()} for part in (cell.students, cell.baseline, cell.teacher)),
        cell.left_out,
    )  # fmt: skip


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


def _shared(usable: list[Cell], decide: str) -> dict[tuple[float, ...], curves.Smoother]:
    """One smoother for all cells with the same temperatures: its bias is then no difference between them."""
    alike: dict[tuple[float, ...], list[Any]] = {}
    for cell in usable:
        alike.setdefault(tuple(np.log2(cell.temperatures)), []).append(cell.students[decide])
    return {x: curves.smoother(x, ys) for x, ys in alike.items()}


def _curve(
    cell: Cell, shared: dict[tuple[float, ...], curves.Smoother], decide: str, factor: float, within: Sequence[str]
) -> effects.Curve:
    y, one = cell.students[decide], shared[tuple(np.log2(cell.temperatures))]
    variance = curves.residual_variance(y) or 1.0
    block = tuple(cell.names[name] for name in within)
    return effects.Curve(one.points, y @ one.values.T / variance, y @ one.slopes.T / variance, math.log2(factor), block)
