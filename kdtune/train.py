"""Train one pack: from networks to rows, logits and weights. Knows torch; no Ray, no files."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from kdtune import metrics
from kdtune.batches import Members
from kdtune.data import Data, load
from kdtune.fit import Stack, cut, fit, precision_of
from kdtune.layout import Inputs, with_ones
from kdtune.network import Network, Pack
from kdtune.rows import failed_row, row
from kdtune.sizes import padded
from kdtune.table import DIVERGED, TEACHER
from kdtune.threads import on_threads

# Examples that are evaluated at once. A constant: the size of a product may change its last bits.
EVAL_BATCH = 1024

Logits = dict[str, Any]  # "train", "val", "test": arrays of (examples, classes), float32


@dataclass
class Trained:
    """What training one network gave."""

    network: Network
    row: dict[str, Any]
    logits: Logits | None = None  # a teacher's
    weights: dict[str, Tensor] | None = None


def train_pack(
    pack: Pack,
    teacher_logits: Callable[[str], Any] = lambda _: None,
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
    keep_weights : keep the students' weights too; a teacher's always are.
    device : ``"cpu"`` or ``"cuda"``.
    threads : of the matrix products and elementwise passes on a CPU.

    Returns
    -------
    One ``Trained`` a network. A member that diverged has a row of status ``failed`` and nothing else.
    """
    start = time.perf_counter()
    soft = {name: teacher_logits(name) for name in pack.teachers}
    members = Members(
        networks=list(pack.networks),
        data=[load(network.data) for network in pack.networks],
        teacher_logits=[soft[network.teacher.id] if network.teacher else None for network in pack.networks],
    )
    parts = cut(members, threads, device)
    fitted = []
    for part in parts:
        # Shared out among threads, the product of a stack of one is cut up, and has other last bits.
        count = min(threads, len(part.networks)) if part.networks[0].exact else threads
        fitted.append(on_threads(count, partial(_train_part, part, device, dtype)))
    seconds = (time.perf_counter() - start) / len(pack.networks)
    where: dict[str, Any] = {"device": _device_name(device), "host": platform.node(), "seconds": seconds}
    results = {
        network.id: one.result(i, keep_weights, where)
        for one in fitted
        for i, network in enumerate(one.members.networks)
    }
    return [results[network.id] for network in pack.networks]


@dataclass
class _Fitted:
    """A part of a pack after training."""

    members: Members
    model: Stack
    diverged: list[int | None]  # the epoch after which a member's numbers were not finite
    logits: list[Logits]

    def result(self, i: int, keep_weights: bool, where: dict[str, Any]) -> Trained:
        network, epoch, logits = self.members.networks[i], self.diverged[i], self.logits[i]
        if epoch is None and not all(np.isfinite(split).all() for split in logits.values()):
            epoch = network.train.epochs  # finite weights whose products overflow
        if epoch is not None:
            reason = f"{DIVERGED}: numbers are no longer finite after epoch {epoch} of {network.train.epochs}"
            return Trained(network, failed_row(network, reason, **where))
        teacher = network.model == TEACHER
        return Trained(
            network,
            row(network, **evaluate(network, self.members.data[i], logits), **where),
            logits=logits if teacher else None,
            weights=self.model.state(i) if teacher or keep_weights else None,
        )


def _train_part(members: Members, device: str, dtype: torch.dtype) -> _Fitted:
    model, diverged = fit(members, device, dtype)
    splits = ("train", "val", "test") if members.networks[0].model == TEACHER else ("val", "test")
    precision = precision_of(members.networks[0], dtype)
    return _Fitted(members, model, diverged, _logits(model, members, splits, device, precision))


@torch.inference_mode()
def _logits(model: Stack, members: Members, splits: Sequence[str], device: str, precision: torch.dtype) -> list[Logits]:
    """Logits of every member on some splits, in evaluation mode."""
    found: list[Logits] = [{} for _ in members.networks]
    firsts, _ = members.sources
    data = [members.data[i] for i in firsts] if len(firsts) == 1 else members.data
    features = data[0].x_train.shape[1]
    for split in splits:
        xs = [with_ones(getattr(one, f"x_{split}"), precision) for one in data]
        parts = []
        for start in range(0, len(xs[0]), EVAL_BATCH):
            batch = torch.stack([x[start : start + EVAL_BATCH] for x in xs]).to(device)
            rows = pad(batch, (0, 0, 0, padded(batch.shape[1]) - batch.shape[1]))
            z = model.forward(Inputs.of(rows, features, model.pack, batch.shape[1]))  # (pack, classes, examples)
            parts.append(z.transpose(1, 2).to("cpu", torch.float32, copy=True))
        for i, logits in enumerate(torch.cat(parts, dim=1).numpy()):  # (pack, examples, classes)
            found[i][split] = logits
    return found


def evaluate(network: Network, data: Data, logits: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a row, from logits on the validation and the test split."""
    T = network.distill.T if network.distill else 1.0
    errors = metrics.num_error(logits["test"], data.y_test)
    val_errors = metrics.num_error(logits["val"], data.y_val)
    return {
        "num_error": errors,
        "accuracy": 1 - errors / len(data.y_test),
        "loss": metrics.nll(logits["test"], data.y_test, T),
        "nll": metrics.nll(logits["test"], data.y_test),
        "ece": metrics.ece(logits["test"], data.y_test),
        "val_num_error": val_errors,
        "val_accuracy": 1 - val_errors / len(data.y_val),
        "val_nll": metrics.nll(logits["val"], data.y_val),
    }


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"
