"""The command that brings results from an object store."""

from __future__ import annotations

from pathlib import Path

import click

from kdtune.cli.group import main
from kdtune.cli.job_options import find_results


@main.command(
    short_help="Copy a sweep from an object store into a folder.",
    example="kdtune fetch mine-1 --address http://127.0.0.1:8265",
)
@click.argument("url", metavar="URL|JOB")
@click.option("-o", "--output", "root", type=click.Path(path_type=Path, file_okay=False), default=Path("results"),
              show_default=True, help="The folder under which results lie here.")  # fmt: skip
@click.option("--data", "needs_inputs", is_flag=True,
              help="Bring the data that the sweep kept, too: `kdtune.load_data` needs them.")  # fmt: skip
@click.option("--address", envvar="RAY_API_SERVER_ADDRESS", metavar="http://HEAD:8265",
              help="The dashboard of the cluster that runs the job, if a job is named. "
              "[default: $RAY_API_SERVER_ADDRESS]")  # fmt: skip
def fetch(url: str, root: Path, needs_inputs: bool, address: str | None) -> None:
    """Copy a sweep from an object store into a folder: its table, rows, kept students and teachers.

    URL is the sweep's, as in s3://BUCKET/PREFIX/NAME; with --address it may be the name of a job. Of a sweep that still
    runs it brings what is there; the same command brings the rest later. The folder is a results folder like any other:
    a sweep goes on in it.
    """
    from kdtune.results.fetching import fetch_sweep

    store = fetch_sweep(find_results(url, address), root, needs_inputs, lambda line: click.echo(line, err=True))
    for warning in store.warnings:
        click.echo(warning, err=True)
    click.echo(store.folder)
