"""The commands that run sweeps as jobs of a Ray cluster: submit, status, logs, stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kdtune.cli.group import main
from kdtune.cli.help_pages import RareOption
from kdtune.cli.make import add_file_options, make_request

if TYPE_CHECKING:
    from kdtune.run.jobs import Job

_SENT_OPTIONS = (
    "pack", "workers", "cpus_per_worker", "gpus_per_worker", "cpu_only_workers", "precision", "max_networks",
    "data_root",
)  # fmt: skip


def add_address_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that names the dashboard of a cluster."""
    return click.option(
        "--address", required=True, envvar="RAY_API_SERVER_ADDRESS", metavar="http://HEAD:8265",
        help="The cluster's dashboard. [default: $RAY_API_SERVER_ADDRESS]",
    )(command)  # fmt: skip


@main.command(
    example="kdtune submit mine.yaml --results s3://my-bucket/results --address http://127.0.0.1:8265",
)
@click.argument("file")
@add_file_options
@add_address_option
@click.option("--retries", cls=RareOption, type=click.IntRange(min=0), default=3, show_default=True,
              help="How often a pack is tried again after its worker crashed.")  # fmt: skip
@click.option("--keep-students", type=click.Choice(["auto", "none", "best", "all"]), default="auto", show_default=True,
              help="Which students' weights to keep; see `kdtune sweep --help-all`.")  # fmt: skip
@click.option(
    "--wait",
    "waits",
    is_flag=True,
    help="Let the job wait until another driver of this sweep has ended, in place of being refused.",
)
@click.option("--env", "variables", multiple=True, metavar="NAME[=VALUE]",
              help="An environment variable of the job; without a value, this machine's. May be repeated.")  # fmt: skip
def submit(
    file: str, address: str, overrides: tuple[str, ...], retries: int, keep_students: str, waits: bool,
    variables: tuple[str, ...], **options: Any,
) -> None:  # fmt: skip
    """Run a sweep as a job of a Ray cluster, and return at once.

    FILE is a sweep file, or the name of a bundled one. It is checked here. The files that it names are sent to the
    results once, by their content, and your modules go with the job. Results lie in an object store:
    --results s3://BUCKET/PREFIX. This machine may be switched off: `kdtune status`, `logs`, `stop`, `fetch` and `watch`
    find the job by its name.
    """
    from kdtune.run.submit import submit_sweep

    given = {name: options[name] for name in _SENT_OPTIONS if options.get(name) is not None}
    words = [word for one in overrides for word in ("--set", one)]
    for name, value in {**given, "retries": retries, "keep_students": keep_students}.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--wait"] if waits else []
    options["waits"] = waits
    request = make_request(file, overrides=overrides, retries=retries, keep_students=keep_students, **options)
    job = submit_sweep(request, address, words, _read_variables(variables))
    click.echo(f"Submitted. Next: kdtune logs {job.name} --follow --address {address}", err=True)
    click.echo(job.name)


@main.command(short_help="Show how a job stands, or all jobs.", example="kdtune status")
@click.argument("job", required=False)
@add_address_option
def status(job: str | None, address: str) -> None:
    """Show how a job stands, or all jobs of kdtune that the cluster knows.

    JOB is a job's name, or that of a sweep, whose latest job it stands for.
    """
    from kdtune.run.jobs import JobClient

    client = JobClient(address)
    jobs = client.list_jobs() if job is None else [client.get_job(job)]
    if not jobs:
        click.echo("The cluster knows no job of kdtune.", err=True)
    for each in jobs:
        click.echo(_describe_job(each))


@main.command(example="kdtune logs mine-1 --follow")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended; its end is the exit code.")
@add_address_option
def logs(job: str, follow: bool, address: str) -> None:
    """Print what a job prints."""
    from kdtune.run.jobs import JobClient

    client = JobClient(address)
    found = client.get_job(job)
    if not follow:
        click.echo(client.read_output(found.name), nl=False)
        return
    for text in client.follow_output(found.name):
        click.echo(text, nl=False)
    ended = client.get_job(found.name)
    click.echo(_describe_job(ended), err=True)
    if ended.status != "SUCCEEDED":
        raise SystemExit(1)


@main.command(short_help="Stop a job; what is finished is kept.", example="kdtune stop mine-1")
@click.argument("job")
@add_address_option
def stop(job: str, address: str) -> None:
    """Stop a job as Ctrl-C stops a sweep: what is finished is kept, and the same sweep may be submitted again."""
    from kdtune.run.jobs import JobClient

    client = JobClient(address)
    found = client.get_job(job)
    if found.is_over:
        click.echo(f"{found.name} has ended already.", err=True)
    click.echo(_describe_job(found if found.is_over else client.stop(found.name)))


def _read_variables(variables: tuple[str, ...]) -> dict[str, str]:
    """Return environment variables by name; one without a value has that of this process."""
    values = {}
    for variable in variables:
        name, separator, value = variable.partition("=")
        if not separator:
            if name not in os.environ:
                raise click.BadParameter(f"{name} is not set here; write {name}=VALUE", param_hint="--env")
            value = os.environ[name]
        values[name] = value
    return values


def _describe_job(job: Job) -> str:
    """Say in one line how a job stands: its name, Ray's word, how long it has run, and where its results lie."""
    parts = [job.name, job.status.lower()]
    if job.started_at is not None:
        seconds = (job.ended_at or time.time()) - job.started_at
        parts.append(f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}")
    parts.append(job.url)
    if job.status == "FAILED":
        parts.append(" ".join(job.message.split())[:200])
    return "  ".join(parts)
