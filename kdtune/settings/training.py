"""The settings of training, and of what a student learns from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kdtune.settings.base import UNHASHED, Positive, Settings, Whole, make_rule_error, to_whole_number, unhashed_while

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
    precision: Precision = Field("float32", json_schema_extra=unhashed_while("float32"))
    # Losses and errors are recorded every so many epochs, and after the last; 0 records none. Changes no result.
    eval_every: Annotated[Whole, Field(ge=0)] = Field(0, json_schema_extra=UNHASHED)

    @model_validator(mode="after")
    def _resolve(self) -> Train:
        if self.optimizer != "sgd":
            self.momentum = 0.0
        if self.weight_decay is None:
            self.weight_decay = 0.01 if self.optimizer == "adamw" else 0.0
        return self


def _classes(value: Any) -> Any:
    """[8, 7, 7] is [7, 8]; what is no list of whole numbers is left for pydantic to judge."""
    if isinstance(value, list) and all(isinstance(to_whole_number(one), int) for one in value):
        return sorted(set(map(to_whole_number, value)))
    return value


def _by_class(value: Any) -> Any:
    """Keys of a sweep file are text."""
    if not isinstance(value, dict):
        return value
    if wrong_keys := [key for key in value if not str(key).isdecimal()]:
        raise make_rule_error(
            f"{str(wrong_keys[0])!r} is no class; give numbers of classes and values, as in {{3: 3.5}}"
        )
    found = {int(key): float(one) if type(one) is int and abs(one) <= LARGEST else one for key, one in value.items()}
    if len(found) < len(value):
        raise make_rule_error("has a class twice")
    return dict(sorted(found.items())) or None


LARGEST = 10**6
Bias = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Class = Annotated[Whole, Field(ge=0)]
Classes = Annotated[list[Class], BeforeValidator(_classes)]


class Transfer(Settings):
    """On which examples students are trained, by their class; validation and test splits stay whole."""

    omit: Classes | None = None
    keep: Classes | None = None

    @model_validator(mode="after")
    def _resolve(self) -> Transfer:
        if self.omit is not None and self.keep is not None:
            raise make_rule_error("has both omit and keep; give one or the other", "keep")
        return self

    @property
    def named(self) -> tuple[str, list[int]]:
        """Which of the two is given, and its classes."""
        return ("keep", self.keep) if self.keep is not None else ("omit", self.omit or [])

    def classes(self, n_classes: int) -> tuple[int, ...] | None:
        """Those that are in the transfer set; None for all."""
        if self.keep is not None:
            kept = tuple(self.keep)
        else:
            kept = tuple(label for label in range(n_classes) if label not in (self.omit or []))
        return None if len(kept) == n_classes else kept


class Distill(Settings):
    """The distillation loss: see ``losses``; and what is done to the biases of the output layer: see ``bias``."""

    T: Annotated[float, Field(gt=0, le=1e6)]  # beyond, float32 has nothing left of the softmax
    hard_weight: Annotated[float, Field(ge=0)] = 0.0
    scale_T2: bool = True  # noqa: N815 - as in the sweep file
    # The biases of these classes start at these values (the tutorial's way).
    bias_start: Annotated[dict[Class, Bias] | None, BeforeValidator(_by_class)] = Field(
        None, json_schema_extra=unhashed_while(None)
    )
    # The learned biases of these classes are shifted by the amount that is best on the validation split (the paper's).
    bias_shift: Classes | None = Field(None, json_schema_extra=unhashed_while(None))

    @model_validator(mode="after")
    def _resolve(self) -> Distill:
        self.bias_shift = self.bias_shift or None
        return self
