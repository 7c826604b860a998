"""How students of the estimator are trained: its parameters, checked, as kdtune's own settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from kdtune.settings import Distill, Replicates, StudentMLP, Train
from kdtune.spec.messages import describe_error

AUTO = "auto"
DEFAULT_T = 4.0
MIN_EPOCHS, MIN_STEPS = 50, 2000  # A student on few examples takes many epochs until it has learned what it can.
MEASURES = ("num_error", "nll", "balanced_error")
SOFT_TARGETS = ("out_of_fold", "in_sample")

Model = TypeVar("Model")


@dataclass(frozen=True)
class Recipe:
    """The settings of students, and of the choice of T among them.

    Attributes
    ----------
    student, train : the layers, and the training.
    temperatures : the grid of T, in ascending order; one temperature if T is given.
    hard_weight : the weight of the labels in the loss.
    replicates : how often data, teacher and student are redrawn.
    validation_fraction : the share of the rows on which T is chosen.
    soft_targets : ``"out_of_fold"`` or ``"in_sample"``.
    select : the measure by which T is chosen.
    """

    student: StudentMLP
    train: Train
    temperatures: list[float]
    hard_weight: float
    replicates: Replicates
    validation_fraction: float
    soft_targets: str
    select: str

    @property
    def fallback_temperature(self) -> float:
        """The temperature of the grid that is next to 4, for data that are too few to choose one."""
        return min(self.temperatures, key=lambda T: abs(math.log2(T / DEFAULT_T)))


def make_recipe(params: Mapping[str, Any], n_rows: int) -> Recipe:
    """Return the settings that the estimator's parameters stand for.

    Parameters
    ----------
    params : the parameters by name, as ``get_params(deep=False)`` gives them.
    n_rows : the number of rows that the estimator is fitted on.

    Raises
    ------
    ValueError
        If a parameter is wrong; the message names it.
    """
    _check_choice("soft_targets", params["soft_targets"], SOFT_TARGETS)
    _check_choice("select", params["select"], MEASURES)
    if isinstance(params["T"], str):
        _check_choice("T", params["T"], (AUTO,), "or a number above 0")
    batch_size, epochs = _to_plain(params["batch_size"]), _to_plain(params["epochs"])
    train = _validate({}, lambda: Train(batch_size=batch_size, lr=_to_plain(params["lr"])))
    if isinstance(epochs, str):
        _check_choice("epochs", epochs, (AUTO,), "or a whole number of at least 1")
        epochs = max(MIN_EPOCHS, math.ceil(MIN_STEPS / math.ceil(n_rows / train.batch_size)))
    train = _validate({}, lambda: Train(batch_size=batch_size, lr=train.lr, epochs=epochs))
    hidden = np.atleast_1d(np.asarray(params["hidden"], dtype=object)).tolist()
    count = _to_plain(params["n_replicates"])
    count_name = {"data": "n_replicates"}
    return Recipe(
        student=_validate({}, lambda: StudentMLP(hidden=[_to_plain(size) for size in hidden])),
        train=train,
        temperatures=_list_temperatures(params),
        hard_weight=_make_loss(DEFAULT_T, params["hard_weight"], "T").hard_weight,
        replicates=_validate(count_name, lambda: Replicates(data=count, teacher=count, student=count)),
        validation_fraction=_check_fraction("validation_fraction", _to_plain(params["validation_fraction"])),
        soft_targets=params["soft_targets"],
        select=params["select"],
    )


def _list_temperatures(params: Mapping[str, Any]) -> list[float]:
    """Return the temperatures of the grid in ascending order, or the one that is given."""
    if not isinstance(params["T"], str):
        return [_make_loss(params["T"], 0.0, "T").T]
    grid = np.atleast_1d(np.asarray(params["temperatures"], dtype=object)).tolist()
    temperatures = sorted({_make_loss(T, 0.0, "temperatures").T for T in grid})
    if len(temperatures) < 2:
        raise ValueError(f"temperatures: must be two or more, so that T='auto' can compare them, not {grid!r}")
    return temperatures


def _make_loss(T: Any, hard_weight: Any, T_name: str) -> Distill:
    return _validate({"T": T_name}, lambda: Distill(T=_to_plain(T), hard_weight=_to_plain(hard_weight)))


def _to_plain(value: Any) -> Any:
    """Return a number of NumPy, as a search over parameters may give, as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def _check_choice(name: str, value: Any, choices: tuple[str, ...], alternative: str = "") -> None:
    if not isinstance(value, str) or value not in choices:
        allowed = " or ".join(filter(None, [*map(repr, choices), alternative.removeprefix("or ")]))
        raise ValueError(f"{name}: must be {allowed}, not {value!r}")


def _check_fraction(name: str, value: Any) -> float:
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"{name}: must be a fraction between 0 and 1, not {value!r}")
    return value


def _validate(names: Mapping[str, str], make_settings: Callable[[], Model]) -> Model:
    """Return settings; ValueError names the estimator's parameter, where settings call it otherwise."""
    try:
        return make_settings()
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else ""
        raise ValueError(f"{names.get(name, name)}: {describe_error(problem, ())}") from None
