"""The distillation loss and its gradient. Pure functions, classes in dim -2, examples in dim -1.

Hinton, Vinyals, Dean (2015), arXiv 1503.02531. With teacher logits v, student logits z, label y:

    L = a CE(softmax(v / T), softmax(z / T)) + w CE(y, softmax(z)),   CE(p, q) = -sum_c p_c log q_c

a is T^2, so that the gradients of both terms keep their relative size when T changes (section 2,
last paragraph), or 1 where ``scale_T2`` is false. The tutorial's mixed loss is this divided by T^2.
A network that learns from labels alone is the case T = 1, a = 1, w = 0 with one-hot targets.
"""

from __future__ import annotations

import torch
from torch import Tensor


def softmax(z: Tensor) -> Tensor:
    """Compute the softmax over the classes, dim -2.

    ``torch.softmax`` shares a tensor out among threads without regard for its vectors and rounds the
    elements that are left over differently, so that numbers would depend on the number of threads.
    """
    exponentials = torch.sub(z, z.amax(dim=-2, keepdim=True)).exp_()
    return exponentials.div_(exponentials.sum(dim=-2, keepdim=True))


def soft_targets(logits: Tensor, T: Tensor) -> Tensor:
    """Compute the soft targets softmax(v / T), the paper's equation 1.

    Parameters
    ----------
    logits : (classes, batch) or (members, classes, batch), teacher logits v.
    T : (members, 1, 1), temperature of each member.

    Returns
    -------
    (members, classes, batch); sums to 1 over the classes.
    """
    return softmax(logits / T)


def distillation_loss(z: Tensor, targets: Tensor, labels: Tensor, T: Tensor, a: Tensor, w: Tensor) -> Tensor:
    """Compute the loss L of each member, a mean over the batch.

    Parameters
    ----------
    z : (members, classes, batch), student logits.
    targets : (members, classes, batch), soft targets at temperature T.
    labels : (members, classes, batch) or (classes, batch), one-hot.
    T, a, w : (members, 1, 1), temperature, weight of the soft term (T^2 or 1), weight of the hard term.

    Returns
    -------
    (members,), in nats.
    """
    soft = -(targets * torch.log_softmax(z / T, dim=-2)).sum(dim=-2)
    hard = -(labels * torch.log_softmax(z, dim=-2)).sum(dim=-2)
    return (a[..., 0] * soft + w[..., 0] * hard).mean(dim=-1)


def gradient_weights(T: Tensor, a: Tensor, w: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Return the factors of the soft and the hard term in ``distillation_gradient``: a / (T batch), w / batch."""
    return a / (T * batch), w / batch


def distillation_gradient(
    z: Tensor, targets: Tensor, labels: Tensor | None, T: Tensor, weights: tuple[Tensor, Tensor]
) -> Tensor:
    """Compute dL/dz of ``distillation_loss``, (members, classes, batch): the paper's equation 2 with the hard term.

    dL/dz = a / (T batch) (softmax(z / T) - targets) + w / batch (softmax(z) - labels)

    Parameters
    ----------
    z, targets, T : As for ``distillation_loss``.
    labels : As for ``distillation_loss``, or None where every w is 0.
    weights : The factors of the two terms, from ``gradient_weights``.
    """
    soft_weight, hard_weight = weights
    gradient = softmax(z / T).sub_(targets).mul_(soft_weight)
    if labels is not None:
        gradient += softmax(z.to(T.dtype)).sub_(labels).mul_(hard_weight)
    return gradient
