"""The commands that make a table: sweep, plan, init."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from kdtune.cli.group import INTERRUPTED, main
from kdtune.cli.printing import print_failures, print_summary
from kdtune.errors import RequestError


def _file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `sweep` and `plan` have in common."""
    options = [
        click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of the file, as in --set distill.T=[2,4]. May be repeated."),
        click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
                     help="The folder under which results lie."),
        click.option("--data-root", type=click.Path(path_type=Path, file_okay=False),
                     help="Where the files of data sets lie, as in DIR/MNIST/raw. "
                     "[default: the file's root, else $KDTUNE_DATA, else a cache folder]"),
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
        from kdtune.spec.bundled_sweeps import list_bundled_sweeps

        for name, about in list_bundled_sweeps().items():
            click.echo(f"{name:<24} {about}")
        return
    request = _request(file, **asked)
    _ask_before_removing(request, yes)
    _stop_on_sigterm()
    from kdtune.run.progress import Progress
    from kdtune.run.sweep import sweep as run

    errors = Console(stderr=True)
    outcome = run(request, Progress(errors))
    from kdtune.table import to_frame

    table = to_frame(outcome.rows)
    print_summary(table)
    print_failures(table, errors)
    click.echo(f"Table: {outcome.store.table}", err=True)
    if (table["model"] == "distilled_student").any():
        click.echo(f"How sure that is: kdtune analyze {outcome.store.folder}", err=True)
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
    from kdtune.run.estimate import estimate_cost

    for line in estimate_cost(_request(file, **asked)):
        click.echo(line)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(file: Path, force: bool) -> None:
    """Write a commented sweep file to start from."""
    from kdtune.spec.bundled_sweeps import make_starting_file

    if file.suffix not in (".yaml", ".yml"):
        raise RequestError(f"{file}: a sweep file's name ends in .yaml")
    try:
        text = make_starting_file(file)
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise RequestError(f"{file} exists; --force overwrites it") from None
    except OSError as error:
        raise RequestError(f"{file}: cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {file}. Next: kdtune plan {file}")


def _request(file: str | None, workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float | None,
             overrides: tuple[str, ...], **rest: Any) -> Any:  # fmt: skip
    from kdtune.run.request import Request
    from kdtune.settings import Resources
    from kdtune.spec.bundled_sweeps import find_sweep_file

    if file is None:
        raise click.UsageError("Missing argument 'FILE'; --list names the packaged sweeps.")
    path, packaged = find_sweep_file(file)
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
