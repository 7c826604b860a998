"""Ray itself: start one on this machine for the length of a sweep, or join one that runs.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

# Ray reads these when it is imported. Tune keeps no state for us: ids make a run resumable.
for _name, _value in {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # With a search algorithm Tune lets one trial wait at a time; the dispatcher bounds them already.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}.items():
    os.environ.setdefault(_name, _value)

import ray

from kdtune.errors import RequestError, SweepError
from kdtune.run.worker_options import WorkerOptions

OBJECT_STORE_BYTES = 256 << 20  # packs are small: what is large lies in the results folder


@contextmanager
def cluster(options: WorkerOptions, cores: int) -> Iterator[tuple[int, float]]:
    """Ray for the length of a sweep: an own one on this machine, or the one that is named.

    Gives the CPUs and GPUs that there are.

    Raises
    ------
    RequestError
        If the named cluster does not answer or cannot be joined.
    SweepError
        If Ray does not start on this machine.
    """
    if ray.is_initialized():
        raise RequestError("Ray runs in this process already; call ray.shutdown() first, or give its address")
    quiet: dict[str, Any] = {
        "log_to_driver": options.verbose,
        "logging_level": logging.INFO if options.verbose else logging.ERROR,
    }
    if not options.verbose:
        # Ray prints what it has to say of dead workers past every setting; the listener hears of them.
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with _own_token() if options.address is None else nullcontext():
        if options.address is None:
            _start(max(cores, options.workers * options.cpus_per_worker), quiet)
        else:
            _join(options.address, quiet)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own would end the process where it stands
        try:
            there = ray.cluster_resources()  # type: ignore[no-untyped-call]
            yield int(there.get("CPU", 0)), float(there.get("GPU", 0))
        finally:
            ray.shutdown()


@contextmanager
def _own_token() -> Iterator[None]:
    """A token for the length of one cluster, where the user has chosen none.

    Ray turns authentication on for a cluster of its own and would otherwise leave a token in the
    home folder, which changes how every later cluster starts.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_AUTH_")}
    if not before:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    _forget_token()
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("RAY_AUTH_") and name not in before]:
            del os.environ[name]
        _forget_token()


def _forget_token() -> None:
    """Make Ray read its environment anew: it keeps token and mode for the life of a process."""
    raylet: Any = ray._raylet
    raylet.AuthenticationTokenLoader.instance().reset_cache()
    raylet.Config.initialize("")


def _start(cpus: int, quiet: dict[str, Any], goes: int = 2) -> None:
    """A Ray on this machine. It gives its processes 30 seconds; a second go, if needed, finds their files in memory."""
    for left in reversed(range(goes)):
        try:
            ray.init(
                address="local",  # never one that an environment variable or a file happens to name
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
            return
        except Exception as error:  # Ray raises a bare one
            ray.shutdown()
            if not left:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise SweepError(f"Ray does not start on this machine: {reason}") from error


def _join(address: str, quiet: dict[str, Any]) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise RequestError(
                f"--address {address}: no Ray cluster answers there ({error}); "
                f"give HOST:PORT of `ray start --head`, or auto on one of its machines"
            ) from None
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.AuthenticationError) as error:
        token = "" if "RAY_AUTH_MODE" in os.environ else "; if it wants a token, set RAY_AUTH_MODE=token"
        reason = str(error).strip().splitlines()[0]
        raise RequestError(f"--address {address}: cannot join the Ray cluster: {reason}{token}") from None
