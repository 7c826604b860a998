"""The commands that answer from a table: analyze, plot, report, power."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdtune.cli.group import main
from kdtune.cli.printing import warn_of_lag
from kdtune.errors import RequestError, StorageError
from kdtune.text import plural

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("softmax", "accuracy", "num_error", "excess", "t_opt", "t_opt_map", "regret", "gain", "networks",
           "per_class", "confusion", "learning")  # fmt: skip


def _pairs(_: click.Context, option: click.Parameter, value: str | None) -> dict[str, str]:
    """OURS=THEIRS,... as a mapping."""
    found = {}
    for pair in (value or "").split(","):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if pair.strip() and not (ours and equals and theirs):
            raise click.BadParameter(f"{pair!r} is not OURS=THEIRS", param=option)
        if pair.strip():
            found[ours] = theirs
    return found


def _finite(_: click.Context, option: click.Parameter, value: Any) -> Any:
    for one in value if isinstance(value, tuple) else (value,):
        if not math.isfinite(one):
            raise click.BadParameter(f"{one} is no finite number", param=option)
    return value


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    return [name.strip() for name in value.split(",") if name.strip()] if value else None


def _table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all of them ask about the table."""
    options = [
        click.argument("results"),
        click.option("--map", "renamed", callback=_pairs, metavar="OURS=THEIRS,...",
                     help="Columns of a table from elsewhere, as in temp=tau,replicate=rep."),
        click.option("--cell", callback=_names, metavar="NAMES", help="The columns that name a cell, with commas "
                     "between. [default: the settings that vary over the distilled students]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _margins(command: Callable[..., Any]) -> Callable[..., Any]:
    """What counts as no difference that matters."""
    options = [
        click.option("--margin", type=click.FloatRange(min=0), default=0.05, show_default=True, callback=_finite,
                     help="Excess errors that do not matter, as a share of the best temperature's."),
        click.option("--effect-margin", type=click.FloatRange(min=0), default=0.1, show_default=True, callback=_finite,
                     help="Change of log2 T per doubling of a factor that does not matter."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_table_options
@_margins
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the files. [default: analysis/ beside the table]")  # fmt: skip
def analyze(output: Path | None, **asked: Any) -> None:
    """The best temperature of every cell with its uncertainty, and what it moves with.

    RESULTS is a sweep's folder, its name under results/, or a Parquet or CSV file from elsewhere.
    """
    from kdtune.analysis import answer_files as files
    from kdtune.cli.print_answers import print_answer

    path, _, found = _answer(**asked)
    folder = output or path.parent / "analysis"
    with _writing(folder):
        written = files.write_answer(found, folder)
    print_answer(found)
    for file in written:
        click.echo(f"Wrote {file}", err=True)


@main.command()
@_table_options
@_margins
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for the figures. "
              "[default: figures/ beside the table]")  # fmt: skip
@click.option("-f", "--figure", "names", multiple=True, type=click.Choice(FIGURES),
              help="Only this one. May be repeated.")  # fmt: skip
def plot(output: Path | None, names: tuple[str, ...], **asked: Any) -> None:
    """Draw what a table says, as PNG and SVG: errors, T_opt, excess errors, regret and gain against T;
    errors by class, confusions and, where they were recorded, learning curves."""
    from kdtune.plots import drawing

    path, table, found = _answer(**asked, needed=False)
    networks = _networks(path, table)
    folder = output or path.parent / "figures"
    if lacking := [name for name in names if name not in drawing.list_figures(found, networks)]:
        more = "; `train: {eval_every: 1}` records learning curves" if lacking[0] == "learning" else ""
        raise RequestError(f"{path}: has not what the figure {lacking[0]} shows{more}")
    with _writing(folder):
        for written in drawing.draw_figures(found, networks, folder, names or FIGURES):
            click.echo(written)
    if networks and networks.left_out:
        click.echo(f"Figures of single networks leave out {plural(networks.left_out, 'cell')}.", err=True)
    if found is None:
        click.echo("No distilled student is done: nothing is drawn against T.", err=True)
    elif "t_opt" not in drawing.list_figures(found):
        click.echo("No cell has two temperatures: figures that compare them are left out.", err=True)


@main.command()
@_table_options
@_margins
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The page. "
              "[default: report.html beside the table]")  # fmt: skip
def report(output: Path | None, **asked: Any) -> None:
    """Write the whole answer as one page: figures, tables, settings, versions. It loads nothing from anywhere."""
    from kdtune.plots import report as page
    from kdtune.table import read_versions

    path, table, found = _answer(**asked)
    file, sweep = output or path.parent / "report.html", path.parent / "sweep.yaml"
    own = path.name == "table.parquet" and sweep.is_file()
    with _writing(file.parent):
        if file.exists() and not file.is_file():
            raise RequestError(f"{file}: is no ordinary file")
        file.parent.mkdir(parents=True, exist_ok=True)
        page.write_report(
            table, found, file, path.parent.resolve().name if own else path.stem,
            sweep.read_text(encoding="utf-8", errors="replace") if own else None,
            read_versions(path) if path.suffix == ".parquet" else None,
            ["kdtune sweep sweep.yaml", f"kdtune report {path.parent.resolve().name}"] if own else [],
            _networks(path, table),
        )  # fmt: skip
    click.echo(file)


@main.command()
@_table_options
@click.option("--difference", "differences", multiple=True, callback=_finite,
              type=click.FloatRange(min=0, min_open=True),
              help="Of mean errors, as a share of the best temperature's. May be repeated. "
                   "[default: 0.01, 0.02, 0.05, 0.1, 0.2]")  # fmt: skip
@click.option("--errors", multiple=True, type=click.FloatRange(min=0, min_open=True), callback=_finite,
              help="The same in errors. May be repeated.")  # fmt: skip
def power(differences: tuple[float, ...], errors: tuple[float, ...], **asked: Any) -> None:
    """How many replicates it takes to tell two temperatures apart, from the noise that RESULTS shows."""
    from kdtune.analysis import power as replicates
    from kdtune.cli.print_answers import print_power

    _, _, found = _answer(**asked)
    if not differences and not errors:
        differences = (0.01, 0.02, 0.05, 0.1, 0.2)
    print_power(replicates.count_replicates(found.cells, found.decide, differences, errors), found)


def _answer(
    results: str, renamed: dict[str, str], cell: list[str] | None, margin: float = 0.05, effect_margin: float = 0.1,
    needed: bool = True,
) -> tuple[Path, pd.DataFrame, Any]:  # fmt: skip
    """The table's path, the table, and its answer: None where there can be none and none is needed."""
    from kdtune.analysis import answer
    from kdtune.analysis import external_tables as foreign
    from kdtune.analysis import table_queries as showing
    from kdtune.columns import RESULT_COLUMNS

    path = showing.locate_table(results)
    warn_of_lag(results)
    table, cell = foreign.standardize(foreign.read_external_table(path), renamed, cell)
    if not needed and {*RESULT_COLUMNS} & {*table.columns} and not answer.has_students(table):
        return path, table, None
    return path, table, answer.analyze_table(table, cell, answer.Margins(margin, effect_margin))


def _networks(path: Path, table: pd.DataFrame) -> Any:
    """Single networks and what there is of them beside a sweep's own table."""
    from kdtune.analysis import table_queries as showing
    from kdtune.analysis.representatives import choose_networks
    from kdtune.columns import ID, N_TRAIN, TEACHER_ID, VAL_NUM_ERROR
    from kdtune.plots.drawing import Networks

    files = {"per_class": "per_class", "confusion": "confusion", "learning": "learning_curves"}
    found = {name: showing.read_details(str(path), f"{file}.parquet") for name, file in files.items()}
    there = {name: frame for name, frame in found.items() if frame is not None and len(frame)}
    if path.name != "table.parquet" or not {ID, TEACHER_ID, VAL_NUM_ERROR, N_TRAIN} <= {*table.columns}:
        return None
    networks, left_out = choose_networks(table)
    there = {name: frame for name, frame in there.items() if frame[ID].isin(networks[ID]).any()}
    return Networks(networks, there, left_out) if len(networks) else None


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns what goes wrong with files into one message."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"{folder}: cannot write there: {error.strerror}") from None
    except StorageError as error:
        raise RequestError(str(error)) from None
