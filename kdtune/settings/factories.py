"""The settings of networks that come from the user's own code, or from a library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from kdtune import columns
from kdtune.columns import WIDTH
from kdtune.files.file_hashes import compute_checksum
from kdtune.inputs.code_versions import describe_version
from kdtune.inputs.errors import InputError
from kdtune.inputs.factories import call_factory, check_estimator_parameters, load_factory
from kdtune.inputs.reader import InputReader
from kdtune.settings.base import EXCLUDE_FROM_HASH, Settings, WholeNumber, make_rule_error
from kdtune.settings.datasets import DATASET_KINDS
from kdtune.settings.given import get_reader
from kdtune.settings.models import UnlayeredShape
from kdtune.settings.module_facts import ModuleFacts
from kdtune.settings.outputs import Floor
from kdtune.text import format_on_one_line

# Multiply-adds for each value of the training data, as those of an ensemble of some hundred trees: only the share of
# the work in a sweep's time depends on it.
ENSEMBLE_WORK = 1000
_OWN_ARCHITECTURES = ("mlp", "cnn")  # The names of kdtune's own in the table.

ARGUMENT_PREFIX = "arg_"  # before an argument whose name is that of another column
_OTHER_PREFIXES = (ARGUMENT_PREFIX, "teacher_")  # A student's row has its teacher's settings after "teacher_".


class FactoryShape(UnlayeredShape):
    """What is made by calling a factory with arguments.

    ``version`` stands for the code in the ids: by default a hash of the source of the user's module and of those beside
    it that it imports, or the version of the package that is installed.
    """

    factory: str
    """What is called, as in `module:name`, in a file beside the sweep file or an installed package."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Its arguments; each may be a grid."""
    version: str | None = None
    """What stands for the code in the ids of networks; by default a hash of your module, or the version of the
    installed package."""
    _search_folders: list[str] = PrivateAttr(default_factory=list)
    _source_version: str | None = PrivateAttr(None)  # of the code as it was when the sweep was checked

    @property
    def search_folders(self) -> list[Path]:
        """The folders in which workers look for the user's modules."""
        return list(map(Path, self._search_folders))

    def load_factory(self) -> Callable[..., Any]:
        """Import the factory.

        Raises
        ------
        InputError
            If it cannot be imported, or its source has changed since the sweep was checked: what it would train now
            has another id.
        """
        if self._source_version is not None:
            now = describe_version(self.factory, self.search_folders).version
            if now != self._source_version:
                module = self.factory.partition(":")[0]
                raise InputError(f"{module} was changed while the sweep ran; run the same command again")
        return load_factory(self.factory, self.search_folders)

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns: the factory, its arguments, and the settings of its kind."""
        name = self.factory.partition(":")[2]
        own_columns = {"architecture": self.factory if name in _OWN_ARCHITECTURES else name, **self.get_kind_columns()}
        arguments = {
            choose_argument_column(name, value, own_columns): _to_column_value(value)
            for name, value in self.args.items()
        }
        return own_columns | arguments

    def get_kind_columns(self) -> dict[str, Any]:
        """Return the settings that networks of this kind alone have, by column."""
        return {}

    def make_weights_key(self) -> list[Any]:
        """Return what the seed of the initial weights depends on: networks with equal keys start alike."""
        return [self.factory, self.args, self.version]

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> FactoryShape:
        context = info.context or {}
        if "search_folders" in context:  # The settings of a network that was saved: its code may be gone.
            self._search_folders = list(context["search_folders"])
            return self
        reader = get_reader(info)
        self._search_folders = [str(folder) for folder in reader.search_folders]
        key = ("factory", self.factory)
        try:
            version = reader.read_once(key, lambda: self._inspect(reader))
            self._check(reader)
        except InputError as error:
            raise make_rule_error(str(error), error.setting or "factory") from None
        self._source_version = version
        if self.version is None:
            self.version = version
        return self

    def _inspect(self, reader: InputReader) -> str:
        """Import the factory and return the version of its code."""
        load_factory(self.factory, self.search_folders)
        return describe_version(self.factory, self.search_folders).version

    def _check(self, reader: InputReader) -> None:
        """Raise InputError if the factory does not give what is needed; kinds say what that is."""


def choose_argument_column(name: str, value: Any, own_columns: Iterable[str] = ()) -> str:
    """Return the column of a factory's argument: its own name, or ``arg_`` before a name that means something else.

    Parameters
    ----------
    name, value : the argument.
    own_columns : the other columns of networks of its kind.
    """
    if name == WIDTH:
        return name if isinstance(value, int) and not isinstance(value, bool) else f"{ARGUMENT_PREFIX}{name}"
    is_taken = name in _list_taken_columns() or name in own_columns or name.startswith(_OTHER_PREFIXES)
    return f"{ARGUMENT_PREFIX}{name}" if is_taken else name


@cache
def _list_taken_columns() -> frozenset[str]:
    """Return the columns that a table may have from elsewhere: all that have a constant, and those of all data sets."""
    constants = {value for name, value in vars(columns).items() if name.isupper() and isinstance(value, str)}
    of_data = set().union(*(kind.list_columns() for kind in DATASET_KINDS.values()))
    return frozenset({*constants, *columns.TRAINING_COLUMNS, *columns.OTHER_SETTINGS, *of_data})


def _to_column_value(value: Any) -> Any:
    """Return a number or truth as it is, text as it is, and all else as JSON, so that rows can be grouped by it."""
    return value if value is None or isinstance(value, int | float | str) else json.dumps(value, sort_keys=True)


class SklearnTeacher(FactoryShape):
    """An estimator with ``fit`` and ``predict_proba`` in scikit-learn's way, which is trained here.

    T acts on the logarithms of its probabilities.
    """

    kind: Literal["sklearn"]
    """An estimator with `fit` and `predict_proba` in scikit-learn's way, which is trained here."""
    # In sample made the better students on four data sets, with each of four ensembles: see benchmarks/soft_targets.py.
    soft_targets: Literal["out_of_fold", "in_sample"] = "in_sample"
    """Whether the probabilities of training examples come from the estimator that was trained on all of them, or from
    five that have not seen them."""
    inputs: Literal["student", "raw"] = "student"
    """What the estimator sees: the features of the student, or the columns of the table before they were encoded."""
    # Of 1e-6, 1e-4, 1e-3 and 1e-2 this was the one that was nowhere much worse than another: see
    # benchmarks/soft_targets.py.
    floor: Floor = 1e-4
    """Probabilities below this are raised to it, as 0 has no logarithm."""

    is_trained_by_steps: ClassVar[bool] = False

    def get_kind_columns(self) -> dict[str, Any]:
        """Return the settings that estimators alone have, by column."""
        return {"soft_targets": self.soft_targets, "inputs": self.inputs, "floor": self.floor}

    @property
    def has_class_weights(self) -> bool:
        """Whether its arguments weigh some classes more than others."""
        names = [name for name, value in self.args.items() if value is not None]
        return any(name.rpartition("__")[2] == "class_weight" for name in names)

    def estimate_work(self, n_train: int, n_features: int) -> int:
        """Estimate the work of training, in multiply-adds: an ensemble of some hundred members is assumed."""
        return n_train * n_features * ENSEMBLE_WORK

    def make_estimator(self) -> Any:
        """Make an estimator that is not trained; InputError says what the factory raised."""
        return call_factory(self.load_factory(), self.args)

    def _check(self, reader: InputReader) -> None:
        key = ("estimator", self.factory, json.dumps(self.args, sort_keys=True, default=str))
        reader.read_once(key, self._check_estimator)

    def _check_estimator(self) -> None:
        estimator = self.make_estimator()
        missing = [name for name in ("fit", "predict_proba") if not hasattr(estimator, name)]
        if missing:
            name = type(estimator).__name__
            raise InputError(
                f"makes a {name}, which has no {' and no '.join(missing)}; a teacher gives probabilities: choose a "
                f"classifier with predict_proba, or wrap it in sklearn.calibration:CalibratedClassifierCV",
                "factory",
            )
        try:
            check_estimator_parameters(estimator)
        except ValueError as error:
            raise InputError(format_on_one_line(error), "args") from None


