"""Tables and messages on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdtune.cli.folding import print_folded
from kdtune.errors import RequestError
from kdtune.text import NOTHING, pluralize

MAX_SETTINGS = 60  # lines of the closing table
_NETWORKS = ("teacher", "baseline", "student")
# Columns that hold formatted numbers, aligned like numbers.
NUMBER_COLUMNS = (
    *_NETWORKS,
    *(f"{network} {measure}" for measure in ("nll", "balanced error") for network in _NETWORKS),
)


def print_summary(table: Any, folder: Path | None = None) -> None:
    """Print for each setting the errors of teacher, baseline and the student at its best T, then which T to use.

    The recommendation comes last, since the last lines are what a reader of a terminal or of a log sees first.
    ``table`` is a sweep's, which lies in ``folder``. Its ``attrs`` say by which measure T is chosen, and how replicates
    redraw the data, which is printed, too.
    """
    from kdtune.analysis.answer import analyze_table
    from kdtune.analysis.cells import find_cell_columns, select_first_cells
    from kdtune.analysis.headline import write_recommendations
    from kdtune.analysis.printed_tables import summarize_errors, summarize_selected
    from kdtune.analysis.selection_measure import MEASURE_NAMES, has_students
    from kdtune.analysis.table_terms import is_cross_fitted
    from kdtune.analysis.weak_teachers import describe_weak_teachers
    from kdtune.columns import NUM_ERROR
    from kdtune.errors_by_example import read_errors_by_example
    from kdtune.table_facts import find_facts, find_select

    if not has_students(table):
        return
    cell_columns = find_cell_columns(table)
    select, facts = find_select(table) or NUM_ERROR, find_facts(table)
    facts = None if facts is None else facts.count_missing(len(table))
    table, n_hidden = select_first_cells(table, cell_columns, MAX_SETTINGS)
    try:
        errors = None if folder is None else read_errors_by_example(folder)
        answer = analyze_table(table, cell_columns, select=select, facts=facts, errors_by_example=errors)
    except RequestError as error:  # What was trained is there, whatever can be said of it.
        print_folded(f"The best T cannot be chosen: {error}")
        return
    summary = summarize_errors(answer)
    replicates = int(summary.pop("replicates").max())
    digits = 1 if replicates > 1 else 0
    for name in _NETWORKS:
        summary[name] = [_format_errors(errors, digits) for errors in summary[name]]
    n_keys = list(summary.columns).index("teacher")
    selected = summarize_selected(answer)
    summary = summary.join(selected)
    means = f"means over {replicates} replicates{answer.redraws.describe()}" if replicates > 1 else "one replicate"
    measures = "Errors" if select == NUM_ERROR else f"Errors and {MEASURE_NAMES[select]}"
    by = "" if select == NUM_ERROR else f" by {MEASURE_NAMES[select]}"
    chosen = f"T chosen{by} on the validation split"
    if is_cross_fitted(answer):
        chosen += "; the student's errors are at the T that the other replicates choose"
    print_folded(f"{measures} on the test split, {means}; {chosen}:")
    print_table(summary, n_keys)
    if n_hidden:
        click.echo(f"... and {pluralize(n_hidden, 'setting')} more.")
    else:  # Of a part of the settings a recommendation may be wrong.
        click.echo()
        closing = [answer.unfinished, *write_recommendations(answer), *describe_weak_teachers(answer)]
        print_opening([paragraph for paragraph in closing if paragraph], [])
    click.echo()


def _format_errors(errors: float, digits: int) -> str:
    """Return a mean number of errors as text; nothing for NaN."""
    import pandas as pd

    return NOTHING if pd.isna(errors) else f"{errors:.{digits}f}"


def print_opening(paragraphs: Sequence[str], notes: Sequence[str]) -> None:
    """Print how an answer begins: what to do, and how the table was read if anything is to be said of that."""
    for number, paragraph in enumerate(paragraphs):
        print_folded(f"\n{paragraph}" if number else paragraph)
    if notes:
        click.echo()
        print_notes(notes)


def print_notes(notes: Iterable[str], err: bool = False) -> None:
    """Print how a table was understood: one line for each note, folded to the width of the terminal."""
    click.echo("How the table was read:", err=err)
    for note in notes:
        print_folded(f"- {note}", hanging_indent="  ", err=err)


def print_table(frame: Any, n_keys: int = 0) -> None:
    """Print a data frame at its full width.

    On a narrower terminal it is split into parts below each other, each with the first ``n_keys`` columns.
    """
    texts = {str(name): [_format_value(value) for value in frame[name]] for name in frame.columns}
    widths = {name: 2 + max(map(cell_len, [name, *column])) for name, column in texts.items()}
    width = None if sys.stdout.isatty() else sum(widths.values()) + 2
    console = Console(emoji=False, markup=False, highlight=False, width=width)
    for number, names in enumerate(_split_columns(widths, n_keys, console.width)):
        if number:
            console.print()
        table = Table(box=None, pad_edge=False)
        for name in names:
            is_number = frame[name].dtype.kind in "iuf" or name in NUMBER_COLUMNS
            table.add_column(name, justify="right" if is_number else "left", overflow="fold")
        for row in zip(*(texts[name] for name in names), strict=True):
            table.add_row(*row)
        console.print(table)


def _split_columns(widths: dict[str, int], n_keys: int, max_width: int) -> Iterator[list[str]]:
    """Yield the names of columns that fit side by side, the key columns before each part."""
    names = list(widths)
    keys, other_columns = names[:n_keys], names[n_keys:]
    widest = max((widths[name] for name in other_columns), default=0)
    if sum(widths[name] for name in keys) + widest > max_width + 1 and sum(widths.values()) > max_width:
        keys, other_columns = names[:1], names[1:]  # So many keys would leave no room for what they name.
    part = list(keys)
    for name in other_columns:
        is_full = sum(widths[column] for column in [*part, name]) > max_width + 1
        if is_full and len(part) > len(keys):
            yield part
            part = list(keys)
        part.append(name)
    yield part


def _format_value(value: Any) -> str:
    """Return one value of a table as text."""
    import pandas as pd

    if pd.isna(value):
        return NOTHING
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def print_failures(table: Any, console: Console) -> None:
    """Print which networks failed or were skipped, and why; equal reasons once."""
    failures = table[table["status"] != "done"]
    if failures.empty:
        return
    counts = failures.groupby("status").size()
    totals = " and ".join(f"{pluralize(count, 'network')} {status}" for status, count in counts.items())
    console.print(f"{totals}:", highlight=False)
    for (status, error), group in failures.groupby(["status", "error"]):
        ids = ", ".join(group["id"].head(3)) + (", ..." if len(group) > 3 else "")
        console.print(escape(f"  {status} {len(group)}: {error} ({ids})"), soft_wrap=True, highlight=False)


def warn_of_stale_table(results: str) -> None:
    """Warn if a table is older than the rows beside it."""
    from kdtune.analysis.table_files import describe_stale_table, locate_table

    warning = describe_stale_table(locate_table(results))
    if warning:
        print_folded(warning, err=True)
