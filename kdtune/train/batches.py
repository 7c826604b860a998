"""The batches of a stack: which examples each step takes, laid out as the stack reads them.

Batches are laid out for a chunk of steps at once. A chunk is long enough to spread the cost of each operation
over many steps, and short enough to be in the cache still when its steps read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.plan.network import Network
from kdtune.stacked.losses import soft_targets
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.train.jitter import Jitter
from kdtune.train.members import Members

Value = TypeVar("Value")

# A chunk for a CPU stays in its second-level cache. A GPU has no such cache to fit, and replays a whole chunk
# as one CUDA graph.
CHUNK_BYTES = {"cpu": 2 << 20, "cuda": 1 << 28}
MAX_CHUNK_STEPS = 128


class Batch(NamedTuple):
    """What one training step reads."""

    x: Inputs
    targets: Tensor  # (pack, classes, batch): soft targets, or one-hot labels of members that learn from labels alone
    labels: Tensor | None  # (1 or pack, classes, batch), one-hot; None if no member's loss has a hard term


class Batches:
    """The batches of every epoch, for each member in its own order.

    The data sets of all members lie one below the other in one matrix, each once, and so do the teachers' logits:
    one gather serves all members. The letters ``T``, ``a`` and ``w`` are those of the loss, see ``losses``.

    Parameters
    ----------
    members : the networks of one stack.
    device : ``"cpu"`` or ``"cuda"``.
    dtype : of logits, targets and loss.
    precision : of the inputs, that of the matrix products.
    """

    def __init__(self, members: Members, device: str, dtype: torch.dtype, precision: torch.dtype) -> None:
        networks, sources = members.networks, members.sources
        source_networks = [networks[i] for i in sources.first_members]
        self.device, self.dtype = device, dtype
        self.n_members, self.n_sources = len(networks), len(source_networks)
        self.n_train, self.n_features = members.data[0].x_train.shape
        self.n_classes = members.data[0].n_classes
        self.batch_size = networks[0].train.batch_size
        self.order_seeds = [network.order_seed for network in source_networks]
        self.jitter = Jitter.from_networks(source_networks, device)

        # None where no index is needed: one source serves all members, or each member has its own.
        self.source_of_member = None
        if 1 < self.n_sources < self.n_members:
            self.source_of_member = torch.tensor(sources.source_of_member, device=device)

        self._store_loss_settings(networks)
        self._store_examples(members, precision)
        self._store_teachers(members)
        self.chunk_steps = self._choose_chunk_steps()

    def _store_loss_settings(self, networks: Sequence[Network]) -> None:
        """Store T, a and w, (pack, 1, 1) each; a network that learns from labels alone has 1, 1 and 0."""
        T, a, w, label_only_members = [], [], [], []
        for i, network in enumerate(networks):
            distill = network.distill
            T.append(distill.T if distill else 1.0)
            a.append(distill.T**2 if distill and distill.scale_T2 else 1.0)
            w.append(distill.hard_weight if distill else 0.0)
            if distill is None:
                label_only_members.append(i)
        self.T = self._make_column(T)
        self.a = self._make_column(a)
        self.w = self._make_column(w)
        self.has_hard_term = any(w)
        self.label_only_members = torch.tensor(label_only_members, dtype=torch.long, device=self.device)

    def _make_column(self, values: Sequence[float]) -> Tensor:
        """Return one value per member as (pack, 1, 1)."""
        return torch.tensor(values, dtype=self.dtype, device=self.device).view(-1, 1, 1)

    def _store_examples(self, members: Members, precision: torch.dtype) -> None:
        """Store the training examples of all data sets, each data set once."""
        distinct_data = members.distinct_data
        x = [append_ones(data.x_train, precision) for data in distinct_data.data_sets]
        y = [torch.from_numpy(data.y_train) for data in distinct_data.data_sets]
        self.x = torch.cat(x).to(self.device)  # (examples of all, padded(features + 1))
        self.y = torch.cat(y).to(self.device)  # (examples of all,)
        # (sources, 1): the row of ``x`` and ``y`` at which the data set of each source starts.
        starts = [[distinct_data.data_set_of_member[i] * self.n_train] for i in members.sources.first_members]
        self.data_starts = torch.tensor(starts, device=self.device)

    def _store_teachers(self, members: Members) -> None:
        """Store what soft targets are computed from: the teachers themselves where images are shifted, else logits."""
        self.teacher_nets: list[nn.Module | None] = []  # one per source
        self.teacher_logits: Tensor | None = None  # (sources * n_train, classes)
        # (sources, 1): the row of ``teacher_logits`` at which those of each source start.
        self.logit_starts = torch.arange(self.n_sources, device=self.device).view(-1, 1) * self.n_train
        if len(self.label_only_members) == self.n_members:
            return
        source_of_member = members.sources.source_of_member
        if self.jitter and members.teacher_nets:
            nets = _select_by_source(members.teacher_nets, source_of_member)
            self.teacher_nets = [None if net is None else net.to(self.device, self.dtype) for net in nets]
            return
        no_logits = np.zeros((self.n_train, self.n_classes), np.float32)
        logits = _select_by_source(members.teacher_logits, source_of_member)
        rows = [torch.tensor(np.asarray(no_logits if values is None else values)) for values in logits]
        self.teacher_logits = torch.cat(rows).to(self.device, self.dtype)

    def _choose_chunk_steps(self) -> int:
        """Return how many steps are laid out at once, by what one step's batches take of the cache."""
        input_copies = self.n_sources
        if self.source_of_member is not None:
            input_copies += self.n_members
        input_bytes = input_copies * self.x.shape[1] * self.x.element_size()
        target_bytes = self.n_members * self.n_classes * self.dtype.itemsize
        step_bytes = self.batch_size * (input_bytes + target_bytes)
        device_kind = self.device.split(":")[0]
        return min(MAX_CHUNK_STEPS, max(1, CHUNK_BYTES[device_kind] // step_bytes))

    def draw_chunks(self, epoch: int) -> Iterator[Tensor]:
        """Yield the examples of each chunk of steps of an epoch, every example once.

        A last batch that is shorter than the others makes a chunk of its own.

        Yields
        ------
        (sources, examples), indices into the training part of each source.
        """
        orders = [np.random.default_rng([seed, epoch]).permutation(self.n_train) for seed in self.order_seeds]
        order = torch.from_numpy(np.stack(orders)).to(self.device)
        if self.jitter:
            self.jitter.draw(epoch, self.n_train)
        end_of_full_batches = self.n_train - self.n_train % self.batch_size
        chunk_examples = self.chunk_steps * self.batch_size
        for start in range(0, end_of_full_batches, chunk_examples):
            yield order[:, start : min(start + chunk_examples, end_of_full_batches)]
        if end_of_full_batches < self.n_train:
            yield order[:, end_of_full_batches:]

    def count_steps(self, examples: Tensor) -> int:
        """Return the number of steps of a chunk."""
        return math.ceil(examples.shape[1] / self.batch_size)

    def lay_out(self, examples: Tensor) -> list[Batch]:
        """Return the batches of one chunk of steps.

        Parameters
        ----------
        examples : (sources, examples), a chunk of ``draw_chunks``.
        """
        batch_size = min(self.batch_size, examples.shape[1])
        x = self._gather_inputs(examples, batch_size)
        teacher_logits = self._compute_teacher_logits(x, examples)  # (sources, examples, classes)
        labels = None
        if self.has_hard_term or len(self.label_only_members):
            labels = self._make_one_hot_labels(examples, batch_size)
        targets = self._make_targets(teacher_logits, labels, batch_size)
        if self.source_of_member is not None:
            x = x.index_select(0, self.source_of_member)
        inputs = Inputs.split_into_batches(x, self.n_features, self.n_members, batch_size)
        labels_by_step: Sequence[Tensor | None] = [None] * len(inputs)
        if labels is not None and self.has_hard_term:
            labels_by_step = labels.unbind()
        return [Batch(*step) for step in zip(inputs, targets.unbind(), labels_by_step, strict=True)]

    def _gather_inputs(self, examples: Tensor, batch_size: int) -> Tensor:
        """Return (sources, examples + padding, padded(features + 1)), shifted where images are jittered.

        The stack reads the columns of a batch up to a multiple of 16, beyond its end into the next batch. The last
        batch has no next one, so that as many copies of the first example follow it.
        """
        padding = examples[:, :1].expand(-1, pad_to_lane(batch_size) - batch_size)
        padded_examples = torch.cat([examples, padding], dim=1)
        x = self.x.index_select(0, (padded_examples + self.data_starts).reshape(-1)).view(*padded_examples.shape, -1)
        if self.jitter:
            self.jitter.shift(x, padded_examples)
        return x

    def _compute_teacher_logits(self, x: Tensor, examples: Tensor) -> Tensor | None:
        """Return (sources, examples, classes), from the cache or, for shifted images, from the teachers themselves."""
        if self.teacher_logits is not None:
            return self.teacher_logits[examples + self.logit_starts]
        if not self.teacher_nets:
            return None
        images = x[:, : examples.shape[1], : self.n_features].to(self.dtype)
        no_logits = images.new_zeros(examples.shape[1], self.n_classes)
        with torch.no_grad():
            return torch.stack(
                [
                    no_logits if net is None else net(source_images)
                    for net, source_images in zip(self.teacher_nets, images, strict=True)
                ]
            )

    def _make_one_hot_labels(self, examples: Tensor, batch_size: int) -> Tensor:
        """Return (steps, 1 or pack, classes, batch)."""
        rows = (examples + self.data_starts).view(self.n_sources, -1, batch_size).transpose(0, 1)
        y = self.y[rows].unsqueeze(2)  # (steps, sources, 1, batch)
        zeros = torch.zeros(*y.shape[:2], self.n_classes, batch_size, dtype=self.dtype, device=self.device)
        return self._repeat_for_members(zeros.scatter_(2, y, 1))

    def _make_targets(self, teacher_logits: Tensor | None, labels: Tensor | None, batch_size: int) -> Tensor:
        """Return (steps, pack, classes, batch): soft targets, and labels for members that learn from these alone."""
        if teacher_logits is None:
            assert labels is not None
            return labels.expand(-1, self.n_members, -1, -1)
        by_step = teacher_logits.view(self.n_sources, -1, batch_size, self.n_classes).permute(1, 0, 3, 2)
        v = self._repeat_for_members(by_step)  # (steps, 1 or pack, classes, batch)
        targets = soft_targets(v.contiguous(), self.T)
        if labels is not None and len(self.label_only_members):
            is_shared = labels.shape[1] == 1
            targets[:, self.label_only_members] = labels if is_shared else labels[:, self.label_only_members]
        return targets

    def _repeat_for_members(self, values: Tensor) -> Tensor:
        """Return (steps, sources, ...) as (steps, 1 or pack, ...)."""
        if self.source_of_member is None:
            return values
        return values.index_select(1, self.source_of_member)


def _select_by_source(values: Sequence[Value | None], source_of_member: Sequence[int]) -> list[Value | None]:
    """Return one value per source: that of its first member that has one. Members of a source have one teacher."""
    selected: list[Value | None] = [None] * (max(source_of_member) + 1)
    for value, source in zip(values, source_of_member, strict=True):
        if selected[source] is None:
            selected[source] = value
    return selected
