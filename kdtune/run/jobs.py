"""Sweeps as jobs of a Ray cluster, through Ray's Jobs API: submit, look, read what was printed, stop.

A job is ``kdtune sweep`` on the cluster's head. What it needs travels with it: the sweep file and the user's modules in
Ray's package, and the files that the sweep file names in the results. A job goes on whatever becomes of the machine
that submitted it, and ends with the cluster's head.

Importing this module takes seconds.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import requests
from ray.exceptions import AuthenticationError, RayError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from kdtune.errors import RequestError, SweepError
from kdtune.run.authentication import explain_refused_token
from kdtune.text import find_nearest, format_on_one_line
from kdtune.versions import __version__

ANSWER_SECONDS = 10.0
POLL_SECONDS = 2.0
AWAY_SECONDS = 600.0  # how long a head that does not answer is asked again while its job's output is followed
START_SECONDS = 180.0  # until a new head runs jobs; on a busy machine more than 60 were seen
STOP_SECONDS = 30  # a sweep ends within 5 s of SIGTERM; Ray sends SIGKILL after 3 s by default
_VERSION, _SWEEP, _RESULTS = "kdtune", "sweep", "results"  # keys of a job's metadata


class UnknownJobError(RequestError):
    """The cluster knows no job of that name."""


@dataclass(frozen=True)
class Job:
    """A sweep as a job.

    Attributes
    ----------
    name : the name that Ray knows it by: the sweep's, with a number for each attempt.
    sweep, url : the name of the sweep, and where its results lie.
    status : Ray's word for how it stands.
    message : what Ray says about that.
    started_at, ended_at : seconds since 1970; None if it has not started or ended.
    """

    name: str
    sweep: str
    url: str
    status: JobStatus
    message: str
    started_at: float | None
    ended_at: float | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however it did."""
        return bool(self.status.is_terminal())


