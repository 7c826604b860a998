"""Train a stack: the loop over epochs and steps, one by one or as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from kdtune.plan.network import Network
from kdtune.plan.packing import split_evenly
from kdtune.settings import MLP
from kdtune.stacked import modules
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DeviceDropoutMasks, DropoutMasks
from kdtune.stacked.losses import distillation_gradient
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.optimizer import constrain_norms, make_optimizer
from kdtune.stacked.perceptrons import StackedPerceptrons
from kdtune.train.batches import Batches, Members

# Members of one draw of data are stacked apart from others once they are this many: a smaller stack
# costs more for its operations than it saves by sharing its batches.
WORTH_SHARING = 4


class Stack(Protocol):
    """Networks of one architecture as one model: ``StackedMLP``, ``StackedModules``."""

    pack: int
    flat: Tensor
    gradient: Tensor
    masked: list[tuple[float, int]]  # (rate, units) of each layer with dropout
    incoming: list[Tensor]  # (pack, units, inputs) of each hidden dense layer: its weights, without biases

    @property
    def logit_bias(self) -> Tensor: ...  # (pack, classes)

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor: ...

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None: ...

    def finite(self) -> Tensor: ...

    def state(self, member: int) -> dict[str, Tensor]: ...


def build_stack(networks: Sequence[Network], device: str, dtype: torch.dtype) -> Stack:
    """A stack of untrained networks of one shape, by the fastest way that there is for it."""
    first = networks[0]
    shape, seeds, precision = (
        first.shape,
        [network.weights_seed for network in networks],
        product_precision(first, dtype),
    )
    if isinstance(shape, MLP) and shape.written_out:
        layers = [(layer.inputs, layer.outputs) for layer in first.layers]
        return StackedPerceptrons(layers, seeds, shape.dropout, dtype, device, precision, shape.init_std)
    members = [build_module(shape, first.input_shape, first.data.settings.n_classes, seed, dtype) for seed in seeds]
    return modules.StackedModules(members, first.data.settings.n_features, dtype, device, precision)


def product_precision(network: Network, dtype: torch.dtype) -> torch.dtype:
    """Of the matrix products."""
    return torch.bfloat16 if network.train.precision == "bf16" else dtype


def split_into_stacks(members: Members, threads: int = 1, device: str = "cpu") -> list[Members]:
    """The parts of a pack that are stacked: on a CPU small enough for the caches of its threads.

    The numbers of an ``exact`` network depend neither on the part that it is in nor on the threads.
    Those of others may, in their last bits: their parts depend on the pack alone.
    """
    count, first = len(members.networks), members.networks[0]
    if device != "cpu":
        return [members]
    firsts, of = members.sources
    groups = [list(range(count))]
    if count >= WORTH_SHARING * len(firsts):
        groups = [[i for i in range(count) if of[i] == source] for source in range(len(firsts))]
    largest = first.stack_size * (threads if first.is_bitwise_reproducible else 1)
    return [members.pick(part) for group in groups for part in split_evenly(group, largest)]


class Trainer:
    """A stack, and what a step of it takes."""

    def __init__(self, members: Members, device: str, dtype: torch.dtype) -> None:
        networks = members.networks
        settings, precision = networks[0].train, product_precision(networks[0], dtype)
        self.model = build_stack(networks, device, dtype)
        self.optimize = make_optimizer(self.model.flat, self.model.gradient, settings)
        shape = networks[0].shape
        self.max_norm = shape.max_norm if isinstance(shape, MLP) else None
        for i, network in enumerate(networks):
            for label, value in ((network.distill and network.distill.bias_start) or {}).items():
                self.model.logit_bias[i, label] = value
        self.batches = Batches(members, device, dtype, precision)
        self.masks = _masks(self.model, networks, device, precision)

    def steps(self, picked: Tensor) -> Iterator[None]:
        """The steps of one stretch, of ``Batches.epoch``."""
        size, T = min(self.batches.size, picked.shape[1]), self.batches.T
        weights = self.batches.weights(size)
        for x, targets, labels in self.batches.lay_out(picked):
            masks = self.masks.draw(size) if self.masks else None
            z = self.model.forward(x, masks)  # (pack, classes, batch)
            self.model.backward(x, distillation_gradient(z, targets, labels, T, weights))
            self.optimize()
            if self.max_norm is not None:
                constrain_norms(self.model.incoming, self.max_norm)
            yield

    def stretch(self, picked: Tensor) -> None:
        """All of them. Nothing is kept for autograd, not even versions of tensors, unless it is needed."""
        with torch.inference_mode(isinstance(self.model, StackedPerceptrons)):
            for _ in self.steps(picked):
                pass


def fit(
    members: Members,
    device: str,
    dtype: torch.dtype,
    steps: int | None = None,
    after_epoch: Callable[[int, Stack], None] = lambda *_: None,
) -> tuple[Stack, list[int | None]]:
    """Train a stack; ``steps`` stops early, for tests and estimates. ``after_epoch`` may look at the model.

    Returns the model and, for each member, the epoch after which its parameters were not finite.
    """
    trainer = Trainer(members, device, dtype)
    model, masks, batches = trainer.model, trainer.masks, trainer.batches
    graphs = device != "cpu" and isinstance(model, StackedPerceptrons) and not batches.jitter
    stretch = _captured(trainer.stretch) if graphs else trainer.stretch
    diverged: list[int | None] = [None] * model.pack
    taken = 0
    for epoch in range(members.networks[0].train.epochs):
        if masks:
            masks.start(epoch)
        for picked in batches.epoch(epoch):
            if steps is None:
                stretch(picked)
                continue
            for _ in trainer.steps(picked):
                taken += 1
                if taken == steps:
                    return model, diverged
        for i, finite in enumerate(model.finite().tolist()):
            if not finite and diverged[i] is None:
                diverged[i] = epoch + 1
        after_epoch(epoch + 1, model)
    return model, diverged


def _masks(
    model: Stack, networks: Sequence[Network], device: str, dtype: torch.dtype
) -> DropoutMasks | DeviceDropoutMasks | None:
    ids = [network.id for network in networks]
    if not model.masked:
        return None
    return (
        DropoutMasks(ids, model.masked, dtype)
        if device == "cpu"
        else DeviceDropoutMasks(ids, model.masked, dtype, device)
    )


def _captured(train: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
    """``train`` as a CUDA graph for each length of stretch: one launch for all operations of all its steps.

    The first stretch of a length runs as it is, which sets the libraries up; the second is captured.
    """
    graphs: dict[int, torch.cuda.CUDAGraph] = {}
    inputs: dict[int, Tensor] = {}
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def replay(picked: Tensor) -> None:
        length = picked.shape[1]
        if length not in inputs:
            inputs[length] = picked.clone()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                train(inputs[length])
            torch.cuda.current_stream().wait_stream(side)
            return
        inputs[length].copy_(picked)
        if length not in graphs:
            graphs[length] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[length]):
                train(inputs[length])
        graphs[length].replay()

    return replay
