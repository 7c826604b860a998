"""Train one pack: from networks to rows, logits and weights. Knows torch; no Ray, no files."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdtune import metrics
from kdtune.data import Data, load
from kdtune.identity import stream
from kdtune.losses import distillation_gradient, soft_targets
from kdtune.models import StackedMLP, aligned_rows
from kdtune.plan import Network, Pack
from kdtune.rows import failed_row, row
from kdtune.settings import Train
from kdtune.table import DIVERGED, TEACHER

# Examples that are evaluated at once. A constant: the size of a product may change its last bits.
EVAL_BATCH = 1000

Logits = dict[str, Any]  # "train", "val", "test": arrays of (examples, classes), float32


@dataclass
class Trained:
    """What training one network gave."""

    network: Network
    row: dict[str, Any]
    logits: Logits | None = None  # a teacher's
    weights: dict[str, Tensor] | None = None


@dataclass
class Members:
    """What the members of a pack learn from, one entry each."""

    data: list[Data]  # all the same object where they share their data
    networks: list[Network]
    teacher_logits: Any | None  # (examples, classes) on the training part; None if all learn from labels

    @property
    def share_data(self) -> bool:
        return len({network.data.id for network in self.networks}) == 1


def train_pack(
    pack: Pack,
    teacher_logits: Callable[[str], Any] = lambda _: None,
    keep_weights: bool = False,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> list[Trained]:
    """Train the networks of a pack together.

    Parameters
    ----------
    pack : networks that share layers, training settings and, unless they are teachers, data.
    teacher_logits : gives a teacher's logits on the training part, (examples, classes), by its id.
    keep_weights : keep the students' weights too; a teacher's always are.
    device : ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    One ``Trained`` a network. A member that diverged has a row of status ``failed`` and nothing else.
    """
    if len(pack.teachers) > 1:
        raise ValueError(f"the students of a pack learn from one teacher, not {len(pack.teachers)}")
    start = time.perf_counter()
    members = Members(
        data=[load(network.data) for network in pack.networks],
        networks=list(pack.networks),
        teacher_logits=next((teacher_logits(name) for name in pack.teachers), None),
    )
    model, diverged = fit(members, device, dtype)
    splits = ("train", "val", "test") if pack.networks[0].model == TEACHER else ("val", "test")
    logits = _logits(model, members, splits, device, dtype)
    seconds = (time.perf_counter() - start) / len(pack.networks)
    where: dict[str, Any] = {"device": _device_name(device), "host": platform.node(), "seconds": seconds}
    results: list[Trained] = []
    for i, network in enumerate(pack.networks):
        if diverged[i] is None and not all(np.isfinite(part).all() for part in logits[i].values()):
            diverged[i] = network.train.epochs  # finite weights whose products overflow
        if diverged[i] is not None:
            reason = f"{DIVERGED}: numbers are no longer finite after epoch {diverged[i]} of {network.train.epochs}"
            results.append(Trained(network, failed_row(network, reason, **where)))
            continue
        figures = evaluate(network, members.data[i], logits[i])
        teacher = network.model == "teacher"
        results.append(
            Trained(
                network,
                row(network, **figures, **where),
                logits=logits[i] if teacher else None,
                weights=model.state(i) if teacher or keep_weights else None,
            )
        )
    return results


def fit(
    members: Members, device: str, dtype: torch.dtype, steps: int | None = None
) -> tuple[StackedMLP, list[int | None]]:
    """Train a stack; ``steps`` stops early, for tests and timing.

    Returns the model and, for each member, the epoch after which its parameters were not finite.
    """
    first = members.networks[0]
    settings = first.train
    model = StackedMLP(first.layers, [n.weights_seed for n in members.networks], first.shape.dropout, dtype, device)
    optimizer = make_optimizer(model, settings)
    source = _Batches(members, device, dtype)
    masks = _Masks(members, device, dtype) if first.shape.dropout and first.shape.sizes else None
    diverged: list[int | None] = [None] * model.pack
    taken = 0
    for epoch in range(settings.epochs):
        if masks:
            masks.start(epoch)
        for x, targets, labels in source.epoch(epoch):
            z = model.forward(x, masks.draw(x.shape[-2]) if masks else None)  # (pack, classes, batch)
            model.backward(x, distillation_gradient(z, targets, labels, source.T, source.a, source.w))
            optimizer.step()
            taken += 1
            if taken == steps:
                return model, diverged
        for i, finite in enumerate(model.finite().tolist()):
            if not finite and diverged[i] is None:
                diverged[i] = epoch + 1
    return model, diverged


def make_optimizer(model: StackedMLP, settings: Train) -> torch.optim.Optimizer:
    """An ordinary optimizer over the flat buffer: elementwise, so each member has its own.

    Adam's eps is Keras' 1e-7, not torch's 1e-8.
    """
    flat = torch.nn.Parameter(model.flat, requires_grad=False)
    flat.grad = model.gradient
    decay = settings.weight_decay or 0.0
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam([flat], lr=settings.lr, eps=1e-7, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW([flat], lr=settings.lr, eps=1e-7, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD([flat], lr=settings.lr, momentum=settings.momentum, weight_decay=decay, fused=True)


class _Batches:
    """Batches of x, soft targets and labels, in each member's order."""

    def __init__(self, members: Members, device: str, dtype: torch.dtype) -> None:
        networks = members.networks
        self.size = networks[0].train.batch_size
        # Where the data are shared, one copy of each batch serves the whole pack.
        self.sources = range(1 if members.share_data else len(networks))
        self.orders = [networks[i].order_seed for i in self.sources]
        self.x = [aligned_rows(members.data[i].x_train, dtype).to(device) for i in self.sources]
        self.n_features = members.data[0].x_train.shape[1]
        self.y = [torch.from_numpy(members.data[i].y_train).to(device) for i in self.sources]
        self.n_classes = members.data[0].n_classes

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device).view(-1, 1, 1)

        distills = [network.distill for network in networks]
        self.T = column([d.T if d else 1.0 for d in distills])
        self.a = column([d.T**2 if d and d.scale_T2 else 1.0 for d in distills])
        self.w = column([d.hard_weight if d else 0.0 for d in distills])
        self.hard = bool(self.w.any())
        self.soft = torch.tensor([i for i, d in enumerate(distills) if d], dtype=torch.long, device=device)
        v = members.teacher_logits
        self.logits = None if v is None else torch.tensor(np.asarray(v)).to(device, dtype)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """x (1 or pack, batch, features), targets (pack, classes, batch), labels (1 or pack, classes, batch)."""
        n = len(self.y[0])
        orders = [
            torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(n)).to(self.x[0].device)
            for seed in self.orders
        ]
        for start in range(0, n, self.size):
            picked = [order[start : start + self.size] for order in orders]
            x = torch.empty(len(picked), len(picked[0]), self.x[0].shape[1], dtype=self.T.dtype, device=self.T.device)
            for one, pick, out in zip(self.x, picked, x, strict=True):
                torch.index_select(one, 0, pick, out=out)
            labels = self._one_hot([y[pick] for y, pick in zip(self.y, picked, strict=True)])
            targets = labels.expand(len(self.T), -1, -1)
            if self.logits is not None:
                targets = targets.clone()
                v = self.logits[picked[0]].T  # (classes, batch)
                targets[self.soft] = soft_targets(v, self.T[self.soft])
            yield x[..., : self.n_features], targets, labels if self.hard else None

    def _one_hot(self, y: list[Tensor]) -> Tensor:
        """(1 or pack, classes, batch)."""
        index = torch.stack(y).unsqueeze(1)
        zeros = torch.zeros(len(y), self.n_classes, index.shape[-1], dtype=self.T.dtype, device=self.T.device)
        return zeros.scatter_(1, index, 1)


