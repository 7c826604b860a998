"""Frames on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdtune.text import NOTHING, plural

SHOWN_CELLS = 60  # lines of the closing table


def print_summary(table: Any) -> None:
    """Per cell, errors of teacher, baseline and the student at the T chosen on validation."""
    from kdtune.analysis.answer import analyze_table, has_students
    from kdtune.analysis.cells import find_cell_columns, select_first_cells
    from kdtune.analysis.printed_tables import summarize_errors

    if not has_students(table):
        return
    table, more = select_first_cells(table, columns := find_cell_columns(table), SHOWN_CELLS)
    frame = summarize_errors(analyze_table(table, columns))
    replicates = int(frame.pop("replicates").max())
    for name in ("teacher", "baseline", "student"):
        digits = 1 if replicates > 1 else 0
        frame[name] = [f"{errors:.{digits}f}" if errors == errors else NOTHING for errors in frame[name]]
    means = f", means over {replicates} replicates" if replicates > 1 else ", one replicate"
    click.echo(f"Errors on the test split{means}; T chosen on the validation split:")
    print_table(frame, list(frame.columns).index("teacher"))
    if more:
        click.echo(f"... and {plural(more, 'cell')} more.")


def print_table(frame: Any, keys: int = 0) -> None:
    """A frame as wide as it is. On a terminal that is narrower: parts of it, each with the first ``keys`` columns."""
    cells = {str(name): [_cell(value) for value in frame[name]] for name in frame.columns}
    widths = {name: 2 + max(map(cell_len, [name, *column])) for name, column in cells.items()}
    width = None if sys.stdout.isatty() else sum(widths.values()) + 2
    console = Console(emoji=False, markup=False, highlight=False, width=width)
    for place, part in enumerate(_parts(widths, keys, console.width)):
        if place:
            console.print()
        table = Table(box=None, pad_edge=False)
        for name in part:
            number = frame[name].dtype.kind in "iuf" or name in ("teacher", "baseline", "student")
            table.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in zip(*(cells[name] for name in part), strict=True):
            table.add_row(*row)
        console.print(table)


def _parts(widths: dict[str, int], keys: int, room: int) -> Iterator[list[str]]:
    """Names of columns that fit side by side."""
    first, rest = list(widths)[:keys], list(widths)[keys:]
    if sum(widths[name] for name in first) > room // 2 and sum(widths.values()) > room:
        first, rest = first[:1], [*first[1:], *rest]  # keys that leave no room for what they name
    part = list(first)
    for name in rest:
        if len(part) > len(first) and sum(widths[one] for one in [*part, name]) > room + 1:
            yield part
            part = list(first)
        part.append(name)
    yield part


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return NOTHING
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


def warn_of_lag(results: str) -> None:
    """Warn of a table that is older than the rows beside it."""
    from kdtune.analysis import table_queries as showing

    if said := showing.describe_lag(showing.locate_table(results)):
        click.echo(said, err=True)
