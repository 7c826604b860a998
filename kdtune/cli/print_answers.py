"""Print an answer on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.cell_statistics import has_comparison
from kdtune.analysis.headline import write_headline
from kdtune.analysis.printed_tables import (
    format_calibration,
    format_differences,
    format_fixed_temperatures,
    format_optima,
    format_test_errors,
    list_findings,
)
from kdtune.analysis.table_terms import UNPAIRED, explain_optima, explain_test_errors, judge_test_errors
from kdtune.cli.folding import print_folded
from kdtune.cli.printing import MAX_SETTINGS, print_notes, print_table
from kdtune.text import pluralize

_CALIBRATION = {"nll": "cross-entropy (nll)", "ece": "expected calibration error (ece)"}


def print_answer(answer: Answer) -> None:
    """Print the best temperature of each setting, its worth on the test split, and which factors it depends on."""
    print_folded(write_headline(answer) + "\n")
    notes = [*answer.reading_notes, *answer.matching_notes]
    if notes:
        print_notes(notes)
        click.echo()
    print_folded(f"Best T: {answer.criterion}, {_describe_replicates(answer)}.")
    if not answer.is_paired:
        print_folded(UNPAIRED)
    print_folded(f"The 95 % confidence interval is that of the {answer.extremum} of the mean curve:")
    _print_settings(answer, format_optima)
    for term in explain_optima(answer.limit_cells(MAX_SETTINGS)):
        print_folded(term, hanging_indent="  ")
    if "student" in answer.test:
        _print_test_split(answer)
    for cell in answer.cells_without_results:
        reason = "no T has results in any replicate" if answer.is_paired else "no run has results"
        print_folded(f"\nLeft out, because {reason}: {cell}")
    click.echo("")
    for sentence in list_findings(answer):
        print_folded(sentence, hanging_indent="  ")


def _print_test_split(answer: Answer) -> None:
    """Print errors, differences, the cost of one T for all settings, and calibration on the test split."""
    print_folded(f"\nErrors at that T on the test split. {judge_test_errors(answer)}")
    _print_settings(answer, format_test_errors)
    terms = explain_test_errors(answer.limit_cells(MAX_SETTINGS))
    if terms:
        print_folded(" ".join(terms))
    has_differences = len(format_differences(answer.limit_cells(MAX_SETTINGS)).columns) > len(answer.cell_columns) + 1
    if has_differences and (answer.curves["replicates"] > 1).any():
        if answer.is_paired:
            title = "Paired differences in errors with 95 % confidence intervals, over replicates that have both"
        else:
            title = "Differences in mean errors with 95 % confidence intervals (Welch's, since runs are not paired)"
        print_folded(f"\n{title}:\nthe student at that T minus another network:")
        _print_settings(answer, format_differences)
    fixed = format_fixed_temperatures(answer)
    if len(fixed):
        print_folded(
            "\nThe cost of one T for all settings: errors on the test split above those at each setting's own T:"
        )
        print_table(fixed)
    titles = list(format_calibration(answer.limit_cells(MAX_SETTINGS)).columns)
    if len(titles) > len(answer.cell_columns) + 1:
        measures = [name for prefix, name in _CALIBRATION.items() if any(title.startswith(prefix) for title in titles)]
        print_folded(f"\nCalibration at T = 1 on the test split, {' and '.join(measures)}:")
        _print_settings(answer, format_calibration)


def _print_settings(answer: Answer, format_table: Callable[[Answer], pd.DataFrame]) -> None:
    """Print a table with one row per setting; of very many settings the first ones."""
    first_settings = answer.limit_cells(MAX_SETTINGS)
    print_table(format_table(first_settings), len(answer.cell_columns))
    n_hidden = len(answer.cells) - len(first_settings.cells)
    if n_hidden:
        click.echo(f"... and {pluralize(n_hidden, 'setting')} more, in the files below.")


def _describe_replicates(answer: Answer) -> str:
    """Return how many replicates the settings have, or how many unpaired runs each T has, as text."""
    if not answer.is_paired:
        return f"{_format_range(answer.curves['replicates'], 'run')} of each T"
    redrawn = f" (each with another {', '.join(answer.redrawn_parts)})" if answer.redrawn_parts else ""
    return _format_range(answer.t_opt["replicates"], "replicate") + redrawn


def _format_range(counts: pd.Series, word: str) -> str:
    """Write the range of counts, as in "5 replicates" and "3 to 5 replicates"."""
    if counts.nunique() == 1:
        return pluralize(int(counts.iloc[0]), word)
    return f"{counts.min():,} to {counts.max():,} {word}s"


def print_power(frame: pd.DataFrame, answer: Answer, is_percent: bool = False) -> None:
    """Print how many replicates it takes to find differences of several sizes.

    Parameters
    ----------
    frame : What ``count_replicates`` returns.
    answer : The answer that it comes from.
    is_percent : Whether errors are in percent of the examples.
    """
    n_usable = sum(has_comparison(cell, answer.selection_measure) for cell in answer.cells)
    max_count = int(answer.curves["replicates"].max())
    if answer.is_paired:
        subject, word, source = "Replicates that it takes", "replicate", "the paired differences of"
        remark = ""
        method = "Paired t-test, two-sided at 5 %; 95 % confidence interval of the mean paired difference."
    else:
        subject, word, source = "Runs of each T that it takes", "run", "the noise in"
        remark = " of each T, which are not paired"
        method = "Two-sample t-test, two-sided at 5 %; 95 % confidence interval of the difference of the means."
    if answer.measure is None:
        units = "A difference is a share of a setting's fewest errors; in errors, that is for the median setting:"
        columns = {"difference": "difference", "errors": "errors, %" if is_percent else "errors"}
    else:
        units = f"A difference is one of {answer.measure.name}, in its own units:"
        columns = {"errors": "difference"}
    print_folded(
        f"{subject} to find a difference between two temperatures, from {source} "
        f"{pluralize(n_usable, 'setting')} with up to {pluralize(max_count, word)}{remark}.\n"
        f"{units}"
    )
    text_table = pd.DataFrame({title: frame[name].map("{:.3g}".format) for name, title in columns.items()})
    titles = {
        "to_tell": "found with 80 % probability",
        "to_tell_most": "... in 9 of 10 settings",
        "to_bound": "for an interval as wide", "to_bound_most": "... as wide in 9 of 10 settings",
    }  # fmt: skip
    for name, title in titles.items():
        text_table[title] = [_format_count(count) for count in frame[name]]
    print_table(text_table, len(columns))
    print_folded(f"{method} The noise is itself an estimate from these {word}s.")


def _format_count(count: Any) -> str:
    """Return a number of replicates as text; a missing one is beyond what is searched."""
    return "more than 10,000" if pd.isna(count) else f"{int(count)}"
