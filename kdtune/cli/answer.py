"""The commands that answer from a table: analyze, plot, report, power."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kdtune.cli.group import main
from kdtune.cli.printing import warn_of_stale_table
from kdtune.cli.table_options import add_margin_options, add_table_options, check_finite
from kdtune.errors import RequestError, StorageError
from kdtune.text import pluralize

if TYPE_CHECKING:
    import pandas as pd

    from kdtune.analysis.answer import Answer
    from kdtune.plots.drawing import ChosenNetworks

FIGURES = ("softmax", "accuracy", "num_error", "excess", "t_opt", "t_opt_map", "regret", "gain", "networks",
           "per_class", "confusion", "learning")  # fmt: skip


class AnsweredTable(NamedTuple):
    """A table that was read, and its answer."""

    path: Path
    table: pd.DataFrame
    answer: Answer | None  # None if no distilled student is done


@main.command()
@add_table_options
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the files. [default: analysis/ beside the table]")  # fmt: skip
def analyze(output: Path | None, **options: Any) -> None:
    """Find the best temperature of every setting with its uncertainty, and which factors it depends on.

    RESULTS is a sweep's folder, its name under results/, or a Parquet or CSV file from elsewhere.
    """
    from kdtune.analysis.answer_files import write_answer
    from kdtune.cli.print_answers import print_answer

    path, answer = _answer_or_refuse(**options)
    folder = output or path.parent / "analysis"
    with _refuse_unwritable(folder):
        files = write_answer(answer, folder)
    print_answer(answer)
    for file in files:
        click.echo(f"Wrote {file}", err=True)


@main.command()
@add_table_options
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the figures. [default: figures/ beside the table]")  # fmt: skip
@click.option("-f", "--figure", "figure_names", multiple=True, type=click.Choice(FIGURES),
              help="Draw only this figure. May be repeated.")  # fmt: skip
def plot(output: Path | None, figure_names: tuple[str, ...], **options: Any) -> None:
    """Draw the figures of a table as PNG and SVG.

    Against T: errors, excess errors, the best T, regret and gain. By network: errors by class, confusions and, where
    they were recorded, learning curves.
    """
    from kdtune.plots.drawing import draw_figures, list_figures

    path, table, answer = _read_and_answer(**options)
    networks = _choose_networks(path, table)
    available = list_figures(answer, networks)
    for name in figure_names:
        if name not in available:
            remedy = (
                "; `train: {eval_every: 1}` in the sweep file records learning curves" if name == "learning" else ""
            )
            raise RequestError(f"{path}: the table lacks what the figure {name} shows{remedy}")
    folder = output or path.parent / "figures"
    for file in _iterate_writable(draw_figures(answer, networks, folder, figure_names or FIGURES), folder):
        click.echo(file)
    if networks and networks.n_left_out:
        click.echo(f"The figures of single networks leave out {pluralize(networks.n_left_out, 'setting')}.", err=True)
    if answer is None:
        click.echo("No distilled student is done: nothing is drawn against T.", err=True)
    elif "t_opt" not in available:
        click.echo("No setting has two temperatures: the figures that compare them are left out.", err=True)


@main.command()
@add_table_options
@add_margin_options
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="The page. [default: report.html beside the table]")  # fmt: skip
def report(output: Path | None, **options: Any) -> None:
    """Write the whole answer as one page: figures, tables, settings, versions. It loads nothing from anywhere."""
    from kdtune.plots.report import write_report
    from kdtune.table import read_versions

    path, table, answer = _read_and_answer(**options, needs_students=True)
    assert answer is not None
    page, sweep_file = output or path.parent / "report.html", path.parent / "sweep.yaml"
    is_sweep = path.name == "table.parquet" and sweep_file.is_file()
    name = path.parent.resolve().name if is_sweep else path.stem
    with _refuse_unwritable(page.parent):
        if page.exists() and not page.is_file():
            raise RequestError(f"{page}: exists and is not an ordinary file; choose another name with -o")
        page.parent.mkdir(parents=True, exist_ok=True)
        write_report(
            table,
            answer,
            page,
            name,
            settings=sweep_file.read_text(encoding="utf-8", errors="replace") if is_sweep else None,
            trained=read_versions(path) if path.suffix == ".parquet" else None,
            commands=["kdtune sweep sweep.yaml", shlex.join(["kdtune", "report", name])] if is_sweep else [],
            networks=_choose_networks(path, table),
        )
    click.echo(page)


@main.command()
@add_table_options
@click.option("--difference", "differences", multiple=True, callback=check_finite,
              type=click.FloatRange(min=0, min_open=True),
              help="A difference of mean errors, as a share of the best temperature's errors. May be repeated. "
                   "[default: 0.01, 0.02, 0.05, 0.1, 0.2]")  # fmt: skip
@click.option("--errors", multiple=True, type=click.FloatRange(min=0, min_open=True), callback=check_finite,
              help="A difference as a number of errors. May be repeated.")  # fmt: skip
def power(differences: tuple[float, ...], errors: tuple[float, ...], **options: Any) -> None:
    """Count the replicates that it takes to find a difference between two temperatures, from the noise in RESULTS."""
    from kdtune.analysis.power import count_replicates
    from kdtune.cli.print_answers import print_power

    _, answer = _answer_or_refuse(**options)
    if not differences and not errors:
        differences = (0.01, 0.02, 0.05, 0.1, 0.2)
    print_power(count_replicates(answer.cells, answer.selection_measure, differences, errors), answer)


def _answer_or_refuse(**options: Any) -> tuple[Path, Answer]:
    """Return a table's path and its answer; raise RequestError if it has no distilled student with results."""
    path, _, answer = _read_and_answer(**options, needs_students=True)
    assert answer is not None
    return path, answer


