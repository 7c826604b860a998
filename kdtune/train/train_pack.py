"""Train one pack: from networks to rows, logits and weights. Knows torch; no Ray, no files."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from kdtune.columns import DIVERGED, EPOCH, LEARNING_CURVE, N_TRAIN, TEACHER
from kdtune.data.load import load_data
from kdtune.data.splits import Data, select_classes
from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.plan.network import Classes, Network, Pack
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.stacked.threads import run_on_threads
from kdtune.train.batches import Members
from kdtune.train.evaluate import Logits, evaluate, measure_learning_point, shift_biases
from kdtune.train.fit import Stack, fit, product_precision, split_into_stacks
from kdtune.train.rows import make_failed_row, make_row

# Examples that are evaluated at once. A constant: the size of a product may change its last bits.
EVAL_BATCH = 1024


@dataclass
class Trained:
    """What training one network gave."""

    network: Network
    row: dict[str, Any]
    logits: Logits | None = None  # a teacher's, on all splits
    weights: dict[str, Tensor] | None = None


def train_pack(
    pack: Pack,
    teacher_logits: Callable[[str], Any] = lambda _: None,
    teacher_net: Callable[[str], nn.Module] | None = None,
    keep_weights: bool = False,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    threads: int = 1,
) -> list[Trained]:
    """Train the networks of a pack together.

    Parameters
    ----------
    pack : networks that share layers and training settings.
    teacher_logits : gives a teacher's logits on the training part, (examples, classes), by its id.
    teacher_net : gives a teacher itself, by its id: under jitter its targets are those of the shifted images.
    keep_weights : keep the students' weights too; a teacher's always are.
    device : ``"cpu"`` or ``"cuda"``.
    threads : of the matrix products and elementwise passes on a CPU.

    Returns
    -------
    One ``Trained`` a network. A member that diverged has a row of status ``failed`` and nothing else.
    """
    start = time.perf_counter()
    members = load_members(pack, teacher_logits, teacher_net)
    parts = split_into_stacks(members, threads, device)
    fitted = []
    for part in parts:
        # Shared out among threads, the product of a stack of one is cut up, and has other last bits.
        count = min(threads, len(part.networks)) if part.networks[0].is_bitwise_reproducible else threads
        fitted.append(run_on_threads(count, partial(_train_part, part, device, dtype)))
    seconds = (time.perf_counter() - start) / len(pack.networks)
    where: dict[str, Any] = {"device": _device_name(device), "host": platform.node(), "seconds": seconds}
    results = {
        network.id: one.result(i, keep_weights, where)
        for one in fitted
        for i, network in enumerate(one.members.networks)
    }
    return [results[network.id] for network in pack.networks]


def load_members(
    pack: Pack, teacher_logits: Callable[[str], Any], teacher_net: Callable[[str], nn.Module] | None
) -> Members:
    """What each network of a pack learns from: its transfer set, and its teacher's logits on that or the teacher."""
    drawn: dict[tuple[str, Classes | None], tuple[Data, Any]] = {}
    for network in pack.networks:
        key = network.data.id, network.transfer
        if key not in drawn:
            whole = load_data(network.data)
            drawn[key] = (whole, slice(None)) if network.transfer is None else select_classes(whole, network.transfer)
    own = [drawn[network.data.id, network.transfer] for network in pack.networks]
    data = [one for one, _ in own]
    if pack.networks[0].data.settings.jitter and pack.teacher_ids:
        assert teacher_net is not None
        nets = {name: teacher_net(name) for name in pack.teacher_ids}
        taught = [nets[network.teacher.id] if network.teacher else None for network in pack.networks]
        return Members(list(pack.networks), data, [None] * len(data), taught)
    soft = {name: teacher_logits(name) for name in pack.teacher_ids}
    logits = [
        soft[network.teacher.id][places] if network.teacher else None
        for network, (_, places) in zip(pack.networks, own, strict=True)
    ]
    return Members(list(pack.networks), data, logits)


@dataclass
class _Fitted:
    """A part of a pack after training."""

    members: Members
    model: Stack
    diverged: list[int | None]  # the epoch after which a member's numbers were not finite
    logits: list[Logits]
    curves: list[list[dict[str, Any]]]

    def result(self, i: int, keep_weights: bool, where: dict[str, Any]) -> Trained:
        network, epoch, logits = self.members.networks[i], self.diverged[i], self.logits[i]
        if epoch is None and not all(np.isfinite(split).all() for split in logits.values()):
            epoch = network.train.epochs  # finite weights whose products overflow
        if epoch is not None:
            reason = f"{DIVERGED}: numbers are no longer finite after epoch {epoch} of {network.train.epochs}"
            return Trained(network, make_failed_row(network, reason, **where))
        teacher, data = network.model == TEACHER, self.members.data[i]
        figures = shift_biases(network, data, logits, self.model, i)
        figures |= evaluate(network, data, logits)
        if network.transfer is not None:
            figures[N_TRAIN] = len(data.y_train)
        if self.curves[i]:
            figures[LEARNING_CURVE] = self.curves[i]
        return Trained(
            network,
            make_row(network, **figures, **where),
            logits=logits if teacher else None,
            weights=self.model.state(i) if teacher or keep_weights else None,
        )


def _train_part(members: Members, device: str, dtype: torch.dtype) -> _Fitted:
    precision = product_precision(members.networks[0], dtype)

    def logits(model: Stack, splits: Sequence[str]) -> list[Logits]:
        return _logits(model, members, splits, device, precision)

    curves: list[list[dict[str, Any]]] = [[] for _ in members.networks]

    def record(epoch: int, model: Stack) -> None:
        wanted = [i for i, n in enumerate(members.networks) if _records(n, epoch)]
        found = logits(model, ("train", "val")) if wanted else []
        for i in wanted:
            curves[i].append({EPOCH: epoch, **measure_learning_point(found[i], members.data[i])})

    model, diverged = fit(members, device, dtype, after_epoch=record)
    splits = ("train", "val", "test") if members.networks[0].model == TEACHER else ("val", "test")
    return _Fitted(members, model, diverged, logits(model, splits), curves)


def _records(network: Network, epoch: int) -> bool:
    every = network.train.eval_every
    return bool(every) and (epoch % every == 0 or epoch == network.train.epochs)


@torch.inference_mode()
def _logits(model: Stack, members: Members, splits: Sequence[str], device: str, precision: torch.dtype) -> list[Logits]:
    """Logits of every member on some splits, in evaluation mode."""
    found: list[Logits] = [{} for _ in members.networks]
    distinct, of = members.distinct
    features = distinct[0].x_train.shape[1]
    for split in splits:
        xs = [append_ones(getattr(one, f"x_{split}"), precision) for one in distinct]
        parts = []
        for start in range(0, len(xs[0]), EVAL_BATCH):
            batches = [x[start : start + EVAL_BATCH] for x in xs]
            batch = torch.stack(batches if len(xs) == 1 else [batches[place] for place in of]).to(device)
            rows = pad(batch, (0, 0, 0, pad_to_lane(batch.shape[1]) - batch.shape[1]))
            z = model.forward(Inputs.of(rows, features, model.pack, batch.shape[1]))  # (pack, classes, examples)
            parts.append(z.transpose(1, 2).to("cpu", torch.float32, copy=True))
        for i, logits in enumerate(torch.cat(parts, dim=1).numpy()):  # (pack, examples, classes)
            found[i][split] = logits
    return found


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"
