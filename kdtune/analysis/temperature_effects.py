"""Estimate whether T_opt depends on the factors that a sweep varies and on the teacher's measured errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cells import is_distillation_setting, select_data_columns
from kdtune.analysis.factor_effects import TEACHER_ERROR, FactorEffect, decide_verdict
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.sentences import list_twins, write_effect_sentence
from kdtune.analysis.twins import SideSettings, find_twins
from kdtune.analysis.usable_cells import number_independent_sets, select_usable_cells
from kdtune.columns import NUM_ERROR
from kdtune.statistics.effects import Effect, estimate_effect
from kdtune.statistics.levelled_curves import CellCurves, LevelledCurves, place_on_one_axis
from kdtune.statistics.smooth_minimum import Minimum
from kdtune.statistics.smoothers import MIN_SPLINE_POINTS, Smoother, choose_smoother
from kdtune.statistics.standard_errors import Array, residual_variance

# Steps in ``list_smoothers``, more than for one cell: many cells have less noise together, but the same bias. With 3
# steps, simulations found an effect too often where only the shape of curves changes with the width; with more than 4
# they found true effects more rarely.
STEPS_ROUGHER = 4
MIN_RELATIVE_NOISE = 0.1  # of the median noise: a cell that happens to show less noise would outweigh all others
MIN_TEACHER_DOUBLINGS = 0.5  # of the teacher's errors: over a smaller range, noise in them looks like a steep effect
COMPARE_SETTINGS = "compare its settings in the table of the best T"
_NO_EFFECT = Effect(Minimum(math.nan, -math.inf, math.inf), math.nan, math.nan, math.nan, math.nan)


def estimate_effects(
    cells: list[Cell],
    columns: Sequence[str],
    measure: str,
    informative_cells: int,
    margin: float,
    side_settings: SideSettings,
) -> list[FactorEffect]:
    """Estimate the change of log2 T_opt per doubling of each factor.

    Parameters
    ----------
    cells : The cells of a table.
    columns : The columns that name a cell.
    measure : The measure that T is chosen by.
    informative_cells : The number of cells in which the best T could be located to some extent.
    margin : The largest change of log2 T_opt per doubling that does not matter.
    side_settings : The settings that do not name the cells: among them may be twins of a factor.
    """
    usable_cells = select_usable_cells(cells, measure)
    noise = np.array([math.sqrt(residual_variance(cell.student_measures[measure])) for cell in usable_cells])
    sets = number_independent_sets(usable_cells)
    axis: Array = np.zeros(0)
    curves: list[LevelledCurves] = []
    if usable_cells:
        axis, curves = place_on_one_axis(_smooth_cells(usable_cells, noise, measure))
    effects = []
    for factor in _find_factors(cells, columns):
        values = [_read_factor(cell, factor) for cell in usable_cells]
        obstacle = _find_obstacle(factor, values, usable_cells, noise)
        estimate = None
        if not obstacle:
            log2_values = [math.log2(value) for value in values]
            estimate = estimate_effect(axis, curves, log2_values, _name_blocks(usable_cells, columns, factor), sets)
        estimate = estimate or _NO_EFFECT
        effect = FactorEffect(
            factor=factor,
            effect=estimate.estimate.location,
            low=estimate.estimate.low,
            high=estimate.estimate.high,
            p_value=estimate.p_value,
            check=estimate.check,
            check_low=estimate.check_low,
            check_high=estimate.check_high,
            informative_cells=informative_cells,
            cells=len(cells),
            used_cells=len(usable_cells),
            replicates=len(usable_cells[0].replicates) if usable_cells else 0,
            independent_sets=max(sets, default=0) + 1,
            obstacle=obstacle,
            is_paired=all(cell.is_paired for cell in cells),
            twins=find_twins(usable_cells or cells, side_settings, factor),
        )
        effects.append(effect)
    corrected_effects = _correct_p_values(effects)
    return [replace(effect, verdict=decide_verdict(effect, margin)) for effect in corrected_effects]


def make_effects_frame(effects: Sequence[FactorEffect], margin: float) -> pd.DataFrame:
    """Return a frame with one row and one sentence per factor; it is empty if no factor varies.

    It has the column ``together_with`` if any factor has twins.
    """
    rows = []
    has_twins = any(list_twins(effect) for effect in effects)
    for effect in effects:
        row = to_columns(effect)
        del row["obstacle"], row["is_paired"], row["twins"]
        if has_twins:
            row["together_with"] = list_twins(effect)
        rows.append({**row, "sentence": write_effect_sentence(effect, margin)})
    return pd.DataFrame(rows)


def _correct_p_values(effects: list[FactorEffect]) -> list[FactorEffect]:
    """Return the effects with p-values after Holm's correction for their number."""
    p_values = [effect.p_value for effect in effects if not math.isnan(effect.p_value)]
    if not p_values:
        return effects
    corrected_p_values = iter(multipletests(p_values, method="holm")[1])
    corrected_effects = []
    for effect in effects:
        if not math.isnan(effect.p_value):
            effect = replace(effect, p_holm=float(next(corrected_p_values)))
        corrected_effects.append(effect)
    return corrected_effects


