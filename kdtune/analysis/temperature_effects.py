"""Estimate whether T_opt depends on the factors that a sweep varies and on the teacher's measured errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import is_distillation_setting, select_data_columns
from kdtune.analysis.effect_curves import estimate_noise, make_noisy_curves
from kdtune.analysis.effect_parts import name_parts, number_parts, select_cells
from kdtune.analysis.factor_effects import TEACHER_ERROR, FactorEffect, SetEffect, decide_verdict
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.sentences import list_twins, write_effect_sentence
from kdtune.analysis.twins import SideSettings, find_twins
from kdtune.analysis.usable_cells import MIN_TEMPERATURES, number_independent_sets, select_usable_cells
from kdtune.columns import NUM_ERROR
from kdtune.statistics.effects import estimate_effect
from kdtune.statistics.standard_errors import Array

MIN_TEACHER_DOUBLINGS = 0.5  # of the teacher's errors: over a smaller range, noise in them looks like a steep effect
COMPARE_SETTINGS = "compare its settings in the table of the best T"
_HETEROGENEITY = ("p_heterogeneity", "p_heterogeneity_holm")


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
    noise = estimate_noise(usable_cells, measure)
    sets = number_independent_sets(usable_cells)
    effects = []
    for factor in _find_factors(cells, columns):
        values = [_read_factor(cell, factor) for cell in usable_cells]
        effect = FactorEffect(
            factor=factor,
            effect=math.nan,
            low=-math.inf,
            high=math.inf,
            p_value=math.nan,
            informative_cells=informative_cells,
            cells=len(cells),
            used_cells=len(usable_cells),
            replicates=len(usable_cells[0].replicates) if usable_cells else 0,
            independent_sets=max(sets, default=0) + 1,
            obstacle=_find_obstacle(factor, values, usable_cells, noise),
            is_paired=all(cell.is_paired for cell in cells),
            twins=find_twins(usable_cells or cells, side_settings, factor),
        )
        if not effect.obstacle and effect.replicates > 1:
            effect = _estimate_effect(effect, usable_cells, values, columns, measure, sets)
        effects.append(effect)
    corrected_effects = _correct_p_values(_correct_p_values(effects, "p_value", "p_holm"), *_HETEROGENEITY)
    return [replace(effect, verdict=decide_verdict(effect, margin)) for effect in corrected_effects]


def make_effects_frame(effects: Sequence[FactorEffect], margin: float) -> pd.DataFrame:
    """Return a frame with one row and one sentence per factor; it is empty if no factor varies.

    It has the column ``together_with`` if any factor has twins.
    """
    rows = []
    has_twins = any(list_twins(effect) for effect in effects)
    for effect in effects:
        row = to_columns(effect)
        del row["obstacle"], row["is_paired"], row["twins"], row["by_set"]
        if has_twins:
            row["together_with"] = list_twins(effect)
        rows.append({**row, "sentence": write_effect_sentence(effect, margin)})
    return pd.DataFrame(rows)


def make_set_effects_frame(effects: Sequence[FactorEffect]) -> pd.DataFrame:
    """Return a frame with one row per factor and data set: the effect in this data set, with its interval."""
    rows = [{"factor": effect.factor, **to_columns(each)} for effect in effects for each in effect.by_set]
    return pd.DataFrame(rows, columns=["factor", *(field.name for field in fields(SetEffect))])


def _estimate_effect(
    effect: FactorEffect,
    cells: Sequence[Cell],
    values: Sequence[float],
    columns: Sequence[str],
    measure: str,
    sets: Sequence[int],
) -> FactorEffect:
    """Return an effect with its estimates over all data sets and in each; unchanged if no two cells can be compared."""
    blocks = _name_blocks(cells, columns, effect.factor)
    indices = select_cells(values, blocks)
    cells, blocks = [cells[i] for i in indices], [blocks[i] for i in indices]
    sets, log2_values = [sets[i] for i in indices], [math.log2(values[i]) for i in indices]
    parts = number_parts(cells, columns, effect.factor, blocks, sets)
    estimate = estimate_effect(make_noisy_curves(cells, measure, columns), log2_values, blocks, parts, sets)
    if estimate is None:
        return effect
    names, sizes = name_parts(cells, columns, effect.factor, parts), Counter(parts)
    by_set = tuple(
        SetEffect(names[part], own.estimate, own.low, own.high, sizes[part], effect.replicates)
        for part, own in estimate.parts.items()
    )
    return replace(
        effect,
        effect=estimate.over_parts.estimate,
        low=estimate.over_parts.low,
        high=estimate.over_parts.high,
        p_value=estimate.p_value,
        used_cells=len(cells),
        sample_low=estimate.in_sample.low,
        sample_high=estimate.in_sample.high,
        p_heterogeneity=estimate.p_heterogeneity,
        sd_between_sets=estimate.spread.deviation,
        sd_low=estimate.spread.low,
        sd_high=estimate.spread.high,
        data_sets=len(by_set),
        rising_sets=sum(each.rises for each in by_set),
        falling_sets=sum(each.falls for each in by_set),
        by_set=by_set,
    )


def _correct_p_values(effects: list[FactorEffect], name: str, corrected_name: str) -> list[FactorEffect]:
    """Return the effects with p-values after Holm's correction for their number.

    Parameters
    ----------
    effects : The effects.
    name, corrected_name : The fields of the p-value and of the corrected one.
    """
    p_values = [p_value for effect in effects if not math.isnan(p_value := getattr(effect, name))]
    if not p_values:
        return effects
    corrected_p_values = iter(multipletests(p_values, method="holm")[1])
    corrected_effects = []
    for effect in effects:
        if not math.isnan(getattr(effect, name)):
            changes: dict[str, Any] = {corrected_name: float(next(corrected_p_values))}
            effect = replace(effect, **changes)
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
        return f"no setting has the {MIN_TEMPERATURES} temperatures that a smooth curve needs"
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
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


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