class ModuleShape(FactoryShape):
    """A PyTorch module that maps a batch of examples to logits, and is trained here."""

    kind: Literal["python"]
    """A PyTorch module of your own, which maps a batch of examples to logits."""
    # What was found out about the module, by the shape of one example and the number of classes.
    _facts: dict[tuple[tuple[int, ...], int], ModuleFacts] = PrivateAttr(default_factory=dict)
    _facts_paths: list[str] = PrivateAttr(default_factory=list)

    is_faster_stacked: ClassVar[bool] = True  # ``Network.stack_size`` is 1 for those that cannot be stacked.

    def list_stored_paths(self) -> list[str]:
        """List the paths of what the sweep writes before it trains."""
        return self._facts_paths

    def get_facts(self, input_shape: tuple[int, ...], n_classes: int) -> ModuleFacts:
        """Return what was found out about the module for examples of this shape."""
        return self._facts[input_shape, n_classes]

    def add_facts(self, input_shape: tuple[int, ...], n_classes: int, facts: ModuleFacts, path: str) -> None:
        """Keep what was found out about the module for examples of this shape, and the path where it is stored."""
        self._facts[input_shape, n_classes] = facts
        self._facts_paths.append(path)


class ImageInputs(Settings):
    """How a teacher sees the images of a folder: at a size of its own, with its own normalisation of the channels."""

    size: Annotated[WholeNumber, Field(ge=1, le=10_000)]
    """The side in pixels of the images that the teacher sees."""
    mean: list[float] = Field(default_factory=lambda: [0.0, 0.0, 0.0], min_length=1, max_length=3)
    """What is subtracted from each channel: three numbers for RGB, one for grayscale."""
    std: list[Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: [1.0, 1.0, 1.0], min_length=1, max_length=3
    )
    """What each channel is divided by."""

    def describe(self) -> str:
        """Return the settings as plain text: ``size 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225``."""
        mean, std = (" ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"size {self.size}, mean {mean}, std {std}"

    @model_validator(mode="after")
    def _check_channels(self) -> ImageInputs:
        if len(self.mean) != len(self.std) or len(self.mean) == 2:
            message = f"has {len(self.std)} numbers, and mean {len(self.mean)}; both have 3 for RGB, or 1 for grayscale"
            raise make_rule_error(message, "std")
        return self


class TeacherModule(ModuleShape):
    """A PyTorch module as the teacher: trained here, or used as it is with its weights.

    ``trained: true`` takes the module's weights from ``weights``, or as the factory gives them.
    """

    trained: bool
    """Whether the teacher is used as it is; if not, it is trained here first."""
    weights: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """A `.safetensors` or `.pt` file of its weights."""
    inputs: ImageInputs | None = None
    """How images are prepared for the teacher, where it wants other images than the student."""
    agreement: Literal["checked", "any"] = Field("checked", json_schema_extra=EXCLUDE_FROM_HASH)
    """A teacher that is used as it is, and agrees with fewer labels than the most frequent class has, fails, as its
    classes may be in another order; `any` accepts it."""
    _weights_hash: str | None = PrivateAttr(None)
    _weights_path: str | None = PrivateAttr(None)

    @property
    def is_trained_by_steps(self) -> bool:  # type: ignore[override]
        """Whether kdtune trains it."""
        return not self.trained

    @property
    def is_redrawn(self) -> bool:  # type: ignore[override]
        """Whether replicates of it differ: one that is trained already is one."""
        return not self.trained

    @property
    def weights_path(self) -> str | None:
        """The path of its weights."""
        return self._weights_path

    def get_own_input_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one example as this module sees it."""
        return input_shape if self.inputs is None else (len(self.inputs.mean), self.inputs.size, self.inputs.size)

    def list_file_hashes(self) -> dict[str, Any]:
        """Return the hash of its weights, if it has a file of them."""
        return {} if self._weights_hash is None else {"weights": self._weights_hash}

    def get_kind_columns(self) -> dict[str, Any]:
        """Return the settings that modules as teachers alone have, by column."""
        inputs = {} if self.inputs is None else {"inputs": self.inputs.describe()}
        return {"trained": self.trained, **inputs}

    def _check(self, reader: InputReader) -> None:
        if self.weights is None:
            if self.trained:
                reader.add_note(
                    f"The teacher is used as {self.factory} makes it, since `weights` names no file; that is "
                    f"right only if it loads its weights itself."
                )
            return
        if not self.trained:
            raise InputError("go with trained: true; a teacher that is trained here starts from its own", "weights")
        path = reader.locate(self.weights, "weights")
        if path.suffix not in (".safetensors", ".pt", ".pth"):
            raise InputError(f"{path} must be a .safetensors file, or .pt with a state dict", "weights")
        self._weights_path = str(path)
        if path.is_relative_to(reader.inputs_folder):  # They were sent to the results from another machine.
            self._facts_paths.append(str(path))
        self._weights_hash = reader.read_once(("hash", str(path)), lambda: compute_checksum(path))

    def estimate_work(self, n_train: int, n_features: int) -> int:
        """Estimate the work of a forward pass over all examples, in multiply-adds."""
        return n_train * max((facts.multiply_adds for facts in self._facts.values()), default=1)
