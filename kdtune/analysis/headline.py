"""Write the whole answer in a sentence or two."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.factor_effects import UNKNOWN
from kdtune.analysis.sentences import (
    format_interval,
    format_temperature,
    format_temperatures,
    is_unbounded,
    write_verdict,
)


def write_headline(answer: Answer) -> str:
    """Return the recommendation first, then the evidence for it."""
    if (answer.t_opt["temperatures"] == 1).all():
        owner = "the setting has" if len(answer.t_opt) == 1 else "each setting has"
        return f"Cannot tell the best temperature: {owner} only one."
    if len(answer.t_opt) == 1:
        return _describe_one_cell(answer)
    return f"{_describe_cells(answer)} {_describe_moves(answer)}".rstrip()


def _describe_one_cell(answer: Answer) -> str:
    optimum = answer.t_opt.iloc[0]
    low, high = optimum["T_opt_low"], optimum["T_opt_high"]
    smooth = f"the minimum of the smooth curve is at {format_temperature(optimum['T_opt_continuous'])}"
    if is_unbounded(low, high):
        evidence = f"but the 95 % interval excludes no T; {smooth}"
        sentences = f"Best temperature: {optimum['T_opt']:g}, {evidence}."
    else:
        interval = f"95 % interval {format_interval(low, high)}"
        sentences = f"Best temperature: {optimum['T_opt']:g} ({interval}; {smooth})."
    tied_temperatures = list(optimum["tied"])
    if len(tied_temperatures) == 1:
        return f"{sentences} No other temperature is statistically tied with it."
    grid = answer.cells[0].temperatures.tolist()
    return f"{sentences} Statistically tied with it: {format_temperatures(tied_temperatures, grid)}."


def _describe_cells(answer: Answer) -> str:
    optima = answer.t_opt
    n_cells = len(optima)
    lowest_T, highest_T, median = optima["T_opt"].min(), optima["T_opt"].max(), optima["T_opt"].median()
    if lowest_T == highest_T:
        recommendation = f"{lowest_T:g} in all {n_cells} settings"
    else:
        recommendation = f"{lowest_T:g} to {highest_T:g} over {n_cells} settings, median {median:g}"
    bounds = zip(optima["T_opt_low"], optima["T_opt_high"], strict=True)
    n_bounded = sum(not is_unbounded(low, high) for low, high in bounds)
    if n_bounded == n_cells:
        evidence = "every 95 % interval excludes some T"
    elif n_bounded:
        evidence = f"the 95 % intervals of {n_bounded} settings exclude some T, the others none"
    else:
        evidence = "no 95 % interval excludes any T"
    return f"Best temperature: {recommendation}; {evidence}."


def _describe_moves(answer: Answer) -> str:
    """Say which settings the best temperature moves with; empty if none varies."""
    effects = answer.factor_effects
    verdicts = [write_verdict(effect, answer.margins.effect) for effect in effects if effect.verdict != UNKNOWN]
    if effects and not verdicts:
        return "Cannot tell whether it moves with any of the settings."
    return " ".join(verdicts)
