"""Set what Ray needs in this process, and restore what Ray changes in it. This module does not import Ray."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Ray and Tune read these when they run; Ray 2.60 reads none of them when it is imported. Tune need not save its
# state: a sweep is continued from the ids of its finished networks.
RAY_VARIABLES = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # With a search algorithm, Tune would let only one trial wait for resources; the dispatcher limits trials itself.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
# `ray.init` sets this one itself.
DEBUGGER_VARIABLE = "PYTHONBREAKPOINT"
# `ray.init` takes over SIGTERM, `Tuner.fit` SIGUSR1, which Windows does not have.
SIGNAL_NAMES = ("SIGTERM", "SIGUSR1")


@contextmanager
def set_ray_variables() -> Iterator[None]:
    """Set the environment variables that Ray reads, except those that the user has set; restore all afterwards."""
    values_before = {name: os.environ.get(name) for name in [*RAY_VARIABLES, DEBUGGER_VARIABLE]}
    for name, value in RAY_VARIABLES.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        restore_variables(values_before)


def restore_variables(values: dict[str, str | None]) -> None:
    """Set environment variables to these values; remove those whose value is None."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def preserve_process_state() -> Iterator[None]:
    """Restore on leaving what ``ray.init`` and ``Tuner.fit`` change.

    This is signal handlers, the logger "ray", the fault handler and the limit of open files.
    """
    handlers = read_signal_handlers()
    logger = logging.getLogger("ray")
    level = logger.level
    formatters = [(handler, handler.formatter) for handler in logger.handlers]
    had_fault_handler = faulthandler.is_enabled()
    file_limit = _read_file_limit()
    try:
        yield
    finally:
        restore_signal_handlers(handlers)
        logger.setLevel(level)
        for handler, formatter in formatters:
            handler.setFormatter(formatter)
        if not had_fault_handler:
            faulthandler.disable()
        _restore_file_limit(file_limit)


def read_signal_handlers() -> dict[signal.Signals, Any]:
    """Return the handlers of the signals that Ray takes over."""
    signals = [signal.Signals[name] for name in SIGNAL_NAMES if hasattr(signal, name)]
    return {number: signal.getsignal(number) for number in signals}


def restore_signal_handlers(handlers: dict[signal.Signals, Any]) -> None:
    """Install these handlers. Python allows it in the main thread only, where Ray changes them only as well."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in handlers.items():
        if handler is not None:  # one that was not installed from Python cannot be installed from it
            signal.signal(number, handler)


def _read_file_limit() -> tuple[int, int] | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _restore_file_limit(limit: tuple[int, int] | None) -> None:
    if limit is None:
        return
    import resource

    with suppress(ValueError, OSError):  # a lower hard limit, set meanwhile, forbids it
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
