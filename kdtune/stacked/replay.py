"""A training step of torch operations, recorded once and replayed without Python code, vmap or autograd.

Each call of a layer under ``torch.func.vmap`` costs tens of microseconds before any arithmetic, as does each node of
autograd's graph. A recorder notes the operations that both come down to; replayed, they cost a call each, and
their views of memory that stays are made once. The kernels are the same; last bits may differ from autograd's, since
memory is laid out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kdtune.stacked.recording import Operation, Recorder, Value, remove_unused, take_tensors
from kdtune.stacked.replay_memory import Arena

aten = torch.ops.aten

# Operations that write into given memory by the same kernel, and the name of the argument that takes it. Of other
# operations the variant with that argument computes a new tensor and copies it.
OUT_VARIANTS: dict[Any, tuple[Callable[..., Any], str]] = {
    aten.bmm.default: (aten.bmm.out, "out"),
    aten.mm.default: (aten.mm.out, "out"),
    aten.addmm.default: (aten.addmm.out, "out"),
    aten.baddbmm.default: (aten.baddbmm.out, "out"),
    aten.sum.dim_IntList: (aten.sum.IntList_out, "out"),
    aten.mean.dim: (aten.mean.out, "out"),
    aten._softmax.default: (aten._softmax.out, "out"),
    aten._softmax_backward_data.default: (aten._softmax_backward_data.out, "grad_input"),
}
# The same for operations that compute each value from the values at its own place: they may write over an input.
POINTWISE_OUT_VARIANTS: dict[Any, tuple[Callable[..., Any], str]] = {
    aten.add.Tensor: (aten.add.out, "out"),
    aten.sub.Tensor: (aten.sub.out, "out"),
    aten.mul.Tensor: (aten.mul.out, "out"),
    aten.div.Tensor: (aten.div.out, "out"),
    aten.relu.default: (lambda x, out: aten.clamp_min.out(x, 0, out=out), "out"),
    aten.threshold_backward.default: (aten.threshold_backward.grad_input, "grad_input"),
    aten.gelu.default: (aten.gelu.out, "out"),
    aten.gelu_backward.default: (aten.gelu_backward.grad_input, "grad_input"),
    aten.silu.default: (aten.silu.out, "out"),
    aten.silu_backward.default: (aten.silu_backward.grad_input, "grad_input"),
    aten.elu.default: (aten.elu.out, "out"),
    aten.elu_backward.default: (aten.elu_backward.grad_input, "grad_input"),
    aten.leaky_relu.default: (aten.leaky_relu.out, "out"),
    aten.leaky_relu_backward.default: (aten.leaky_relu_backward.grad_input, "grad_input"),
    aten.tanh.default: (aten.tanh.out, "out"),
    aten.tanh_backward.default: (aten.tanh_backward.grad_input, "grad_input"),
    aten.sigmoid.default: (aten.sigmoid.out, "out"),
    aten.sigmoid_backward.default: (aten.sigmoid_backward.grad_input, "grad_input"),
}


class RecordedStep:
    """The forward and backward pass of a step, on tensors of given shapes and strides.

    Parameters
    ----------
    compute_logits : Function of leaves, fixed inputs and examples that returns the logits. It must draw no random
        numbers and keep nothing.
    leaves : Tensors whose gradients are wanted; they lie at the same place in every step.
    fixed_inputs : Further tensors that lie at the same place in every step, though their values change.
    examples : Tensor like those that ``forward`` will get.
    gradients : Where ``backward`` writes the gradients of the leaves.

    Raises
    ------
    CannotRecordError
        If the operations may differ from step to step.
    """

    def __init__(
        self,
        compute_logits: Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], Tensor],
        leaves: Sequence[Tensor],
        fixed_inputs: Sequence[Tensor],
        examples: Tensor,
        gradients: Sequence[Tensor],
    ) -> None:
        self._gradients = list(gradients)
        recorded_leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        fixed_inputs = [values.detach() for values in fixed_inputs]
        fixed_values = [Value(tensor, is_fixed=True) for tensor in [*recorded_leaves, *fixed_inputs]]
        self._examples = Value(examples.detach())
        recorder = Recorder([*fixed_values, self._examples])
        with recorder:
            logits = compute_logits(recorded_leaves, fixed_inputs, self._examples.tensor)
        n_forward = len(recorder.operations)
        self._logits = recorder.get_value(logits)
        self._logit_gradient = recorder.add_input(torch.zeros_like(logits))
        with recorder:
            computed = torch.autograd.grad(logits, recorded_leaves, self._logit_gradient.tensor, allow_unused=True)
        self._computed_gradients = [None if tensor is None else recorder.get_value(tensor) for tensor in computed]
        outputs = [self._logits, *(value for value in self._computed_gradients if value is not None)]
        operations = remove_unused(recorder.operations, outputs)
        forward_operations = set(recorder.operations[:n_forward])

        self._arena = Arena(operations, outputs)
        self._has_writes = any(operation.is_write for operation in operations)
        self._forward_calls: list[Callable[[], Any]] = []
        self._backward_calls: list[Callable[[], Any]] = []
        with torch.no_grad():
            for operation in operations:
                call = self._prepare(operation)
                if call is not None:
                    is_forward = operation in forward_operations
                    (self._forward_calls if is_forward else self._backward_calls).append(call)

    @torch.no_grad()
    def forward(self, examples: Tensor) -> Tensor:
        """Return the logits; the next call may overwrite them."""
        self._examples.tensor = examples
        for call in self._forward_calls:
            call()
        return self._logits.tensor

    @torch.no_grad()
    def backward(self, logit_gradient: Tensor) -> None:
        """Write the gradients of the leaves, from those of the logits of the last ``forward``."""
        self._logit_gradient.tensor = logit_gradient
        for call in self._backward_calls:
            call()
        for gradient, value in zip(self._gradients, self._computed_gradients, strict=True):
            if value is None:  # The logits do not depend on the leaf.
                gradient.zero_()
            else:
                gradient.copy_(value.tensor)

    def _prepare(self, operation: Operation) -> Callable[[], Any] | None:
        """Return the call that computes an operation in each replay, and give its result a place if it can have one.

        A view of memory that stays needs no call.
        """
        is_fixed = all(value.is_fixed for value in operation.inputs)
        if operation.is_view and operation.inputs and is_fixed:
            _store(operation, operation.compute(), is_fixed=True)
            return None
        if operation.is_times_one and not self._has_writes and is_fixed:
            _store(operation, operation.inputs[0].tensor, is_fixed=True)
            return None
        is_pointwise = operation.function in POINTWISE_OUT_VARIANTS
        variant = POINTWISE_OUT_VARIANTS.get(operation.function) or OUT_VARIANTS.get(operation.function)
        if variant is None or "dtype" in operation.kwargs:
            return partial(_compute, operation)
        function, out_name = variant
        out = self._arena.allocate(operation, is_pointwise)
        _store(operation, out, is_fixed=True)
        if is_fixed:
            arguments = take_tensors(operation.args), take_tensors(operation.kwargs)
            return partial(function, *arguments[0], **arguments[1], **{out_name: out})
        operation_into_out = Operation(function, operation.args, operation.kwargs | {out_name: out}, [])
        return operation_into_out.compute


def _compute(operation: Operation) -> None:
    """Compute the results of an operation anew."""
    _store(operation, operation.compute(), is_fixed=False)


def _store(operation: Operation, result: Any, is_fixed: bool) -> None:
    """Store what an operation has returned in its values."""
    if operation.is_write:
        return  # The results are inputs.
    tensors = [result] if isinstance(result, Tensor) else result
    for value, tensor in zip(operation.results, tensors, strict=True):
        if tensor is not None:  # a gradient that is not wanted
            value.tensor = tensor
            value.is_fixed = is_fixed
