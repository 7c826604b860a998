"""Make the table of effects as text, for a page: in the words and units of the sentences above it."""

from __future__ import annotations

import math

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.factor_effects import FactorEffect
from kdtune.analysis.sentences import SMALLEST_P, format_factor, format_interval, list_twins, name_factor
from kdtune.text import NOTHING


def format_effects(answer: Answer) -> pd.DataFrame:
    """Return how the best T changes with each factor; empty where no factor varies."""
    rows = [_format_effect(effect) for effect in answer.factor_effects]
    table = pd.DataFrame(rows)
    twins = [list_twins(effect) for effect in answer.factor_effects]
    if any(twins):
        table["changes together with"] = [names or NOTHING for names in twins]
    return table


def format_set_effects(answer: Answer) -> pd.DataFrame:
    """Return how the best T changes with each factor in each data set; empty where no factor has several data sets."""
    return pd.DataFrame(
        [
            {
                "factor": name_factor(effect.factor),
                "data set": each.data_set,
                "best T per doubling of it": _format_times(each.effect),
                "95 % interval": _format_interval(each.low, each.high),
                "settings": each.settings,
            }
            for effect in answer.factor_effects
            if effect.data_sets > 1
            for each in effect.by_set
        ]
    )


def _format_effect(effect: FactorEffect) -> dict[str, str | int]:
    return {
        "factor": name_factor(effect.factor),
        "best T per doubling of it": _format_times(effect.effect),
        "95 % interval": _format_interval(effect.low, effect.high),
        "for data sets like these": _format_interval(effect.sample_low, effect.sample_high),
        "p": _format_p(effect.p_value),
        "p, corrected": _format_p(effect.p_holm),
        "p of a difference between data sets": _format_p(effect.p_heterogeneity_holm),
        "settings that locate the best T": f"{effect.informative_cells} of {effect.cells}",
        "replicates" if effect.is_paired else "runs of each T": effect.replicates,
    }


def _format_times(change: float) -> str:
    """Write a change of log2 T as the factor that T changes by, as in "2.05 times"."""
    return NOTHING if math.isnan(change) else f"{format_factor(change)} times"


def _format_interval(low: float, high: float) -> str:
    """Write an interval of changes of log2 T as one of factors, as in "1.2 to 3.91 times" or "at least 1.2 times"."""
    is_unknown = math.isnan(low) or math.isnan(high) or (math.isinf(low) and math.isinf(high))
    return NOTHING if is_unknown else f"{format_interval(low, high, format_factor)} times"


def _format_p(p: float) -> str:
    if math.isnan(p):
        return NOTHING
    return f"{p:.2g}" if p >= SMALLEST_P else f"< {SMALLEST_P:g}"
