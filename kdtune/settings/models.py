"""The settings of networks: their architecture.

"The tutorial" is the 2018 Harvard tutorial that kdtune began from; the defaults are its values.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from kdtune.settings.base import (
    Settings,
    Size,
    WholeNumber,
    exclude_from_hash_while,
    make_rule_error,
    to_whole_number,
)
from kdtune.settings.data import Image
from kdtune.settings.module_facts import ModuleFacts
from kdtune.text import pluralize

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]
DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class Layer(NamedTuple):
    """A weight matrix (inputs, outputs) and the number of positions at which an example uses it.

    A dense layer has one position; a convolution has one for each pixel.
    """

    inputs: int
    outputs: int
    positions: int = 1


class UnlayeredShape(Settings):
    """What a network is that kdtune does not know layer by layer, such as a teacher that is given by its outputs."""

    is_faster_stacked: ClassVar[bool] = False
    has_handwritten_step: ClassVar[bool] = False
    # Whether kdtune trains it by gradient steps; other teachers are given, or train by themselves.
    is_trained_by_steps: ClassVar[bool] = True
    is_redrawn: ClassVar[bool] = True  # Whether replicates of it differ; a teacher that was trained elsewhere is one.
    n_layers: ClassVar[int] = 0

    def make_weights_key(self) -> list[Any]:
        """Return what the seed of the initial weights depends on: nothing where there are none."""
        return []

    def list_layers(self, n_features: int, image: Image | None, n_classes: int) -> list[Layer]:
        """Return no layers."""
        return []

    def get_facts(self, input_shape: tuple[int, ...], n_classes: int) -> ModuleFacts | None:
        """Return what is known of a module; None for what is none."""
        return None

    def estimate_work(self, n_train: int, n_features: int) -> int:
        """Estimate the work of a teacher that is not trained by steps, in multiply-adds."""
        return max(1, n_train)


class LayeredShape(Settings):
    """A network that kdtune builds layer by layer, and trains by gradient steps."""

    is_trained_by_steps: ClassVar[bool] = True
    is_redrawn: ClassVar[bool] = True

    def get_facts(self, input_shape: tuple[int, ...], n_classes: int) -> ModuleFacts | None:
        """Return nothing: its layers say all."""
        return None

    def estimate_work(self, n_train: int, n_features: int) -> int:
        """Return nothing of use: its layers say how much work it is."""
        raise NotImplementedError


class MLP(LayeredShape):
    """A multilayer perceptron whose layers are given as ``hidden`` or as ``depth`` and ``width``."""

    kind: Literal["mlp"] = "mlp"
    """A multilayer perceptron, with dense layers alone."""
    hidden: list[Size] | None = None
    """The sizes of the hidden layers, in place of depth and width."""
    depth: Annotated[WholeNumber, Field(ge=1, le=1000)] | None = None
    """The number of hidden layers."""
    width: Size | None = None
    """The number of units in each hidden layer."""
    dropout: DropoutRate = 0.0
    """The share of the hidden units that are left out at random in each step."""
    activation: Activation = Field("relu", json_schema_extra=exclude_from_hash_while("relu"))
    """The activation of the hidden units."""
    init_std: Annotated[float, Field(gt=0)] | None = Field(None, json_schema_extra=exclude_from_hash_while(None))
    """The standard deviation of the hidden layers' initial weights, which are then normal; none stands for Glorot-
    uniform weights."""
    max_norm: Annotated[float, Field(gt=0)] | None = Field(None, json_schema_extra=exclude_from_hash_while(None))
    """The largest Euclidean norm of the incoming weights of a hidden unit (Srivastava et al. 2014, section 5.1); none
    sets no limit."""

    is_faster_stacked: ClassVar[bool] = True  # Whether a CPU trains a stack faster than one network after the other.

    @property
    def has_handwritten_step(self) -> bool:
        """Whether kdtune has a handwritten training step for it; other networks are trained by torch's autograd."""
        return self.activation == "relu"

    @model_validator(mode="after")
    def _resolve(self) -> MLP:
        if self.hidden is not None:
            if self.depth is not None or self.width is not None:
                raise make_rule_error("has both hidden and depth or width; give one or the other", "hidden")
        else:
            default_sizes = self._get_default_sizes()
            self.hidden = [self.width or default_sizes[0]] * (self.depth or len(default_sizes))
        self.depth = len(self.hidden)
        self.width = self.hidden[0] if len(set(self.hidden)) == 1 else None
        return self

    def _get_default_sizes(self) -> list[int]:
        return [50, 50]

    @property
    def hidden_sizes(self) -> list[int]:
        """The sizes of the hidden layers."""
        assert self.hidden is not None  # ``_resolve`` has filled it.
        return self.hidden

    @property
    def n_layers(self) -> int:
        """The number of layers with weights."""
        return len(self.hidden_sizes) + 1

    def make_weights_key(self) -> list[Any]:
        """Return what the seed of the initial weights depends on: networks with equal keys start alike."""
        return self.hidden_sizes

    def list_layers(self, n_features: int, image: Image | None, n_classes: int) -> list[Layer]:
        """List the layers of the network for data with these features and classes."""
        sizes = [n_features, *self.hidden_sizes, n_classes]
        return [Layer(inputs, outputs) for inputs, outputs in pairwise(sizes)]

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns, lists as text so that rows can be grouped by them."""
        return {
            "architecture": self.kind,
            "hidden": _format_sizes(self.hidden_sizes),
            "width": self.width,
            "depth": self.depth,
            "dropout": self.dropout,
            "activation": self.activation,
            "init_std": self.init_std,
            "max_norm": self.max_norm,
        }


class TeacherMLP(MLP):
    """The tutorial's teacher for the fake data sets: 100-100-100 with dropout 0.2."""

    dropout: DropoutRate = 0.2

    def _get_default_sizes(self) -> list[int]:
        return [100, 100, 100]


