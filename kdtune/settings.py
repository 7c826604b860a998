"""The settings of one network, as pydantic models: names, defaults, rules.

Each block of a sweep file has a model here. Values are resolved where they are checked: a split
given as a fraction becomes a number of examples, ``depth`` and ``width`` become ``hidden``. So two
ways of writing one thing give one network. A setting that is added later is declared with
``introduced``; it is left out of a network's id while it has that value (see ``identity``).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def _whole(value: Any) -> Any:
    """50.0 is 50; everything else is left for pydantic to judge."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def wrong(message: str, setting: str = "") -> PydanticCustomError:
    """A rule of ours that is broken, in words for the user, and the setting at fault."""
    return PydanticCustomError("kdtune", "{message}", {"message": message, "setting": setting})


Whole = Annotated[int, BeforeValidator(_whole)]
Positive = Annotated[Whole, Field(ge=1, le=10**9)]
Size = Annotated[Whole, Field(ge=1, le=10**6)]


def _part_of(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (0 < value < 1 or (value == 1 and isinstance(value, int))):
        return value
    if number and 1 < value < math.inf and value == int(value):
        return int(value)
    raise wrong("must be a fraction between 0 and 1 or a whole number of examples")


# A part of the examples: a fraction (float) or a number of them (int).
Part = Annotated[float | int, BeforeValidator(_part_of)]


class Settings(BaseModel):
    """A block of settings: no unknown keys, no text where a number belongs, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


# --- data ---------------------------------------------------------------------------------------


class MakeClassification(Settings):
    """scikit-learn's ``make_classification``, with the tutorial's values as defaults."""

    kind: Literal["make_classification"]
    n_samples: Positive = 50_000
    n_features: Size = 100
    n_classes: Annotated[Whole, Field(ge=2, le=10**6)] = 10
    n_clusters_per_class: Size = 1
    class_sep: Annotated[float, Field(gt=0)] = 1.0
    p_informative: Annotated[float, Field(gt=0, le=1)] = 1.0
    flip_y: Annotated[float, Field(ge=0, lt=1)] = 0.01
    test_size: Part = 0.2
    val_size: Part | None = None

    @property
    def n_informative(self) -> int:
        return round(self.p_informative * self.n_features)

    @property
    def n_train(self) -> int:
        return self.n_samples - int(self.test_size)

    @model_validator(mode="after")
    def _resolve(self) -> MakeClassification:
        clusters = self.n_classes * self.n_clusters_per_class
        needed = math.ceil(math.log2(clusters))
        if self.n_informative < needed:
            raise wrong(
                f"p_informative {self.p_informative:g} of {self.n_features} features leaves "
                f"{self.n_informative} informative, too few for {clusters} clusters; "
                f"at least {needed} are needed",
                "p_informative",
            )
        self.test_size = _part("test_size", self.test_size, self.n_samples)
        # Validation data are generated in addition, so that training stays as large as the tutorial's.
        self.val_size = self.test_size if self.val_size is None else max(1, _count(self.val_size, self.n_samples))
        return self


class Digits(Settings):
    """scikit-learn's ``load_digits``: 1,797 images of 8 x 8 pixels, which ship with the library."""

    kind: Literal["digits"]
    test_size: Part = 0.2
    val_size: Part = 0.1

    @property
    def n_samples(self) -> int:
        return 1797

    @property
    def n_features(self) -> int:
        return 64

    @property
    def n_classes(self) -> int:
        return 10

    @property
    def n_train(self) -> int:
        return self.n_samples - int(self.test_size) - int(self.val_size)

    @model_validator(mode="after")
    def _resolve(self) -> Digits:
        self.test_size = _part("test_size", self.test_size, self.n_samples)
        self.val_size = _part("val_size", self.val_size, self.n_samples - self.test_size)
        # Both splits are stratified, which takes at least one example of every class in each part.
        if min(self.test_size, self.val_size, self.n_train) < self.n_classes:
            raise wrong(
                f"{self.n_train} training, {self.val_size} validation and {self.test_size} test examples; "
                f"each part needs at least {self.n_classes}, one of every class",
                "test_size",
            )
        return self


Dataset = Annotated[MakeClassification | Digits, Field(discriminator="kind")]


def _count(part: float, of: int) -> int:
    """A fraction is rounded up, as scikit-learn's train_test_split does."""
    return math.ceil(part * of) if isinstance(part, float) else int(part)


def _part(name: str, part: float, of: int) -> int:
    count = _count(part, of)
    if count >= of:
        raise wrong(f"{name} {part:g} takes all {of} examples and leaves none to train on", name)
    return count


# --- models -------------------------------------------------------------------------------------


Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]


