"""The batches of a stack: the examples of each training step, laid out in memory as the stack reads them.

Batches are laid out for a chunk of steps at once. A chunk is long enough to spread the cost of each operation
over many steps, and short enough to be still in the cache when its steps read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from kdtune.data.mapped_examples import MappedExamples
from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.plan.network import Network
from kdtune.stacked.losses import soft_targets
from kdtune.stacked.memory_layout import Inputs
from kdtune.train.example_rows import read_in_order, store_examples
from kdtune.train.jitter import Jitter
from kdtune.train.members import Members, Sources

Teacher = TypeVar("Teacher")

# On a CPU the batches of a chunk fit into about one core's second-level cache, 2 MiB; on a GPU the limit only bounds
# memory, and longer chunks mean fewer launches.
CHUNK_BYTES = {"cpu": 2 << 20, "cuda": 1 << 28}
MAX_CHUNK_STEPS = 128


class Batch(NamedTuple):
    """The data of one training step."""

    x: Inputs
    targets: Tensor  # (members, classes, batch): soft targets; one-hot labels for members that learn from labels alone
    labels: Tensor | None  # (1 or members, classes, batch), one-hot; None if no member's loss has a hard term


class Batches:
    """The batches of every epoch of the members of a stack.

    A source is a group of members with the same data, order of examples and teacher; they read the same batches.
    The training examples of all data sets are the rows of one matrix, in which each data set occurs once. The logits
    of all teachers are the rows of another, so that one gather from each serves all sources.

    Parameters
    ----------
    members : The networks of one stack, with their data and teachers.
    device : ``"cpu"`` or ``"cuda"``.
    dtype : Type of the logits, the targets and the loss.
    precision : Type of the inputs, which is that of the matrix products.

    Attributes
    ----------
    T : (members, 1, 1), temperature in the loss of each member.
    a : (members, 1, 1), weight of the soft term of the loss, T^2 or 1.
    w : (members, 1, 1), weight of the hard term of the loss. The letters are those of ``losses``.
    batch_size : Number of examples in all batches of an epoch but the last, which may be shorter.
    chunk_steps : Number of steps whose batches are laid out at once.
    jitter : Shifts of the training images; None if images are not shifted.
    """

    def __init__(self, members: Members, device: str, dtype: torch.dtype, precision: torch.dtype) -> None:
        networks, sources = members.networks, members.find_sources()
        source_networks = [networks[i] for i in sources.first_members]
        self.device, self.dtype = device, dtype
        self.n_members, self.n_sources = len(networks), len(source_networks)
        self.n_train, self.n_features = members.data[0].x_train.shape
        self.n_classes = members.data[0].n_classes
        self.batch_size = networks[0].train.batch_size
        self.order_seeds = [network.order_seed for network in source_networks]
        self.jitter = Jitter.from_networks(source_networks, device)

        # (members,), or None if the tensors of the sources serve the members as they are: there is a single source, or
        # source i is that of member i.
        self.source_of_member = None
        if 1 < self.n_sources < self.n_members:
            self.source_of_member = torch.tensor(sources.source_of_member, device=device)

        _assert_teachers(members, has_jitter=self.jitter is not None)
        self._store_loss_settings(networks)
        self._store_examples(members, sources, precision)
        self._store_teachers(members, sources)
        self.chunk_steps = self._choose_chunk_steps()

    def _store_loss_settings(self, networks: Sequence[Network]) -> None:
        """Store T, a and w; a network that learns from labels alone has 1, 1 and 0."""
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
        """Return one value per member as (members, 1, 1)."""
        return torch.tensor(values, dtype=self.dtype, device=self.device).view(-1, 1, 1)

    def _store_examples(self, members: Members, sources: Sources, precision: torch.dtype) -> None:
        """Store the training examples of all data sets, each data set once."""
        distinct_data = members.find_distinct_data()
        data_set_of_source = [distinct_data.data_set_of_member[i] for i in sources.first_members]
        x = [data.x_train for data in distinct_data.data_sets]
        self.examples = store_examples(x, data_set_of_source, precision, self.device)
        y = [torch.from_numpy(data.y_train) for data in distinct_data.data_sets]
        self.y = torch.cat(y).to(self.device)  # (examples of all data sets,)
        # (sources, 1): the row of ``y`` at which the data set of each source starts.
        starts = [[index * self.n_train] for index in data_set_of_source]
        self.data_starts = torch.tensor(starts, device=self.device)

    def _store_teachers(self, members: Members, sources: Sources) -> None:
        """Store the teacher of each source: its module if images are shifted, its logits otherwise."""
        self.teacher_nets: list[nn.Module | None] = []  # one entry per source
        self.teacher_logits: Tensor | None = None  # (sources * n_train, classes)
        self.mapped_logits: list[Any | None] = []  # (n_train, classes) for each source
        # (sources, 1): the row of ``teacher_logits`` at which the logits of each source start.
        self.logit_starts = torch.arange(self.n_sources, device=self.device).view(-1, 1) * self.n_train
        if len(self.label_only_members) == self.n_members:
            return
        if members.teacher_nets is not None:
            nets = select_teachers(members.teacher_nets, sources)
            self.teacher_nets = [None if net is None else net.to(self.device, self.dtype) for net in nets]
            return
        # The logits of all sources form one tensor, so that a source without a teacher needs an entry too. It is not
        # used, since the targets of the members of such a source are labels.
        logits = select_teachers(members.teacher_logits, sources)
        if isinstance(members.data[0].x_train, MappedExamples):  # The logits stay in their file, as the examples do.
            self.mapped_logits = logits
            return
        placeholder_logits = np.zeros((self.n_train, self.n_classes), np.float32)
        rows = [torch.tensor(np.asarray(placeholder_logits if values is None else values)) for values in logits]
        self.teacher_logits = torch.cat(rows).to(self.device, self.dtype)

    def _choose_chunk_steps(self) -> int:
        """Return the largest number of steps whose inputs and targets fit in CHUNK_BYTES, at most MAX_CHUNK_STEPS.

        It is 1 if those of a single step do not fit.
        """
        input_copies = self.n_sources
        if self.source_of_member is not None:
            input_copies += self.n_members
        input_bytes = input_copies * self.examples.width * self.examples.value_bytes
        target_bytes = self.n_members * self.n_classes * self.dtype.itemsize
        step_bytes = self.batch_size * (input_bytes + target_bytes)
        return min(MAX_CHUNK_STEPS, max(1, CHUNK_BYTES[self.device] // step_bytes))

    def draw_chunks(self, epoch: int) -> Iterator[Tensor]:
        """Yield the indices of the examples of each chunk of steps of an epoch, in which each example occurs once.

        A last batch that is shorter than the others is a chunk of its own. With jitter, this draws the shifts of the
        epoch's images too, so that its chunks have to be laid out before those of the next epoch are drawn.

        Yields
        ------
        (sources, steps * batch), indices into the training part of each source.
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

    def count_steps(self, example_indices: Tensor) -> int:
        """Return the number of steps of a chunk."""
        return math.ceil(example_indices.shape[1] / self.batch_size)

    def lay_out(self, example_indices: Tensor) -> list[Batch]:
        """Return the batches of one chunk of steps.

        Parameters
        ----------
        example_indices : (sources, steps * batch), as yielded by ``draw_chunks``.
        """
        batch_size = min(self.batch_size, example_indices.shape[1])
        x = self._gather_inputs(example_indices, batch_size)
        teacher_logits = self._compute_teacher_logits(x, example_indices)  # (sources, steps * batch, classes)
        labels = None
        if self.has_hard_term or len(self.label_only_members):
            labels = self._make_one_hot_labels(example_indices, batch_size)
        targets = self._make_targets(teacher_logits, labels, batch_size)
        if self.source_of_member is not None:
            x = x.index_select(0, self.source_of_member)
        inputs = Inputs.split_into_batches(x, self.n_features, self.n_members, batch_size)
        labels_by_step: Sequence[Tensor | None] = [None] * len(inputs)
        if labels is not None and self.has_hard_term:
            labels_by_step = labels.unbind()
        return [Batch(*step) for step in zip(inputs, targets.unbind(), labels_by_step, strict=True)]

    def _gather_inputs(self, example_indices: Tensor, batch_size: int) -> Tensor:
        """Return the inputs of a chunk, with shifted images if there is jitter.

        The stack reads each batch as a window of padded(batch_size) rows, which overlaps the next batch (see
        ``Inputs.split_into_batches``). The last window needs further rows; these repeat the chunk's first example.

        Returns
        -------
        (sources, steps * batch + further rows, padded(features + 1)).
        """
        further_indices = example_indices[:, :1].expand(-1, round_up_to_alignment(batch_size) - batch_size)
        window_indices = torch.cat([example_indices, further_indices], dim=1)
        x = self.examples.gather(window_indices)
        if self.jitter:
            self.jitter.shift(x, window_indices)
        return x

    def _compute_teacher_logits(self, x: Tensor, example_indices: Tensor) -> Tensor | None:
        """Return the teachers' logits, stored ones or those of the shifted images, (sources, steps * batch, classes).

        Return None if all members learn from labels alone.
        """
        if self.teacher_logits is not None:
            return self.teacher_logits[example_indices + self.logit_starts]
        if self.mapped_logits:
            return self._read_mapped_logits(example_indices)
        if not self.teacher_nets:
            return None
        n_examples = example_indices.shape[1]
        images = x[:, :n_examples, : self.n_features].to(self.dtype)
        placeholder_logits = images.new_zeros(n_examples, self.n_classes)  # as in ``_store_teachers``
        with torch.no_grad():
            return torch.stack(
                [
                    placeholder_logits if net is None else net(source_images)
                    for net, source_images in zip(self.teacher_nets, images, strict=True)
                ]
            )

    def _read_mapped_logits(self, example_indices: Tensor) -> Tensor:
        """Read the logits of a chunk from their files, (sources, steps * batch, classes)."""
        rows = [
            np.zeros((len(indices), self.n_classes), np.float32) if logits is None else read_in_order(logits, indices)
            for logits, indices in zip(self.mapped_logits, example_indices.cpu().numpy(), strict=True)
        ]
        return torch.from_numpy(np.stack(rows)).to(self.device, self.dtype)

    def _make_one_hot_labels(self, example_indices: Tensor, batch_size: int) -> Tensor:
        """Return the labels as one-hot vectors, (steps, 1 or members, classes, batch)."""
        rows = (example_indices + self.data_starts).view(self.n_sources, -1, batch_size).transpose(0, 1)
        y = self.y[rows].unsqueeze(2)  # (steps, sources, 1, batch)
        zeros = torch.zeros(*y.shape[:2], self.n_classes, batch_size, dtype=self.dtype, device=self.device)
        return self._repeat_for_members(zeros.scatter_(2, y, 1))

    def _make_targets(self, teacher_logits: Tensor | None, labels: Tensor | None, batch_size: int) -> Tensor:
        """Return soft targets, or labels for members that learn from labels alone, (steps, members, classes, batch)."""
        if teacher_logits is None:
            assert labels is not None
            return labels.expand(-1, self.n_members, -1, -1)
        # (steps, sources, classes, batch)
        teacher_logits_by_step = teacher_logits.view(self.n_sources, -1, batch_size, self.n_classes).permute(1, 0, 3, 2)
        teacher_logits = self._repeat_for_members(teacher_logits_by_step)  # (steps, 1 or members, classes, batch)
        targets = soft_targets(teacher_logits.contiguous(), self.T)
        if labels is not None and len(self.label_only_members):
            is_shared = labels.shape[1] == 1
            targets[:, self.label_only_members] = labels if is_shared else labels[:, self.label_only_members]
        return targets

    def _repeat_for_members(self, values: Tensor) -> Tensor:
        """Return the entry of each member's source: (steps, sources, ...) as (steps, 1 or members, ...)."""
        if self.source_of_member is None:
            return values
        return values.index_select(1, self.source_of_member)


def _assert_teachers(members: Members, has_jitter: bool) -> None:
    """Assert that each distilled member has a teacher: its module if images are shifted, its logits otherwise."""
    assert has_jitter or members.teacher_nets is None, "the modules of teachers are used with jitter only"
    teachers = members.teacher_nets if has_jitter else members.teacher_logits
    for i, network in enumerate(members.networks):
        if network.distill is not None:
            assert teachers is not None, "a distilled member needs the module of its teacher if images are shifted"
            assert teachers[i] is not None, f"the teacher of network {network.id} is missing"


def select_teachers(teacher_of_member: Sequence[Teacher | None], sources: Sources) -> list[Teacher | None]:
    """Return the teacher's entry of each source, or None.

    All distilled members of a source have the same teacher; baselines in it have None.
    """
    teacher_of_source: list[Teacher | None] = [None] * len(sources.first_members)
    for teacher, source in zip(teacher_of_member, sources.source_of_member, strict=True):
        if teacher_of_source[source] is None:
            teacher_of_source[source] = teacher
    return teacher_of_source
