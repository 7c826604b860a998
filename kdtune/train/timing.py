"""How long training a pack would take, measured by training it for a moment on random data."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from kdtune.data.splits import Data
from kdtune.plan.network import Network, Pack
from kdtune.settings import CNN, MLP, ModuleShape
from kdtune.spec.probe_examples import choose_examples
from kdtune.stacked.build_network import RowsToModule, build_network
from kdtune.stacked.threads import run_on_threads
from kdtune.train.batches import MAX_CHUNK_STEPS
from kdtune.train.fit import fit
from kdtune.train.members import Members, choose_threads, split_into_stacks

TIMED_SECONDS = 0.5  # for each pack, after the warm-up

# Epochs of the random data that are not timed. In the first one memory is allocated; a GPU captures its graphs in
# the second one.
WARM_UP_EPOCHS = {"cpu": 1, "cuda": 2}

# Multiply-adds that one core does in a second, roughly: students of width 50 reach 2.7e10.
WORK_PER_SECOND = 2e10
MIN_STEPS = 4  # in an epoch of random data, however long a step takes

ENDLESS = 10**9  # epochs; the timer ends training


def measure_pack_seconds(pack: Pack, device: str, threads: int) -> float:
    """Estimate the seconds of training a pack as a worker would, by timing some steps of its first stack.

    Steps are taken by ``fit``, on as many threads and in stacks of the size that ``train_pack`` would use. The data
    are random; that does not matter to the time of a step.

    Parameters
    ----------
    device : ``"cpu"`` or ``"cuda"``.
    threads : Number of threads of the worker, on a CPU.
    """
    network = pack.networks[0]
    members = split_into_stacks(_make_random_members(pack, threads), threads, device)[0]
    epoch_steps = math.ceil(len(members.data[0].y_train) / network.train.batch_size)
    timer = StepTimer(device, warm_up_steps=WARM_UP_EPOCHS[device] * epoch_steps)
    train_until_timed = partial(fit, members, device, torch.float32, should_stop=timer.update)
    run_on_threads(choose_threads(members, threads), train_until_timed)
    steps = network.train.epochs * math.ceil(network.n_train / network.train.batch_size)
    n_stacks = len(pack.networks) / len(members.networks)
    return timer.seconds_per_step * steps * n_stacks


class StepTimer:
    """A timer of the steps of a running training, which starts when the warm-up ends.

    ``seconds_per_step`` is NaN until a step was timed.
    """

    def __init__(self, device: str, warm_up_steps: int) -> None:
        self.device, self.warm_up_steps = device, warm_up_steps
        self.start_steps = 0
        self.start_time = 0.0
        self.seconds_per_step = math.nan

    def update(self, steps: int) -> bool:
        """Note the number of steps taken so far, and return whether enough of them were timed."""
        if steps < self.warm_up_steps:
            return False
        if self.device == "cuda":
            torch.cuda.synchronize()  # the GPU may not have finished the steps that were launched
        now = perf_counter()
        if not self.start_steps:
            self.start_steps, self.start_time = steps, now
            return False
        seconds = now - self.start_time
        self.seconds_per_step = seconds / (steps - self.start_steps)
        return seconds >= TIMED_SECONDS


def _make_random_members(pack: Pack, threads: int) -> Members:
    """Return the networks of a pack with random data of the right shape and with ``ENDLESS`` epochs."""
    networks = [_train_endlessly(network) for network in pack.networks]
    first_network, settings = networks[0], pack.networks[0].data.settings
    n_examples = _choose_n_examples(pack, threads)
    random = np.random.default_rng(0)
    x = random.standard_normal((n_examples, settings.n_features), dtype=np.float32)
    examples = None if first_network.facts is None else choose_examples(settings)
    if examples is not None:  # An embedding takes no numbers but its ids.
        x = np.resize(examples.astype(np.float32), (n_examples, settings.n_features))
    y = random.integers(0, settings.n_classes, n_examples)
    # Each draw of data gets an object of its own, since networks of different draws do not share batches.
    data_by_id = {network.data.id: Data(x, y, x, y, x, y, settings.n_classes) for network in networks}
    data = [data_by_id[network.data.id] for network in networks]

    if first_network.data.settings.jitter and pack.teacher_ids:
        net_by_id = {network.teacher.id: _build_untrained(network.teacher) for network in networks if network.teacher}
        nets = [net_by_id[network.teacher.id] if network.teacher else None for network in networks]
        return Members(networks, data, [None] * len(networks), nets)

    random_logits = random.standard_normal((n_examples, settings.n_classes), dtype=np.float32)
    logits: list[Any | None] = [random_logits if network.teacher else None for network in networks]
    return Members(networks, data, logits)


def _train_endlessly(network: Network) -> Network:
    """Return the network with ``ENDLESS`` epochs."""
    return replace(network, train=network.train.model_copy(update={"epochs": ENDLESS}))


def _choose_n_examples(pack: Pack, threads: int) -> int:
    """Return the number of examples with which an epoch takes about half the timed seconds, within bounds.

    An epoch of very few steps would overstate the work that is done once per epoch. One of many steps would take too
    long if a step is slow, since the warm-up takes a whole epoch.
    """
    network = pack.networks[0]
    n_members = min(len(pack.networks), network.stack_size * threads)
    work_per_step = network.work / (network.train.epochs * network.n_train) * network.train.batch_size * n_members
    steps = int(TIMED_SECONDS / 2 * WORK_PER_SECOND / work_per_step)
    steps = max(MIN_STEPS, min(steps, MAX_CHUNK_STEPS))
    return min(network.n_train, steps * network.train.batch_size)


def _build_untrained(network: Network) -> nn.Module:
    """Return the module of a network with torch's own initial weights, in evaluation mode."""
    shape, input_shape = network.shape, network.input_shape
    assert isinstance(shape, MLP | CNN | ModuleShape), "images are shifted for teachers that are modules"
    net = build_network(shape, input_shape, network.data.settings.n_classes).eval()
    return RowsToModule(net, input_shape) if isinstance(shape, ModuleShape) else net
