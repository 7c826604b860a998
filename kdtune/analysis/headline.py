"""Write the whole answer in a few sentences: the best temperature with its evidence, then what it depends on."""

from __future__ import annotations

from collections.abc import Sequence

from kdtune.analysis.answer import Answer
from kdtune.analysis.factor_effects import UNKNOWN
from kdtune.analysis.sentences import name_with_twins, write_verdict
from kdtune.analysis.temperature_texts import (
    format_estimate,
    format_interval,
    format_temperature,
    format_temperatures,
    is_unbounded,
)
from kdtune.text import join_names


def write_headline(answer: Answer) -> str:
    """Return the best temperature first, then the evidence for it, then a sentence for each factor.

    If the settings may be wrong, that comes before all.
    """
    headline = _write_recommendation(answer)
    if not answer.reserve:
        return headline
    return f"{answer.reserve} As the settings are now: {headline[0].lower()}{headline[1:]}"


def _write_recommendation(answer: Answer) -> str:
    """Write the best temperature, the evidence for it, and a sentence for each factor."""
    optima = answer.t_opt
    if optima.empty:
        return "No setting has results: the best temperature cannot be determined."
    if (optima["temperatures"] == 1).all():
        subject = "Only one temperature was tested"
        if optima["T_opt"].nunique() > 1:
            subject += " in each setting"
        return f"{subject}: the best one cannot be determined."
    if len(optima) == 1:
        return _describe_one_cell(answer)
    sentences = [_describe_cells(answer), *_describe_factors(answer)]
    return " ".join(sentences)


def _describe_one_cell(answer: Answer) -> str:
    """Write the best temperature of the only cell, and the temperatures that are tied with it."""
    optimum = answer.t_opt.iloc[0]
    grid = answer.cells[0].temperatures.tolist()
    low, high = optimum["T_opt_low"], optimum["T_opt_high"]
    best_T = format_temperature(optimum["T_opt"], grid)
    smooth_T = format_estimate(optimum["T_opt_continuous"], low, high, grid)
    smooth_curve = f"the smoothed curve is lowest at T = {smooth_T}"
    if is_unbounded(low, high):
        recommendation = f"Best temperature: {best_T}, but the 95 % interval is unbounded; {smooth_curve}."
    else:
        interval = format_interval(low, high, grid)
        recommendation = f"Best temperature: {best_T} (95 % interval {interval}; {smooth_curve})."
    return f"{recommendation} {_describe_ties(optimum['T_opt'], list(optimum['tied']), grid)}"


def _describe_ties(best_T: float, tied_temperatures: Sequence[float], grid: Sequence[float]) -> str:
    """Write which other temperatures are statistically tied with the best one."""
    other_temperatures = [T for T in tied_temperatures if best_T != T]
    if not other_temperatures:
        return "No other temperature is statistically tied with it."
    if len(other_temperatures) == len(grid) - 1:
        return "All other temperatures are statistically tied with it."
    return f"Statistically tied with it: {format_temperatures(other_temperatures, grid)}."


def _describe_cells(answer: Answer) -> str:
    """Write between which temperatures the best ones of several cells lie, and in how many cells one is bounded."""
    optima = answer.t_opt
    n_cells = len(optima)
    all_settings = "both settings" if n_cells == 2 else f"all {n_cells} settings"
    grid = answer.curves["T"].unique().tolist()
    lowest_T = format_temperature(optima["T_opt"].min(), grid)
    highest_T = format_temperature(optima["T_opt"].max(), grid)
    if lowest_T == highest_T:
        recommendation = f"{lowest_T} in {all_settings}"
    else:
        recommendation = f"{lowest_T} to {highest_T}, depending on the setting"
    bounds = zip(optima["T_opt_low"], optima["T_opt_high"], strict=True)
    n_bounded = sum(not is_unbounded(low, high) for low, high in bounds)
    if n_bounded == n_cells:
        evidence = f"it could be bounded in {all_settings} (95 % confidence)"
    else:
        evidence = f"it could be bounded in {n_bounded} of {n_cells} settings (95 % confidence)"
    return f"Best temperature: {recommendation}; {evidence}."


def _describe_factors(answer: Answer) -> list[str]:
    """Write a sentence for each factor with a finding, and one for all the others; none if no factor varies."""
    effects = answer.factor_effects
    sentences = [write_verdict(effect, answer.margins.effect) for effect in effects if effect.verdict != UNKNOWN]
    unknown_factors = [name_with_twins(effect) for effect in effects if effect.verdict == UNKNOWN]
    if unknown_factors:
        subject = "it" if sentences else "the best T"
        sentences.append(f"Whether {subject} depends on {join_names(unknown_factors, 'or')} cannot be told.")
    return sentences
