"""Weights of networks as safetensors files, whose metadata say how to build the networks again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter

from kdtune.errors import RequestError
from kdtune.files.atomic import write_atomically
from kdtune.files.storage_errors import classify_read_errors
from kdtune.inputs.code_versions import describe_version
from kdtune.settings import CNN, MLP, GivenDataset, ModuleShape, Shape, ShapeSetting

if TYPE_CHECKING:
    from torch import nn

    from kdtune.train.trained_network import TrainedNetwork


# What a teacher's module has beside a student's: how it was trained, not what it is.
_TEACHER_SETTINGS = {"trained", "weights", "inputs", "agreement"}


def describe_shape(shape: Shape) -> str:
    """Return what it takes to build a network of this shape as JSON, for the metadata of its weights."""
    # ``depth`` and ``width`` follow from ``hidden``.
    return shape.model_dump_json(exclude={"depth", "width", *_TEACHER_SETTINGS})


def save_weights(path: Path, result: TrainedNetwork) -> None:
    """Write the weights of a trained network.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    from safetensors.torch import save

    network = result.network
    metadata = {
        "id": network.id,
        "model": network.model,
        "shape": describe_shape(network.shape),
        "inputs": json.dumps(network.input_shape),
        "n_classes": json.dumps(network.data.settings.n_classes),
        "data": network.data.settings.model_dump_json(),
        "data_id": network.data.id,
        "data_draw": json.dumps([network.data.draw, network.data.sweep_seed]),
        "is_test_kept": json.dumps(network.data.test_seed is not None),
    }
    if isinstance(network.shape, ModuleShape):
        metadata["search_folders"] = json.dumps([str(folder) for folder in network.shape.search_folders])
    if isinstance(network.data.settings, GivenDataset):
        metadata["given"] = network.data.settings.given.model_dump_json()
    content = save(result.weights or {}, metadata=metadata)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def load_weights(path: Path) -> nn.Module:
    """Build a network from its file, load its weights, and return it in evaluation mode.

    Raises
    ------
    RequestError
        If it is a module of the user's whose code cannot be imported any more, or is of another shape.
    """
    from safetensors import safe_open

    from kdtune.stacked.build_network import build_network

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    architecture = read_architecture(metadata)
    try:
        net = build_network(architecture.shape, architecture.input_shape, architecture.n_classes)
        net.load_state_dict(state)
    except (ValueError, RuntimeError) as error:  # torch raises a RuntimeError where weights do not fit.
        if not isinstance(architecture.shape, ModuleShape):
            raise
        raise RequestError(f"{path}: {architecture.shape.factory} does not build this network: {error}") from None
    return net.eval()


def warn_of_changed_code(path: Path) -> None:
    """Warn if the code that builds a network is another one than when it was trained: it may compute something else."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        shape = read_architecture(file.metadata()).shape
    if not isinstance(shape, ModuleShape):
        return
    now = describe_version(shape.factory, shape.search_folders).version
    if shape.version not in (None, now):
        warnings.warn(
            f"{shape.factory} has changed since {path.stem} was trained (version {shape.version}, now {now}): the "
            f"network may compute something else than it did",
            stacklevel=3,
        )


def load_rows_network(path: Path) -> nn.Module:
    """Load a network that takes rows of features, (batch, features), whatever the user's module takes."""
    from safetensors import safe_open

    from kdtune.stacked.build_network import RowsToModule

    with safe_open(path, framework="np") as file:
        architecture = read_architecture(file.metadata())
    net = load_weights(path)
    return RowsToModule(net, architecture.input_shape) if isinstance(architecture.shape, ModuleShape) else net


def check_weights(path: Path) -> None:
    """Check that a file of weights is complete; its numbers are not read.

    Raises
    ------
    ValueError
        If the file does not exist or is damaged.
    StorageError
        If the system cannot read it at the moment.
    """
    from safetensors import SafetensorError, safe_open

    with classify_read_errors(path):
        # safetensors calls each file that cannot be opened a missing one; Python says why it cannot.
        path.open("rb").close()
        try:
            with safe_open(path, framework="np") as file:
                has_tensors = bool(file.keys())
        except SafetensorError:
            raise ValueError(f"{path.name} cannot be read") from None
    if not has_tensors:
        raise ValueError(f"{path.name} holds no weights")


class Architecture(NamedTuple):
    """The arguments with which ``build_module`` builds a network."""

    shape: MLP | CNN | ModuleShape
    input_shape: tuple[int, ...]
    n_classes: int


def read_architecture(metadata: Mapping[str, str]) -> Architecture:
    """Read how to build a network from the metadata of its file."""
    if "shape" in metadata:
        # The code may have been moved together with the results.
        search_folders = [*json.loads(metadata.get("search_folders", "[]")), str(Path.cwd())]
        context = {"search_folders": search_folders}
        shape = TypeAdapter(ShapeSetting).validate_json(metadata["shape"], context=context)
        return Architecture(shape, tuple(json.loads(metadata["inputs"])), json.loads(metadata["n_classes"]))
    # The file is from a version that knew only perceptrons: "layers" lists (inputs, outputs) of each.
    layers = json.loads(metadata["layers"])
    shape = MLP(
        hidden=[n_outputs for _, n_outputs in layers[:-1]],
        dropout=json.loads(metadata["dropout"]),
        activation=json.loads(metadata.get("activation", '"relu"')),
    )
    n_features, n_classes = layers[0][0], layers[-1][1]
    return Architecture(shape, (n_features,), n_classes)
