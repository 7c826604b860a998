"""Find the results of a job by its name, for the commands that read results."""

from __future__ import annotations

from kdtune.objects.urls import is_object_url


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