def _name_blocks(cells: Sequence[Cell], columns: Sequence[str], factor: str) -> list[tuple[Any, ...]]:
    """Return for each cell the settings that it shares with the cells that differ from it only in the factor."""
    shared_columns = [name for name in columns if name != factor]
    if factor == TEACHER_ERROR:
        data_columns = select_data_columns(columns)
        shared_columns = [name for name in columns if name not in data_columns and not is_distillation_setting(name)]
    return [tuple(cell.settings[name] for name in shared_columns) for cell in cells]


def _find_obstacle(factor: str, values: Sequence[Any], usable_cells: Sequence[Cell], noise: Array) -> str:
    """Return why the effect of a factor cannot be estimated; empty if it can."""
    if not usable_cells:
        return f"no setting has the {MIN_SPLINE_POINTS} temperatures that a smooth curve needs"
    if len(usable_cells[0].replicates) > 1 and np.median(noise) == 0:
        return "the replicates of most settings are copies of each other, so the noise cannot be estimated"
    if any(isinstance(value, str) for value in values):
        return f"it is text, so no trend can be computed; {COMPARE_SETTINGS}"
    if not all(_is_positive_number(value) for value in values):
        if factor == TEACHER_ERROR:
            return "they are not known, or not above 0, in every setting"
        return f"it is not a number above 0 in every setting, so a change per doubling is undefined; {COMPARE_SETTINGS}"
    lowest_value, highest_value = min(values), max(values)
    if factor == TEACHER_ERROR and highest_value / lowest_value < 2**MIN_TEACHER_DOUBLINGS:
        return (
            f"they differ by a factor of at most {highest_value / lowest_value:.2g}, "
            "which is too little to estimate an effect"
        )
    return ""


def _is_positive_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _find_factors(cells: list[Cell], columns: Sequence[str]) -> list[str]:
    """Return what T_opt may depend on: the columns of cells that vary, and the teacher's errors."""
    return [name for name in [*columns, TEACHER_ERROR] if len({_read_factor(cell, name) for cell in cells}) > 1]


def _read_factor(cell: Cell, factor: str) -> Any:
    """Return the value of a factor in a cell; None if the teacher's errors are unknown."""
    if factor != TEACHER_ERROR:
        value = cell.settings[factor]
        return value.item() if isinstance(value, np.generic) else value
    errors = cell.teacher_measures.get(NUM_ERROR, np.full(1, np.nan))
    return None if np.isnan(errors).all() else float(np.nanmean(errors))


def _smooth_cells(cells: list[Cell], noise: Array, measure: str) -> list[CellCurves]:
    """Return the smooth curves of each cell in units of its noise; cells of one grid share a smoother."""
    smoothers = _choose_smoothers(cells, measure)
    min_noise = MIN_RELATIVE_NOISE * np.median(noise)
    curves = []
    for cell, cell_noise in zip(cells, noise, strict=True):
        x = np.log2(cell.temperatures)
        smoother = smoothers[tuple(x)]
        unit = max(cell_noise, min_noise) or 1.0
        values, slopes = smoother.smooth(cell.student_measures[measure] / unit)
        curves.append(CellCurves(smoother.points, values, slopes, x))
    return curves


def _choose_smoothers(cells: list[Cell], measure: str) -> dict[tuple[float, ...], Smoother]:
    """Return a smoother for each grid of log2 T."""
    errors_by_grid: dict[tuple[float, ...], list[Array]] = {}
    for cell in cells:
        errors_by_grid.setdefault(tuple(np.log2(cell.temperatures)), []).append(cell.student_measures[measure])
    return {x: choose_smoother(x, errors, STEPS_ROUGHER) for x, errors in errors_by_grid.items()}