class MLP(Settings):
    """A multilayer perceptron; sizes as ``hidden`` or as ``depth`` and ``width``."""

    kind: Literal["mlp"] = "mlp"
    hidden: list[Size] | None = None
    depth: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    width: Size | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    activation: Activation = Field("relu", json_schema_extra={"introduced": "relu"})

    @property
    def written_out(self) -> bool:
        """Whether there is a training step of our own for it; any other architecture goes the general way."""
        return self.activation == "relu"

    @model_validator(mode="after")
    def _resolve(self) -> MLP:
        if self.hidden is not None:
            if self.depth is not None or self.width is not None:
                raise wrong("has both hidden and depth or width; give one or the other", "hidden")
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


class TeacherMLP(MLP):
    """The tutorial's teacher for the fake data sets: 100-100-100 with dropout 0.2."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2

    def _default_hidden(self) -> list[int]:
        return [100, 100, 100]


class StudentMLP(MLP):
    """The tutorial's student for the fake data sets: 50-50."""


# --- training -----------------------------------------------------------------------------------


Precision = Literal["float32", "bf16"]


class Train(Settings):
    """How a network is trained; the defaults are the tutorial's (Keras) ones."""

    epochs: Positive = 50
    batch_size: Positive = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Field(gt=0)] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0  # sgd's
    weight_decay: Annotated[float, Field(ge=0)] | None = None  # adamw: 0.01 unless given
    # Of the matrix products; with bf16 parameters, loss and optimizer stay float32.
    precision: Precision = Field("float32", json_schema_extra={"introduced": "float32"})

    @model_validator(mode="after")
    def _resolve(self) -> Train:
        if self.optimizer != "sgd":
            self.momentum = 0.0
        if self.weight_decay is None:
            self.weight_decay = 0.01 if self.optimizer == "adamw" else 0.0
        return self


class Distill(Settings):
    """The distillation loss: see ``losses``."""

    T: Annotated[float, Field(gt=0, le=1e6)]  # beyond, float32 has nothing left of the softmax
    hard_weight: Annotated[float, Field(ge=0)] = 0.0
    scale_T2: bool = True  # noqa: N815 - as in the sweep file


# --- the sweep as a whole -----------------------------------------------------------------------


class Replicates(Settings):
    """How often data, teacher and student are redrawn. Replicate r uses draw r modulo its count."""

    data: Positive = 1
    teacher: Positive = 1
    student: Positive = 1

    @model_validator(mode="after")
    def _divide(self) -> Replicates:
        small, middle, large = sorted((self.data, self.teacher, self.student))
        if large % middle or middle % small:
            raise wrong(
                f"{small}, {middle} and {large} do not divide one another, so that some draws would be "
                f"used more often than others; each count must divide the larger ones"
            )
        return self

    @property
    def count(self) -> int:
        return max(self.data, self.teacher, self.student)


class Resources(Settings):
    """What one worker takes. None stands for: one core; an equal share of the GPUs, if there are any."""

    cpus_per_worker: Positive | None = None
    gpus_per_worker: Annotated[float, Field(ge=0)] | None = None
    workers: Positive | None = None


def _together(value: Any) -> Any:
    """``replicates: 5`` redraws data, teacher and student together."""
    if isinstance(value, dict | Replicates):
        return value
    count = _whole(value)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10**9:
        raise wrong("must be a whole number of at least 1, or a block such as {data: 1, teacher: 1, student: 5}")
    return {"data": count, "teacher": count, "student": count}


# The folder beside the sweeps that holds the teachers of all of them.
RESERVED = ("teachers",)


class Head(Settings):
    """What a sweep file says beside its blocks."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 0
    replicates: Annotated[Replicates, BeforeValidator(_together)] = Field(default_factory=Replicates)
    resources: Resources = Field(default_factory=Resources)
