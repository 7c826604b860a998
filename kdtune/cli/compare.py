"""The command that sets a table beside published figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdtune.cli.group import main
from kdtune.cli.printing import print_table, warn_of_lag
from kdtune.errors import RequestError
from kdtune.text import NOTHING

if TYPE_CHECKING:
    import pandas as pd

RANKS = """
How students rank: errors of the first less those of the second, theirs and here, in pairs of one replicate;
the intervals hold for all pairs of a part together with 95 % probability:"""


@main.command()
@click.argument("results")
@click.option("--with", "reference", default="tutorial", show_default=True, metavar="NAME|FILE.csv",
              help="Figures to set it beside: kdtune's own, or a CSV file (see docs/reproduction.md).")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write all columns to a file: .csv, .json or .parquet.")  # fmt: skip
def compare(results: str, reference: str, output: Path | None) -> None:
    """This sweep's errors beside published ones, with the spread of its replicates, and which lie inside it.

    RESULTS is a sweep's folder or its name under results/.
    """
    from kdtune.analysis import published_figures as published
    from kdtune.analysis import table_queries as showing
    from kdtune.analysis.answer import find_redrawn

    figures = published.read_published(reference)
    warn_of_lag(results)
    table = showing.read_sweep_table(results)
    matches = published.match_networks(table, showing.read_details(results, "per_class.parquet"), figures)
    if Path(reference).suffix and (rest := figures.drop([match.published.name for match in matches])["network"]).any():
        click.echo(f"Figures of networks that are not there: {', '.join(rest)}", err=True)
    found, pairs = published.compare_with_published(matches), published.compare_rankings(matches)
    if found.empty:
        raise RequestError(f"{results}: has no network that {reference} has a figure of")
    if output:
        kind = output.suffix[1:]
        if kind not in ("csv", "json", "parquet"):
            raise RequestError(f"{output}: the name ends in .csv, .json or .parquet")
        showing.export_table(found, kind, output)
    notes = [note for note in dict.fromkeys(found["note"]) if note]
    anew = (
        f" (each with another {', '.join(names)}; of nothing else do they tell)"
        if (names := find_redrawn(table))
        else ""
    )
    click.echo(f"Errors on the test split. Here: the mean over replicates{anew},\n"
               "their lowest and highest, and where one more run would lie with 95 % probability.")  # fmt: skip
    print_table(_in_words(found, notes), 3)
    for place, note in enumerate(notes, start=1):
        click.echo(f"  {place}: {note}")
    for source in dict.fromkeys(found["source"]):
        click.echo(published.write_sentence(found, source))
    if len(pairs):
        click.echo(RANKS)
        print_table(_ranks_in_words(pairs), 3)
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


def _ranks_in_words(pairs: pd.DataFrame) -> pd.DataFrame:
    shown = pairs[["part", "first", "second", "source"]].copy()
    shown["theirs"] = pairs["theirs"].map("{:+.0f}".format)
    shown["here"] = pairs["mean"].map("{:+.1f}".format)
    shown["interval"] = pairs["low"].map("{:+.0f}".format) + " to " + pairs["high"].map("{:+.0f}".format)
    shown["ours say"] = pairs["says"]
    return shown
