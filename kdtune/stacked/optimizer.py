"""Adam, AdamW and SGD over one flat buffer, by torch's fused kernels, and the max-norm constraint.

The optimizers are elementwise, so that one over the whole buffer is one for each member of a stack.
``torch.optim``'s classes call the same kernels, after bookkeeping that takes longer than the kernel does
for a small stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from kdtune.settings import Train

EPS = 1e-7  # Adam's, as in Keras; torch's is 1e-8


def constrain_norms(weights: Iterable[Tensor], max_norm: float) -> None:
    """Scale the incoming weights of each unit down to Euclidean norm ``max_norm`` if their norm is larger, in place.

    Srivastava et al. (2014), section 5.1; Keras's ``MaxNorm`` over a unit's inputs.

    Parameters
    ----------
    weights : Weights of each layer, (..., units, inputs).
    """
    for layer_weights in weights:
        norms = torch.linalg.vector_norm(layer_weights, dim=-1, keepdim=True)
        layer_weights.mul_((max_norm / norms).clamp_(max=1))


def make_optimizer(parameters: Tensor, gradient: Tensor, settings: Train) -> Callable[[], None]:
    """Return a function that takes one step on ``parameters``, in place, with the current values of ``gradient``."""
    match settings.optimizer:
        case "adam":
            return _make_adam(parameters, gradient, settings, torch._fused_adam_)
        case "adamw":
            return _make_adam(parameters, gradient, settings, torch._fused_adamw_)
        case "sgd":
            return _make_sgd(parameters, gradient, settings)


def _make_adam(
    parameters: Tensor, gradient: Tensor, settings: Train, kernel: Callable[..., None]
) -> Callable[[], None]:
    """Return a function that takes one step of Adam, or of AdamW if that is the kernel."""
    first_moment, second_moment = torch.zeros_like(parameters), torch.zeros_like(parameters)
    step_count = torch.zeros((), device=parameters.device)
    weight_decay = settings.weight_decay or 0.0

    def step() -> None:
        step_count.add_(1)
        kernel(
            [parameters],
            [gradient],
            [first_moment],
            [second_moment],
            [],  # the maximum of the second moment, which only AMSGrad keeps
            [step_count],
            lr=settings.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=weight_decay,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )

    return step


def _make_sgd(parameters: Tensor, gradient: Tensor, settings: Train) -> Callable[[], None]:
    """Return a function that takes one step of stochastic gradient descent, with momentum if the settings say so."""
    momentum_buffers = [torch.zeros_like(parameters)] if settings.momentum else []
    weight_decay = settings.weight_decay or 0.0

    def step() -> None:
        torch._fused_sgd_(
            [parameters],
            [gradient],
            momentum_buffers,
            weight_decay=weight_decay,
            momentum=settings.momentum,
            lr=settings.lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # the momentum starts at zero
        )

    return step