class JobClient:
    """The Jobs API of a cluster.

    Parameters
    ----------
    address : as in ``http://head:8265``.

    Raises
    ------
    RequestError
        If nothing answers there as Ray's Jobs API does, or it refuses our token.
    """

    def __init__(self, address: str) -> None:
        self.address = _parse_address(address)
        with self._convert_errors():
            self._version = requests.get(f"{self.address}/api/version", timeout=ANSWER_SECONDS)
            with _api_server(self.address):  # Ray lets the environment replace the address that it is given.
                self._client = JobSubmissionClient(self.address)

    def submit(
        self,
        sweep: str,
        results: str,
        folder: Path,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        waits: bool = False,
    ) -> Job:
        """Submit a sweep and return its job at once.

        Parameters
        ----------
        sweep : its name.
        results : the URL under which results lie.
        folder : the sweep file and the user's modules, which travel with the job.
        arguments : those of ``kdtune sweep``.
        variables : environment variables of the job.
        waits : whether the job may wait for another job of this sweep.

        Raises
        ------
        RequestError
            If a job of this sweep runs already, another version of Ray runs there, or Ray refuses the job.
        """
        _check_version(self.address, self._version)
        jobs = [job for job in self.list_jobs() if job.sweep == sweep]
        for job in jobs:
            if job.url == f"{results}/{sweep}" and not job.is_over and not waits:
                raise RequestError(f"{job.name} runs this sweep already; `kdtune logs {job.name}` shows what it prints")
        attempts = [int(match[1]) for job in jobs if (match := re.search(r"-(\d+)$", job.name))]
        name = f"{sweep}-{max(attempts, default=0) + 1}"  # Ray takes each name once.
        submission = {
            "entrypoint": shlex.join(["python", "-m", "kdtune", "sweep", *arguments]),
            "submission_id": name,
            "runtime_env": {
                "working_dir": str(folder),
                "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **variables},
            },
            "metadata": {_VERSION: __version__, _SWEEP: sweep, _RESULTS: f"{results}/{sweep}"},
        }
        with self._convert_errors():
            self._submit_when_ready(submission)
        return self.get_job(name)

    def _submit_when_ready(self, submission: Mapping[str, Any]) -> None:
        """Submit a job, again where the head answers already but its process that runs jobs is not there yet."""
        gives_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self._client.submit_job(**submission)
                return
            except RuntimeError as error:
                if "No available agent" not in str(error) or time.monotonic() > gives_up_at:
                    raise
            time.sleep(POLL_SECONDS)

    def list_jobs(self) -> list[Job]:
        """Return the jobs of kdtune that the cluster knows, the latest first."""
        with self._convert_errors():
            jobs = [_make_job(details) for details in self._client.list_jobs() if _is_sweep(details)]
        return sorted(jobs, key=lambda job: job.started_at or time.time(), reverse=True)

    def get_job(self, name: str) -> Job:
        """Return a job by its name, or the latest one of a sweep by the sweep's name.

        Raises
        ------
        UnknownJobError
            If there is none.
        """
        jobs = self.list_jobs()
        for job in jobs:
            if name in (job.name, job.sweep):
                return job
        nearest = find_nearest(name, [job.name for job in jobs])
        hint = f"; did you mean {nearest}?" if nearest else ""
        raise UnknownJobError(f"the cluster at {self.address} has no job {name!r}{hint}; `kdtune status` lists all")

    def read_output(self, name: str) -> str:
        """Return what a job has printed so far."""
        with self._convert_errors():
            return str(self._client.get_job_logs(name))

    def follow_output(self, name: str) -> Iterator[str]:
        """Yield what a job prints, until it has ended; ask again where the head does not answer for a while.

        Ray's own stream of a job's output may end when the head hiccups, as if the job had ended.

        Raises
        ------
        SweepError
            If the head has not answered for ten minutes, or has been started again and knows the job no more.
        """
        n_shown, answered_at = 0, time.monotonic()
        started_at: float | None = None
        while True:
            try:
                job = self.get_job(name)
                started_at = started_at or job.started_at
                if job.started_at not in (None, started_at):
                    raise UnknownJobError(f"the cluster at {self.address} has another job {name!r} now")
                is_over = job.is_over  # before the output, so that its end is not missed
                text = self.read_output(name)
            except UnknownJobError as error:
                raise SweepError(
                    f"{error}. A cluster whose head was started again has forgotten its jobs: submit the sweep again, "
                    f"and it goes on."
                ) from None
            except RequestError as error:
                if time.monotonic() - answered_at > AWAY_SECONDS:
                    raise SweepError(f"{error}. The job may go on: ask again with `kdtune status`.") from None
            else:
                answered_at = time.monotonic()
                if len(text) > n_shown:
                    yield text[n_shown:]
                    n_shown = len(text)
                if is_over:
                    return
            time.sleep(POLL_SECONDS)

    def stop(self, name: str) -> Job:
        """Let a job end as on Ctrl-C, wait until it has, and return it."""
        with self._convert_errors():
            self._client.stop_job(name)
        stops_at = time.monotonic() + STOP_SECONDS + ANSWER_SECONDS
        while not (job := self.get_job(name)).is_over and time.monotonic() < stops_at:
            time.sleep(POLL_SECONDS / 4)
        return job

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        """Raise a RequestError with one sentence in place of an error of Ray's or of the network."""
        try:
            yield
        except requests.exceptions.RequestException as error:
            reason = "does not answer in time" if isinstance(error, requests.exceptions.Timeout) else "does not answer"
            raise RequestError(
                f"address {self.address!r}: the Jobs API of Ray {reason}; give the dashboard's address, as in "
                f"http://HEAD:8265 (through ssh: `ray dashboard cluster.yaml`)"
            ) from None
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            message = format_on_one_line(error)
            if isinstance(error, AuthenticationError) or re.search("status code 40[13]", message):
                raise RequestError(f"address {self.address!r}: {explain_refused_token()}") from None
            raise RequestError(f"address {self.address!r}: {message}") from None


def _parse_address(address: str) -> str:
    """Return the address of a dashboard; RequestError if it is none."""
    if re.fullmatch(r"https?://[^/\s]+/?", address) is None:
        raise RequestError(
            f"address {address!r}: jobs are submitted to the dashboard's address, as in http://HEAD:8265; on a machine "
            f"of the cluster, `kdtune sweep --address` takes HOST:PORT"
        )
    return address.rstrip("/")


def _check_version(address: str, response: requests.Response) -> None:
    """Raise RequestError if the cluster answers that it runs another version of Ray than is installed here."""
    try:
        version = response.json()["ray_version"]
    except (ValueError, KeyError, TypeError):  # a refused token, which is told later, or no Ray
        return
    if version != ray.__version__:
        raise RequestError(
            f"address {address!r}: the cluster runs Ray {version}, and Ray {ray.__version__} is installed here; "
            f"install the same version on both, as in `pip install 'ray[default]=={version}'`"
        )


@contextmanager
def _api_server(address: str) -> Iterator[None]:
    before = os.environ.get("RAY_API_SERVER_ADDRESS")
    os.environ["RAY_API_SERVER_ADDRESS"] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ["RAY_API_SERVER_ADDRESS"]
        else:
            os.environ["RAY_API_SERVER_ADDRESS"] = before


def _is_sweep(details: JobDetails) -> bool:
    return _SWEEP in (details.metadata or {}) and details.submission_id is not None


def _make_job(details: Any) -> Job:
    return Job(
        name=details.submission_id,
        sweep=details.metadata[_SWEEP],
        url=details.metadata.get(_RESULTS, ""),
        status=details.status,
        message=details.message or "",
        started_at=details.start_time and details.start_time / 1000,
        ended_at=details.end_time and details.end_time / 1000,
    )
