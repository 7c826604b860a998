"""The settings of networks: their architecture."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Discriminator, Field, PlainValidator, Tag, model_validator

from kdtune.settings.base import Settings, Size, Whole, make_rule_error, to_whole_number, unhashed_while
from kdtune.settings.data import Image

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Layer(NamedTuple):
    """A matrix of weights and how often it is used: once in a dense layer, at each place of a convolved image."""

    inputs: int
    outputs: int
    places: int = 1


class MLP(Settings):
    """A multilayer perceptron; sizes as ``hidden`` or as ``depth`` and ``width``."""

    kind: Literal["mlp"] = "mlp"
    hidden: list[Size] | None = None
    depth: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    width: Size | None = None
    dropout: Rate = 0.0
    activation: Activation = Field("relu", json_schema_extra=unhashed_while("relu"))
    # Of the hidden layers, as in the tutorial: normal initial weights of this deviation, Glorot-uniform unless
    # given; the largest Euclidean norm of a unit's incoming weights (Srivastava et al. 2014, section 5.1).
    init_std: Annotated[float, Field(gt=0)] | None = Field(None, json_schema_extra=unhashed_while(None))
    max_norm: Annotated[float, Field(gt=0)] | None = Field(None, json_schema_extra=unhashed_while(None))

    stacks: ClassVar[bool] = True  # whether a stack of them on a CPU is faster than one after the other

    @property
    def written_out(self) -> bool:
        """Whether there is a training step of our own for it; any other architecture goes the general way."""
        return self.activation == "relu"

    @model_validator(mode="after")
    def _resolve(self) -> MLP:
        if self.hidden is not None:
            if self.depth is not None or self.width is not None:
                raise make_rule_error("has both hidden and depth or width; give one or the other", "hidden")
        else:
            default = self._default_hidden()
            self.hidden = [self.width or default[0]] * (self.depth or len(default))
        self.depth = len(self.hidden)
        self.width = self.hidden[0] if len(set(self.hidden)) == 1 else None
        return self

    def _default_hidden(self) -> list[int]:
        return [50, 50]

    @property
    def sizes(self) -> list[int]:
        assert self.hidden is not None  # resolved above
        return self.hidden

    def weights_key(self) -> list[Any]:
        """What the initial weights are drawn for."""
        return self.sizes

    def layers(self, n_features: int, image: Image | None, n_classes: int) -> list[Layer]:
        return [Layer(*both) for both in pairwise([n_features, *self.sizes, n_classes])]

    def describe(self) -> dict[str, Any]:
        """Its columns of the table. Lists are text, so that rows can be grouped by them."""
        return {
            "architecture": self.kind,
            "hidden": _text(self.sizes),
            "width": self.width,
            "depth": self.depth,
            "dropout": self.dropout,
            "activation": self.activation,
            "init_std": self.init_std,
            "max_norm": self.max_norm,
        }


class TeacherMLP(MLP):
    """The tutorial's teacher for the fake data sets: 100-100-100 with dropout 0.2."""

    dropout: Rate = 0.2

    def _default_hidden(self) -> list[int]:
        return [100, 100, 100]


class StudentMLP(MLP):
    """The tutorial's student for the fake data sets: 50-50."""


def _windows(value: Any) -> int | list[int]:
    one = to_whole_number(value)
    several = [to_whole_number(each) for each in value] if isinstance(value, list) else [one]
    if not all(isinstance(each, int) and not isinstance(each, bool) and 1 <= each <= 10**6 for each in several):
        raise make_rule_error("must be a whole number of at least 1, or a list of them")
    return several if isinstance(value, list) else several[0]


class CNN(Settings):
    """Convolutions with "same" padding, each with an activation and max pooling; dropout; dense layers with dropout."""

    kind: Literal["cnn"]
    channels: Annotated[list[Size], Field(min_length=1)] = Field(default_factory=lambda: [8, 16])
    kernel: Annotated[Whole, Field(ge=1, le=99)] = 3
    # Windows of the pooling after each convolution, 1 for none; one number stands for all.
    pool: Annotated[int | list[int], PlainValidator(_windows)] = 2
    hidden: list[Size] = Field(default_factory=list)
    dropout: Rate = 0.0
    activation: Activation = "relu"

    stacks: ClassVar[bool] = False
    written_out: ClassVar[bool] = False

    @model_validator(mode="after")
    def _resolve(self) -> CNN:
        if self.kernel % 2 == 0:
            raise make_rule_error(f"must be odd, so that a window has a middle, not {self.kernel}", "kernel")
        if isinstance(self.pool, int):
            self.pool = [self.pool] * len(self.channels)
        if len(self.pool) != len(self.channels):
            raise make_rule_error(
                f"has {len(self.pool)} windows for {len(self.channels)} convolutions; give one number or one for each",
                "pool",
            )
        return self

    @property
    def windows(self) -> list[int]:
        assert isinstance(self.pool, list)  # resolved above
        return self.pool

    def weights_key(self) -> list[Any]:
        return ["cnn", self.channels, self.kernel, self.windows, self.hidden]

    def layers(self, n_features: int, image: Image | None, n_classes: int) -> list[Layer]:
        assert image is not None  # checked with the data set
        depth, height, width = image
        found = []
        for outputs, window in zip(self.channels, self.windows, strict=True):
            found.append(Layer(depth * self.kernel**2, outputs, height * width))
            depth, height, width = outputs, math.ceil(height / window), math.ceil(width / window)
        return found + [Layer(*both) for both in pairwise([depth * height * width, *self.hidden, n_classes])]

    def describe(self) -> dict[str, Any]:
        return {
            "architecture": self.kind,
            "channels": _text(self.channels),
            "kernel": self.kernel,
            "pool": _text(self.windows),
            "hidden": _text(self.hidden),
            "dropout": self.dropout,
            "activation": self.activation,
        }


class TeacherCNN(CNN):
    """32 and 64 channels and dropout 0.25: what the tutorial's convolutional teacher would have cost, it is worth."""

    channels: Annotated[list[Size], Field(min_length=1)] = Field(default_factory=lambda: [32, 64])
    dropout: Rate = 0.25


def _text(sizes: list[int]) -> str:
    return "-".join(map(str, sizes))


def _kind(block: Any) -> str:
    """Perceptrons need not say what they are."""
    return str(block.get("kind", "mlp") if isinstance(block, dict) else getattr(block, "kind", "mlp"))


def _either(mlp: type[MLP], cnn: type[CNN]) -> Any:
    return Annotated[Annotated[mlp, Tag("mlp")] | Annotated[cnn, Tag("cnn")], Discriminator(_kind)]


Shape = MLP | CNN
Teacher: Any = _either(TeacherMLP, TeacherCNN)
Student: Any = _either(StudentMLP, CNN)
AnyShape: Any = _either(MLP, CNN)
