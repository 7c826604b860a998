"""What the members of a pack learn from: who they are, and batches laid out for the stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kdtune.data.splits import Data
from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.plan.network import Network
from kdtune.stacked.losses import gradient_weights, soft_targets
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.train.jitter import Jitter

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
    teacher_nets: list[nn.Module | None] | None = None  # instead of logits, where images are shifted on the fly

    def pick(self, places: list[int]) -> Members:
        """Some of them."""
        nets = self.teacher_nets
        return Members(
            [self.networks[i] for i in places],
            [self.data[i] for i in places],
            [self.teacher_logits[i] for i in places],
            None if nets is None else [nets[i] for i in places],
        )

    @property
    def sources(self) -> tuple[list[int], list[int]]:
        """(first member of each, source of each member): members of one draw, order and teacher share their batches.

        A baseline, which has no teacher, is in a source of one that has, if there is any.
        """
        homes: dict[tuple[str, int], str] = {}
        for network in self.networks:
            if network.teacher:
                homes.setdefault((network.data.id, network.order_seed), network.teacher.id)
        firsts: dict[tuple[str, int, str | None], int] = {}
        of = []
        for i, network in enumerate(self.networks):
            batches = network.data.id, network.order_seed
            key = *batches, network.teacher.id if network.teacher else homes.get(batches)
            firsts.setdefault(key, i)
            of.append(list(firsts).index(key))
        return list(firsts.values()), of

    @property
    def distinct(self) -> tuple[list[Data], list[int]]:
        """Each data set once, and which is whose."""
        places: dict[int, int] = {}
        of = [places.setdefault(id(data), len(places)) for data in self.data]
        return [self.data[of.index(place)] for place in range(len(places))], of


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

        # All data sets one below the other, each once; all sources' logits too: one gather serves them all.
        distinct, place_of = members.distinct
        self.offsets = torch.tensor([[place_of[i] * self.n_train] for i in firsts], device=device)
        self.logit_offsets = torch.arange(len(firsts), device=device).view(-1, 1) * self.n_train
        self.x = torch.cat([append_ones(data.x_train, precision) for data in distinct]).to(device)
        self.y = torch.cat([torch.from_numpy(data.y_train) for data in distinct]).to(device)
        self.of = torch.tensor(of, device=device) if len(firsts) not in (1, self.pack) else None
        self.jitter = Jitter.of([networks[i] for i in firsts], device)
        self.logits = None
        self.nets: list[nn.Module | None] = []
        taught = len(self.hard) < self.pack
        if taught and self.jitter and members.teacher_nets:
            found = [_only(members, of, members.teacher_nets, source) for source in range(len(firsts))]
            self.nets = [None if net is None else net.to(device, dtype) for net in found]
        elif taught:
            none = np.zeros((self.n_train, self.n_classes), np.float32)
            logits = [_only(members, of, members.teacher_logits, source) for source in range(len(firsts))]
            self.logits = torch.cat([torch.tensor(np.asarray(none if v is None else v)) for v in logits])
            self.logits = self.logits.to(device, dtype)
        row = self.x.shape[1] * self.x.element_size()
        sources = len(firsts) + (self.pack if self.of is not None else 0)
        step_bytes = self.size * (sources * row + self.pack * self.n_classes * self.T.element_size())
        self.stretch = min(STRETCH_STEPS, max(1, STRETCH_BYTES[device.split(":")[0]] // step_bytes))

    def epoch(self, epoch: int) -> Iterator[Tensor]:
        """The examples of each stretch of steps, (sources, examples), as rows of their own training parts."""
        orders = [np.random.default_rng([seed, epoch]).permutation(self.n_train) for seed in self.orders]
        order = torch.from_numpy(np.stack(orders)).to(self.device)
        if self.jitter:
            self.jitter.start(epoch, self.n_train)
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
        rows = torch.cat([picked, picked[:, :1].expand(-1, pad_to_lane(size) - size)], dim=1)
        x = self.x.index_select(0, (rows + self.offsets).reshape(-1)).view(sources, rows.shape[1], -1)
        if self.jitter:
            self.jitter.shift(x, rows)
        v = self._taught(x, picked)  # (sources, examples, classes)
        if self.of is not None:
            x = x.index_select(0, self.of)
        by_step = (picked + self.offsets).view(sources, -1, size).transpose(0, 1)  # (steps, sources, batch)
        labels = self._one_hot(by_step) if self.mixed or len(self.hard) else None
        if v is None:
            assert labels is not None
            targets = labels.expand(-1, self.pack, -1, -1)
        else:
            # (steps, 1 or pack, classes, batch)
            v = self._of_members(v.view(sources, -1, size, self.n_classes).permute(1, 0, 3, 2))
            targets = soft_targets(v.contiguous(), self.T)
            if labels is not None and len(self.hard):
                targets[:, self.hard] = labels if labels.shape[1] == 1 else labels[:, self.hard]
        inputs = Inputs.batches(x, self.n_features, self.pack, size)
        weighed = labels.unbind() if self.mixed and labels is not None else [None] * len(inputs)
        return map(Batch, inputs, targets.unbind(), weighed)

    def _taught(self, x: Tensor, picked: Tensor) -> Tensor | None:
        """The teachers' logits, (sources, examples, classes): cached, or of the shifted images."""
        if self.logits is not None:
            return self.logits[picked + self.logit_offsets]
        if not self.nets:
            return None
        own = x[:, : picked.shape[1], : self.n_features].to(self.T.dtype)
        none = own.new_zeros(picked.shape[1], self.n_classes)
        with torch.no_grad():
            return torch.stack([none if net is None else net(one) for net, one in zip(self.nets, own, strict=True)])

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


def _only(members: Members, of: list[int], values: Sequence[Any], source: int) -> Any | None:
    """What the students of a source learn from; they have one teacher."""
    return next((v for v, place in zip(values, of, strict=True) if place == source and v is not None), None)
