"""Weights of networks as safetensors files, whose metadata say how to build the networks again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter, ValidationError

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
        If it is a module of the user's whose code cannot be imported any more, or is of another shape, or the file is
        not one of kdtune's.
    """
    from safetensors import safe_open

    from kdtune.stacked.build_network import build_network

    architecture = read_architecture(path)
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        net = build_network(architecture.shape, architecture.input_shape, architecture.n_classes)
        net.load_state_dict(state)
    except (ValueError, RuntimeError) as error:  # torch raises a RuntimeError where weights do not fit.
        if not isinstance(architecture.shape, ModuleShape):
            raise RequestError(f"{path}: its weights do not fit its metadata; sweep again") from None
        raise RequestError(f"{path}: {architecture.shape.factory} does not build this network: {error}") from None
    return net.eval()


def warn_of_changed_code(path: Path) -> None:
    """Warn if the code that builds a network is another one than when it was trained: it may compute something else."""
    shape = read_architecture(path).shape
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
    from kdtune.stacked.build_network import RowsToModule

    architecture = read_architecture(path)
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


def read_metadata(path: Path) -> Mapping[str, str]:
    """Read the metadata of a file of weights; it has none if another program has written it."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return file.metadata() or {}


@contextmanager
def refuse_foreign_metadata(path: Path) -> Iterator[None]:
    """Raise RequestError where the metadata of a file of weights are not those that kdtune writes."""
    try:
        yield
    except ValidationError as error:
        raise RequestError(f"{path}: {error.errors()[0]['msg']}") from None
    except (KeyError, TypeError, ValueError):
        raise RequestError(
            f"{path}: its metadata are not those of a network of kdtune, so that it cannot be built again"
        ) from None


def read_architecture(path: Path) -> Architecture:
    """Read how to build a network from the metadata of its file; RequestError if they do not say."""
    with refuse_foreign_metadata(path):
        return _parse_architecture(read_metadata(path))


def _parse_architecture(metadata: Mapping[str, str]) -> Architecture:
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
