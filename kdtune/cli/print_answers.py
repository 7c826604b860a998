"""An answer on a terminal."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.headline import write_headline
from kdtune.analysis.printed_tables import (
    format_calibration,
    format_differences,
    format_fixed_temperatures,
    format_optima,
    format_test_errors,
    list_findings,
)
from kdtune.cli.printing import SHOWN_CELLS, print_table
from kdtune.text import plural


def print_answer(answer: Answer) -> None:
    """The best temperature of every cell, what it is worth on the test split, what it moves with."""
    click.echo(write_headline(answer) + "\n")
    best, shown = answer.t_opt, answer.first(SHOWN_CELLS)
    more = len(answer.cells) - len(shown.cells)
    click.echo(f"Fewest errors on the {answer.split} split, {_replicates(best['replicates'])}{_redrawn(answer)}. "
               f"The interval is 95 %, for the minimum of the mean curve:")  # fmt: skip
    _print_cells(format_optima(shown), len(answer.columns), more)
    if "student" in answer.test:
        fair = "which chose it too: too low by that; cross-fitted is fair"
        if answer.split == "validation":
            fair = "which had no part in choosing it (though the networks are the same)"
        click.echo(f"\nErrors at that T on the test split, {fair}:")
        _print_cells(format_test_errors(shown), len(answer.columns), more)
        if (best["replicates"] > 1).any() and len((paired := format_differences(shown)).columns) > len(
            answer.columns
        ) + 1:
            click.echo("\nPaired differences in errors, of replicates that have both, with 95 % intervals: the student "
                       "at that T minus another:")  # fmt: skip
            _print_cells(paired, len(answer.columns), more)
        if len(fixed := format_fixed_temperatures(answer)):
            click.echo("\nOne T for all cells: errors on the test split above those at each cell's own T:")
            print_table(fixed)
        if len(titles := (calibrated := format_calibration(shown)).columns) > len(answer.columns) + 1:
            click.echo(
                "\nCalibration at T = 1 on the test split: "
                + " and ".join(
                    full for short, full in _CALIBRATION.items() if any(title.startswith(short) for title in titles)
                )
                + ":"
            )
            _print_cells(calibrated, len(answer.columns), more)
    for cell in answer.without:
        click.echo(f"\nLeft out, without figures of one T in one replicate: {cell}")
    click.echo("")
    for sentence in list_findings(answer):
        click.echo(sentence)


_CALIBRATION = {"nll": "cross-entropy (nll)", "ece": "expected calibration error (ece)"}


def _redrawn(answer: Answer) -> str:
    return f" (each with another {', '.join(answer.redrawn)})" if answer.redrawn else ""


def _replicates(counts: pd.Series) -> str:
    if counts.nunique() == 1:
        return plural(int(counts.iloc[0]), "replicate")
    return f"{counts.min()} to {counts.max()} replicates"


def _print_cells(frame: pd.DataFrame, keys: int, more: int) -> None:
    print_table(frame, keys)
    if more:
        click.echo(f"... and {plural(more, 'cell')} more, in the files below.")


def print_power(frame: pd.DataFrame, answer: Answer) -> None:
    """How many replicates differences take."""
    counts = answer.t_opt["replicates"]
    usable = (counts > 1) & (answer.t_opt["temperatures"] > 1)
    click.echo(
        f"Replicates that it takes to tell two temperatures apart, from the paired differences of "
        f"{plural(int(usable.sum()), 'cell')} with up to {plural(int(counts.max()), 'replicate')}.\n"
        f"A difference is a share of a cell's fewest errors; in errors, that is for the median cell:"
    )
    shown = pd.DataFrame(
        {"difference": frame["difference"].map("{:.3g}".format), "errors": frame["errors"].map("{:.3g}".format)}
    )
    titles = {
        "to_tell": "to find it in 4 of 5 sweeps", "to_tell_most": "in 9 of 10 cells",
        "to_bound": "for an interval as wide", "to_bound_most": "in 9 of 10 cells ",
    }  # fmt: skip
    for name, title in titles.items():
        shown[title] = [_count(count) for count in frame[name]]
    print_table(shown)
    click.echo("Paired t-test, two-sided at 5 %; 95 % interval of the mean paired difference. The noise is itself an "
               "estimate from these replicates.")  # fmt: skip


def _count(count: Any) -> str:
    return "more than 10,000" if pd.isna(count) else f"{int(count)}"
