"""The settings of training, of transfer sets and of distillation.

"The tutorial" is the 2018 Harvard tutorial that kdtune began from; the defaults are its values.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from kdtune.columns import TEMP_RANGE
from kdtune.settings.base import (
    EXCLUDE_FROM_HASH,
    PositiveInt,
    Settings,
    WholeNumber,
    exclude_from_hash_while,
    make_rule_error,
    to_whole_number,
)

Precision = Literal["float32", "bf16"]
MAX_BIAS = 10**6
MAX_CLASS_DIGITS = 9


class Train(Settings):
    """The training of a network; the defaults are those of the tutorial, which are those of Keras."""

    epochs: PositiveInt = 50
    """How many times a network sees its training examples."""
    batch_size: PositiveInt = 100
    """The number of examples in each step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """The optimizer."""
    lr: Annotated[float, Field(gt=0)] = 0.001
    """The learning rate."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The momentum of `sgd`; other optimizers do not use it."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """The weight decay; none stands for 0.01 with `adamw`, and for 0 otherwise."""
    precision: Precision = Field("float32", json_schema_extra=exclude_from_hash_while("float32"))
    """The precision of the matrix products; with `bf16`, parameters, loss and optimizer stay float32."""
    eval_every: Annotated[WholeNumber, Field(ge=0)] = Field(0, json_schema_extra=EXCLUDE_FROM_HASH)
    """Losses and errors are recorded every so many epochs and after the last one; 0 records none. Recording changes no
    result."""

    @model_validator(mode="after")
    def _resolve(self) -> Train:
        if self.optimizer != "sgd":
            self.momentum = 0.0
        if self.weight_decay is None:
            self.weight_decay = 0.01 if self.optimizer == "adamw" else 0.0
        return self


def _sort_classes(value: Any) -> Any:
    """Turn [8, 7, 7] into [7, 8]; return any value but a list of whole numbers as it is, for pydantic to judge."""
    if isinstance(value, list) and all(isinstance(to_whole_number(item), int) for item in value):
        return sorted({to_whole_number(item) for item in value})
    return value


def _read_biases(value: Any) -> Any:
    """Turn the keys of a block of biases, which are text in a sweep file, into numbers of classes."""
    if not isinstance(value, dict):
        return value
    wrong_keys = [str(key) for key in value if not (str(key).isdecimal() and len(str(key)) <= MAX_CLASS_DIGITS)]
    if wrong_keys:
        shown_key = wrong_keys[0][:20]
        raise make_rule_error(f"{shown_key!r} is not a class; give numbers of classes and values, as in {{3: 3.5}}")
    biases: dict[int, Any] = {}
    for key, bias in value.items():
        is_whole = isinstance(bias, int) and not isinstance(bias, bool)
        biases[int(key)] = float(bias) if is_whole and abs(bias) <= MAX_BIAS else bias
    if len(biases) < len(value):
        raise make_rule_error("has a class twice; give each class one value")
    return dict(sorted(biases.items())) or None


Bias = Annotated[float, Field(ge=-MAX_BIAS, le=MAX_BIAS)]
ClassLabel = Annotated[WholeNumber, Field(ge=0)]
_BIASES_SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": f"^[0-9]{{1,{MAX_CLASS_DIGITS}}}$"},
    "additionalProperties": {"type": "number", "minimum": -MAX_BIAS, "maximum": MAX_BIAS},
}
Biases = Annotated[dict[ClassLabel, Bias] | None, BeforeValidator(_read_biases), WithJsonSchema(_BIASES_SCHEMA)]
ClassLabels = Annotated[list[ClassLabel], BeforeValidator(_sort_classes)]


class Transfer(Settings):
    """The classes whose examples students are trained on; validation and test splits stay complete."""

    omit: ClassLabels | None = None
    """The classes, as numbers, whose examples students do not see in training."""
    keep: ClassLabels | None = None
    """The only classes, as numbers, whose examples students see in training."""

    @model_validator(mode="after")
    def _refuse_omit_beside_keep(self) -> Transfer:
        if self.omit is not None and self.keep is not None:
            raise make_rule_error("has both omit and keep; give one or the other", "keep")
        return self

    @property
    def setting_name(self) -> str:
        """The name of the setting that holds ``written_classes``: ``keep`` or ``omit``."""
        return "omit" if self.keep is None else "keep"

    @property
    def written_classes(self) -> list[int]:
        """The classes that are to be kept or omitted, in ascending order, each once."""
        return (self.omit or []) if self.keep is None else self.keep

    def list_classes(self, n_classes: int) -> tuple[int, ...] | None:
        """Return the classes in the transfer set, in ascending order; None if it has all classes."""
        if self.keep is not None:
            classes = tuple(self.keep)
        else:
            omitted_classes = set(self.omit or [])
            classes = tuple(label for label in range(n_classes) if label not in omitted_classes)
        return None if len(classes) == n_classes else classes


class Distill(Settings):
    """The distillation loss, and changes to the biases of the output layer."""

    T: Annotated[float, Field(ge=TEMP_RANGE[0], le=TEMP_RANGE[1])]
    """The distillation temperature, by which the logits of teacher and student are divided."""
    hard_weight: Annotated[float, Field(ge=0)] = 0.0
    """The weight of the cross-entropy with the labels, which is added to that with the teacher's soft targets."""
    scale_T2: bool = True  # noqa: N815 - as in the sweep file
    """Whether the loss of the soft targets is multiplied by the square of T (Hinton, Vinyals and Dean 2015, section
    2)."""
    bias_start: Biases | None = Field(None, json_schema_extra=exclude_from_hash_while(None))
    """Where output biases start, by class, as in `{3: 3.5}`; other biases start at 0."""
    bias_shift: ClassLabels | None = Field(None, json_schema_extra=exclude_from_hash_while(None))
    """The classes whose output biases are shifted after training by the amount that is best on the validation split
    (Hinton, Vinyals and Dean 2015, section 3)."""

    @model_validator(mode="after")
    def _resolve(self) -> Distill:
        self.bias_shift = self.bias_shift or None
        return self
