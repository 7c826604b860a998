"""The command that sets a table beside published figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdtune.cli.export import choose_format, export_table, refuse_table_itself
from kdtune.cli.group import main
from kdtune.cli.printing import print_notes, print_table, warn_of_stale_table
from kdtune.cli.table_options import add_table_options, take_reading_options
from kdtune.errors import RequestError
from kdtune.text import NOTHING

if TYPE_CHECKING:
    import pandas as pd

    from kdtune.analysis.redraws import Redraws
    from kdtune.foreign.options import ReadingOptions

RANKS = """
How students rank: the errors of the first minus those of the second, published and here, in pairs of one replicate.
The intervals hold for all pairs of a part together with 95 % confidence:"""


@main.command(short_help="Compare errors with published ones.", example="kdtune compare mnist")
@add_table_options
@click.option("--with", "reference", default="tutorial", show_default=True, metavar="NAME|FILE.csv",
              help="The published figures: those of the 2018 Harvard tutorial and of the paper, or a CSV file "
                   "(see docs/reproduction.md).")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write all columns to a file: .csv, .json, .parquet, or .txt for plain text.")  # fmt: skip
def compare(results: str, reference: str, output: Path | None, **options: Any) -> None:
    """Compare errors with published ones, and say which lie within the range of the replicates.

    RESULTS is a sweep's folder, its name under results/, or a table from elsewhere that has the column n_test (the
    number of test examples) and the settings of the published networks.
    """
    from kdtune.analysis.published_figures import (
        compare_rankings,
        compare_with_published,
        write_source_summary,
    )
    from kdtune.analysis.published_files import read_published
    from kdtune.analysis.published_matches import match_networks

    published = read_published(reference)
    refuse_table_itself(results, output)
    warn_of_stale_table(results)
    table, per_class, redraws = _read_networks(results, take_reading_options(options))
    matches = match_networks(table, per_class, published)
    unmatched = published.drop([match.figure.name for match in matches])["network"]
    if Path(reference).suffix and unmatched.any():
        click.echo(f"Published networks that this table lacks: {', '.join(unmatched)}", err=True)
    comparison, rankings = compare_with_published(matches), compare_rankings(matches)
    if comparison.empty:
        raise RequestError(f"{results}: none of its networks has a published figure in {reference}")
    if output:
        export_table(comparison, choose_format(output), output)
    notes = [note for note in dict.fromkeys(comparison["note"]) if note]
    redrawn = redraws.describe("their range covers that alone")
    click.echo(f"Errors on the test split. Here: the mean over replicates{redrawn},\n"
               "the lowest and the highest, and where one more run would lie with 95 % probability.")  # fmt: skip
    print_table(_format_comparison(comparison, notes), 3)
    for number, note in enumerate(notes, start=1):
        click.echo(f"  {number}: {note}")
    for source in dict.fromkeys(comparison["source"]):
        click.echo(write_source_summary(comparison, source))
    if len(rankings):
        click.echo(RANKS)
        print_table(_format_rankings(rankings), 3)
    if output:
        click.echo(f"Wrote {output}", err=True)


def _read_networks(results: str, options: ReadingOptions) -> tuple[pd.DataFrame, pd.DataFrame | None, Redraws]:
    """Return a table of networks, their errors by class if a sweep recorded them, and what its replicates redraw.

    Raises
    ------
    RequestError
        If the table lacks the number of test examples, without which errors cannot be compared, or its errors are
        rates.
    """
    from kdtune.analysis.redraws import find_redraws
    from kdtune.analysis.table_files import locate_table, read_details
    from kdtune.columns import ID, N_TEST, NUM_ERROR, REPLICATE
    from kdtune.foreign.door import read_table

    read = read_table(results, options)
    table = read.table
    missing = [name for name in (N_TEST, NUM_ERROR) if name not in table.columns]
    if missing:
        raise RequestError(
            f"{results}: published figures are numbers of errors of a number of test examples, and the table lacks "
            f"{' and '.join(missing)}; name them: {' '.join(f'--map {name}=NAME' for name in missing)}"
        )
    _refuse_rates(results, table)
    if read.notes:
        print_notes(read.notes, err=True)
    if table[REPLICATE].isna().all():
        table = table.assign(**{REPLICATE: range(len(table))})
    is_sweep = locate_table(results).name == "table.parquet" and ID in table.columns
    per_class = read_details(results, "per_class.parquet") if is_sweep else None
    return table, per_class, find_redraws(table, read.facts)


def _refuse_rates(results: str, table: pd.DataFrame) -> None:
    """Raise RequestError if errors are rates, as those that reading makes of accuracies."""
    from kdtune.columns import ACCURACY, N_TEST, NUM_ERROR

    errors = table[NUM_ERROR].dropna()
    rates = errors[errors % 1 != 0]
    if rates.empty and ACCURACY in table.columns:
        is_percent = (errors - 100 * (1 - table[ACCURACY])).abs() < 1e-6
        rates = errors[is_percent & (errors > 0) & (table[N_TEST] != 100)]  # of 100 examples, the two are the same
    if len(rates):
        raise RequestError(
            f"{results}: its errors seem to be rates ({rates.iloc[0]:g}), and published figures are numbers of errors; "
            f"add a column {NUM_ERROR} with whole numbers of errors"
        )


def _format_comparison(comparison: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the comparison as text, with notes by their number."""
    text_table = comparison[["part", "network", "source", "n"]].copy()
    has_replicates = comparison["replicates"] > 1
    text_table["published"] = comparison["theirs"].astype(int)
    mean_of_several, single = comparison["mean"].map("{:.1f}".format), comparison["mean"].map("{:.0f}".format)
    text_table["here"] = mean_of_several.where(has_replicates, single)
    for title, low_column, high_column, verdict_column in (
        ("range", "lowest", "highest", "spread"),
        ("one more run", "low", "high", "one_more_run"),
    ):
        low, high = comparison[low_column].map("{:.0f}".format), comparison[high_column].map("{:.0f}".format)
        text_table[title] = (low + " to " + high).where(has_replicates, NOTHING)
        text_table[f"published in {title}"] = comparison[verdict_column].where(has_replicates, NOTHING)
    text_table["note"] = [str(notes.index(note) + 1) if note else "" for note in comparison["note"]]
    return text_table


def _format_rankings(rankings: pd.DataFrame) -> pd.DataFrame:
    """Return the ranks of pairs of students as text."""
    text_table = rankings[["part", "first", "second", "source"]].copy()
    text_table["published"] = rankings["theirs"].map("{:+.0f}".format)
    text_table["here"] = rankings["mean"].map("{:+.1f}".format)
    low, high = rankings["low"].map("{:+.0f}".format), rankings["high"].map("{:+.0f}".format)
    text_table["95 % interval"] = low + " to " + high
    text_table["here says"] = rankings["says"]
    return text_table
