"""Adam, AdamW and SGD over one flat buffer, by torch's fused kernels, and the max-norm constraint.

The optimizers are elementwise, so that one over the whole buffer is one for each member of a stack.
``torch.optim``'s classes call the same kernels, after bookkeeping that takes longer than the kernel does
for a small stack.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from kdtune.settings import Train

EPS = 1e-7  # Adam's, as in Keras; torch's is 1e-8

# torch's fused kernels give each block of threads 65,536 elements of a tensor, which leaves most of a GPU idle: Adam
# on the 330,000 parameters of 40 students took 71 us on an H100. A list of slices is spread over the GPU instead. It
# takes a second launch, which does not pay for large stacks: whole steps took 191 us and 176 us with slices for 1.3
# million parameters, 226 us and 245 us with slices for 2.5 million.
GPU_SLICES = 64
GPU_SLICE_ELEMENTS = 2048  # at least: one pass of a block of threads
MAX_SLICED_ELEMENTS = 1_500_000


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


def slice_for_kernel(flat: Tensor) -> list[Tensor]:
    """Return views that cover a flat tensor: up to ``GPU_SLICES`` of a small one on a GPU, else the whole."""
    if flat.device.type == "cpu" or len(flat) > MAX_SLICED_ELEMENTS:
        return [flat]
    slice_elements = max(GPU_SLICE_ELEMENTS, math.ceil(len(flat) / GPU_SLICES / 4) * 4)  # whole 16 bytes
    return list(torch.split(flat, slice_elements))


def _make_adam(
    parameters: Tensor, gradient: Tensor, settings: Train, kernel: Callable[..., None]
) -> Callable[[], None]:
    """Return a function that takes one step of Adam, or of AdamW if that is the kernel."""
    parameter_slices, gradient_slices = slice_for_kernel(parameters), slice_for_kernel(gradient)
    first_moments, second_moments = (slice_for_kernel(torch.zeros_like(parameters)) for _ in range(2))
    step_count = torch.zeros((), device=parameters.device)
    step_counts = [step_count] * len(parameter_slices)
    weight_decay = settings.weight_decay or 0.0

    def step() -> None:
        step_count.add_(1)
        kernel(
            parameter_slices,
            gradient_slices,
            first_moments,
            second_moments,
            [],  # the maximum of the second moment, which only AMSGrad keeps
            step_counts,
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
    parameter_slices, gradient_slices = slice_for_kernel(parameters), slice_for_kernel(gradient)
    momentum_buffers = slice_for_kernel(torch.zeros_like(parameters)) if settings.momentum else []
    weight_decay = settings.weight_decay or 0.0

    def step() -> None:
        torch._fused_sgd_(
            parameter_slices,
            gradient_slices,
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
