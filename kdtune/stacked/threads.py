"""How many threads the products of a pack use, and how they treat denormal numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")


def run_on_threads(count: int, work: Callable[[], Result]) -> Result:
    """Run ``work`` with so many threads for each product and elementwise pass, denormals flushed on all of them.

    More than one are started from a thread of their own, whose treatment of denormals they inherit:
    those of an earlier team would keep theirs.
    """

    def run() -> Result:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            with flush_denormals():
                return work()
        finally:
            torch.set_num_threads(before)

    if count == 1:
        return run()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


@contextmanager
def flush_denormals() -> Iterator[None]:
    """This thread takes denormal numbers for 0.

    Gradients of examples that are learned pass through them on their way to 0, and arithmetic on
    them is slow: a step of a student was measured to take 107 us without, 140 with them.
    """
    before = not (torch.full((), 1e-40) * 1).item()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
