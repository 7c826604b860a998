"""The command that sets a table beside published figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdtune.cli.group import main
from kdtune.cli.printing import print_table, say_lag
from kdtune.errors import RequestError
from kdtune.words import NOTHING

if TYPE_CHECKING:
    import pandas as pd


@main.command()
@click.argument("results")
@click.option("--with", "reference", default="tutorial", show_default=True, metavar="NAME|FILE.csv",
              help="Figures to set it beside: those that ship with kdtune, or a CSV file of their form.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write all columns to a file: .csv, .json or .parquet.")  # fmt: skip
def compare(results: str, reference: str, output: Path | None) -> None:
    """This sweep's errors beside published ones, with the spread of its replicates, and which lie inside it.

    RESULTS is a sweep's folder or its name under results/.
    """
    from kdtune import showing
    from kdtune.analysis import reference as published

    figures = showing.reference(reference)
    say_lag(results)
    found = published.compare(showing.read(results), showing.details(results, "per_class.parquet"), figures)
    if found.empty:
        raise RequestError(f"{results}: has no network that {reference} has a figure of")
    if output:
        kind = output.suffix[1:]
        if kind not in ("csv", "json", "parquet"):
            raise RequestError(f"{output}: the name ends in .csv, .json or .parquet")
        showing.export(found, kind, output)
    notes = [note for note in dict.fromkeys(found["note"]) if note]
    click.echo("Errors on the test split; here: the mean over replicates, their lowest and highest, and where one more "
               "run\nwould lie with 95 % probability.")  # fmt: skip
    print_table(_in_words(found, notes), 3)
    for place, note in enumerate(notes, start=1):
        click.echo(f"  {place}: {note}")
    for source in dict.fromkeys(found["source"]):
        click.echo(published.sentence(found, source))
    if output:
        click.echo(f"Wrote {output}", err=True)


def _in_words(found: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The comparison as it is printed."""
    shown = found[["part", "network", "source", "n"]].copy()
    several = found["replicates"] > 1
    shown["theirs"] = found["theirs"].astype(int)
    shown["here"] = found["mean"].map("{:.1f}".format).where(several, found["mean"].map("{:.0f}".format))
    for ends, name, place in (("lowest highest", "spread", "spread"), ("low high", "one more run", "one_more_run")):
        low, high = (found[end].map("{:.0f}".format) for end in ends.split())
        shown[name] = (low + " to " + high).where(several, NOTHING)
        shown[f"theirs in {name}"] = found[place].where(several, NOTHING)
    shown["note"] = [str(notes.index(note) + 1) if note else "" for note in found["note"]]
    return shown
