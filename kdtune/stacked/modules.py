"""The general way of stacking networks: torch.func over any architecture.

``StackedMLP`` is the fast way for the architecture that it knows. What it does not know trains here:
autograd through one batched forward pass of all members. Both offer the same methods to ``fit``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdtune.stacked.architectures import Images
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros


class MaskedDropout(nn.Module):
    """Dropout by a given mask, (batch, *units of one example); ones while evaluating."""

    mask: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


class StackedModules:
    """Modules of one architecture as one model, all parameters in one flat buffer.

    Parameters
    ----------
    modules : one a member, each mapping (batch, features) to logits (batch, classes). They are copied.
        ``nn.Dropout`` inside takes its masks from the caller; other randomness is refused by torch.
    features : of one example.
    dtype, precision : as for ``StackedMLP``.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        features: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
    ) -> None:
        self.pack, self.features, self.precision = len(modules), features, precision or dtype
        members = [_with_masks(module).to(device, dtype) for module in modules]
        self.template = members[0]
        for part in self.template.modules():
            if isinstance(part, Images):
                part.channels_last = self.pack == 1  # vmap knows no memory format
        masked = {name: part for name, part in self.template.named_modules() if isinstance(part, MaskedDropout)}
        self.dropouts = list(masked)
        self.units = _masked_units(self.template, features, dtype, device)
        self.masked = [(part.rate, units.numel()) for part, units in zip(masked.values(), self.units, strict=True)]
        initial, _ = stack_module_state(members)
        size = sum(value.numel() for value in initial.values())
        self.flat, self.gradient = allocate_flat_zeros(size, dtype, device), allocate_flat_zeros(size, dtype, device)
        self.parameters = self._views(self.flat, initial)
        self.gradients = self._views(self.gradient, initial)
        for name, value in initial.items():
            self.parameters[name].copy_(value.detach())
        # Leaves of autograd's graph, on the memory of the flat buffer.
        self.leaves = {name: value.detach().requires_grad_() for name, value in self.parameters.items()}
        self.incoming = [
            v for name, v in self.parameters.items() if name.startswith("hidden_") and name.endswith("weight")
        ]
        self._logits = torch.empty(0)

    @property
    def logit_bias(self) -> Tensor:
        """(pack, classes)."""
        return self.parameters["logit.bias"]

    @staticmethod
    def _views(flat: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
        found, start = {}, 0
        for name, value in like.items():
            found[name] = flat[start : start + value.numel()].view(value.shape)
            start += value.numel()
        return found

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Logits (pack, classes, batch).

        ``masks`` are factors for the units of each ``nn.Dropout``, (pack, units, batch). None evaluates.
        """
        examples = x.rows[:, :, : self.features]
        state: dict[str, Tensor] = {}
        if masks is not None:
            for name, mask, units in zip(self.dropouts, masks, self.units, strict=True):
                own = mask.transpose(1, 2).reshape(self.pack, -1, *units.shape)
                state[f"{name}.mask"] = own.clone()  # the next draw overwrites it

        def run(parameters: dict[str, Tensor], state: dict[str, Tensor], examples: Tensor) -> Tensor:
            return functional_call(self.template, (parameters, state), (examples,))  # type: ignore[no-any-return]

        parameters = {name: leaf.to(self.precision) for name, leaf in self.leaves.items()}
        if self.pack == 1:
            weights, masked = ({name: value[0] for name, value in values.items()} for values in (parameters, state))
            logits = run(weights, masked, examples[0])[None]
        elif examples.stride(0) == 0:  # shared by all
            logits = vmap(run, in_dims=(0, 0, None))(parameters, state, examples[0])
        else:
            logits = vmap(run)(parameters, state, examples)
        self._logits = logits  # (pack, batch, classes)
        return logits.detach().transpose(1, 2)

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``gradient`` from dL/dz of the last ``forward``."""
        dz = logit_gradient.transpose(1, 2).to(self._logits.dtype)
        found = torch.autograd.grad(self._logits, list(self.leaves.values()), dz)
        for own, value in zip(self.gradients.values(), found, strict=True):
            own.copy_(value)

    def finite(self) -> Tensor:
        """(pack,) of bool: whether all parameters of a member are finite."""
        return (
            torch.stack([v.reshape(self.pack, -1).sum(dim=1) for v in self.parameters.values()]).isfinite().all(dim=0)
        )

    def state(self, member: int) -> dict[str, Tensor]:
        """One member's parameters, named as in its module."""
        return {name: value[member].detach().cpu().clone() for name, value in self.parameters.items()}


def _with_masks(module: nn.Module) -> nn.Module:
    """A copy in which ``Masked`` stands for ``nn.Dropout``."""
    own = copy.deepcopy(module)
    for name, part in list(own.named_modules()):
        if isinstance(part, nn.Dropout):
            parent, _, last = name.rpartition(".")
            setattr(own.get_submodule(parent), last, MaskedDropout(part.p))
    return own


def _masked_units(template: nn.Module, features: int, dtype: torch.dtype, device: str) -> list[Tensor]:
    """For each dropout, an empty tensor of the shape of one example where it stands."""
    shapes: list[Tensor] = []
    handles = [
        part.register_forward_hook(lambda _m, _x, out: shapes.append(out[0].detach()))
        for part in template.modules()
        if isinstance(part, MaskedDropout)
    ]
    with torch.no_grad():
        template(torch.zeros(1, features, dtype=dtype, device=device))
    for handle in handles:
        handle.remove()
    return shapes
