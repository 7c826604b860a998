"""The blocks ``teacher`` and ``student`` of a sweep that is written in Python: objects become names and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.api.dataset_objects import DescribedData
from kdtune.inputs.arrays import store_array
from kdtune.inputs.convert_data import ExamplesAndLabels
from kdtune.inputs.errors import InputError
from kdtune.inputs.factories import name_of_factory
from kdtune.inputs.forward_outputs import describe_no_tensor
from kdtune.inputs.given_data import PartName
from kdtune.inputs.objects import convert_examples
from kdtune.inputs.python_data import convert_part_labels
from kdtune.inputs.user_code import describe_user_error
from kdtune.spec.grid import GRID

RUN_BATCH = 256


def describe_teacher(block: Any, data: DescribedData | None, inputs_folder: Path) -> Any:
    """Replace the objects in a block ``teacher``.

    A fitted estimator and a module are run on the data here, and become their outputs; an unfitted estimator, a class
    and a function become their names and arguments.

    Parameters
    ----------
    block : a mapping as in a sweep file with objects in it, a list of such in a grid, or an object.
    data : the data of the sweep.
    inputs_folder : the folder ``inputs`` of the results.

    Raises
    ------
    InputError
        If an object is no teacher, or cannot be run on the data.
    """
    if isinstance(block, Mapping):
        if GRID in block:
            return {GRID: [describe_teacher(item, data, inputs_folder) for item in block[GRID]]}
        settings = dict(block)
        if "outputs" in settings:
            settings["outputs"] = _store_outputs(settings["outputs"], inputs_folder)
        if callable(settings.get("factory")) and not isinstance(settings["factory"], str):
            settings["factory"] = _name(settings["factory"])
        return settings
    if _is_estimator(block):
        return _describe_estimator(block, data, inputs_folder)
    if _is_module(block):
        return {"kind": "logits", "outputs": _run_module(block, data, inputs_folder)}
    if callable(block):
        kind = "sklearn" if isinstance(block, type) and hasattr(block, "fit") else "python"
        description = {"kind": kind, "factory": _name(block)}
        return description if kind == "sklearn" else {**description, "trained": False}
    raise InputError(
        f"is of type {type(block).__name__}; give an estimator, a PyTorch module, a function that makes one of these, "
        f"or a mapping"
    )


def describe_student(block: Any) -> Any:
    """Replace the objects in a block ``student``: functions and classes become their names.

    Raises
    ------
    InputError
        If it holds a module that exists already: students are made anew for each replicate.
    """
    if isinstance(block, Mapping):
        if GRID in block:
            return {GRID: [describe_student(item) for item in block[GRID]]}
        settings = dict(block)
        if callable(settings.get("factory")) and not isinstance(settings["factory"], str):
            settings["factory"] = _name(settings["factory"])
            settings.setdefault("kind", "python")
        return settings
    if _is_module(block):
        raise InputError(
            "is a module that exists already; each student is made anew: give the class, or a function that makes one"
        )
    if callable(block):
        return {"kind": "python", "factory": _name(block)}
    raise InputError(f"is of type {type(block).__name__}; give a mapping, a class of modules, or a function")


def _name(factory: Any) -> str:
    try:
        return name_of_factory(factory)
    except InputError as error:
        raise InputError(str(error), "factory") from None


def _is_estimator(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "fit") and hasattr(value, "get_params")


def _is_module(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "state_dict") and hasattr(value, "forward")


def _store_outputs(outputs: Any, inputs_folder: Path) -> Any:
    """Return outputs of a teacher as files; paths stay."""
    if isinstance(outputs, Mapping):
        return {name: _store_output(value, f"outputs.{name}", inputs_folder) for name, value in outputs.items()}
    return _store_output(outputs, "outputs", inputs_folder)


def _store_output(value: Any, setting: str, inputs_folder: Path) -> str:
    if isinstance(value, str | Path):
        return str(value)
    try:
        return store_array(np.asarray(convert_examples(value, [])), inputs_folder).path
    except InputError as error:
        raise InputError(str(error), setting) from None


def _describe_estimator(estimator: Any, data: DescribedData | None, inputs_folder: Path) -> dict[str, Any]:
    """Return the block of an estimator: its probabilities if it is fitted, else how to make it."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not hasattr(estimator, "predict_proba"):
        raise InputError(f"{type(estimator).__name__} has no predict_proba; a teacher gives probabilities")
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return {"kind": "sklearn", "factory": _name(type(estimator)), "args": _list_changed_params(estimator)}
    outputs = {}
    parts = _get_parts(data, "a fitted estimator")
    classes = _list_classes(parts)
    for part_name, part in parts.items():
        # A copy: an estimator may change its inputs in place, and they are the user's.
        try:
            probabilities = np.asarray(estimator.predict_proba(part.x.copy()), np.float64)
        except Exception as error:
            raise InputError(f"cannot be run on the data: {describe_user_error(error)}") from None
        outputs[part_name] = store_array(_order_by_class(probabilities, estimator, classes), inputs_folder).path
    return {"kind": "probabilities", "outputs": outputs.get("all", outputs)}


