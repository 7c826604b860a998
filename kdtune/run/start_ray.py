"""Start a Ray on this machine, or say why it does not start."""

from __future__ import annotations

import os

import ray

from kdtune.errors import SweepError
from kdtune.run.ray_output import format_on_one_line, make_logging_options

OBJECT_STORE_BYTES = 256 << 20  # Packs are small; large data are in the results folder.
# Ray gives its processes 30 seconds. A second attempt, if needed, finds their files in memory.
START_ATTEMPTS = 2


def start_ray(cpus: int, verbose: bool) -> None:
    """Start a Ray on this machine; SweepError if it does not start."""
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            ray.init(
                address="local",  # never one that an environment variable or a file happens to name
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **make_logging_options(verbose),
            )
            return
        except Exception as error:  # Ray raises plain exceptions here.
            ray.shutdown()
            if attempt == START_ATTEMPTS:
                raise SweepError(f"Ray does not start on this machine: {_explain_failed_start(error)}") from error


def _explain_failed_start(error: Exception) -> str:
    """Say why Ray did not start, and what may help."""
    folder, source = _find_temporary_folder()
    reason = format_on_one_line(error)
    if isinstance(error, OSError) and "AF_UNIX" in reason:  # the folder of its sockets, 107 bytes on Linux
        return (
            f"the path of its temporary folder, {folder} ({source}), is too long for Ray's sockets; "
            f"set RAY_TMPDIR to a short one, as in RAY_TMPDIR=/tmp"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"{error.filename}: {error.strerror}; Ray keeps its files below {folder} ({source}): "
            f"set RAY_TMPDIR to a short path that can be written, as in RAY_TMPDIR=/tmp"
        )
    return f"{reason}; --verbose shows what it prints, and its logs lie in {folder}/ray/session_latest/logs"


def _find_temporary_folder() -> tuple[str, str]:
    """Return the folder below which Ray keeps its files, and what that follows from."""
    for variable in ("RAY_TMPDIR", "TMPDIR"):
        if variable in os.environ:
            return os.environ[variable], f"from {variable}"
    return "/tmp", "Ray's default"
