"""What the modules of a stack hold: parameters that are trained, and what stays constant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Constants(NamedTuple):
    """The buffers of a stack's members, and the parameters of theirs that need no gradient."""

    shared: dict[str, Tensor]
    """Those that are equal in all members."""
    of_members: dict[str, Tensor]
    """The others, (members, ...) each."""

    def select_member(self, name: str, member: int) -> Tensor:
        """Return the values of one member."""
        return self.shared[name] if name in self.shared else self.of_members[name][member]


def find_trainable(modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return the parameters that need gradients, of all members: (members, ...) each.

    A parameter that has several names is listed once, by its first.
    """
    parameters_of_member = [dict(module.named_parameters()) for module in modules]
    return {
        name: torch.stack([parameters[name].detach() for parameters in parameters_of_member])
        for name, parameter in parameters_of_member[0].items()
        if parameter.requires_grad
    }


def find_constants(modules: Sequence[nn.Module], device: str, dtype: torch.dtype) -> Constants:
    """Return the constants of the members on a device, those of floating point in a type."""
    constants_of_member = []
    for module in modules:
        frozen = {name: values.detach() for name, values in module.named_parameters() if not values.requires_grad}
        constants_of_member.append(frozen | dict(module.named_buffers()))
    constants = Constants({}, {})
    for name, first_values in constants_of_member[0].items():
        values_of_members = [
            member_constants[name].to(device, dtype if first_values.is_floating_point() else first_values.dtype)
            for member_constants in constants_of_member
        ]
        if all(torch.equal(values, values_of_members[0]) for values in values_of_members):
            constants.shared[name] = values_of_members[0].clone()
        else:
            constants.of_members[name] = torch.stack(values_of_members)
    return constants


def list_dense_weights(module: nn.Module) -> frozenset[str]:
    """Return the names of the weights of dense layers."""
    return frozenset(f"{path}.weight".lstrip(".") for path, part in module.named_modules() if type(part) is nn.Linear)


def list_state_names(module: nn.Module) -> dict[str, str]:
    """Return for each tensor of the module's state, by its name there, the first name of the same tensor.

    A parameter that two layers share has two names in the state. What ``get_extra_state`` adds is no tensor, and
    left out.
    """
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    first_names: dict[int, str] = {}
    for name, values in tensors:
        first_names.setdefault(id(values), name)
    state_names = module.state_dict().keys()
    return {name: first_names[id(values)] for name, values in tensors if name in state_names}


def view_like(tensors: Mapping[str, Tensor], flat: Tensor, transposed_names: Collection[str]) -> dict[str, Tensor]:
    """Return consecutive views of ``flat`` with the names and shapes of the tensors.

    Those of ``transposed_names``, (members, outputs, inputs), lie there as (members, inputs, outputs).
    """
    views = {}
    start = 0
    for name, tensor in tensors.items():
        values = flat[start : start + tensor.numel()]
        if name in transposed_names:
            members, outputs, inputs = tensor.shape
            views[name] = values.view(members, inputs, outputs).transpose(1, 2)
        else:
            views[name] = values.view(tensor.shape)
        start += tensor.numel()
    return views