class _Masks:
    """Dropout masks, keyed by network and epoch, drawn for all layers of a step at once.

    16 random bits a unit: the rate is met to 1 / 65536. torch's own Bernoulli draws cost several
    times as much as the matrix products that they mask.
    """

    def __init__(self, members: Members, device: str, dtype: torch.dtype) -> None:
        first = members.networks[0]
        self.ids = [network.id for network in members.networks]
        self.ends = list(itertools.accumulate(first.shape.sizes))
        self.threshold = round(first.shape.dropout * 65536)
        self.scale = 1 / (1 - first.shape.dropout)
        self.device, self.dtype = device, dtype
        self.buffers: dict[int, Tensor] = {}
        self.generators: list[np.random.SFC64] = []

    def start(self, epoch: int) -> None:
        self.generators = [np.random.SFC64(stream("dropout", name, epoch)) for name in self.ids]

    def draw(self, batch: int) -> list[Tensor]:
        """The factors of each layer, (pack, features, batch)."""
        units = self.ends[-1] * batch
        mask = self.buffers.setdefault(batch, torch.empty(len(self.ids), self.ends[-1], batch, dtype=self.dtype))
        for generator, member in zip(self.generators, mask.numpy(), strict=True):
            bits = generator.random_raw(-(-units // 4)).view(np.uint16)[:units].reshape(member.shape)
            np.multiply(bits >= self.threshold, self.scale, out=member, casting="same_kind")
        on_device = mask.to(self.device)
        return [on_device[:, start:end] for start, end in itertools.pairwise([0, *self.ends])]


def _logits(
    model: StackedMLP, members: Members, splits: Sequence[str], device: str, dtype: torch.dtype
) -> list[Logits]:
    """Logits of every member on some splits, in evaluation mode."""
    found: list[Logits] = [{} for _ in members.networks]
    for split in splits:
        data = members.data[:1] if members.share_data else members.data
        n_features = data[0].x_train.shape[1]
        xs = [aligned_rows(getattr(one, f"x_{split}"), dtype) for one in data]
        parts = []
        for start in range(0, len(xs[0]), EVAL_BATCH):
            part = [x[start : start + EVAL_BATCH] for x in xs]
            batch = torch.stack(part).to(device)[..., :n_features]
            parts.append(model.forward(batch).transpose(1, 2).cpu().clone())  # (pack, batch, classes)
        for i, logits in enumerate(torch.cat(parts, dim=1).numpy()):
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
