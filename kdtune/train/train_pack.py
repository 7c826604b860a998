"""Train one pack: from networks to rows of the table, logits and weights. No Ray and no results folder here."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from kdtune.columns import DEVICE, DIVERGED, EPOCH, HOST, LEARNING_CURVE, N_TRAIN, SECONDS, TEACHER
from kdtune.data.load import load_data
from kdtune.data.splits import Data, select_classes
from kdtune.plan.network import Classes, Network, Pack
from kdtune.stacked.stack import Stack
from kdtune.stacked.threads import run_on_threads
from kdtune.train.evaluate import evaluate, measure_learning_point, shift_biases
from kdtune.train.fit import fit
from kdtune.train.given_teachers import compute_teacher
from kdtune.train.logits import Logits, compute_logits
from kdtune.train.members import Members, choose_threads, split_into_stacks
from kdtune.train.rows import make_failed_row, make_row
from kdtune.train.trained_network import TrainedNetwork
from kdtune.train.training_fit import measure_training_fit


def train_pack(
    pack: Pack,
    teacher_logits: Callable[[str], Any] = lambda teacher_id: None,
    teacher_net: Callable[[str], nn.Module] | None = None,
    keep_weights: bool = False,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    threads: int = 1,
) -> list[TrainedNetwork]:
    """Train the networks of a pack together.

    Parameters
    ----------
    pack : Networks that share layers and training settings.
    teacher_logits : Function that returns a teacher's logits on the training part, (examples, classes), by its id.
    teacher_net : Function that returns a teacher itself by its id. It is called if images are shifted, since the
        targets are then the teacher's on the shifted images.
    keep_weights : Whether to return the students' weights too; a teacher's are always returned.
    device : ``"cpu"`` or ``"cuda"``.
    dtype : Type of the parameters, the loss and the optimizer.
    threads : Number of threads of the matrix products and elementwise passes on a CPU.

    Returns
    -------
    One result per network, in the pack's order. A network that diverged has a row of status ``failed`` and nothing
    else.
    """
    if not pack.networks[0].shape.is_trained_by_steps:
        return [compute_teacher(network, device, threads) for network in pack.networks]
    start = time.perf_counter()
    members = load_members(pack, teacher_logits, teacher_net)
    stacks = [
        run_on_threads(choose_threads(stack_members, threads), partial(_train_stack, stack_members, device, dtype))
        for stack_members in split_into_stacks(members, threads, device)
    ]
    run_columns = {
        DEVICE: torch.cuda.get_device_name() if device == "cuda" else "cpu",
        HOST: platform.node(),
        SECONDS: (time.perf_counter() - start) / len(pack.networks),
    }
    results = {}
    for stack in stacks:
        for i, network in enumerate(stack.members.networks):
            results[network.id] = _make_result(stack, i, keep_weights, run_columns)
    return [results[network.id] for network in pack.networks]


def load_members(
    pack: Pack, teacher_logits: Callable[[str], Any], teacher_net: Callable[[str], nn.Module] | None
) -> Members:
    """Load the data and the teachers of the networks of a pack.

    A network learns from its transfer set, with its teacher's logits on that, or with the teacher itself if images
    are shifted.
    """
    networks = list(pack.networks)
    training_sets: dict[tuple[str, Classes | None], _TrainingSet] = {}
    for network in networks:
        key = (network.data.id, network.transfer)
        if key not in training_sets:
            training_sets[key] = _load_training_set(network)
    sets_of_members = [training_sets[network.data.id, network.transfer] for network in networks]
    data_of_member = [training_set.data for training_set in sets_of_members]

    if networks[0].data.settings.jitter and pack.teacher_ids:
        assert teacher_net is not None
        net_by_id = {teacher_id: teacher_net(teacher_id) for teacher_id in pack.teacher_ids}
        nets = [net_by_id[network.teacher.id] if network.teacher else None for network in networks]
        return Members(networks, data_of_member, [None] * len(networks), nets)

    logits_by_id = {teacher_id: teacher_logits(teacher_id) for teacher_id in pack.teacher_ids}
    logits_of_member = []
    for network, training_set in zip(networks, sets_of_members, strict=True):
        logits = None
        if network.teacher:
            logits = logits_by_id[network.teacher.id][training_set.example_indices]
        logits_of_member.append(logits)
    return Members(networks, data_of_member, logits_of_member)


class _TrainingSet(NamedTuple):
    """The data of a network, with the training examples that it may see."""

    data: Data
    example_indices: Any  # indices into all training examples of the draw, or a slice of all


def _load_training_set(network: Network) -> _TrainingSet:
    """Load the data draw of a network and select the classes of its transfer set."""
    data = load_data(network.data)
    if network.transfer is None:
        return _TrainingSet(data, slice(None))
    transfer_set = select_classes(data, network.transfer)
    return _TrainingSet(transfer_set.data, transfer_set.example_indices)


@dataclass
class _TrainedStack:
    """The part of a pack that trained as one stack, with one entry per member in each list."""

    members: Members
    model: Stack
    diverged_after: list[int | None]  # as in `fit.FittedStack`
    logits: list[Logits]
    training_fits: list[dict[str, Any]]  # columns of the row, as in `training_fit`
    learning_curves: list[list[dict[str, Any]]]


def _train_stack(members: Members, device: str, dtype: torch.dtype) -> _TrainedStack:
    """Train a stack, record the learning curves that its members' settings ask for, and evaluate it."""
    learning_curves: list[list[dict[str, Any]]] = [[] for _ in members.networks]

    def record_learning_curves(epoch: int, model: Stack) -> None:
        recorded_members = [i for i, network in enumerate(members.networks) if _is_recorded(network, epoch)]
        if not recorded_members:
            return
        logits = compute_logits(model, members, ("train", "val"), device)
        for i in recorded_members:
            learning_curves[i].append({EPOCH: epoch, **measure_learning_point(logits[i], members.data[i])})

    fitted_stack = fit(members, device, dtype, after_epoch=record_learning_curves)
    splits: tuple[str, ...] = ("val", "test")
    if members.networks[0].model == TEACHER:
        splits = ("train", "val", "test")
    logits = compute_logits(fitted_stack.model, members, splits, device)
    training_fits = measure_training_fit(fitted_stack.model, members, device)
    return _TrainedStack(
        members, fitted_stack.model, fitted_stack.diverged_after, logits, training_fits, learning_curves
    )


