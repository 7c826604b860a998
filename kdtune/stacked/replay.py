"""A training step of torch operations, recorded once and replayed without Python code, vmap or autograd.

Each call of a layer under ``torch.func.vmap`` costs tens of microseconds before any arithmetic, as does each node of
autograd's graph. ``make_fx`` records the operations that both come down to; replayed, they cost a call each, and
their views of memory that stays are made once. The kernels are the same, on tensors of the same shapes and strides,
so that the numbers are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from kdtune.stacked.replay_memory import Arena, find_ancestors, is_copy_of_input, is_view

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


@dataclass(eq=False)
class _Value:
    """A tensor, or several, of the recorded step."""

    content: Any  # of this replay, or of all if it is fixed
    is_fixed: bool  # whether all replays have it at the same place in memory


class RecordedStep:
    """The forward and backward pass of a step, on tensors of given shapes and strides.

    Parameters
    ----------
    step : Function of ``fixed_inputs``, ``examples`` and ``logit_gradient`` that returns the logits and then the
        gradients of the leaves, None for a leaf that the logits do not depend on. It must draw no random numbers
        and keep nothing.
    fixed_inputs : Tensors that lie at the same place in every step, though their values change. They are not
        written to.
    examples, logit_gradient : Tensors like those that ``forward`` and ``backward`` will get.
    gradients : Where ``backward`` writes the gradients of the leaves.
    """

    def __init__(
        self,
        step: Callable[..., Sequence[Tensor | None]],
        fixed_inputs: Sequence[Tensor],
        examples: Tensor,
        logit_gradient: Tensor,
        gradients: Sequence[Tensor],
    ) -> None:
        self._gradients = list(gradients)
        graph = make_fx(step)(fixed_inputs, examples, logit_gradient).graph
        graph.eliminate_dead_code()
        nodes = list(graph.nodes)
        placeholders = [node for node in nodes if node.op == "placeholder"]
        *fixed_nodes, examples_node, logit_gradient_node = placeholders
        values: dict[fx.Node, _Value] = {
            node: _Value(tensor, is_fixed=True) for node, tensor in zip(fixed_nodes, fixed_inputs, strict=True)
        }
        self._examples = values[examples_node] = _Value(examples, is_fixed=False)
        self._logit_gradient = values[logit_gradient_node] = _Value(logit_gradient, is_fixed=False)
        (outputs,) = nodes[-1].args
        logits_node, *gradient_nodes = outputs
        forward_nodes = find_ancestors(logits_node)
        calls: dict[bool, list[Callable[[], None]]] = {True: [], False: []}
        ordered_nodes = [node for node in nodes if node in forward_nodes]
        ordered_nodes += [node for node in nodes if node not in forward_nodes]
        ordered_nodes = [node for node in ordered_nodes if node.op not in ("placeholder", "output")]
        self._arena = Arena(ordered_nodes, [node for node in outputs if node is not None])
        module = graph.owning_module
        for node in ordered_nodes:
            if node.op == "get_attr":
                values[node] = _Value(getattr(module, str(node.target)), is_fixed=True)
                continue
            values[node], call = self._prepare(node, values)
            if call is not None:
                calls[node in forward_nodes].append(call)
        self._forward_calls, self._backward_calls = calls[True], calls[False]
        self._logits = values[logits_node]
        self._computed_gradients = [None if node is None else values[node] for node in gradient_nodes]

    @torch.no_grad()
    def forward(self, examples: Tensor) -> Tensor:
        """Return the logits; the next call may overwrite them."""
        self._examples.content = examples
        for call in self._forward_calls:
            call()
        logits: Tensor = self._logits.content
        return logits

    @torch.no_grad()
    def backward(self, logit_gradient: Tensor) -> None:
        """Write the gradients of the leaves, from those of the logits of the last ``forward``."""
        self._logit_gradient.content = logit_gradient
        for call in self._backward_calls:
            call()
        for gradient, value in zip(self._gradients, self._computed_gradients, strict=True):
            if value is None:
                gradient.zero_()
            else:
                gradient.copy_(value.content)

    def _prepare(self, node: fx.Node, values: dict[fx.Node, _Value]) -> tuple[_Value, Callable[[], None] | None]:
        """Return the value of an operation, and the call that computes it in each replay: None of a fixed view."""
        operation: Any = node.target
        inputs = [values[source] for source in node.all_input_nodes]
        is_fixed = all(value.is_fixed for value in inputs)
        args, kwargs = fx.map_arg((node.args, dict(node.kwargs)), values.__getitem__)  # type: ignore[arg-type]
        if is_copy_of_input(node) and not self._arena.has_writes:
            return inputs[0], None
        if is_view(node) and is_fixed:
            with torch.no_grad():
                return _Value(operation(*_take(args), **_take(kwargs)), is_fixed=True), None
        variant = POINTWISE_OUT_VARIANTS.get(operation) or OUT_VARIANTS.get(operation)
        if variant is not None and not node.kwargs.get("dtype"):
            out_operation, out_name = variant
            content_by_node = {source: values[source].content for source in node.all_input_nodes if values[source].is_fixed}
            out = self._arena.allocate(node, content_by_node if operation in POINTWISE_OUT_VARIANTS else {})
            if is_fixed:
                return _Value(out, is_fixed=True), partial(out_operation, *_take(args), **_take(kwargs), **{out_name: out})
            return _Value(out, is_fixed=True), partial(_compute_into, out_operation, args, kwargs | {out_name: out})
        value = _Value(None, is_fixed=False)
        return value, partial(_compute, value, operation, args, kwargs)


def _compute(value: _Value, operation: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Compute a value from those that its operation reads."""
    value.content = operation(*_take(args), **_take(kwargs))


def _compute_into(operation: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Compute a result into the memory that one of the arguments names."""
    operation(*_take(args), **_take(kwargs))


def _take(arguments: Any) -> Any:
    """Return arguments with the content of each value in its place."""
    if isinstance(arguments, _Value):
        return arguments.content
    if isinstance(arguments, tuple | list):
        return [_take(item) for item in arguments]
    if isinstance(arguments, dict):
        return {name: _take(item) for name, item in arguments.items()}
    return arguments
