"""Frames on a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdtune.words import plural

SHOWN_CELLS = 60  # lines of the closing table


def print_summary(table: Any) -> None:
    """Per cell, errors of teacher, baseline and the student at the T chosen on validation."""
    from kdtune.analysis.answer import answer, has_students
    from kdtune.analysis.cells import cell_columns, first_cells
    from kdtune.analysis.tables import summary

    if not has_students(table):
        return
    table, more = first_cells(table, columns := cell_columns(table), SHOWN_CELLS)
    frame = summary(answer(table, columns))
    replicates = int(frame.pop("replicates").max())
    for name in ("teacher", "baseline", "student"):
        frame[name] = frame[name].map(lambda errors: f"{errors:.1f}" if replicates > 1 else f"{errors:.0f}")
    means = f", means over {replicates} replicates" if replicates > 1 else ", one replicate"
    click.echo(f"Errors on the test split{means}; T chosen on the validation split:")
    print_table(frame)
    if more:
        click.echo(f"... and {plural(more, 'cell')} more.")


def print_table(frame: Any) -> None:
    """A frame as wide as the terminal; where there is none, as wide as it is."""
    console = Console() if sys.stdout.isatty() else Console(width=max(80, 40 * len(frame.columns)))
    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        text = frame[name].dtype.kind not in "iuf" and name not in ("teacher", "baseline", "student")
        table.add_column(escape(str(name)), justify="left" if text else "right", overflow="fold")
    for values in frame.itertuples(index=False):
        table.add_row(*(escape(_cell(value)) for value in values))
    console.print(table)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value) or value == "nan":
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def print_failures(table: Any, console: Console) -> None:
    """What failed or was skipped, and why; equal reasons once."""
    bad = table[table["status"] != "done"]
    if bad.empty:
        return
    counts = bad.groupby("status").size()
    said = " and ".join(f"{plural(count, 'network')} {status}" for status, count in counts.items())
    console.print(f"{said}:", highlight=False)
    for (status, error), group in bad.groupby(["status", "error"]):
        names = ", ".join(group["id"].head(3)) + (", ..." if len(group) > 3 else "")
        console.print(escape(f"  {status} {len(group)}: {error} ({names})"), soft_wrap=True, highlight=False)


def say_lag(results: str) -> None:
    """Warn of a table that is older than the rows beside it."""
    from kdtune import showing

    if said := showing.lag(showing.locate(results)):
        click.echo(said, err=True)
