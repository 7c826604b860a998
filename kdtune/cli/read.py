"""The commands that read one: show, plot, analyze, power."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kdtune.cli.group import main
from kdtune.cli.printing import print_answer, print_power, print_table
from kdtune.errors import RequestError


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
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
def show(
    results: str,
    columns: str | None,
    where: str | None,
    sort: str | None,
    rows: int,
    format_: str | None,
    output: Path | None,
) -> None:
    """Print the table of a sweep. RESULTS is its folder, its name under results/ or a Parquet file."""
    from kdtune import showing

    _say_lag(results)
    table = showing.pick(showing.read(results), columns, where, sort)
    if table.empty:
        click.echo("No rows.", err=True)
    ending = output.suffix[1:] if output else ""
    kind = format_ or (ending if ending in ("csv", "json", "parquet") else "table")
    if kind == "table" and output is None:
        print_table(table.head(rows) if rows else table)
        if rows and len(table) > rows:
            click.echo(
                f"... and {len(table) - rows:,} rows more: --rows 0 prints all, -o FILE.csv writes them.", err=True
            )
    elif kind == "parquet" and output is None and sys.stdout.isatty():
        raise RequestError("Parquet is not for a terminal; give a file with -o")
    else:
        showing.export(table, kind, output)


@main.command()
@click.argument("results")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for the figures. "
              "[default: figures/ beside the table]")  # fmt: skip
def plot(results: str, output: Path | None) -> None:
    """Draw the tutorial's figures from a sweep, as PNG and SVG."""
    from kdtune import plots, showing

    path = showing.locate(results)
    _say_lag(results)
    try:
        drawn = plots.draw_all(showing.read(results), output or path.parent / "figures")
        for written in drawn:
            click.echo(written)
        if not any(written.stem == "num_error" for written in drawn):
            click.echo("No distilled student is done: only the softmax figure was drawn.", err=True)
    except OSError as error:
        raise RequestError(f"{output or path.parent}: cannot write there: {error.strerror}") from None


def _say_lag(results: str) -> None:
    from kdtune import showing

    if said := showing.lag(showing.locate(results)):
        click.echo(said, err=True)


def _pairs(_: click.Context, option: click.Parameter, value: str | None) -> dict[str, str]:
    """NAME=THEIRS,... as a mapping."""
    found = {}
    for pair in (value or "").split(","):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if pair.strip() and not (ours and equals and theirs):
            raise click.BadParameter(f"{pair!r} is not OURS=THEIRS", param=option)
        if pair.strip():
            found[ours] = theirs
    return found


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    return [name.strip() for name in value.split(",") if name.strip()] if value else None


@main.command()
@click.argument("results")
@click.option("--map", "renamed", callback=_pairs, metavar="OURS=THEIRS,...",
              help="Columns of a table from elsewhere, as in temp=tau,replicate=rep.")  # fmt: skip
@click.option("--cell", callback=_names, metavar="NAMES", help="The columns that name a cell. [default: the settings "
              "that vary over the distilled students]")  # fmt: skip
@click.option("--margin", type=click.FloatRange(min=0), default=0.05, show_default=True,
              help="Excess errors that do not matter, as a share of the best temperature's.")  # fmt: skip
@click.option("--effect-margin", type=click.FloatRange(min=0), default=0.1, show_default=True,
              help="Change of log2 T per doubling of a factor that does not matter.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the files. [default: analysis/ beside the table]")  # fmt: skip
def analyze(
    results: str, renamed: dict[str, str], cell: list[str] | None, margin: float, effect_margin: float,
    output: Path | None,
) -> None:  # fmt: skip
    """The best temperature of every cell with its uncertainty, and what it moves with.

    RESULTS is a sweep's folder, its name under results/, or a Parquet or CSV file from elsewhere.
    """
    from kdtune import showing
    from kdtune.analysis import answer, files, foreign

    path = showing.locate(results)
    _say_lag(results)
    table = foreign.standard(foreign.read(path), renamed, cell)
    found = answer.answer(table, cell, answer.Margins(margin, effect_margin))
    print_answer(found)
    for written in files.write(found, output or path.parent / "analysis"):
        click.echo(f"Wrote {written}", err=True)


@main.command()
@click.argument("results")
@click.option("--difference", "differences", multiple=True, type=click.FloatRange(min=0, min_open=True),
              help="Of mean errors, as a share of the best temperature's. May be repeated. "
                   "[default: 0.01, 0.02, 0.05, 0.1, 0.2]")  # fmt: skip
@click.option("--errors", multiple=True, type=click.FloatRange(min=0, min_open=True),
              help="The same in errors. May be repeated.")  # fmt: skip
@click.option("--map", "renamed", callback=_pairs, metavar="OURS=THEIRS,...",
              help="Columns of a table from elsewhere, as in temp=tau,replicate=rep.")  # fmt: skip
@click.option("--cell", callback=_names, metavar="NAMES", help="The columns that name a cell.")
def power(
    results: str, differences: tuple[float, ...], errors: tuple[float, ...], renamed: dict[str, str],
    cell: list[str] | None,
) -> None:  # fmt: skip
    """How many replicates it takes to tell two temperatures apart, from the noise that RESULTS shows."""
    from kdtune import showing
    from kdtune.analysis import answer, foreign
    from kdtune.analysis import power as replicates

    table = foreign.standard(foreign.read(showing.locate(results)), renamed, cell)
    found = answer.answer(table, cell)
    if not differences and not errors:
        differences = (0.01, 0.02, 0.05, 0.1, 0.2)
    frame = replicates.table(found.cells, found.decide, differences, errors)
    print_power(frame, found)
