"""Time a network for one example, on this machine and on one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from kdtune.data.splits import Data

BATCHES = (1, 256)
MIN_REPEATS, MIN_SECONDS, MAX_SECONDS = 15, 0.3, 10.0

Timings = dict[int, float]  # microseconds for each example, by the number of examples in a batch


def time_call(call: Callable[[], object]) -> float:
    """Return the median of the seconds that a call takes, after two calls that are not counted."""
    durations: list[float] = []
    start = time.perf_counter()
    while True:
        call_start = time.perf_counter()
        call()
        now = time.perf_counter()
        durations.append(now - call_start)
        has_enough = len(durations) >= MIN_REPEATS + 2 and now - start > MIN_SECONDS
        if has_enough or (len(durations) > 2 and now - start > MAX_SECONDS):
            return statistics.median(durations[2:])


def time_module(module: nn.Module, example_shape: tuple[int, ...]) -> Timings:
    """Time a module in evaluation mode on batches of random examples."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            timings = {}
            for batch in BATCHES:
                examples = torch.randn(batch, *example_shape, generator=torch.Generator().manual_seed(0))
                timings[batch] = 1e6 * time_call(lambda x=examples: module(x)) / batch  # type: ignore[misc]
    finally:
        torch.set_num_threads(n_threads)
    return timings


def time_estimator(network: Any, data: Data) -> Timings:
    """Train a scikit-learn teacher again, and time its ``predict_proba`` on batches of test examples.

    Parameters
    ----------
    network : the teacher.
    data : the draw of the data that it belongs to.
    """
    import warnings

    from threadpoolctl import threadpool_limits

    from kdtune.data.raw import load_raw_examples
    from kdtune.settings import list_classes
    from kdtune.train.sklearn_teachers import build_estimator

    x: dict[str, Any] = {"train": data.x_train[:], "test": data.x_test[:]}
    if network.shape.inputs == "raw":
        x = load_raw_examples(network.data.settings, data)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        estimator = build_estimator(network.shape, network.weights_seed, 1, list_classes(network.data.settings))
        estimator.fit(x["train"], data.y_train)
        timings = {}
        for batch in BATCHES:
            rows = np.resize(np.arange(len(data.y_test)), batch)
            examples = x["test"].iloc[rows] if hasattr(x["test"], "iloc") else x["test"][rows]
            call = lambda x=examples: estimator.predict_proba(x)  # noqa: E731
            timings[batch] = 1e6 * time_call(call) / batch
    return timings
