"""The commands that make a table: sweep, plan, init."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from kdtune.cli.group import INTERRUPTED, main
from kdtune.cli.help_pages import RareOption
from kdtune.cli.printing import print_failures, print_summary
from kdtune.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

    from kdtune.run.request import Request
    from kdtune.run.sweep import Outcome


def add_file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `sweep` and `plan` have in common."""
    options = [
        click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of the file: --set distill.T=[2,4]. May be repeated."),
        click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
                     metavar="FOLDER|URL",
                     help="Where results lie: a folder or s3://BUCKET/PREFIX. gs:// and az:// are places, too."),
        click.option("--data-root", cls=RareOption, type=click.Path(path_type=Path, file_okay=False),
                     help="The folder of the data sets' files, as in DIR/MNIST/raw. "
                     "[default: the file's root, else $KDTUNE_DATA, else a cache folder]"),
        click.option("--pack", cls=RareOption, type=click.IntRange(min=1),
                     help="The largest number of networks that train together; 1 trains each alone."),
        click.option("--workers", type=click.IntRange(min=0), metavar="N",
                     help="Packs that train at the same time; 0: without Ray. A pack is networks that train "
                     "together; without Ray they train in this process, which saves ten seconds. "
                     "[default: one for each core or GPU]"),
        click.option("--cpus-per-worker", cls=RareOption, type=click.IntRange(min=1),
                     help="Cores of each worker. [default: 1]"),
        click.option("--gpus-per-worker", cls=RareOption, type=click.FloatRange(min=0),
                     help="GPUs of each worker; a fraction shares a GPU, 0 uses none. [default: 1 if there is a GPU]"),
        click.option("--cpu-only-workers", cls=RareOption, type=click.IntRange(min=0),
                     help="Further workers without a GPU, in a cluster where the others have one. [default: what the "
                     "machines without a GPU hold, if --workers is not given]"),
        click.option("--precision", cls=RareOption, type=click.Choice(["float32", "bf16"]),
                     help="Precision of the matrix products (train.precision in the file). bf16 gives other numbers, "
                     "and is slower on some processors: `kdtune plan` says so. [default: float32]"),
        click.option("--max-networks", cls=RareOption, type=click.IntRange(min=1), default=100_000, show_default=True,
                     help="Refuse a sweep of more networks."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command(
    short_help="Train every network of FILE that has no result yet.",
    example="kdtune sweep quickstart.yaml --set replicates=5",
)
@click.argument("file", required=False)
@add_file_options
@click.option("--address", metavar="HOST:PORT",
              help="Run on this Ray cluster. [default: start Ray on this machine during the sweep]")  # fmt: skip
@click.option("--retries", cls=RareOption, type=click.IntRange(min=0), default=3, show_default=True,
              help="How often a pack is tried again after its worker crashed.")  # fmt: skip
@click.option("--restarts", cls=RareOption, type=click.IntRange(min=0), default=3, show_default=True,
              help="How often Ray is started again after it died, without a pack finished in between.")  # fmt: skip
@click.option("--cluster-minutes", cls=RareOption, type=click.FloatRange(min=0), default=10, show_default=True,
              help="How long a cluster that no longer answers is waited for.")  # fmt: skip
@click.option("--keep-students", type=click.Choice(["auto", "none", "best", "all"]), default="auto",
              show_default=True, metavar="CHOICE",
              help="Whose weights to keep: auto, none, best or all. best: those at the best T of each setting; auto: "
              "all while they take less than 200 MB together, else the best.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start over: remove what this sweep left. Shared teachers stay.")
@click.option("--fresh-teachers", cls=RareOption, is_flag=True, help="Train the teachers of this sweep again, too.")
@click.option(
    "--wait", "waits", cls=RareOption, is_flag=True, help="If another command runs this sweep, wait until it has ended."
)
@click.option("--yes", cls=RareOption, is_flag=True, help="Do not ask before something is removed.")
@click.option("--watch", is_flag=True, help="Show the sweep in a browser while it runs. The address is printed; see "
              "`kdtune watch`, too.")  # fmt: skip
@click.option("--list", "list_bundled", is_flag=True, help="List the bundled sweeps.")
@click.option("-v", "--verbose", cls=RareOption, is_flag=True, help="Show the messages of Ray and Ray Tune.")
def sweep(file: str | None, yes: bool, watch: bool, list_bundled: bool, **options: Any) -> None:
    """Train every network that FILE asks for and that has no result yet.
    FILE is a sweep file, or the name of a bundled one (--list). The same
    command goes on after an interruption, or after values were added to FILE.
    """  # noqa: D205 - one paragraph, so that the help fits 24 lines
    if list_bundled:
        from kdtune.spec.bundled_sweeps import list_bundled_sweeps

        for name, description in list_bundled_sweeps().items():
            click.echo(f"{name:<24} {description}")
        return
    request = make_request(file, **options)
    _ask_before_removing(request, yes)
    _treat_sigterm_as_interrupt()
    # The summary needs it, and an import that Ctrl-C breaks off in training cannot always be made again.
    import kdtune.analysis.answer  # noqa: F401
    from kdtune.run.progress import Progress
    from kdtune.run.sweep import sweep as run_sweep
    from kdtune.table import to_frame

    console = Console(stderr=True)
    outcome = run_sweep(request, Progress(console), _show_page if watch else nullcontext)
    table = to_frame(outcome.rows)
    print_summary(table, outcome.store.folder)
    print_failures(table, console)
    _print_next_step(outcome, table)
    if outcome.interrupted:
        raise SystemExit(INTERRUPTED)
    if (table["status"] != "done").any():
        raise SystemExit(1)


@contextmanager
def _show_page(folder: Path) -> Iterator[None]:
    """Serve the page of a sweep's folder beside the sweep until the block ends, and print its address."""
    from kdtune.watch.beside_sweep import start_watching

    page = start_watching(folder)
    click.echo(f"Watch: {page.url}", err=True)
    try:
        yield
    finally:
        page.end()


def _print_next_step(outcome: Outcome, table: pd.DataFrame) -> None:
    """Print where the table lies and which command to run next."""
    click.echo(f"Table: {outcome.store.location}/{outcome.store.table_path.name}", err=True)
    if ((table["model"] == "distilled_student") & (table["status"] == "done")).any():
        command = shlex.join(["kdtune", "analyze", outcome.store.location])
        click.echo(f"Next, the best T with its confidence interval: {command}", err=True)
    if outcome.interrupted:
        n_networks = len(outcome.plan.networks)
        n_missing = n_networks - int((table["status"] == "done").sum())
        click.echo(f"Interrupted: {n_missing} of {n_networks} networks are missing; finished ones are kept. "
                   "Run the same command to continue.", err=True)  # fmt: skip


@main.command(example="kdtune plan mine.yaml")
@click.argument("file")
@add_file_options
def plan(file: str, **options: Any) -> None:
    """Show what a sweep would train, and what that costs. Trains, writes and downloads nothing."""
    from kdtune.run.estimate import estimate_cost

    for line in estimate_cost(make_request(file, **options)):
        click.echo(line)


def make_request(
    file: str | None, workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float | None,
    cpu_only_workers: int | None, overrides: tuple[str, ...], restarts: int = 3, cluster_minutes: float = 10.0,
    **options: Any,
) -> Request:  # fmt: skip
    """Return what the options of a command ask for, and say which sweep file was found."""
    from kdtune.run.patience import Patience
    from kdtune.run.request import Request
    from kdtune.settings import Resources
    from kdtune.spec.bundled_sweeps import find_sweep_file

    if file is None:
        raise click.UsageError("Missing argument 'FILE'; --list lists the bundled sweeps.")
    path, is_bundled = find_sweep_file(file)
    click.echo(f"Sweep file: {path}{' (bundled)' if is_bundled else ''}", err=True)
    resources = Resources(
        workers=workers,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
        cpu_only_workers=cpu_only_workers,
    )
    patience = Patience(restarts, cluster_minutes)
    return Request(file=path, overrides=overrides, resources=resources, patience=patience, **options)


def _ask_before_removing(request: Request, yes: bool) -> None:
    """Ask before results are removed; raise RequestError if the answer is no, or nobody can answer."""
    removed = []
    if request.fresh:
        removed.append("the rows, students and figures of this sweep")
    if request.fresh_teachers:
        removed.append("its teachers, which other sweeps may share")
    if not removed or yes:
        return
    objects = " and ".join(removed)
    if not sys.stdin.isatty():
        raise RequestError(f"starting over removes {objects}; add --yes where nobody can be asked")
    if not click.confirm(f"This removes {objects}. Continue?"):
        raise RequestError("Nothing was removed.")


def _treat_sigterm_as_interrupt() -> None:
    """End a sweep on SIGTERM, which batch systems send, as on Ctrl-C."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
