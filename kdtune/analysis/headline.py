"""Write the whole answer in a few sentences: the best temperature with its evidence, then what it depends on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.factor_effects import UNKNOWN
from kdtune.analysis.sentences import name_with_twins, write_verdict
from kdtune.analysis.temperature_texts import (
    format_estimate,
    format_interval,
    format_temperature,
    format_temperatures,
)
from kdtune.columns import NUM_ERROR
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
    missing = _describe_missing_temperatures(answer.cells)
    if len(optima) == 1:
        return " ".join([_describe_one_cell(answer), *missing])
    sentences = [_describe_cells(answer), *missing, *_describe_factors(answer)]
    return " ".join(sentences)


def _describe_missing_temperatures(cells: Sequence[Cell]) -> list[str]:
    """Say which temperatures the best one was not compared with; nothing if it was with all of its setting."""
    incomplete = [cell for cell in cells if cell.temperatures_left_out]
    if not incomplete:
        return []
    listed = join_names(incomplete[0].temperatures_left_out)
    reason = "because runs are missing"
    if len(cells) == 1:
        verb = "was" if len(incomplete[0].temperatures_left_out) == 1 else "were"
        return [f"T = {listed} {verb} not compared, {reason}: the best T may be one that was left out."]
    settings = "both settings" if len(incomplete) == len(cells) == 2 else f"{len(incomplete)} of {len(cells)} settings"
    example = f"{incomplete[0].describe()}: T = {listed}"
    return [
        f"In {settings} temperatures were not compared, {reason} ({example}): the best T may be one that was left out."
    ]


def _has_excluded_temperature(low: float, high: float, cell: Cell) -> bool:
    """Return whether an interval of T excludes a temperature that was compared: "at least 1" may exclude none."""
    return bool(((cell.temperatures < low) | (cell.temperatures > high)).any())


def _describe_one_cell(answer: Answer) -> str:
    """Write the best temperature of the only cell, and the temperatures that are tied with it."""
    optimum = answer.t_opt.iloc[0]
    grid = answer.cells[0].temperatures.tolist()
    low, high = optimum["T_opt_low"], optimum["T_opt_high"]
    best_T = format_temperature(optimum["T_opt"], grid)
    ties = _describe_ties(optimum["T_opt"], list(optimum["tied"]), grid)
    if not _has_excluded_temperature(low, high, answer.cells[0]):
        doubt = "" if _has_single_winner(answer) else "no best temperature can be told: "
        return f"{_write_extreme(answer)} at T = {best_T}, but {doubt}the 95 % interval excludes no tested T. {ties}"
    smooth_T = format_estimate(optimum["T_opt_continuous"], low, high, grid)
    evidence = (
        f"95 % interval {format_interval(low, high, grid)}; the smoothed curve is {_lowest(answer)} at T = {smooth_T}"
    )
    return f"Best temperature: {best_T} ({evidence}). {ties}"


def _write_extreme(answer: Answer) -> str:
    """Return what the temperature has that the table shows as the best, as a sentence begins with it."""
    measure = answer.measure_name
    if answer.measure is None and answer.test_measure != NUM_ERROR:
        measure = f"{answer.selection_split} {measure}"
    return f"{_lowest(answer).capitalize()} mean {measure}"


def _lowest(answer: Answer) -> str:
    """Return where a curve is best: lowest, or highest if more of the measure is better."""
    return "highest" if answer.extremum == "maximum" else "lowest"


def _has_single_winner(answer: Answer) -> bool:
    """Return whether the comparison finds a single best temperature in a setting, though the interval limits nothing.

    Two replicates at three temperatures can show that: the test pools their noise, and the interval does not.
    """
    return bool(((answer.t_opt["tied"].map(len) == 1) & (answer.t_opt["temperatures"] > 1)).any())


def _describe_ties(best_T: float, tied_temperatures: Sequence[float], grid: Sequence[float]) -> str:
    """Write which other temperatures are statistically tied with the best one."""
    other_temperatures = [T for T in tied_temperatures if best_T != T]
    if not other_temperatures:
        return "No other temperature is statistically tied with it."
    if len(other_temperatures) == len(grid) - 1:
        return "All other temperatures are statistically tied with it."
    return f"Statistically tied with it: {format_temperatures(other_temperatures, grid)}."


def _describe_cells(answer: Answer) -> str:
    """Write between which temperatures the best ones of several cells lie, and in how many cells one is bounded.

    The lowest means of cells in which nothing bounds it are noise: they are no best temperatures.
    """
    optima = answer.t_opt
    n_cells = len(optima)
    all_settings = "both settings" if n_cells == 2 else f"all {n_cells} settings"
    bounds = zip(optima["T_opt_low"], optima["T_opt_high"], answer.cells[:n_cells], strict=True)
    bounded = optima[[_has_excluded_temperature(low, high, cell) for low, high, cell in bounds]]
    n_others = n_cells - len(bounded)
    grid = answer.curves["T"].unique().tolist()
    temperatures = _write_range(bounded["T_opt"] if len(bounded) else optima["T_opt"], grid)
    dependence = ", depending on the setting" if " to " in temperatures else f" in {all_settings}"
    if n_others == n_cells:
        lowest = f"{_write_extreme(answer)} at T = {temperatures}{dependence}"
        evidence = f"in {all_settings} the 95 % interval excludes no tested T"
        if _has_single_winner(answer):
            return f"{lowest}, but {evidence}."
        return f"No best temperature can be told: {evidence}. ({lowest}.)"
    if n_others == 0:
        return f"Best temperature: {temperatures}{dependence}; a 95 % interval limits it in each."
    others = "the other" if n_others == 1 else f"the other {n_others}"
    return (
        f"Best temperature: {temperatures} in the {len(bounded)} of {n_cells} settings where the 95 % interval limits "
        f"it. In {others} it excludes no tested T."
    )


def _write_range(temperatures: pd.Series, grid: Sequence[float]) -> str:
    """Write the lowest and the highest of temperatures, as in "2 to 8", or the only one."""
    texts = [format_temperature(T, grid) for T in (temperatures.min(), temperatures.max())]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _describe_factors(answer: Answer) -> list[str]:
    """Write a sentence for each factor with a finding, and one for all the others; none if no factor varies."""
    effects = answer.factor_effects
    sentences = [write_verdict(effect, answer.margins.effect) for effect in effects if effect.verdict != UNKNOWN]
    unknown_factors = [name_with_twins(effect) for effect in effects if effect.verdict == UNKNOWN]
    if unknown_factors:
        subject = "it" if sentences else "the best T"
        sentences.append(f"Whether {subject} depends on {join_names(unknown_factors, 'or')} cannot be told.")
    return sentences
