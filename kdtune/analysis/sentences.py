"""Write findings about factors as sentences. A failure to reject is never worded as equality."""

from __future__ import annotations

import math
from collections.abc import Callable

from kdtune.analysis.factor_effects import (
    DIFFERS,
    FALLS_EVERYWHERE,
    RISES_EVERYWHERE,
    SIGNIFICANCE_LEVEL,
    STAYS,
    TEACHER_ERROR,
    UNKNOWN,
    FactorEffect,
)
from kdtune.analysis.twins import Twins
from kdtune.text import join_names, pluralize

FACTOR_NAMES = {"width": "the student's width", TEACHER_ERROR: "the teacher's errors"}
MAX_TWINS = 8  # that a sentence names; the frame of effects has all
MAX_DOUBLINGS = 20  # A larger factor is written as a power of 2: so steep a line of T is no count of times.
SMALLEST_P = 1e-4  # A smaller p-value is written as "p < 0.0001": no real noise is that close to normal.


def write_effect_sentence(effect: FactorEffect, margin: float) -> str:
    """Write the finding about a factor with the numbers that support it.

    Parameters
    ----------
    effect : The effect of the factor.
    margin : The largest change of log2 T_opt per doubling of the factor that does not matter.
    """
    finding = _state_finding(effect, margin)
    if effect.verdict == UNKNOWN:
        return f"{finding}: {_explain_doubt(effect)}."
    basis = _describe_basis(effect)
    if effect.verdict == STAYS:
        interval = f"95 % interval {format_interval(effect.low, effect.high, format_change)}"
        return f"{finding} ({interval}{_describe_largest_spread(effect)}; {basis})."
    if effect.verdict in (RISES_EVERYWHERE, FALLS_EVERYWHERE, DIFFERS):
        sentence = f"{finding}: {_describe_sets(effect)}, {basis}."
    else:
        sentence = f"{finding}: {_describe_change(effect)}, {basis}."
    if effect.factor == TEACHER_ERROR:
        sentence += " This result uses the same data sets as the effects above, so it is not independent evidence."
    return sentence


def write_verdict(effect: FactorEffect, margin: float) -> str:
    """Write the finding about a factor without numbers."""
    return f"{_state_finding(effect, margin)}."


def name_factor(factor: str) -> str:
    """Return what sentences call a factor."""
    return FACTOR_NAMES.get(factor, factor)


def list_twins(effect: FactorEffect) -> str:
    """Return the settings that change together with a factor, separated by commas; empty if there are none."""
    return ", ".join([*effect.twins.full, *(f"{name} (in part)" for name in effect.twins.partial)])


def name_with_twins(effect: FactorEffect) -> str:
    """Return what sentences call a factor, with the settings that change together with it.

    An example is "optimizer (which changes together with lr and, in part, with momentum)". Of a finding it says what
    these settings make doubtful.
    """
    name, twins = name_factor(effect.factor), _join_twins(effect.twins)
    if not twins:
        return name
    doubt = ", so which of them matters cannot be told"
    if effect.verdict in (STAYS, UNKNOWN):
        doubt = ", so opposite effects may hide each other" if effect.verdict == STAYS else ""
    return f"{name} (which changes {twins}{doubt})"


def _join_twins(twins: Twins) -> str:
    """Join twins, as in "together with lr and, in part, with momentum"; empty if there are none."""
    full, partial = (join_names(names, max_names=MAX_TWINS) for names in twins)
    if full and partial:
        return f"together with {full} and, in part, with {partial}"
    if partial:
        return f"in part together with {partial}"
    return f"together with {full}" if full else ""


def _state_finding(effect: FactorEffect, margin: float) -> str:
    """Return the finding about a factor as a sentence without its full stop."""
    name = name_with_twins(effect)
    if effect.verdict == STAYS:
        return f"The best T changes by at most {margin:g} doublings per doubling of {name}"
    if effect.verdict == UNKNOWN:
        return f"Cannot tell whether the best T depends on {name}"
    if effect.verdict == DIFFERS:
        return f"How the best T depends on {name} differs between data sets"
    if effect.verdict in (RISES_EVERYWHERE, FALLS_EVERYWHERE):
        verb = "rises" if effect.verdict == RISES_EVERYWHERE else "falls"
        count = "both" if effect.data_sets == 2 else f"all {effect.data_sets}"
        return f"The best T {verb} with {name} in {count} data sets, by different amounts"
    return f"The best T {effect.verdict} with {name}"


