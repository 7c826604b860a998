"""The command that reads a table as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kdtune.cli.group import main
from kdtune.cli.printing import print_table, warn_of_lag
from kdtune.errors import RequestError
from kdtune.text import plural


@main.command()
@click.argument("results")
@click.option("-c", "--columns", help="Columns to show, with commas between; 'all' for every one.")
@click.option("-w", "--where", help="Rows to show, as in \"model == 'teacher' and width > 20\".")
@click.option("-s", "--sort", help="Columns to sort by, with commas between; -NAME sorts downwards.")
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Rows to print as a table; 0 prints all. Other formats have them all.",
)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="[default: by the ending of --output, else table]",
)
@click.option(
    "--per-class", is_flag=True, help="A row for each network and class: errors on that class of the test set."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
def show(
    results: str,
    columns: str | None,
    where: str | None,
    sort: str | None,
    rows: int,
    format_: str | None,
    per_class: bool,
    output: Path | None,
) -> None:
    """Print the table of a sweep. RESULTS is its folder, its name under results/ or a Parquet file.

    With --per-class there are the columns label (the class), n (test examples), num_error, accuracy and seen (was the
    network trained on that class?), as in --where "not seen".
    """
    from kdtune.analysis import table_queries as showing

    warn_of_lag(results)
    table = showing.read_sweep_table(results)
    if per_class:
        whole, table = table, showing.join_classes(results, table)
        if without := int((~whole["id"].isin(table["id"])).sum()):
            why = "not done, or from before they were kept"
            click.echo(f"{plural(without, 'network')} without errors by class: {why}.", err=True)
    table = showing.query(table, columns, where, sort)
    if table.empty:
        click.echo("No rows.", err=True)
    ending = output.suffix[1:] if output else ""
    kind = format_ or (ending if ending in ("csv", "json", "parquet") else "table")
    if kind == "table" and output is None:
        print_table(table.head(rows) if rows else table, _keys(list(table.columns)))
        if rows and len(table) > rows:
            click.echo(
                f"... and {len(table) - rows:,} rows more: --rows 0 prints all, -o FILE.csv writes them.", err=True
            )
    elif kind == "parquet" and output is None and sys.stdout.isatty():
        raise RequestError("Parquet is not for a terminal; give a file with -o")
    else:
        showing.export_table(table, kind, output)


def _keys(names: list[str]) -> int:
    """The columns that say which network a row is: all up to the replicate."""
    return names.index("replicate") + 1 if "replicate" in names else 0
