"""Train a stack of networks: the loop over epochs, chunks of steps and batches.

A chunk is some successive training steps of an epoch, whose batches are laid out together (see ``batches``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdtune.plan.network import Network
from kdtune.settings import MLP
from kdtune.stacked.dropout_masks import DeviceDropoutMasks, DropoutMasks
from kdtune.stacked.losses import distillation_gradient, gradient_weights
from kdtune.stacked.optimizer import constrain_norms, make_optimizer
from kdtune.stacked.stack import Stack, build_stack
from kdtune.train.batches import Batches
from kdtune.train.cuda_graphs import capture_chunks
from kdtune.train.members import Members


@dataclass(frozen=True)
class FittedStack:
    """A stack after training."""

    model: Stack
    diverged_after: list[int | None]
    """For each member, the first epoch after which its parameters were not finite; None if there is none.

    An epoch that ``should_stop`` ended is not checked.
    """
    steps: int
    """The number of training steps taken."""


def fit(
    members: Members,
    device: str,
    dtype: torch.dtype,
    after_epoch: Callable[[int, Stack], None] = lambda epoch, model: None,
    should_stop: Callable[[int], bool] = lambda steps: False,
) -> FittedStack:
    """Train a stack of networks.

    Parameters
    ----------
    members : Networks of one shape with the same training settings.
    device : ``"cpu"`` or ``"cuda"``.
    dtype : Type of the parameters, the loss and the optimizer.
    after_epoch : Function that is called after each epoch with the number of epochs trained and the model. It must not
        change the model, and must evaluate it under ``torch.inference_mode``: the buffers of a model without autograd
        are inference tensors.
    should_stop : Function that is called after each chunk with the number of steps taken. If it returns True, training
        ends at once: the epoch is neither checked for parameters that are not finite nor followed by ``after_epoch``.
    """
    if device == "cuda":  # torch says so once, where its backward thread multiplies first; it then sets the context
        warnings.filterwarnings("ignore", "Attempting to run cuBLAS", UserWarning)
    trainer = Trainer(members, device, dtype)
    train_chunk: Callable[[Tensor], None] = trainer.train_chunk
    if trainer.can_be_captured:
        train_chunk = capture_chunks(train_chunk)
    diverged_after: list[int | None] = [None] * len(members.networks)
    steps = 0
    for epoch in range(members.networks[0].train.epochs):
        trainer.start_epoch(epoch)
        for example_indices in trainer.batches.draw_chunks(epoch):
            train_chunk(example_indices)
            steps += trainer.batches.count_steps(example_indices)
            if should_stop(steps):
                return FittedStack(trainer.model, diverged_after, steps)
        for i, is_finite in enumerate(trainer.model.find_finite_members().tolist()):
            if not is_finite and diverged_after[i] is None:
                diverged_after[i] = epoch + 1
        after_epoch(epoch + 1, trainer.model)
    return FittedStack(trainer.model, diverged_after, steps)


class Trainer:
    """A stack with its batches, dropout masks and optimizer; parameters as for ``fit``."""

    def __init__(self, members: Members, device: str, dtype: torch.dtype) -> None:
        networks = members.networks
        self.model = build_stack(networks, device, dtype)
        _set_initial_biases(self.model, networks)
        self.take_optimizer_step = make_optimizer(
            self.model.flat_parameters, self.model.flat_gradient, networks[0].train
        )
        shape = networks[0].shape
        self.max_norm = shape.max_norm if isinstance(shape, MLP) else None
        self.batches = Batches(members, device, dtype, self.model.precision)
        self.masks = _make_masks(self.model, networks, device)
        # Capture needs tensors at fixed addresses. Stacks with autograd allocate a graph in each step, and
        # `Jitter.draw` allocates a new tensor in each epoch, so neither is captured.
        self.can_be_captured = device == "cuda" and not self.model.needs_autograd and not self.batches.jitter

    def start_epoch(self, epoch: int) -> None:
        """Start the random streams of the dropout masks, and of the stack itself, for this epoch."""
        self.model.start_epoch(epoch)
        if self.masks:
            self.masks.start_epoch(epoch)

    def train_chunk(self, example_indices: Tensor) -> None:
        """Take the training steps of one chunk: forward, gradient of the loss, backward, optimizer.

        If autograd is not needed, inference mode saves its bookkeeping, such as the versions of tensors.

        Parameters
        ----------
        example_indices : (sources, steps * batch), as yielded by ``Batches.draw_chunks``.
        """
        model, batches = self.model, self.batches
        batch_size = min(batches.batch_size, example_indices.shape[1])  # The last batch of an epoch may be smaller.
        weights = gradient_weights(batches.T, batches.a, batches.w, batch_size)
        with torch.inference_mode(not model.needs_autograd):
            for batch in batches.lay_out(example_indices):
                masks = self.masks.draw(batch_size) if self.masks else None
                z = model.forward(batch.x, masks)  # (members, classes, batch)
                logit_gradient = distillation_gradient(z, batch.targets, batch.labels, batches.T, weights)
                model.backward(batch.x, logit_gradient)
                self.take_optimizer_step()
                if self.max_norm is not None:
                    constrain_norms(model.hidden_weights, self.max_norm)


def _set_initial_biases(model: Stack, networks: Sequence[Network]) -> None:
    """Set the output biases of the classes for which a network's settings give a value."""
    for i, network in enumerate(networks):
        if network.distill and network.distill.bias_start:
            for label, value in network.distill.bias_start.items():
                model.logit_bias[i, label] = value


def _make_masks(model: Stack, networks: Sequence[Network], device: str) -> DropoutMasks | DeviceDropoutMasks | None:
    """Return the generator of dropout masks, or None if no layer has dropout."""
    if not model.dropout_layers:
        return None
    ids = [network.id for network in networks]
    if device == "cpu":
        return DropoutMasks(ids, model.dropout_layers, model.precision, model.is_example_major)
    return DeviceDropoutMasks(ids, model.dropout_layers, model.precision, device)
