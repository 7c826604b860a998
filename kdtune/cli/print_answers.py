"""Print an answer on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.error_units import name_difference_unit, name_unit
from kdtune.analysis.headline import write_opening
from kdtune.analysis.overall_frames import explain_overall, format_overall
from kdtune.analysis.printed_effects import format_set_effects
from kdtune.analysis.printed_tables import (
    format_calibration,
    format_differences,
    format_fixed_temperatures,
    format_optima,
    format_test_errors,
    list_findings,
)
from kdtune.analysis.selection_measure import MEASURE_DEFINITIONS, MEASURE_NAMES, MEASURE_TITLES
from kdtune.analysis.table_terms import (
    describe_pairing,
    explain_optima,
    explain_test_errors,
    has_several_runs,
    judge_test_errors,
)
from kdtune.analysis.weight_pairs import explain_pairs, format_pairs
from kdtune.cli.folding import print_folded
from kdtune.cli.printing import MAX_SETTINGS, print_opening, print_table
from kdtune.columns import NUM_ERROR
from kdtune.text import pluralize

_CALIBRATION = {"nll": "cross-entropy (nll)", "ece": "expected calibration error (ece)"}


def print_answer(answer: Answer, is_percent: bool = False) -> None:
    """Print the best temperature of each setting, its worth on the test split, and which factors it depends on.

    Parameters
    ----------
    answer : The answer.
    is_percent : Whether the errors on the test split are in percent of the examples.
    """
    print_opening(write_opening(answer), [*answer.reading_notes, *answer.matching_notes])
    _print_overall(answer)
    click.echo()
    print_folded(f"Best T: {answer.criterion}, {_describe_replicates(answer)}.")
    if describe_pairing(answer):
        print_folded(describe_pairing(answer))
    _print_settings(answer, format_optima)
    for term in explain_optima(answer.limit_cells(MAX_SETTINGS)):
        print_folded(term, hanging_indent="  ")
    if not answer.selected_test.empty:
        _print_test_split(answer, answer.test_measure, False)
    if "student" in answer.test:
        _print_test_split(answer, NUM_ERROR, is_percent)
    _print_fixed_temperatures(answer)
    _print_pairs(answer)
    if "student" in answer.test:
        _print_calibration(answer)
    for cell in answer.cells_without_results:
        reason = "no T has results in any replicate" if answer.is_paired else "no run has results"
        print_folded(f"\nLeft out, because {reason}: {cell}")
    _print_set_effects(answer)
    click.echo("")
    for sentence in list_findings(answer):
        print_folded(sentence, hanging_indent="  ")


def _print_test_split(answer: Answer, measure: str, is_percent: bool) -> None:
    """Print a measure on the test split, and its differences: errors, or what T was chosen by."""
    title, name = MEASURE_TITLES[measure], MEASURE_NAMES[measure]
    definition = f" {MEASURE_DEFINITIONS[measure]}" if measure in MEASURE_DEFINITIONS else ""
    judgement = judge_test_errors(answer, measure)
    print_folded(f"\n{title} at that T on the test split{name_unit(is_percent)}.{definition} {judgement}")
    _print_settings(answer, partial(format_test_errors, measure=measure))
    first_settings = answer.limit_cells(MAX_SETTINGS)
    terms = explain_test_errors(first_settings, measure)
    if terms:
        print_folded(" ".join(terms))
    has_differences = len(format_differences(first_settings, measure).columns) > len(answer.cell_columns) + 1
    if has_differences and has_several_runs(answer):
        if answer.is_paired:
            title = f"Paired differences in {name} with 95 % confidence intervals, over replicates that have both"
        else:
            title = f"Differences in mean {name} with 95 % confidence intervals (Welch's, since runs are not paired)"
        print_folded(f"\n{title}:\nthe student at that T minus another network{name_difference_unit(is_percent)}:")
        _print_settings(answer, partial(format_differences, measure=measure))


def _print_overall(answer: Answer) -> None:
    """Print the recommendation for each student over all of its data sets, where it has several."""
    students = answer.students[:MAX_SETTINGS]
    table = format_overall(students, answer.measured, answer.margin_text)
    if table.empty:
        return
    print_folded(f"\nOver all data sets, each counting alike: {answer.criterion}.")
    print_table(table, len(students[0].settings))
    for sentence in explain_overall(students, answer.margin_text, answer.is_paired):
        print_folded(sentence, hanging_indent="  ")


def _print_fixed_temperatures(answer: Answer) -> None:
    """Print the cost of one T for all settings, in the measure that T was chosen by."""
    fixed = format_fixed_temperatures(answer)
    if len(fixed):
        those = "those" if answer.test_measure == NUM_ERROR else "that"
        name = MEASURE_NAMES[answer.test_measure]
        print_folded(
            f"\nThe cost of one T for all settings: {name} on the test split above {those} at each setting's own T:"
        )
        print_table(fixed)
        print_folded(
            "worst setting: what it costs the setting that loses most, without what chance adds to single settings; "
            "where settings do not differ by more than that, it is the mean. The intervals hold for all T at once; "
            "those of a single comparison, as in the recommendation, are narrower.",
            hanging_indent="  ",
        )


def _print_pairs(answer: Answer) -> None:
    """Print the best pairs of T and weight of the labels, where both vary."""
    pairs = answer.pairs.head(MAX_SETTINGS)
    if not len(pairs):
        return
    print_folded(
        f"\nT and the weight of the labels together: the pair with {answer.criterion}, and the pairs that are "
        f"statistically tied with it, all compared at once:"
    )
    print_table(format_pairs(pairs, answer.cells), len(answer.cell_columns) - 1)
    if len(pairs) < len(answer.pairs):
        click.echo(f"... and {len(answer.pairs) - len(pairs):,} more, in the files below.")
    for sentence in explain_pairs(answer.pairs):
        print_folded(sentence, hanging_indent="  ")


def _print_calibration(answer: Answer) -> None:
    """Print cross-entropy and calibration error on the test split."""
    titles = list(format_calibration(answer.limit_cells(MAX_SETTINGS)).columns)
    if len(titles) > len(answer.cell_columns) + 1:
        measures = [name for prefix, name in _CALIBRATION.items() if any(title.startswith(prefix) for title in titles)]
        print_folded(f"\nCalibration at T = 1 on the test split, {' and '.join(measures)}:")
        _print_settings(answer, format_calibration)


def _print_set_effects(answer: Answer) -> None:
    """Print how the best T changes with each factor in each data set, where there are several."""
    effects = format_set_effects(answer)
    if not len(effects):
        return
    print_folded("\nHow the best T changes with each factor, in each data set with 95 % confidence:")
    print_table(effects.head(MAX_SETTINGS), 2)
    if len(effects) > MAX_SETTINGS:
        click.echo(f"... and {len(effects) - MAX_SETTINGS:,} more, in the files below.")


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
    return _format_range(answer.t_opt["replicates"], "replicate") + answer.redraws.describe()


def _format_range(counts: pd.Series, word: str) -> str:
    """Write the range of counts, as in "5 replicates" and "3 to 5 replicates"."""
    if counts.nunique() == 1:
        return pluralize(int(counts.iloc[0]), word)
    return f"{counts.min():,} to {counts.max():,} {word}s"
