"""What Ray prints: held back unless a user wants to see it, and put into messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray


@contextmanager
def quiet_ray(verbose: bool) -> Iterator[None]:
    """Hold back what Ray prints, unless ``verbose``.

    Ray prints what it has to say of dead workers past every setting, through a function of its own that is
    replaced here for as long as a sweep runs; the listener hears of those workers.
    """
    if verbose:
        yield
        return
    worker_module: Any = ray._private.worker
    print_before = worker_module.print_to_stdstream
    worker_module.print_to_stdstream = _print_nothing
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        yield
    finally:
        worker_module.print_to_stdstream = print_before


def _print_nothing(*_: Any, **__: Any) -> None:
    """Stand in for Ray's function that prints the messages of its processes."""


def make_logging_options(verbose: bool) -> dict[str, Any]:
    """Return what ``ray.init`` is told about printing."""
    return {"log_to_driver": verbose, "logging_level": logging.INFO if verbose else logging.ERROR}


def format_on_one_line(error: Exception) -> str:
    """Return an error's message without its line breaks, or the error's kind if it has no message."""
    return " ".join(str(error).split()) or type(error).__name__