def _is_recorded(network: Network, epoch: int) -> bool:
    """Return whether the network's learning curve has a point after this epoch."""
    interval = network.train.eval_every
    if not interval:
        return False
    return epoch % interval == 0 or epoch == network.train.epochs


def _make_result(stack: _TrainedStack, i: int, keep_weights: bool, run_columns: Mapping[str, Any]) -> TrainedNetwork:
    """Return the result of member ``i`` of a stack, its biases shifted if its settings ask for that."""
    network, data, logits = stack.members.networks[i], stack.members.data[i], stack.logits[i]
    diverged_after = stack.diverged_after[i]
    if diverged_after is None and not all(np.isfinite(values).all() for values in logits.values()):
        diverged_after = network.train.epochs  # the weights are finite, but their products overflow
    if diverged_after is not None:
        epochs = network.train.epochs
        reason = f"{DIVERGED}: numbers are no longer finite after epoch {diverged_after} of {epochs}"
        return TrainedNetwork(network, make_failed_row(network, reason, run_columns))

    measures = stack.training_fits[i] | shift_biases(network, data, logits, stack.model, i)
    measures |= evaluate(network, data, logits)
    if network.transfer is not None:
        measures[N_TRAIN] = len(data.y_train)
    if stack.learning_curves[i]:
        measures[LEARNING_CURVE] = stack.learning_curves[i]
    result = TrainedNetwork(network, make_row(network, {**measures, **run_columns}))
    if network.model == TEACHER:
        result.logits = logits
    if network.model == TEACHER or keep_weights:
        result.weights = stack.model.copy_member_state(i)
    return result
