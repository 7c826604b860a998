"""Teachers that kdtune does not train by gradient steps: their logits on the splits of the data.

They are given by their outputs, train in scikit-learn's way, or are modules that were trained elsewhere.
"""

from __future__ import annotations

import platform
import time

import numpy as np

from kdtune.columns import DEVICE, HOST, SECONDS
from kdtune.data.load import load_data
from kdtune.data.splits import Data
from kdtune.inputs.arrays import open_array
from kdtune.inputs.class_orders import describe_better_order
from kdtune.plan.network import Network
from kdtune.settings import Dataset, GivenOutputs, GivenProbabilities, SklearnTeacher, TeacherModule, list_classes
from kdtune.train.evaluate import evaluate
from kdtune.train.logits import Logits
from kdtune.train.rows import make_row
from kdtune.train.soft_outputs import take_logarithm
from kdtune.train.trained_network import TrainedNetwork


def compute_teacher(network: Network, device: str, threads: int) -> TrainedNetwork:
    """Return the logits of a teacher on all splits of its data, and its row.

    Parameters
    ----------
    device : Where a module runs, ``"cpu"`` or ``"cuda"``.
    threads : How many threads an estimator may train on.
    """
    start = time.perf_counter()
    data = load_data(network.data)
    match network.shape:
        case GivenOutputs():
            logits = read_given_logits(network, data)
        case SklearnTeacher():
            from kdtune.train.sklearn_teachers import train_sklearn_teacher

            logits = train_sklearn_teacher(network, data, threads)
        case TeacherModule():
            from kdtune.train.trained_modules import run_trained_module

            logits = run_trained_module(network, data, device)
            if network.shape.agreement == "checked":
                check_agreement(logits, data, network.data.settings)
        case _:
            raise AssertionError(f"{network.shape.kind} is trained by steps")
    measures = evaluate(network, data, logits)
    run_columns = {DEVICE: "cpu", HOST: platform.node(), SECONDS: time.perf_counter() - start}
    return TrainedNetwork(network, make_row(network, {**measures, **run_columns}), logits)


def check_agreement(logits: Logits, data: Data, data_settings: Dataset) -> None:
    """Raise ValueError if a teacher agrees with few labels, over all splits.

    That is with fewer than the most frequent class has, or with many fewer than with its classes in another order.
    """
    splits = ["train", "val", "test"] if data_settings.has_training_labels else ["val", "test"]
    labels = np.concatenate([getattr(data, f"y_{split}") for split in splits])
    predictions = np.concatenate([logits[split].argmax(axis=1) for split in splits])
    problem = describe_better_order(predictions, labels, list_classes(data_settings))
    if problem is not None:
        raise ValueError(f"the teacher {problem}")
    agreement = float(np.mean(predictions == labels))
    most_frequent = np.bincount(labels).max() / len(labels)
    if agreement < most_frequent:
        raise ValueError(
            f"the teacher agrees with {agreement:.1%} of the labels, fewer than the {most_frequent:.1%} of the most "
            f"frequent class; is it trained (a module needs its `weights`), are its inputs scaled as it expects, and "
            f"are its classes in the order of the data's? If so, write `agreement: any` in the teacher block"
        )


def read_given_logits(network: Network, data: Data) -> Logits:
    """Return the rows of given outputs that belong to the examples of each split, as logits."""
    assert data.rows is not None, "outputs are given for data that have rows"
    shape = network.shape
    assert isinstance(shape, GivenOutputs)
    logits: Logits = {}
    for split, rows in data.rows.items():
        values = open_array(shape.arrays[rows.part])[rows.indices]
        if isinstance(shape, GivenProbabilities):
            logits[split] = take_logarithm(values, shape.floor)
        else:
            logits[split] = values.astype(np.float32)
    return logits
