"""What goes wrong between two steps of ours: other processes at work, and a system that is short of something."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def run_before_first_call(
    monkeypatch: pytest.MonkeyPatch, method: str, action: Callable[[Any], object], owner: type = Path
) -> list[Any]:
    """Let something happen right before the first call of a method; return the objects of all calls."""
    original = getattr(owner, method)
    calls: list[Any] = []

    def call(instance: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(instance)
        if len(calls) == 1:
            action(instance)
        return original(instance, *arguments, **options)

    monkeypatch.setattr(owner, method, call)
    return calls


@contextmanager
def no_free_descriptors() -> Iterator[None]:
    """Let every opening of a file fail with "Too many open files"."""
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard_limit))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, hard_limit))
