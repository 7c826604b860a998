"""Adam, AdamW and SGD over one flat buffer, by torch's fused kernels, and the max-norm constraint.

They are elementwise, so each member of a stack has its own optimizer. ``torch.optim``'s classes call
the same kernels, after bookkeeping that takes longer than the kernel on a small pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from kdtune.settings import Train

EPS = 1e-7  # Adam's, as in Keras; torch's is 1e-8


def constrain_norms(weights: Iterable[Tensor], max_norm: float) -> None:
    """Shrink the incoming weights of units, (..., units, inputs), to this Euclidean norm where theirs is larger.

    Srivastava et al. (2014), section 5.1; Keras's ``MaxNorm`` over a unit's inputs.
    """
    for own in weights:
        own.mul_((max_norm / torch.linalg.vector_norm(own, dim=-1, keepdim=True)).clamp_(max=1))


def make_optimizer(flat: Tensor, gradient: Tensor, settings: Train) -> Callable[[], None]:
    """A function that takes one step of ``flat`` from what is in ``gradient``."""
    decay = settings.weight_decay or 0.0
    first, second, count = torch.zeros_like(flat), torch.zeros_like(flat), torch.zeros((), device=flat.device)

    def adam(kernel: Callable[..., None]) -> Callable[[], None]:
        def step() -> None:
            count.add_(1)
            kernel(
                [flat],
                [gradient],
                [first],
                [second],
                [],
                [count],
                lr=settings.lr,
                beta1=0.9,
                beta2=0.999,
                weight_decay=decay,
                eps=EPS,
                amsgrad=False,
                maximize=False,
            )

        return step

    def sgd() -> None:
        torch._fused_sgd_(
            [flat],
            [gradient],
            [first] if settings.momentum else [],
            weight_decay=decay,
            momentum=settings.momentum,
            lr=settings.lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # the momentum starts at zero
        )

    match settings.optimizer:
        case "adam":
            return adam(torch._fused_adam_)
        case "adamw":
            return adam(torch._fused_adamw_)
        case "sgd":
            return sgd
