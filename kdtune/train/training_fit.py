"""How well networks have learned their training set when training ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdtune.columns import LOGIT_STD, TRAIN_LOSS
from kdtune.stacked.losses import soft_targets
from kdtune.stacked.stack import Stack
from kdtune.train.batches import select_teachers
from kdtune.train.evaluate import measure_training_errors
from kdtune.train.logits import iterate_batches
from kdtune.train.members import Members


@torch.inference_mode()
def measure_training_fit(model: Stack, members: Members, device: str) -> list[dict[str, Any]]:
    """Measure the errors, the loss and the spread of the logits of each member on its training set, by column.

    The loss is the mean of what training has minimised (see ``stacked.losses``), in nats: L of distilled students, at
    their T, and the cross-entropy with the labels of the others. It is taken from the network as it is after the last
    epoch, without dropout, on images that are not shifted, and before biases are shifted.

    Numbers that are not finite are None, and so are errors where training examples have no labels. Sums are added up
    batch by batch, so that memory does not grow with the training set, and member by member in float64, so that they
    do not depend on the stack.
    """
    n_train = len(members.data[0].y_train)
    losses, errors, squares = np.zeros((3, len(members.networks)))
    objective = _Objective(members, device)
    for examples, logits in iterate_batches(model, members, "train", device):
        z = logits.to(torch.promote_types(logits.dtype, torch.float32)).contiguous()
        labels = objective.get_labels(examples)
        losses += _sum_over_examples(objective.compute_losses(z, labels, examples))
        errors += _sum_over_examples(_find_predictions(z) != labels)
        squares += _sum_over_examples((z - z.mean(dim=1, keepdim=True)).square_().sum(dim=1))
    fits = []
    for i, data in enumerate(members.data):
        fit = {TRAIN_LOSS: losses[i] / n_train, LOGIT_STD: (squares[i] / (n_train * data.n_classes)) ** 0.5}
        fit = {name: float(value) if np.isfinite(value) else None for name, value in fit.items()}
        if data.has_training_labels and fit[LOGIT_STD] is not None:
            fit |= measure_training_errors(int(errors[i]), n_train)
        fits.append(fit)
    return fits


def _find_predictions(z: Tensor) -> Tensor:
    """Return the class of the largest logit, the first of equal ones, (members, examples).

    This is ``z.argmax(dim=1)``, which took ten times as long: it was three quarters of the whole evaluation.
    """
    n_classes = z.shape[1]
    ranks = torch.arange(n_classes, 0, -1, dtype=z.dtype, device=z.device).unsqueeze(1)
    return n_classes - ((z == z.amax(dim=1, keepdim=True)) * ranks).amax(dim=1)


def _sum_over_examples(values: Tensor) -> Any:
    """Return the sum of the values of each member, (members, examples), as (members,) in float64."""
    with np.errstate(all="ignore"):  # The values of a network that diverged are not finite.
        return values.cpu().numpy().sum(axis=1, dtype=np.float64)


class _Objective:
    """What the members of a stack were trained to minimise, for any examples of their training sets.

    ``Batches`` lays out the same targets for training, in another order of the examples, with images shifted and in
    batches of the size that the settings name.
    """

    def __init__(self, members: Members, device: str) -> None:
        sources, self.device = members.find_sources(), device
        self.teacher_logits = select_teachers(members.teacher_logits, sources)  # of each source, or None
        self.teacher_nets = select_teachers(members.teacher_nets or [None] * len(members.networks), sources)
        self.source_data = [members.data[i] for i in sources.first_members]
        self.source_of_member = torch.tensor(sources.source_of_member, device=device)
        distinct_data = members.find_distinct_data()
        self.labels = [torch.from_numpy(data.y_train).to(device) for data in distinct_data.data_sets]
        self.data_set_of_member = distinct_data.data_set_of_member
        distills = [network.distill for network in members.networks]
        self.T = self._make_column([distill.T if distill else 1.0 for distill in distills])
        self.soft_weights = self._make_column(
            [(distill.T**2 if distill.scale_T2 else 1.0) if distill else 0.0 for distill in distills]
        )
        self.hard_weights = self._make_column([distill.hard_weight if distill else 1.0 for distill in distills])
        self.hard_members = [i for i, distill in enumerate(distills) if distill is None or distill.hard_weight]

    def _make_column(self, values: list[float]) -> Tensor:
        """Return one value per member as (members, 1), in float64."""
        return torch.tensor(values, dtype=torch.float64, device=self.device).view(-1, 1)

    def get_labels(self, examples: slice) -> Tensor:
        """Return the labels of these training examples, (members, examples)."""
        return torch.stack([self.labels[index][examples] for index in self.data_set_of_member])

    def compute_losses(self, z: Tensor, labels: Tensor, examples: slice) -> Tensor:
        """Compute the loss of each example, (members, examples), from logits z, (members, classes, examples)."""
        losses = torch.zeros(labels.shape, dtype=torch.float64, device=self.device)
        if self.soft_weights.any():
            T = self.T.to(z.dtype).unsqueeze(2)
            targets = soft_targets(self._get_teacher_logits(examples, z), T)  # (members, classes, examples)
            losses += self.soft_weights * _cross_entropy(z / T, targets)
        if self.hard_members:
            z = z[self.hard_members]
            targets = torch.zeros_like(z).scatter_(1, labels[self.hard_members].unsqueeze(1), 1)
            losses[self.hard_members] += self.hard_weights[self.hard_members] * _cross_entropy(z, targets)
        return losses

    def _get_teacher_logits(self, examples: slice, z: Tensor) -> Tensor:
        """Return the logits of each member's teacher, like z; zeros of members that learn from labels alone."""
        rows = []
        for data, logits, net in zip(self.source_data, self.teacher_logits, self.teacher_nets, strict=True):
            if net is not None:
                x = torch.from_numpy(np.asarray(data.x_train[examples]))
                rows.append(net(x.to(self.device, z.dtype)).T)
            elif logits is not None:
                rows.append(torch.tensor(np.asarray(logits[examples])).T)
            else:
                rows.append(torch.zeros(z.shape[1:]))
        values = torch.stack([row.to(self.device, z.dtype) for row in rows]).contiguous()
        return values if len(values) == 1 else values[self.source_of_member]


def _cross_entropy(z: Tensor, targets: Tensor) -> Tensor:
    """Return CE(targets, softmax(z)) of each example, (members, examples), with classes in dim -2."""
    shifted = z - z.amax(dim=-2, keepdim=True)
    log_sums = shifted.exp().sum(dim=-2).log_()
    return log_sums - shifted.mul_(targets).sum(dim=-2)
