"""What the members of a pack learn from: who they are, and batches laid out for the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kdtune.data import Data
from kdtune.layout import Inputs, with_ones
from kdtune.losses import gradient_weights, soft_targets
from kdtune.network import Network
from kdtune.sizes import padded

# Batches are laid out a stretch at a time: long enough to spread the cost of each operation, short
# enough to be in the cache still when a step reads them. A GPU has no such cache, and replays a
# stretch as one graph.
STRETCH_BYTES = {"cpu": 2 << 20, "cuda": 1 << 28}
STRETCH_STEPS = 128


@dataclass
class Members:
    """The networks of a pack and what each learns from, one entry a member."""

    networks: list[Network]
    data: list[Data]  # the same object for members that share it
    teacher_logits: list[Any | None]  # (examples, classes) on the training part; None: from labels alone

    def pick(self, places: list[int]) -> Members:
        """Some of them."""
        return Members(
            [self.networks[i] for i in places], [self.data[i] for i in places], [self.teacher_logits[i] for i in places]
        )

    @property
    def sources(self) -> tuple[list[int], list[int]]:
        """(first member of each, source of each member): members of one draw of data share their batches."""
        firsts: dict[tuple[str, int], int] = {}
        for i, network in enumerate(self.networks):
            firsts.setdefault((network.data.id, network.order_seed), i)
        places = {key: place for place, key in enumerate(firsts)}
        return list(firsts.values()), [places[n.data.id, n.order_seed] for n in self.networks]


class Batch(NamedTuple):
    """One step's worth."""

    x: Inputs
    targets: Tensor  # (pack, classes, batch)
    labels: Tensor | None  # (1 or pack, classes, batch), one-hot; None if no member weighs them


class Batches:
    """The batches of every epoch, in each member's order."""

    def __init__(self, members: Members, device: str, dtype: torch.dtype, precision: torch.dtype) -> None:
        networks = members.networks
        firsts, of = members.sources
        self.size = networks[0].train.batch_size
        self.pack, self.device = len(networks), device
        self.orders = [networks[i].order_seed for i in firsts]
        self.n_train = len(members.data[0].y_train)
        self.n_features, self.n_classes = members.data[0].x_train.shape[1], members.data[0].n_classes

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device).view(-1, 1, 1)

        distills = [network.distill for network in networks]
        self.T = column([d.T if d else 1.0 for d in distills])
        self.a = column([d.T**2 if d and d.scale_T2 else 1.0 for d in distills])
        self.w = column([d.hard_weight if d else 0.0 for d in distills])
        self.mixed = any(d and d.hard_weight for d in distills)
        self.hard = torch.tensor([i for i, d in enumerate(distills) if not d], dtype=torch.long, device=device)

        # All sources one below the other: one gather serves them all.
        self.offsets = torch.arange(len(firsts)).view(-1, 1) * self.n_train
        self.x = torch.cat([with_ones(members.data[i].x_train, precision) for i in firsts]).to(device)
        self.y = torch.cat([torch.from_numpy(members.data[i].y_train) for i in firsts]).to(device)
        self.of = torch.tensor(of, device=device) if len(firsts) not in (1, self.pack) else None
        self.logits = None
        if len(self.hard) < self.pack:
            none = np.zeros((self.n_train, self.n_classes), np.float32)
            taught = [self._logits(members, of, source) for source in range(len(firsts))]
            self.logits = torch.cat([torch.tensor(np.asarray(none if v is None else v)) for v in taught])
            self.logits = self.logits.to(device, dtype)
        row = self.x.shape[1] * self.x.element_size()
        sources = len(firsts) + (self.pack if self.of is not None else 0)
        step_bytes = self.size * (sources * row + self.pack * self.n_classes * self.T.element_size())
        self.stretch = min(STRETCH_STEPS, max(1, STRETCH_BYTES[device.split(":")[0]] // step_bytes))

    @staticmethod
    def _logits(members: Members, of: list[int], source: int) -> Any | None:
        """The logits that the students of one draw of data learn from."""
        found = {
            network.teacher.id: logits
            for network, logits, place in zip(members.networks, members.teacher_logits, of, strict=True)
            if network.teacher and place == source
        }
        if len(found) > 1:
            raise ValueError(f"students that share their data learn from one teacher, not {len(found)}")
        return next(iter(found.values()), None)

    def epoch(self, epoch: int) -> Iterator[Tensor]:
        """The examples of each stretch of steps, (sources, examples), as rows of ``x``."""
        orders = [np.random.default_rng([seed, epoch]).permutation(self.n_train) for seed in self.orders]
        order = (torch.from_numpy(np.stack(orders)) + self.offsets).to(self.device)
        whole = self.n_train - self.n_train % self.size
        for start in range(0, whole, self.stretch * self.size):
            yield order[:, start : min(start + self.stretch * self.size, whole)]
        if whole < self.n_train:
            yield order[:, whole:]

    def lay_out(self, picked: Tensor) -> Iterator[Batch]:
        """The batches of one stretch, from (sources, examples) of ``epoch``."""
        sources, examples = picked.shape
        size = min(self.size, examples)
        # A batch's rows go on into the next one's, up to a multiple of 16; the last's, into any.
        rows = torch.cat([picked, picked[:, :1].expand(-1, padded(size) - size)], dim=1)
        x = self.x.index_select(0, rows.reshape(-1)).view(sources, rows.shape[1], -1)
        if self.of is not None:
            x = x.index_select(0, self.of)
        picked = picked.view(sources, -1, size).transpose(0, 1)  # (steps, sources, batch)
        labels = self._one_hot(picked) if self.mixed or len(self.hard) else None
        if self.logits is None:
            assert labels is not None
            targets = labels.expand(-1, self.pack, -1, -1)
        else:
            v = self._of_members(self.logits[picked].transpose(2, 3))  # (steps, 1 or pack, classes, batch)
            targets = soft_targets(v.contiguous(), self.T)
            if labels is not None and len(self.hard):
                targets[:, self.hard] = labels if labels.shape[1] == 1 else labels[:, self.hard]
        inputs = Inputs.batches(x, self.n_features, self.pack, size)
        weighed = labels.unbind() if self.mixed and labels is not None else [None] * len(inputs)
        return map(Batch, inputs, targets.unbind(), weighed)

    def weights(self, size: int) -> tuple[Tensor, Tensor]:
        """Of the two terms of the gradient, for batches of ``size`` examples."""
        return gradient_weights(self.T, self.a, self.w, size)

    def _one_hot(self, picked: Tensor) -> Tensor:
        """(steps, 1 or pack, classes, batch)."""
        y = self.y[picked].unsqueeze(2)
        zeros = torch.zeros(*y.shape[:2], self.n_classes, y.shape[3], dtype=self.T.dtype, device=self.device)
        return self._of_members(zeros.scatter_(2, y, 1))

    def _of_members(self, values: Tensor) -> Tensor:
        """(steps, sources, ...) as (steps, 1 or pack, ...)."""
        return values if self.of is None else values.index_select(1, self.of)
