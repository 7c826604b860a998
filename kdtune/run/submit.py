"""Submit a sweep as a job: check it here, send what it needs, and let the cluster run it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdtune.errors import RequestError, StorageError
from kdtune.objects.folder import ObjectFolder
from kdtune.run.jobs import Job, JobClient
from kdtune.run.remaining_work import load_request_spec
from kdtune.run.request import Request
from kdtune.run.sent_files import send_files, write_list
from kdtune.run.user_code import copy_user_code

AUTO = "auto"  # what the job calls the cluster that it runs on
_PROBE = "inputs/.probe"


def submit_sweep(request: Request, address: str, options: Sequence[str], variables: Mapping[str, str]) -> Job:
    """Submit a sweep to a cluster and return its job at once.

    Parameters
    ----------
    request : what the user asks for; its results lie in an object store.
    address : the address of the cluster's dashboard.
    options : the options of ``kdtune sweep`` that the job gets, beside file, address and results.
    variables : environment variables of the job.

    Raises
    ------
    RequestError
        If the request is wrong, the cluster refuses it, or the store cannot be written.
    """
    if not isinstance(request.results, str):
        raise RequestError(
            f"--results {request.results}: a cluster does not see the folders of this machine; give a place in an "
            f"object store, as in s3://BUCKET/PREFIX"
        )
    if not isinstance(request.file, Path):
        raise RequestError("file: only a sweep file can be submitted, not a sweep that is written in Python")
    client = JobClient(address)
    results = ObjectFolder(request.results)
    try:
        results.write(_PROBE, b"")  # What may not be written is told here, not by the job.
        results.delete([_PROBE])
        spec = load_request_spec(request)
        names = send_files(dict(spec.located_paths), results.open_below("inputs"))
    except StorageError as error:
        raise RequestError(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="kdtune-submit-") as scratch:
        folder = Path(scratch)
        shutil.copyfile(request.file, folder / request.file.name)
        write_list(names, folder)
        copy_user_code(spec, folder)
        arguments = [request.file.name, "--address", AUTO, "--results", request.results, *options]
        return client.submit(spec.name, request.results, folder, arguments, variables, request.waits)
