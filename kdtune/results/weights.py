"""Weights of networks as safetensors files, with what it takes to build the networks again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from kdtune.files.atomic import write_atomically
from kdtune.settings import MLP, AnyShape, Shape

if TYPE_CHECKING:
    from torch import nn

    from kdtune.train.train_pack import Trained


def save_weights(path: Path, result: Trained) -> None:
    """Write what a network was trained to."""
    from safetensors.torch import save

    network = result.network
    about = {
        "id": network.id,
        "model": network.model,
        "shape": network.shape.model_dump_json(exclude={"depth", "width"}),  # hidden says both
        "inputs": json.dumps(network.input_shape),
        "n_classes": json.dumps(network.data.settings.n_classes),
        "data": network.data.settings.model_dump_json(),
        "data_id": network.data.id,
        "data_draw": json.dumps([network.data.draw, network.data.sweep_seed]),
    }
    write_atomically(path, lambda temporary: temporary.write_bytes(save(result.weights or {}, metadata=about)))


def load_weights(path: Path) -> nn.Sequential:
    """A network as it was written, in evaluation mode."""
    from safetensors import safe_open

    from kdtune.stacked.architectures import build_module

    with safe_open(path, framework="pt") as file:
        about = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    net = build_module(*_architecture(about))
    net.load_state_dict(state)
    return net.eval()


def _architecture(about: Mapping[str, str]) -> tuple[Shape, list[int], int]:
    """What ``build_module`` takes, from the words beside the weights."""
    if "shape" in about:
        shape = TypeAdapter(AnyShape).validate_json(about["shape"])
        return shape, json.loads(about["inputs"]), json.loads(about["n_classes"])
    # Written before there were other networks than perceptrons.
    (features, _), *_, (_, n_classes) = layers = json.loads(about["layers"])
    activation = json.loads(about.get("activation", '"relu"'))
    hidden = [outputs for _, outputs in layers[:-1]]
    return MLP(hidden=hidden, dropout=json.loads(about["dropout"]), activation=activation), [features], n_classes


def is_whole(path: Path) -> bool:
    """Whether it can be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return bool(file.keys())
    except (SafetensorError, OSError):
        return False