def _read_and_answer(
    results: str, column_map: dict[str, str], cell: list[str] | None, margin: float = 0.05, effect_margin: float = 0.1,
    needs_students: bool = False,
) -> AnsweredTable:  # fmt: skip
    """Read a table and analyze it.

    Without ``needs_students`` a table of which no distilled student is done has no answer, which is no error.
    """
    from kdtune.analysis.answer import Margins, analyze_table, has_students
    from kdtune.analysis.external_tables import standardize_table
    from kdtune.analysis.table_files import locate_table, read_external_table
    from kdtune.columns import RESULT_COLUMNS

    path = locate_table(results)
    warn_of_stale_table(results)
    table, cell = standardize_table(read_external_table(path), column_map, cell)
    has_results = not set(RESULT_COLUMNS).isdisjoint(table.columns)
    if not needs_students and has_results and not has_students(table):
        return AnsweredTable(path, table, None)
    return AnsweredTable(path, table, analyze_table(table, cell, Margins(margin, effect_margin)))


def _choose_networks(path: Path, table: pd.DataFrame) -> ChosenNetworks | None:
    """Return a few networks of a sweep's own table with their details; None for a table from elsewhere."""
    from kdtune.analysis.representatives import choose_networks
    from kdtune.analysis.table_files import read_details
    from kdtune.columns import ID, N_TRAIN, TEACHER_ID, VAL_NUM_ERROR
    from kdtune.plots.drawing import ChosenNetworks

    if path.name != "table.parquet" or not {ID, TEACHER_ID, VAL_NUM_ERROR, N_TRAIN} <= set(table.columns):
        return None
    networks, n_left_out = choose_networks(table)
    if networks.empty:
        return None
    details = {}
    for figure, file in (("per_class", "per_class"), ("confusion", "confusion"), ("learning", "learning_curves")):
        frame = read_details(str(path), f"{file}.parquet")
        if frame is not None and frame[ID].isin(networks[ID]).any():
            details[figure] = frame
    return ChosenNetworks(networks, details, n_left_out)


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
