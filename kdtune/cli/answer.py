"""The commands that answer from a table: analyze, plot, report, power."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdtune.cli.group import main
from kdtune.cli.printing import print_notes, print_opening, warn_of_stale_table
from kdtune.cli.table_options import (
    add_margin_options,
    add_select_option,
    add_table_options,
    check_finite,
    take_reading_options,
)
from kdtune.columns import NUM_ERROR
from kdtune.errors import RequestError, StorageError
from kdtune.plots.figure_names import FIGURES
from kdtune.text import pluralize

if TYPE_CHECKING:
    from kdtune.answers import AnsweredTable


@main.command(
    short_help="Find the best temperature of every setting, with its uncertainty.",
    example="""
        kdtune analyze mine
        kdtune analyze runs.csv --map temp=kd_temperature --cell dataset,width
    """,
)
@add_table_options
@add_select_option
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the files. [default: analysis/ of the sweep; else beside the table: "
              "TABLE-analysis/]")  # fmt: skip
def analyze(results: str, output: Path | None, **options: Any) -> None:
    """Find the best temperature of every setting with its uncertainty, and which factors it depends on.

    RESULTS is a sweep's folder, its name under results/, or a table from elsewhere with one row per network: CSV or
    other text, Parquet, Feather, JSON. How it was understood is part of the answer.
    """
    from kdtune.analysis.answer_files import write_answer
    from kdtune.cli.print_answers import print_answer

    answered = _read_and_answer(results, options)
    answer = answered.answer
    assert answer is not None
    folder = output or answered.name_output("analysis")
    with _refuse_unwritable(folder):
        files = write_answer(answer, folder)
    print_answer(answer, answered.are_percents(NUM_ERROR))
    for file in files:
        click.echo(f"Wrote {file}", err=True)


@main.command(example="kdtune plot mine -o figures")
@add_table_options
@add_select_option
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the figures. [default: figures/ of the sweep; else beside the table: "
              "TABLE-figures/]")  # fmt: skip
@click.option("-f", "--figure", "figure_names", multiple=True, type=click.Choice(FIGURES),
              metavar="NAME", help=f"Draw only this figure. May be repeated. Names: {', '.join(FIGURES)}.")  # fmt: skip
def plot(results: str, output: Path | None, figure_names: tuple[str, ...], **options: Any) -> None:
    """Draw the figures of a table as PNG and SVG.

    Against T: errors, excess errors, the best T, regret and gain. By network: errors by class, confusions and, where
    they were recorded, learning curves.
    """
    from kdtune.answers import choose_shown_networks, draw_chosen_figures

    answered = _read_and_answer(results, options, needs_students=False)
    networks = choose_shown_networks(answered)
    folder = output or answered.name_output("figures")
    files = draw_chosen_figures(answered, networks, folder, figure_names)
    notes = [*answered.notes, *(answered.answer.matching_notes if answered.answer else [])]
    if notes:
        print_notes(notes, err=True)  # Standard output has the names of the files, for scripts.
    for file in _iterate_writable(files, folder):
        click.echo(file)
    if networks and networks.n_left_out:
        click.echo(f"The figures of single networks leave out {pluralize(networks.n_left_out, 'setting')}.", err=True)
    if answered.answer is None:
        click.echo("No distilled student is done: nothing is drawn against T.", err=True)
    elif (answered.answer.t_opt["temperatures"] == 1).all():
        click.echo("No setting has two temperatures: the figures that compare them are left out.", err=True)


@main.command(short_help="Write the whole answer as one page.", example="kdtune report mine")
@add_table_options
@add_select_option
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="The page. [default: report.html of the sweep; TABLE-report.html beside another table]")  # fmt: skip
def report(results: str, output: Path | None, **options: Any) -> None:
    """Write the whole answer as one page: figures, tables, settings, versions. It loads nothing from anywhere."""
    from kdtune.analysis.headline import write_opening
    from kdtune.answers import write_page

    answered = _read_and_answer(results, options)
    page = output or answered.name_output("report.html")
    with _refuse_unwritable(page.parent):
        write_page(answered, page)
    answer = answered.answer
    assert answer is not None
    print_opening(write_opening(answer), [*answer.reading_notes, *answer.matching_notes])
    click.echo(f"Wrote {page}", err=True)


@main.command(short_help="Count the replicates that would tell two temperatures apart.", example="kdtune power mine")
@add_table_options
@add_select_option
@click.option("--difference", "differences", multiple=True, callback=check_finite,
              type=click.FloatRange(min=0, min_open=True),
              help="A difference of mean errors, as a share of the best temperature's errors. May be repeated. "
                   "[default: 0.01, 0.02, 0.05, 0.1, 0.2]")  # fmt: skip
@click.option("--errors", multiple=True, type=click.FloatRange(min=0, min_open=True), callback=check_finite,
              help="A difference as a number of errors, or in units of the measure that T is chosen by. May be "
              "repeated.")  # fmt: skip
def power(results: str, differences: tuple[float, ...], errors: tuple[float, ...], **options: Any) -> None:
    """Count the replicates that it takes to find a difference between two temperatures, from the noise in RESULTS."""
    from kdtune.answers import count_needed_replicates
    from kdtune.cli.print_power import print_power

    answered = _read_and_answer(results, options)
    counts = count_needed_replicates(answered, differences, errors)
    answer = answered.answer
    assert answer is not None
    print_power(counts, answer, answered.are_percents(answer.selection_measure))


def _read_and_answer(results: str, options: dict[str, Any], needs_students: bool = True) -> AnsweredTable:
    """Read a table as the options of a command say, and analyze it."""
    from kdtune.answers import EFFECT_MARGIN, read_and_answer

    warn_of_stale_table(results)
    reading = take_reading_options(options)
    return read_and_answer(
        results,
        reading,
        options.get("margin"),
        options.get("effect_margin", EFFECT_MARGIN),
        needs_students,
        has_margin="margin" in options,
    )


@contextmanager
def _refuse_unwritable(folder: Path) -> Iterator[None]:
    """Raise RequestError with one message if files cannot be written."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"{folder}: cannot be written: {error.strerror}") from None
    except StorageError as error:
        raise RequestError(str(error)) from None


def _iterate_writable(files: Iterator[Path], folder: Path) -> Iterator[Path]:
    """Yield files as they are written; raise RequestError with one message if they cannot be."""
    with _refuse_unwritable(folder):
        yield from files
