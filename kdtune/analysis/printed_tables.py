"""Make the tables of an answer as text, for a terminal and for a page."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.influential_runs import describe_influential_run
from kdtune.analysis.optimum import INCOMPLETE
from kdtune.analysis.shown_figures import prefer_cross_fitted
from kdtune.analysis.temperature_texts import format_interval, format_temperatures
from kdtune.analysis.weak_teachers import describe_weak_teachers
from kdtune.columns import ECE, NLL, NUM_ERROR
from kdtune.text import NOTHING, pluralize

_TEST_ERRORS = {
    "student": "student", "at_T1": "at T=1", "baseline": "baseline", "teacher": "teacher",
    "chosen_on_test": "chosen on test",
}  # fmt: skip
_DIFFERENCES = {"minus_T1": "minus T=1", "minus_baseline": "minus baseline", "minus_teacher": "minus teacher"}
MAX_RUNS = 3  # single networks that sentences speak of
_MAX_LEFT_OUT = 8  # temperatures and replicates that a flag names; the table t_opt.parquet has all
_RESIDUE = 1e-12


def summarize_errors(answer: Answer) -> pd.DataFrame:
    """Return one row per cell, as numbers: mean test errors of teacher, baseline and the student at the chosen T."""
    test = prefer_cross_fitted(answer.test)
    errors = test.reindex(columns=[*answer.cell_columns, "teacher", "baseline", "T", "student"])
    return errors.assign(replicates=answer.t_opt["replicates"])


def summarize_selected(answer: Answer) -> pd.DataFrame:
    """Return one row per cell, as text: the means of ``summarize_errors`` in the measure that T is chosen by.

    It has no columns if these are errors, or the table lacks the measure on the test split.
    """
    if answer.selected_test.empty:
        return pd.DataFrame(index=answer.test.index)
    columns, selected = {}, prefer_cross_fitted(answer.selected_test)
    for name in ("teacher", "baseline", "student"):
        values = selected[name]
        columns[f"{name} {answer.measure_name}"] = _format_numbers(values, _count_digits(values))
    return pd.DataFrame(columns, index=answer.test.index)


def format_optima(answer: Answer) -> pd.DataFrame:
    """Return the settings and their best temperatures."""
    optima = answer.t_opt
    grids = [cell.temperatures.tolist() for cell in answer.cells]
    table = optima[answer.cell_columns].copy()
    table["best T"] = optima["T_opt"]
    bounds = zip(optima["T_opt_low"], optima["T_opt_high"], grids, strict=True)
    table["interval"] = [format_interval(low, high, grid) for low, high, grid in bounds]
    if optima["T_second"].notna().any():
        second = zip(optima["T_second"], grids, strict=True)
        table[f"second {answer.extremum}"] = [
            NOTHING if pd.isna(T) else format_temperatures([T], grid) for T, grid in second
        ]
    titles = {
        "tied": "statistically tied",
        "good_enough": answer.margin_text,
    }
    if not answer.margin_text:
        del titles["good_enough"]
    for name, title in titles.items():
        rows = zip(optima[name], grids, strict=True)
        table[title] = [format_temperatures(temperatures, grid) for temperatures, grid in rows]
    flags = [_format_flags(*row) for row in zip(optima["flags"], optima["left_out"], strict=True)]
    if any(flags):
        table["flags"] = flags
    return table


def _format_flags(flags: list[str], left_out: list[str]) -> str:
    n_more = len(left_out) - _MAX_LEFT_OUT
    names = [*left_out[:_MAX_LEFT_OUT], f"{n_more:,} more"] if n_more > 0 else left_out
    remarks = {INCOMPLETE: f" (without {', '.join(names)})"}
    return ", ".join(flag + remarks.get(flag, "") for flag in flags)


def format_test_errors(answer: Answer, measure: str = NUM_ERROR) -> pd.DataFrame:
    """Return the mean errors on the test split at the chosen temperatures, and those that they compare with.

    ``measure`` is that, or the measure that T is chosen by.
    """
    test = prefer_cross_fitted(answer.get_test(measure))
    # The best value on the test split says what choosing there would have claimed, unless T was chosen there.
    is_choice_honest = measure == answer.test_measure and answer.selection_split == "validation"
    table = test[[*answer.cell_columns, "T"]].copy()
    for name, title in _TEST_ERRORS.items():
        if test[name].notna().any() and (is_choice_honest or name != "chosen_on_test"):
            table[title] = _format_numbers(test[name], _count_digits(test[name]))
    if test["gap_closed"].notna().any():
        rows = zip(test["gap_closed"], test["gap_low"], test["gap_high"], strict=True)
        table["gap closed"] = [_format_share(share, low, high) for share, low, high in rows]
    return table


def format_differences(answer: Answer, measure: str = NUM_ERROR) -> pd.DataFrame:
    """Return differences in errors on the test split, student minus another, with 95 % intervals.

    They are paired, or differences of means where runs are not. ``measure`` is errors, or what T is chosen by.
    """
    test = prefer_cross_fitted(answer.get_test(measure))
    digits = _count_digits(test["student"])
    table = test[[*answer.cell_columns, "T"]].copy()
    for name, title in _DIFFERENCES.items():
        if test[name].notna().any():
            rows = zip(test[name], test[f"{name}_low"], test[f"{name}_high"], strict=True)
            table[title] = [_format_difference(mean, low, high, digits) for mean, low, high in rows]
    return table


def format_fixed_temperatures(answer: Answer) -> pd.DataFrame:
    """Return what one temperature for all settings costs; empty where there is one setting, or one temperature."""
    fixed = answer.fixed
    if len(answer.cells) < 2 or len(fixed) < 2:
        return pd.DataFrame()
    table = pd.DataFrame({"T": fixed["T"]})
    for name, title in (("mean", "mean"), ("worst", "worst setting")):
        rows = zip(fixed[name], fixed[f"{name}_low"], fixed[f"{name}_high"], strict=True)
        table[title] = [_format_cost(*row) for row in rows]
    counts = zip(fixed["tied"], fixed["cells"], strict=True)
    table["statistically tied with the best in"] = [
        f"{tied} of {pluralize(cells, 'setting')}" for tied, cells in counts
    ]
    return table


def _format_cost(share: float, low: float, high: float) -> str:
    """Write a share with its interval, as in "+2.4 % (+0.5 % to +4.4 %)"."""
    if pd.isna(share):
        return NOTHING
    text, *ends = (f"{value:+.1%}" for value in (share, low, high))
    return text if pd.isna(low) or pd.isna(high) else f"{text} ({ends[0]} to {ends[1]})"


def format_calibration(answer: Answer) -> pd.DataFrame:
    """Return cross-entropy and expected calibration error of the softmax at T = 1 on the test split."""
    test = answer.test
    table = test[[*answer.cell_columns, "T"]].copy()
    for measure in (NLL, ECE):
        for model, name in (
            ("student", measure),
            ("baseline", f"baseline_{measure}"),
            ("teacher", f"teacher_{measure}"),
        ):
            if name in test and test[name].notna().any():
                table[f"{measure} {model}"] = _format_numbers(test[name], 4)
    return table


def list_findings(answer: Answer) -> list[str]:
    """Return a sentence on weak teachers, and one for each factor, or one that says why there is none."""
    return [*describe_weak_teachers(answer), *_list_influential_runs(answer), *_list_effects(answer)]


def _list_influential_runs(answer: Answer) -> list[str]:
    """Return a sentence for each single network that changes an answer; those that are far off stand in the opening."""
    runs = [run for run in answer.influential_runs if not run.is_far_off]
    texts = [describe_influential_run(run) for run in runs[:MAX_RUNS]]
    n_more = len(runs) - len(texts)
    return [*texts, f"A single run changes the answer in {pluralize(n_more, 'setting')} more."] if n_more else texts


def _list_effects(answer: Answer) -> list[str]:
    if (answer.t_opt["temperatures"] == 1).all():
        if answer.t_opt["T_opt"].nunique() > 1:
            return [
                "Only one temperature was tested in each setting: the best one cannot be determined. "
                "Use --cell to name the columns that make a setting."
            ]
        return ["Only one temperature was tested: the best one cannot be determined."]
    if answer.effects.empty:
        if answer.unfinished:
            return ["No factor varies in the networks that are done."]
        return ["No factor varies: there is nothing that the best T could depend on."]
    return list(answer.effects["sentence"])


def _format_numbers(values: Iterable[float], digits: int) -> list[str]:
    return [NOTHING if pd.isna(value) else f"{value:.{digits}f}" for value in values]


def _format_share(share: float, low: float, high: float) -> str:
    return NOTHING if pd.isna(share) else f"{share:.0%} ({low:.0%} to {high:.0%})"


def _format_difference(mean: float, low: float, high: float, digits: int) -> str:
    if pd.isna(mean):
        return NOTHING
    # The sum of equal shares may not be 0 in its last bits, which would read -0.000.
    mean, low, high = (0.0 if abs(value) < _RESIDUE else value for value in (mean, low, high))
    if math.isinf(low):
        return f"{mean:+.{digits}f}"
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def _count_digits(errors: pd.Series) -> int:
    """Return the digits after the point: one for counts of errors, more for rates, which other tables may have."""
    largest_value = errors.abs().max()
    if pd.isna(largest_value) or largest_value == 0:
        return 1
    return max(1, 2 - math.floor(math.log10(largest_value)))
