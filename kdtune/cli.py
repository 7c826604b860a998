"""The command line: arguments in, calls, prints out. Knows click, nothing of training."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdtune import __version__
from kdtune.errors import KdtuneError, RequestError
from kdtune.words import plural

# Ctrl-C in a shell: 128 + SIGINT.
INTERRUPTED = 130
SHOWN_CELLS = 40  # lines of the closing table


class _Group(click.Group):
    """Turns kdtune's errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KdtuneError as error:
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:  # `kdtune show ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kdtune")
def main() -> None:
    """Find the best distillation temperature, with evidence."""


def _file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `sweep` and `plan` have in common."""
    options = [
        click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of the file, as in --set distill.T=[2,4]. May be repeated."),
        click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
                     help="The folder under which results lie."),
        click.option("--pack", type=click.IntRange(min=1), help="Largest pack; 1 trains each network alone."),
        click.option("--workers", type=click.IntRange(min=1), help="Packs that train at once. [default: all cores]"),
        click.option("--cpus-per-worker", type=click.IntRange(min=1), help="Cores of each worker. [default: 1]"),
        click.option("--gpus-per-worker", type=click.FloatRange(min=0),
                     help="GPUs of each worker; fractions share one. [default: 1 if there are any]"),
        click.option("--precision", type=click.Choice(["float32", "bf16"]),
                     help="Of the matrix products: the file's train.precision. [default: float32]"),
        click.option("--max-networks", type=click.IntRange(min=1), default=100_000, show_default=True,
                     help="Refuse a larger sweep."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("file", required=False)
@_file_options
@click.option("--address", metavar="HOST:PORT", help="Run on this Ray cluster instead of an own one on this machine.")
@click.option("--retries", type=click.IntRange(min=0), default=3, show_default=True, help="Per pack, after a crash.")
@click.option("--keep-students", type=click.Choice(["none", "best", "all"]), default="none", show_default=True,
              help="Which students' weights to keep.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start over: remove what this sweep left. Shared teachers stay.")
@click.option("--fresh-teachers", is_flag=True, help="Train this sweep's teachers again too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "list_", is_flag=True, help="Name the packaged sweeps.")
@click.option("-v", "--verbose", is_flag=True, help="Show what Ray and Tune say.")
def sweep(file: str | None, yes: bool, list_: bool, **asked: Any) -> None:
    """Train everything that FILE asks for and is not there yet.

    FILE is a sweep file, or the name of a packaged one. Run the same command again to go on after
    an interruption, or after adding values to the file: only what is missing is trained.
    """
    if list_:
        from kdtune.packaged import sweeps

        for name, about in sweeps().items():
            click.echo(f"{name:<18} {about}")
        return
    request = _request(file, **asked)
    _ask_before_removing(request, yes)
    _stop_on_sigterm()
    from kdtune.progress import Progress
    from kdtune.run import sweep as run

    errors = Console(stderr=True)
    outcome = run(request, Progress(errors))
    from kdtune.table import to_frame

    table = to_frame(outcome.rows)
    _print_summary(table)
    _print_failures(table, errors)
    click.echo(f"Table: {outcome.store.table}", err=True)
    if outcome.interrupted:
        left = len(outcome.plan.networks) - int((table["status"] == "done").sum())
        click.echo(f"Interrupted with {left} of {len(outcome.plan.networks)} networks to go; what is finished is kept. "
                   f"Run the same command to go on.", err=True)  # fmt: skip
        raise SystemExit(INTERRUPTED)
    if (table["status"] != "done").any():
        raise SystemExit(1)


@main.command()
@click.argument("file")
@_file_options
def plan(file: str, **asked: Any) -> None:
    """Show what a sweep would train, and what that costs. Trains and writes nothing."""
    from kdtune.estimate import describe

    for line in describe(_request(file, **asked)):
        click.echo(line)


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
        _print_table(table.head(rows) if rows else table)
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


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(file: Path, force: bool) -> None:
    """Write a commented sweep file to start from."""
    from kdtune.packaged import starting_file

    if file.suffix not in (".yaml", ".yml"):
        raise RequestError(f"{file}: a sweep file's name ends in .yaml")
    try:
        text = starting_file(file)
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise RequestError(f"{file} exists; --force overwrites it") from None
    except OSError as error:
        raise RequestError(f"{file}: cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {file}. Next: kdtune plan {file}")


def _say_lag(results: str) -> None:
    from kdtune import showing

    if said := showing.lag(showing.locate(results)):
        click.echo(said, err=True)


def _request(file: str | None, workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float | None,
             overrides: tuple[str, ...], **rest: Any) -> Any:  # fmt: skip
    from kdtune.packaged import find
    from kdtune.request import Request
    from kdtune.settings import Resources

    if file is None:
        raise click.UsageError("Missing argument 'FILE'; --list names the packaged sweeps.")
    path, packaged = find(file)
    click.echo(f"Sweep file: {path}{' (packaged)' if packaged else ''}", err=True)
    resources = Resources(workers=workers, cpus_per_worker=cpus_per_worker, gpus_per_worker=gpus_per_worker)
    return Request(file=path, overrides=overrides, resources=resources, **rest)


def _ask_before_removing(request: Any, yes: bool) -> None:
    if not (request.fresh or request.fresh_teachers) or yes:
        return
    what = " and ".join(
        ["its rows, students and figures"] * request.fresh
        + ["its teachers, which other sweeps may share"] * request.fresh_teachers
    )
    if not sys.stdin.isatty():
        raise RequestError(f"starting over removes {what}; nobody can answer here, so say --yes")
    if not click.confirm(f"This removes {what}. Go on?"):
        raise RequestError("Nothing was removed.")


def _stop_on_sigterm() -> None:
    """A polite kill, as batch systems send it, ends a sweep like Ctrl-C."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _print_summary(table: Any) -> None:
    """Per cell, errors of teacher, baseline and the student at the T chosen on validation."""
    from kdtune.analysis import summary

    frame = summary(table)
    if frame.empty:
        return
    replicates = int(frame.pop("replicates").max())
    for name in ("teacher", "baseline", "student"):
        frame[name] = frame[name].map(lambda errors: f"{errors:.1f}" if replicates > 1 else f"{errors:.0f}")
    means = f", means over {replicates} replicates" if replicates > 1 else ", one replicate"
    click.echo(f"Errors on the test split{means}; T chosen on the validation split:")
    _print_table(frame.head(SHOWN_CELLS))
    if len(frame) > SHOWN_CELLS:
        click.echo(f"... and {len(frame) - SHOWN_CELLS} cells more.")


def _print_table(frame: Any) -> None:
    """A frame as wide as the terminal; where there is none, as wide as it is."""
    console = Console() if sys.stdout.isatty() else Console(width=max(80, 40 * len(frame.columns)))
    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        text = frame[name].dtype.kind not in "iuf" and name not in ("teacher", "baseline", "student")
        table.add_column(escape(str(name)), justify="left" if text else "right", overflow="fold")
    for values in frame.itertuples(index=False):
        table.add_row(*(escape(_cell(value)) for value in values))
    console.print(table)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value) or value == "nan":
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_failures(table: Any, console: Console) -> None:
    """What failed or was skipped, and why; equal reasons once."""
    bad = table[table["status"] != "done"]
    if bad.empty:
        return
    counts = bad.groupby("status").size()
    said = " and ".join(f"{plural(count, 'network')} {status}" for status, count in counts.items())
    console.print(f"{said}:", highlight=False)
    for (status, error), group in bad.groupby(["status", "error"]):
        names = ", ".join(group["id"].head(3)) + (", ..." if len(group) > 3 else "")
        console.print(escape(f"  {status} {len(group)}: {error} ({names})"), soft_wrap=True, highlight=False)
