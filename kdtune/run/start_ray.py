"""Start a Ray on this machine, or say why it does not start."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import ray

from kdtune.errors import SweepError
from kdtune.run.ray_output import make_logging_options
from kdtune.text import format_on_one_line

OBJECT_STORE_BYTES = 256 << 20  # Packs are small; large data are in the results folder.
# What Ray starts for a cluster that scales itself, for its dashboard, and to show what workers print: 170 MB of memory
# and seconds of a core while the workers start.
CLUSTER_SCRIPTS = ("monitor.py", "dashboard.py")
OUTPUT_SCRIPT = "log_monitor.py"
END_SECONDS = 3.0


def start_ray(cpus: int, verbose: bool) -> str:
    """Start a Ray on this machine, and return the folder of its session, in which its logs are.

    Raises
    ------
    SweepError
        If its files or its settings do not allow it. Any other error of Ray's may pass with the next attempt.
    """
    try:
        context: Any = ray.init(
            address="local",  # never one that an environment variable or a file happens to name
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **make_logging_options(verbose),
        )
    except (OSError, ValueError) as error:
        raise SweepError(f"Ray does not start on this machine: {_explain_failed_start(error)}") from error
    _end_needless_processes(CLUSTER_SCRIPTS if verbose else (*CLUSTER_SCRIPTS, OUTPUT_SCRIPT))
    return str(context.address_info["session_dir"])


def _end_needless_processes(scripts: tuple[str, ...]) -> None:
    """Kill the children of this process that run one of these scripts, and wait until they have ended."""
    children = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(Path(part).name in scripts for part in child.cmdline()):
                child.kill()
                children.append(child)
    psutil.wait_procs(children, timeout=END_SECONDS)


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
