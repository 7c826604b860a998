"""A stack of any modules of one architecture as one model, by torch.func and autograd.

``StackedPerceptrons`` is faster for the one architecture that it supports; all others train here, by
autograd through one batched forward pass of all members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from kdtune.stacked.architectures import RowsToImages
from kdtune.stacked.attention import avoid_fused_attention
from kdtune.stacked.masked_dropout import record_dropout_calls, replace_dropout, to_dropout_layers
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros
from kdtune.stacked.module_copies import move_module
from kdtune.stacked.module_state import (
    find_constants,
    find_trainable,
    list_dense_weights,
    list_state_names,
    view_like,
)
from kdtune.stacked.recording import CannotRecordError
from kdtune.stacked.replay import RecordedStep

# A step is recorded when its shapes come for this many times. To record one takes as long as some 50 steps of a
# small stack, which a short training does not win back.
STEPS_BEFORE_RECORDING = 10


class StackedModules:
    """Modules of one architecture as one model, with all parameters in one flat buffer.

    ``stack.Stack`` describes the attributes and methods that it shares with other stacks.

    Parameters
    ----------
    modules : One module per member, each mapping (batch, *input_shape) to logits, (batch, classes). They are
        copied. Layers of dropout inside take their masks from the caller. Torch refuses its own random operations
        under ``vmap``; draws by Python or NumPy are for ``probe.probe_module`` to find. Parameters that need no
        gradient stay what they are, as do buffers.
    n_features : Number of features of one example.
    dtype : Type of the parameters.
    device : Device of all tensors, ``"cpu"`` or ``"cuda"``.
    precision : Type in which logits are computed, ``dtype`` unless given.
    input_shape : Shape of one example as the modules take it, (n_features,) unless given.
    is_example_major : How the masks lie in memory that the caller passes, see ``DropoutMasks``; masks of another
        layout are taken too, at ten times the cost. If true, the weights of dense layers lie in memory in the order
        that is faster as well. The last bits of the numbers depend on it.
    steps_before_recording : After how many steps of the same shapes a step is recorded. Recorded steps call
        the same kernels in less time; the last bits of their numbers may differ.
    """

    needs_autograd = True

    def __init__(
        self,
        modules: Sequence[nn.Module],
        n_features: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
        input_shape: Sequence[int] | None = None,
        is_example_major: bool = False,
        steps_before_recording: int = STEPS_BEFORE_RECORDING,
    ) -> None:
        self.n_members = len(modules)
        self.n_features = n_features
        self.precision = precision or dtype
        self.input_shape = tuple(input_shape or (n_features,))
        self.is_example_major = is_example_major
        self.steps_before_recording = steps_before_recording

        self.template, self._masks = replace_dropout(modules[0])
        move_module(self.template, device, dtype).train()
        for module in self.template.modules():
            if isinstance(module, RowsToImages):
                module.channels_last = self.n_members == 1  # `vmap` supports no memory format
        example = torch.zeros(2, *self.input_shape, dtype=dtype, device=device)  # some layers refuse a batch of one
        calls = record_dropout_calls(self.template, self._masks, example)
        self.dropout_layers = to_dropout_layers(calls)
        self._mask_shapes = [shape for _, shape in calls]

        trainable = find_trainable(modules)
        size = sum(values.numel() for values in trainable.values())
        self.flat_parameters = allocate_flat_zeros(size, dtype, device)
        self.flat_gradient = allocate_flat_zeros(size, dtype, device)
        # Gradients of dense layers come with their axes exchanged under `vmap`: where weights lie so too, a copy of
        # the gradient is fast.
        transposed_names = list_dense_weights(modules[0]) if is_example_major else frozenset()
        self.parameters = view_like(trainable, self.flat_parameters, transposed_names)  # (members, ...) each
        self.gradients = view_like(trainable, self.flat_gradient, transposed_names)
        for name, values in trainable.items():
            self.parameters[name].copy_(values)
        # These are the leaves of autograd's graph. They share the memory of `flat_parameters`.
        self.leaves = {name: values.detach().requires_grad_() for name, values in self.parameters.items()}
        self.hidden_weights = [
            values for name, values in self.parameters.items() if name.startswith("hidden_") and name.endswith("weight")
        ]
        constants = find_constants(modules, device, dtype)
        self._constants = constants
        self._shared_constants = self._to_precision(constants.shared)
        self._member_constants = self._to_precision(constants.of_members)
        self._state_names = list_state_names(modules[0])

        self._logits = torch.empty(0)  # (members, batch, classes) of the last forward pass, with its graph
        self._mask_buffers: dict[int, list[Tensor]] = {}  # by batch size; (members, batch, *units) each
        # By shape and strides of the examples: how often they have come, and the step, None if it cannot be recorded.
        self._n_steps: Counter[tuple[object, ...]] = Counter()
        self._recorded_steps: dict[tuple[object, ...], RecordedStep | None] = {}
        self._replayed_step: RecordedStep | None = None  # whose `forward` was the last

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, (members, classes), of a module whose last layer is named ``logit``."""
        return self.parameters["logit.bias"]

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: the masks are the caller's, and there is no other randomness."""

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (members, classes, batch).

        Parameters
        ----------
        x : The batch.
        masks : Factors for the units of each call of a dropout layer, (members, units, batch). None evaluates the
            networks, without dropout; modules without dropout are evaluated where gradients are disabled.
        """
        examples = x.examples_as_rows[:, :, : self.n_features]  # (members, batch, features)
        if examples.stride(0) == 0 or self.n_members == 1:  # all members share the examples
            examples = examples[0]
        mask_buffers = [] if masks is None else self._copy_masks(masks, examples.shape[-2])
        is_training = torch.is_grad_enabled() and len(mask_buffers) == len(self.dropout_layers)
        if self.template.training != is_training:
            self.template.train(is_training)
        self._replayed_step = self._find_recorded_step(examples, mask_buffers) if is_training else None
        if self._replayed_step is not None:
            return self._replayed_step.forward(examples).transpose(1, 2)
        self._logits = self._compute_logits(list(self.leaves.values()), mask_buffers, examples)
        return self._logits.detach().transpose(1, 2)

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` from dL/dz of the logits z of the last ``forward``, (members, classes, batch)."""
        dz = logit_gradient.transpose(1, 2)
        if self._replayed_step is not None:
            self._replayed_step.backward(dz.to(self.precision))
            return
        leaves = list(self.leaves.values())
        computed_gradients = torch.autograd.grad(self._logits, leaves, dz.to(self._logits.dtype), allow_unused=True)
        for gradient, computed_gradient in zip(self.gradients.values(), computed_gradients, strict=True):
            if computed_gradient is None:  # The logits do not depend on the parameter.
                gradient.zero_()
            else:
                gradient.copy_(computed_gradient)

    def find_finite_members(self) -> Tensor:
        """Return for each member whether the sums of its parameters are finite, (members,) of bool.

        They are not if a parameter is inf or NaN, or if a sum is beyond the range of the type.
        """
        sums = [values.reshape(self.n_members, -1).sum(dim=1) for values in self.parameters.values()]
        return torch.stack(sums).isfinite().all(dim=0)

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of one member's parameters and persistent buffers on the CPU, named as in its module."""
        state = {}
        for name, first_name in self._state_names.items():
            if first_name in self.parameters:
                values = self.parameters[first_name][member]
            else:
                values = self._constants.select_member(first_name, member)
            state[name] = values.detach().cpu().clone(memory_format=torch.contiguous_format)
        return state

    def _copy_masks(self, masks: Iterable[Tensor], batch: int) -> list[Tensor]:
        """Return the masks as the modules take them, (members, batch, *units).

        Autograd needs each mask later, and the next mask that is drawn may overwrite it.
        """
        if batch not in self._mask_buffers:
            self._mask_buffers[batch] = [
                torch.empty(self.n_members, batch, *shape, dtype=self.precision, device=self.flat_parameters.device)
                for shape in self._mask_shapes
            ]
        buffers = self._mask_buffers[batch]
        for buffer, mask in zip(buffers, masks, strict=True):
            buffer.view(self.n_members, batch, -1).copy_(mask.transpose(1, 2))
        return buffers

    def _find_recorded_step(self, examples: Tensor, mask_buffers: list[Tensor]) -> RecordedStep | None:
        """Return the recorded step for examples of this shape; None as long as there is none."""
        key = (examples.shape, examples.stride())
        if key in self._recorded_steps:
            return self._recorded_steps[key]
        self._n_steps[key] += 1
        if self._n_steps[key] <= self.steps_before_recording:
            return None
        recorded_step = None
        with suppress(CannotRecordError):
            recorded_step = RecordedStep(
                self._compute_logits, list(self.leaves.values()), mask_buffers, examples, list(self.gradients.values())
            )
        self._recorded_steps[key] = recorded_step
        return recorded_step

    def _compute_logits(self, leaves: Sequence[Tensor], masks: Sequence[Tensor], examples: Tensor) -> Tensor:
        """Return the logits, (members, batch, classes), from the parameters and masks of all members.

        ``examples`` are (batch, features) if all members share them, else (members, batch, features).
        """
        parameters = {name: leaf.to(self.precision) for name, leaf in zip(self.leaves, leaves, strict=True)}
        constants = self._member_constants
        if self.n_members == 1:
            parameters = {name: values[0] for name, values in parameters.items()}
            constants = {name: values[0] for name, values in constants.items()}
            return self._call_template(parameters, constants, [mask[0] for mask in masks], examples)[None]
        members_share_examples = examples.ndim == 2
        in_dims = (0, 0, 0, None if members_share_examples else 0)
        logits: Tensor = vmap(self._call_template, in_dims)(parameters, constants, list(masks), examples)
        return logits

    def _call_template(
        self, parameters: dict[str, Tensor], constants: dict[str, Tensor], masks: list[Tensor], examples: Tensor
    ) -> Tensor:
        """Return the logits of one member, (batch, classes)."""
        self._masks.masks = iter(masks) if masks else None
        if len(self.input_shape) > 1:
            examples = examples.reshape(len(examples), *self.input_shape)
        values = (parameters, constants, self._shared_constants)
        with avoid_fused_attention():
            logits: Tensor = functional_call(self.template, values, (examples,))
        return logits

    def _to_precision(self, constants: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return constants in the type in which logits are computed; whole numbers stay what they are."""
        return {
            name: values.to(self.precision) if values.is_floating_point() else values
            for name, values in constants.items()
        }