class StudentMLP(MLP):
    """The tutorial's student for the fake data sets: 50-50 without dropout."""


def _check_pool(value: Any) -> int | list[int]:
    if isinstance(value, list):
        return [_check_window(item) for item in value]
    return _check_window(value)


def _check_window(value: Any) -> int:
    window = to_whole_number(value)
    if not isinstance(window, int) or isinstance(window, bool) or not 1 <= window <= 10**6:
        raise make_rule_error("must be a whole number from 1 to 1,000,000, or a list of them")
    return window


_WINDOW_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 10**6}
_POOL_SCHEMA = {"anyOf": [_WINDOW_SCHEMA, {"type": "array", "items": _WINDOW_SCHEMA}]}


class CNN(LayeredShape):
    """A convolutional network.

    Convolutions with "same" padding, each followed by an activation and max pooling; then dropout; then dense
    layers with dropout.
    """

    kind: Literal["cnn"]
    """A convolutional network, for images."""
    channels: Annotated[list[Size], Field(min_length=1)] = Field(default_factory=lambda: [8, 16])
    """The number of channels of each convolution."""
    kernel: Annotated[WholeNumber, Field(ge=1, le=99)] = 3
    """The side of the convolutions' kernels in pixels, an odd number."""
    pool: Annotated[int | list[int], PlainValidator(_check_pool), WithJsonSchema(_POOL_SCHEMA)] = 2
    """The side of the pooling window after each convolution, 1 for none; one number stands for all of them."""
    hidden: list[Size] = Field(default_factory=list)
    """The sizes of the dense hidden layers after the convolutions."""
    dropout: DropoutRate = 0.0
    """The share of the units that are left out at random in each step, before and between the dense layers."""
    activation: Activation = "relu"
    """The activation of the convolutions and the hidden layers."""

    is_faster_stacked: ClassVar[bool] = False
    has_handwritten_step: ClassVar[bool] = False

    @model_validator(mode="after")
    def _resolve(self) -> CNN:
        if self.kernel % 2 == 0:
            raise make_rule_error(f"must be odd, so that the kernel has a middle, not {self.kernel}", "kernel")
        if isinstance(self.pool, int):
            self.pool = [self.pool] * len(self.channels)
        if len(self.pool) != len(self.channels):
            raise make_rule_error(
                f"has {pluralize(len(self.pool), 'window')} for {pluralize(len(self.channels), 'convolution')}; "
                f"give one number, or one for each convolution",
                "pool",
            )
        return self

    @property
    def pool_windows(self) -> list[int]:
        """The pooling window after each convolution."""
        assert isinstance(self.pool, list)  # ``_resolve`` has made it one.
        return self.pool

    @property
    def n_layers(self) -> int:
        """The number of layers with weights."""
        return len(self.channels) + len(self.hidden) + 1

    def make_weights_key(self) -> list[Any]:
        """Return what the seed of the initial weights depends on: networks with equal keys start alike."""
        return ["cnn", self.channels, self.kernel, self.pool_windows, self.hidden]

    def list_layers(self, n_features: int, image: Image | None, n_classes: int) -> list[Layer]:
        """List the layers of the network for images of this form and this number of classes."""
        assert image is not None  # ``find_mismatches`` refuses convolutions of data without images.
        channels, height, width = image
        layers = []
        for outputs, window in zip(self.channels, self.pool_windows, strict=True):
            layers.append(Layer(channels * self.kernel**2, outputs, height * width))
            channels, height, width = outputs, math.ceil(height / window), math.ceil(width / window)
        dense_sizes = [channels * height * width, *self.hidden, n_classes]
        return layers + [Layer(inputs, outputs) for inputs, outputs in pairwise(dense_sizes)]

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns, lists as text so that rows can be grouped by them."""
        return {
            "architecture": self.kind,
            "channels": _format_sizes(self.channels),
            "kernel": self.kernel,
            "pool": _format_sizes(self.pool_windows),
            "hidden": _format_sizes(self.hidden),
            "dropout": self.dropout,
            "activation": self.activation,
        }


class TeacherCNN(CNN):
    """A convolutional network with defaults for a teacher: 32 and 64 channels, dropout 0.25."""

    channels: Annotated[list[Size], Field(min_length=1)] = Field(default_factory=lambda: [32, 64])
    dropout: DropoutRate = 0.25


def _format_sizes(sizes: list[int]) -> str:
    return "-".join(map(str, sizes))
