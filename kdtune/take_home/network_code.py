"""A network without kdtune: as layers of torch alone, and as the code that builds it, for ``predict.py``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import nn

from kdtune.settings import ModuleShape
from kdtune.stacked.architectures import RowsToImages
from kdtune.stacked.user_modules import select_arguments


def to_torch_layers(network: nn.Sequential) -> nn.Sequential:
    """Return one of kdtune's own networks with the same weights and with layers of torch alone."""
    layers: list[tuple[str, nn.Module]] = []
    for name, layer in network.named_children():
        layers.append((name, nn.Unflatten(1, layer.image_shape) if isinstance(layer, RowsToImages) else layer))
    return nn.Sequential(OrderedDict(layers)).eval()


def write_layers(network: nn.Sequential) -> str:
    """Write the body of a function that builds a network of torch's layers."""
    lines = [f'    ("{name}", {_write_layer(layer)}),' for name, layer in network.named_children()]
    return "\n".join(["layers = [", *lines, "]", "return nn.Sequential(OrderedDict(layers))"])


def _write_layer(layer: nn.Module) -> str:
    """Write the call that makes a layer."""
    match layer:
        case nn.Unflatten():
            return f"nn.Unflatten(1, {tuple(layer.unflattened_size)})"
        case nn.Linear():
            return f"nn.Linear({layer.in_features}, {layer.out_features})"
        case nn.Conv2d():
            kernel = layer.kernel_size[0]
            return f'nn.Conv2d({layer.in_channels}, {layer.out_channels}, {kernel}, padding="same")'
        case nn.MaxPool2d():
            return f"nn.MaxPool2d({layer.kernel_size}, ceil_mode=True)"
        case nn.Dropout():
            return f"nn.Dropout({layer.p})"
    return f"nn.{type(layer).__name__}()"  # Activations and Flatten have their defaults.


def write_factory_call(shape: ModuleShape, input_shape: tuple[int, ...], n_classes: int) -> str:
    """Write the body of a function that builds a module of the user's.

    Raises
    ------
    ValueError
        If the user's code cannot be imported, or takes other arguments.
    """
    module, _, attribute = shape.factory.partition(":")
    arguments = select_arguments(shape.load_factory(), shape.args, input_shape, n_classes)
    first_name = attribute.partition(".")[0]
    imports = ["sys.path.insert(0, str(FOLDER))", f"from {module} import {first_name}"]
    return "\n".join([*imports, "", f"return {attribute}({_write_arguments(arguments)})"])


def _write_arguments(arguments: Mapping[str, Any]) -> str:
    if all(name.isidentifier() for name in arguments):
        return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"**{dict(arguments)!r}"