def _list_changed_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that differ from the defaults of its class."""
    try:
        defaults = type(estimator)().get_params(deep=False)
    except TypeError:  # A pipeline has parameters without a default.
        defaults = {}
    params = estimator.get_params(deep=False)
    return {name: value for name, value in params.items() if not _is_equal(value, defaults.get(name))}


def _is_equal(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(np.all(value == default)))


def _get_parts(data: DescribedData | None, subject: str) -> dict[PartName, ExamplesAndLabels]:
    if data is None or not data.parts:
        raise InputError(
            f"is {subject}, which is run on the data here; give the data as objects, too (dataset: {{'x': X, 'y': y}})"
            f", or its outputs (kind: probabilities or logits)"
        )
    return data.parts


def _list_classes(parts: dict[PartName, ExamplesAndLabels]) -> list[Any]:
    """Return the labels in ascending order, in the form that the data set will have."""
    labels = [convert_part_labels(part, "y") for part in parts.values() if part.y is not None]
    classes: list[Any] = np.unique(np.concatenate([values for values in labels if values is not None])).tolist()
    return classes


def _order_by_class(probabilities: Any, estimator: Any, classes: list[Any]) -> Any:
    """Return probabilities with one column for each class of the data, 0 for one that the estimator has not seen."""
    seen = [_to_label(label) for label in estimator.classes_]
    unknown = [label for label in seen if label not in classes]
    if unknown:
        raise InputError(f"was fitted on the class {unknown[0]!r}, which the data do not have")
    ordered = np.zeros((len(probabilities), len(classes)))
    ordered[:, [classes.index(label) for label in seen]] = probabilities
    return ordered


def _to_label(value: Any) -> Any:
    """Return a class of an estimator as labels are written: whole numbers as such, all else as text."""
    item = value.item() if isinstance(value, np.generic) else value
    if isinstance(item, bool):
        return str(item)
    return int(item) if isinstance(item, float) and item.is_integer() else item


def _run_module(module: Any, data: DescribedData | None, inputs_folder: Path) -> Any:
    """Return the logits of a module on all parts of the data, as files."""
    import torch

    parts = _get_parts(data, "a module")
    outputs = {}
    first_parameter = next(iter(module.parameters()), None)
    device = "cpu" if first_parameter is None else first_parameter.device
    was_training = module.training
    module.eval()
    try:
        for part_name, part in parts.items():
            if isinstance(part.x, pd.DataFrame):
                raise InputError("is a module, and the data are a table; a module sees arrays, or give its logits")
            with torch.inference_mode():
                batches = [
                    module(torch.from_numpy(np.array(part.x[start : start + RUN_BATCH], np.float32)).to(device))
                    for start in range(0, len(part.x), RUN_BATCH)
                ]
            if batches and not isinstance(batches[0], torch.Tensor):
                n_classes = len(_list_classes(parts))
                raise InputError(describe_no_tensor(type(module).__name__, batches[0], n_classes))
            outputs[part_name] = store_array(torch.cat(batches).float().cpu().numpy(), inputs_folder).path
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"cannot be run on the data: {describe_user_error(error)}") from None
    finally:
        module.train(was_training)
    return outputs.get("all", outputs)