def _explain_doubt(effect: FactorEffect) -> str:
    """Return why the verdict on an effect is unknown, with its numbers if it was estimated."""
    if effect.obstacle:
        return effect.obstacle
    if effect.replicates < 2:
        runs = "replicates" if effect.is_paired else "runs of each T"
        return f"at least two {runs} are needed to estimate the noise"
    if math.isnan(effect.effect):
        reason = "no two settings differ only in this factor"
        if effect.used_cells < effect.cells:
            return f"{reason}; {effect.used_cells} of {effect.cells} settings could be used"
        return reason
    if not effect.is_informative:
        return f"the best T could be located in only {effect.informative_cells} of {effect.cells} settings"
    if math.isinf(effect.low) and math.isinf(effect.high):
        return "the confidence interval is unbounded"
    numbers = f"{_describe_change(effect)}, {_describe_basis(effect)}"
    if effect.excludes_zero:
        return f"{numbers}; the interval excludes 1, which is no change, but the corrected p-value is not below 0.05"
    if effect.p_holm < SIGNIFICANCE_LEVEL:
        return f"{numbers}; the corrected p-value is below 0.05, but the interval includes 1, which is no change"
    return numbers


def _describe_change(effect: FactorEffect) -> str:
    """Return the estimated change with its intervals and its p-value."""
    interval = f"95 % interval {format_interval(effect.low, effect.high, format_factor)}"
    if effect.data_sets > 1:
        interval = f"95 % interval {_describe_both_intervals(effect)}"
    return (
        f"per doubling of {name_factor(effect.factor)} the best T is {format_factor(effect.effect)} times as high "
        f"({interval}; {_format_p_value(effect.p_holm)}, corrected for the number of factors)"
    )


def _describe_sets(effect: FactorEffect) -> str:
    """Return the effects of data sets that differ: their range, how many rise or fall, and their mean."""
    effects = [each.effect for each in effect.by_set]
    change = (
        f"per doubling of {name_factor(effect.factor)} it is {format_factor(min(effects))} to "
        f"{format_factor(max(effects))} times as high"
    )
    mean = f"mean {format_factor(effect.effect)}; 95 % interval {_describe_both_intervals(effect)}"
    p_value = f"{_format_p_value(effect.p_heterogeneity_holm)} for a difference between data sets"
    if effect.verdict != DIFFERS:
        return f"{change} ({mean}; {p_value})"
    unknown_sets = effect.data_sets - effect.rising_sets - effect.falling_sets
    counts = [
        f"{verb} in {count}" for verb, count in (("rises", effect.rising_sets), ("falls", effect.falling_sets)) if count
    ]
    if unknown_sets:
        counts.append(f"cannot be told in {unknown_sets}")
    return f"{change}; it {join_names(counts)} of {effect.data_sets} data sets ({mean}; {p_value})"


def _describe_both_intervals(effect: FactorEffect) -> str:
    """Return the intervals of the effect over these data sets, and over data sets like these."""
    these = format_interval(effect.low, effect.high, format_factor)
    alike = format_interval(effect.sample_low, effect.sample_high, format_factor)
    return f"for these data sets {these}, for data sets like these {alike}"


def _describe_largest_spread(effect: FactorEffect) -> str:
    """Return by how much the effects of data sets may differ; empty if there is only one."""
    if effect.data_sets < 2:
        return ""
    return f"; standard deviation between {effect.data_sets} data sets at most {effect.sd_high:.2g}"


def _format_p_value(p_value: float) -> str:
    return f"p = {p_value:.2g}" if p_value >= SMALLEST_P else f"p < {SMALLEST_P:g}"


def _describe_basis(effect: FactorEffect) -> str:
    """Return how many settings, groups of data sets and replicates an effect is estimated from."""
    if effect.used_cells == effect.cells:
        basis = f"based on {pluralize(effect.cells, 'setting')}"
    else:
        basis = f"based on {effect.used_cells} of {pluralize(effect.cells, 'setting')}"
    if not effect.is_paired:
        return f"{basis} with {pluralize(effect.replicates, 'run')} of each T"
    if effect.independent_sets > 1:
        basis += f", in {effect.independent_sets} independent groups of data sets,"
    return f"{basis} with {pluralize(effect.replicates, 'replicate')} each"


def format_interval(low: float, high: float, write: Callable[[float], str]) -> str:
    """Write an interval of changes, as in "+0.5 to +1.9", "at most +0.2", "at least +0.1" or "unbounded"."""
    if math.isinf(low) and math.isinf(high):
        return "unbounded"
    if math.isinf(low):
        return f"at most {write(high)}"
    if math.isinf(high):
        return f"at least {write(low)}"
    return f"{write(low)} to {write(high)}"


def format_change(value: float) -> str:
    """Write a finite change of log2 T with its sign and two significant digits."""
    return f"{value:+.2g}"


def format_factor(change: float) -> str:
    """Write a finite change of log2 T as the factor that T changes by. No small change is written as 1."""
    if abs(change) > MAX_DOUBLINGS:
        return f"2^{change:.3g}"
    text = f"{2**change:.3g}"
    return text if text != "1" else f"{2**change:.6g}"
