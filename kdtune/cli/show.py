"""The command that reads a table as it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdtune.cli.export import choose_format, export_table, refuse_table_itself
from kdtune.cli.folding import print_folded
from kdtune.cli.group import main
from kdtune.cli.printing import print_table, warn_of_stale_table
from kdtune.columns import BASELINE, MODEL, NUM_ERROR, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.text import pluralize

if TYPE_CHECKING:
    import pandas as pd


@main.command(example="kdtune show mine --model teacher -s num_error")
@click.argument("results")
@click.option("-c", "--columns", help="Columns to show, separated by commas; 'all' shows every column.")
@click.option("-m", "--model", type=click.Choice([TEACHER, BASELINE, STUDENT]),
              help="Show networks of this kind only; 'student' is the baseline. Of teachers it shows what T "
              "acts on.")  # fmt: skip
@click.option("-w", "--where", help="Rows to show, as in \"model == 'teacher' and width > 20\".")
@click.option("-s", "--sort", help="Columns to sort by, separated by commas; -NAME sorts in descending order.")
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Rows to print as a table; 0 prints all. The other formats always have all rows.",
)
@click.option(
    "-f",
    "--format",
    "chosen_format",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="[default: by the ending of --output, else table]",
)
@click.option(
    "--per-class", is_flag=True, help="Show one row per network and class: the errors on that class of the test set."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write to a file: .csv, .json, .parquet, or .txt for plain text.")  # fmt: skip
def show(
    results: str,
    columns: str | None,
    model: str | None,
    where: str | None,
    sort: str | None,
    rows: int,
    chosen_format: str | None,
    per_class: bool,
    output: Path | None,
) -> None:
    """Print a table. RESULTS is a sweep's folder, its name under results/, or any file that analyze reads.

    With --per-class the table has the columns label (the number of the class) or, where your classes have names,
    class_name, and n (test examples), num_error, accuracy and seen (was the network trained on that class?), as in
    --where "not seen" or --where "class_name == 'walk'".
    """
    from kdtune.analysis.redraws import Redraws, find_redraws
    from kdtune.analysis.table_files import locate_table
    from kdtune.analysis.table_queries import query_table
    from kdtune.foreign.door import find_table_facts, is_sweep_table, read_plain_table
    from kdtune.table_facts import find_select, list_attributes

    file_format = chosen_format or (choose_format(output) if output else "table")
    warn_of_stale_table(results)
    table, notes = read_plain_table(results)
    for note in notes:
        click.echo(note, err=True)
    is_sweep = is_sweep_table(table)
    redraws = find_redraws(table, find_table_facts(locate_table(results), table)) if is_sweep else Redraws()
    if model is not None:
        if MODEL not in table.columns:
            raise RequestError(f"{results}: --model needs a column {MODEL!r}; --where selects rows by other columns")
        table = table[table[MODEL] == model]
    if per_class:
        if not is_sweep:
            raise RequestError(f"{results}: --per-class needs the folder of a sweep of kdtune, which records classes")
        table = _join_classes(results, table)
    refuse_table_itself(results, output)
    select = find_select(locate_table(results)) or NUM_ERROR
    table = query_table(table, columns or (None if is_sweep else "all"), where, sort, select)
    table.attrs |= list_attributes(locate_table(results))  # An exported table says what its source says.
    if table.empty:
        click.echo("No rows match.", err=True)
    if file_format == "table" and output is None:
        _print_rows(table, rows)
        if redraws.text:
            sentence = "; ".join(filter(None, [redraws.text, redraws.staying_text]))
            print_folded(f"Each replicate has {sentence}.", err=True)
        if is_sweep and MODEL in table.columns and BASELINE in set(table[MODEL]):
            # Its T is 1, as ordinary cross-entropy has it, whatever T the sweep tests.
            no_part = ", so that its T has no part in its training" if TEMP in table.columns else ""
            print_folded(f"Model {BASELINE!r} is the baseline: trained on labels alone{no_part}.", err=True)
    elif file_format == "parquet" and output is None and sys.stdout.isatty():
        raise RequestError("Parquet cannot be printed on a terminal; write it to a file with -o FILE.parquet")
    else:
        export_table(table, file_format, output)


def _join_classes(results: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network and class; say how many networks have no errors by class."""
    from kdtune.analysis.table_queries import join_classes

    by_class = join_classes(results, table)
    n_without = int((~table["id"].isin(by_class["id"])).sum())
    if n_without:
        reason = "they are not done, or were trained before errors by class were recorded"
        click.echo(f"{pluralize(n_without, 'network')} without errors by class: {reason}.", err=True)
    return by_class


def _print_rows(table: pd.DataFrame, max_rows: int) -> None:
    """Print the first rows of a table; 0 prints all of them."""
    printed_rows = table.head(max_rows) if max_rows else table
    print_table(printed_rows, _count_identifying_columns(list(table.columns)))
    n_hidden = len(table) - len(printed_rows)
    if n_hidden:
        click.echo(f"... and {n_hidden:,} more rows: --rows 0 prints all, -o FILE.csv writes them.", err=True)


def _count_identifying_columns(names: list[str]) -> int:
    """Return how many leading columns say which network a row is: all up to the replicate."""
    return names.index("replicate") + 1 if "replicate" in names else 0
