"""The option that names a cluster to the commands that read results: it knows where those of a job lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kdtune.objects.urls import is_object_url


def add_optional_address(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that names the dashboard of a cluster which runs a job."""
    return click.option(
        "--address", envvar="RAY_API_SERVER_ADDRESS", metavar="http://HEAD:8265",
        help="The dashboard of the cluster that runs the job, if a job is named. [default: $RAY_API_SERVER_ADDRESS]",
    )(command)  # fmt: skip


def find_results(name: str, address: str | None) -> str:
    """Return the URL of a sweep: the name itself if it is one, else where the results of the job of this name lie.

    Raises
    ------
    RequestError
        If the cluster does not answer, or knows no such job.
    """
    if is_object_url(name) or address is None:
        return name
    from kdtune.run.jobs import JobClient  # Ray: seconds to import

    return JobClient(address).get_job(name).url
