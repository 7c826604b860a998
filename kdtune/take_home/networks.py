"""Get the network to take home: its weights where they were kept, else it is trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kdtune.columns import DEVICE, ID, MODEL, TEACHER
from kdtune.data.load import load_data
from kdtune.data.splits import Data
from kdtune.errors import RequestError, SweepFileError
from kdtune.plan.network import DataDraw, Network, make_pack
from kdtune.results.places import open_folder
from kdtune.results.students import read_data_draw
from kdtune.results.weights import check_weights, load_weights, read_architecture
from kdtune.run.remaining_work import list_sweep_networks, load_request_spec
from kdtune.run.request import Request
from kdtune.settings import CNN, MLP, ModuleShape, SklearnTeacher, TeacherModule
from kdtune.stacked.build_network import RowsToModule, build_network
from kdtune.take_home.choice import Row
from kdtune.take_home.network_code import to_torch_layers

BATCH = 1024


class SweepFolder:
    """A sweep's folder: where its weights lie, and the networks that its file asks for."""

    def __init__(self, folder: Path, data_root: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.data_root = data_root
        self.store = open_folder(self.folder)

    def find_weights(self, row: Row) -> Path | None:
        """Return the file of a network's weights; None if it has none that can be read."""
        is_teacher = row[MODEL] == TEACHER
        path = (self.store.teachers.fetch_weights if is_teacher else self.store.fetch_student)(row[ID])
        try:
            check_weights(path)
        except ValueError:
            return None
        return path

    @cached_property
    def networks(self) -> Mapping[str, Network]:
        """The networks of the sweep by id.

        Raises
        ------
        RequestError
            If its file cannot be read any more, as where data lie elsewhere now.
        """
        file = self.folder / "sweep.yaml"
        request = Request(file=file, results=self.store.root, data_root=self.data_root)
        try:
            spec = load_request_spec(request, allow_download=False)
            return {network.id: network for network in list_sweep_networks(spec, request)}
        except SweepFileError as error:
            raise RequestError(
                f"{error}\nThe sweep's data and code are needed for this; run the command in the folder in which the "
                f"sweep was run"
            ) from None

    def get_network(self, id: str) -> Network:
        """Return a network with all its settings; RequestError if the sweep's file does not ask for it any more."""
        if id not in self.networks:
            raise RequestError(
                f"{self.folder / 'sweep.yaml'} does not ask for network {id}: its data, its code or the file have "
                f"changed since; run the sweep again"
            )
        return self.networks[id]


@dataclass(frozen=True)
class TakenNetwork:
    """A trained network, and all that it takes to use it.

    Attributes
    ----------
    module : as ``predict.py`` builds it: it takes rows of features, or a module of the user's (batch, *input_shape).
    state : its weights by name.
    data_draw : the draw of the data that it belongs to.
    was_trained_again : whether its weights had not been kept.
    notes : sentences for the user.
    """

    id: str
    module: nn.Module
    shape: MLP | CNN | ModuleShape
    input_shape: tuple[int, ...]
    n_classes: int
    state: dict[str, Tensor]
    data_draw: DataDraw
    was_trained_again: bool
    notes: list[str] = field(default_factory=list)

    @property
    def rows_module(self) -> nn.Module:
        """The network as a module that takes rows of features, (batch, features)."""
        is_own = isinstance(self.shape, ModuleShape)
        return RowsToModule(self.module, self.input_shape).eval() if is_own else self.module

    @cached_property
    def data(self) -> Data:
        """The draw of the data that it belongs to; RequestError if the data are gone or have changed."""
        try:
            return load_data(self.data_draw)
        except ValueError as error:
            raise RequestError(f"the data of network {self.id}: {error}") from None

    def compute_logits(self, split: str) -> npt.NDArray[np.float32]:
        """Return the logits on a split, (examples, classes)."""
        x, module = getattr(self.data, f"x_{split}"), self.rows_module
        with torch.inference_mode():
            batches = [
                module(torch.from_numpy(np.ascontiguousarray(x[start : start + BATCH]))).float()
                for start in range(0, len(x), BATCH)
            ]
        return torch.cat(batches).numpy()


def take_network(sweep: SweepFolder, row: Row) -> TakenNetwork:
    """Load a network, or train it again if its weights were not kept.

    Raises
    ------
    RequestError
        If it has no weights and cannot be trained again, or its code or data are gone.
    """
    weights = sweep.find_weights(row)
    if weights is not None:
        return _load_network(sweep, row, weights)
    if row[MODEL] == TEACHER:
        raise RequestError(_explain_missing_teacher(sweep, row))
    return _train_again(sweep, row)


def _load_network(sweep: SweepFolder, row: Row, weights: Path) -> TakenNetwork:
    from safetensors import safe_open

    architecture = read_architecture(weights)
    with safe_open(weights, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    data_draw = read_data_draw(sweep.folder, weights, row[ID], sweep.data_root)
    module = _simplify(load_weights(weights), architecture.shape)
    return TakenNetwork(
        row[ID], module, architecture.shape, architecture.input_shape, architecture.n_classes, state, data_draw, False
    )


def _simplify(module: nn.Module, shape: MLP | CNN | ModuleShape) -> nn.Module:
    """Return a network with layers of torch alone, if it is one of kdtune's own."""
    if isinstance(shape, ModuleShape):
        return module
    assert isinstance(module, nn.Sequential)
    return to_torch_layers(module)


def _train_again(sweep: SweepFolder, row: Row) -> TakenNetwork:
    """Train a student again, from its teacher's logits as they were stored."""
    from kdtune.train.train_pack import train_pack

    network = sweep.get_network(row[ID])
    shape = network.shape
    assert isinstance(shape, MLP | CNN | ModuleShape)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the workers of a sweep
    try:
        teachers = sweep.store.teachers
        result = train_pack(make_pack([network]), teachers.load_logits, teachers.load_network, keep_weights=True)[0]
    except (ValueError, FileNotFoundError) as error:
        raise RequestError(
            f"the weights of network {row[ID]} were not kept, and it cannot be trained again: {error}"
        ) from None
    finally:
        torch.set_num_threads(n_threads)
    if result.weights is None:
        raise RequestError(f"network {row[ID]} failed when it was trained again: {result.row['error']}")
    module = build_network(shape, network.input_shape, network.data.settings.n_classes)
    module.load_state_dict(result.weights)
    is_exact = (network.is_bitwise_reproducible or network.stack_size == 1) and row.get(DEVICE) == "cpu"
    note = "Its weights were not kept, so it was trained again"
    note += (
        ": to the same bits on the same kind of processor."
        if is_exact
        else "; the last bits of its numbers may differ from those of the sweep, so its figures may, too."
    )
    return TakenNetwork(
        row[ID],
        _simplify(module.eval(), shape),
        shape,
        network.input_shape,
        network.data.settings.n_classes,
        result.weights,
        network.data,
        True,
        [note],
    )


def _explain_missing_teacher(sweep: SweepFolder, row: Row) -> str:
    """Say why a teacher has no weights to take home."""
    kind = row.get("architecture")
    if kind in ("logits", "probabilities"):
        return f"teacher {row[ID]} is given by its outputs, so there are no weights to export; export a student"
    try:
        shape = sweep.get_network(row[ID]).shape
    except RequestError:
        shape = None
    if isinstance(shape, SklearnTeacher):
        return f"teacher {row[ID]} is an estimator of {shape.factory}, which has no weights to export; export a student"
    if isinstance(shape, TeacherModule) and shape.trained:
        return f"teacher {row[ID]} was trained elsewhere, so it is in your hands already; export a student"
    return f"teachers/{row[ID]} has no weights that can be read; run the sweep again, which trains that teacher again"
