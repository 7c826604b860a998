"""Weights of classes in an estimator's parameters: users name labels, and estimators here are fitted on numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import ClassName
from kdtune.text import join_names


def number_class_weights(params: Mapping[str, Any], classes: Sequence[ClassName]) -> dict[str, Any]:
    """Return those parameters that weigh classes, with the classes' numbers as keys.

    Users write labels, or the numbers themselves where they know that estimators are fitted on these.

    Parameters
    ----------
    params : An estimator's parameters, ``get_params(deep=True)``; ``class_weight`` may be that of a step of a pipeline.
    classes : The label of each class in the order of their numbers.

    Raises
    ------
    InputError
        If a key is neither a label nor a number of a class.
    """
    number_by_label = {str(label): number for number, label in enumerate(classes)}
    numbered: dict[str, Any] = {}
    for name, weights in params.items():
        if name.rpartition("__")[2] != "class_weight" or not isinstance(weights, Mapping):
            continue
        # Keys that came through a sweep file are text, whatever the user wrote.
        keys = [str(int(key)) if isinstance(key, float) and key.is_integer() else str(key) for key in weights]
        unknown = [key for key in keys if key not in number_by_label]
        if not unknown:
            numbered[name] = dict(zip(map(number_by_label.__getitem__, keys), weights.values(), strict=True))
        elif all(key.isdecimal() and int(key) < len(classes) for key in keys):
            numbered[name] = dict(zip(map(int, keys), weights.values(), strict=True))
        else:
            known = join_names(list(number_by_label), max_names=10)
            raise InputError(f"{name} names the class {unknown[0]!r}; the classes are {known}", "args")
    return numbered
