"""Teachers that train in scikit-learn's way: ``fit`` and ``predict_proba``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing
from threadpoolctl import threadpool_limits

from kdtune.data.raw import load_raw_examples
from kdtune.data.splits import Data
from kdtune.inputs.class_weights import number_class_weights
from kdtune.inputs.given_data import ClassName
from kdtune.plan.network import Network
from kdtune.settings import SklearnTeacher, list_classes
from kdtune.settings.outputs import SUM_TOLERANCE
from kdtune.stacked.random_streams import RandomStreams
from kdtune.train.logits import Logits
from kdtune.train.soft_outputs import take_logarithm

Probabilities = npt.NDArray[np.float64]

N_FOLDS = 5
SPLITS = ("train", "val", "test")


def train_sklearn_teacher(network: Network, data: Data, threads: int) -> Logits:
    """Train an estimator on the training split, and return the logarithms of its probabilities on all splits.

    One estimator, which was trained on all of the training split, is asked about all splits. With ``out_of_fold`` the
    probabilities of the training split come from five others, each trained on four fifths and asked about the last.

    Parameters
    ----------
    threads : How many threads it may train on.
    """
    settings = network.shape
    assert isinstance(settings, SklearnTeacher)
    x: dict[str, Any] = {split: getattr(data, f"x_{split}")[:] for split in SPLITS}
    if settings.inputs == "raw":
        x = load_raw_examples(network.data.settings, data)
    seed = network.weights_seed
    # An estimator without a random_state draws from the global generators: the streams make its numbers the teacher's.
    with warnings.catch_warnings(), threadpool_limits(threads), RandomStreams(seed):
        warnings.simplefilter("ignore")  # A worker has no screen; what an estimator cannot do, it raises.
        classes = list_classes(network.data.settings)
        estimator = build_estimator(settings, seed, threads, classes)
        estimator.fit(_copy(x["train"]), data.y_train.copy())
        asked_splits = SPLITS if settings.soft_targets == "in_sample" else ("val", "test")
        probabilities = {split: predict_all_classes(estimator, x[split], data.n_classes) for split in asked_splits}
        if settings.soft_targets == "out_of_fold":
            make_estimator = partial(build_estimator, settings, seed, threads, classes)
            probabilities["train"] = predict_out_of_fold(
                make_estimator, estimator, x["train"], data.y_train, data.n_classes, seed
            )
    return {split: take_logarithm(probabilities[split], settings.floor) for split in SPLITS}


def build_estimator(settings: SklearnTeacher, seed: int, threads: int, classes: Sequence[ClassName]) -> Any:
    """Make an estimator with the teacher's seed and the worker's threads, where it has parameters for them.

    Those of the steps of a pipeline, and of an estimator inside another one, are set, too; what ``args`` set is left,
    but for weights of classes, which are named by their numbers in place of their labels.
    """
    estimator = settings.make_estimator()
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    own_values = {"random_state": seed % 2**32, "n_jobs": threads}
    values = number_class_weights(params, classes)
    for name in params:
        parameter = name.rpartition("__")[2]
        if parameter in own_values and name not in settings.args:
            values[name] = own_values[parameter]
    return estimator.set_params(**values) if values else estimator


def predict_all_classes(estimator: Any, x: Any, n_classes: int) -> Probabilities:
    """Return the probability of every class, (examples, n_classes): 0 of one that the estimator has not seen.

    An estimator that does not say its classes has all of them, in ascending order.

    Raises
    ------
    ValueError
        If the estimator gives anything but probabilities of its classes.
    """
    given = np.asarray(estimator.predict_proba(_copy(x)), np.float64)
    classes = np.asarray(getattr(estimator, "classes_", np.arange(n_classes))).astype(np.int64)
    if given.shape != (len(x), len(classes)):
        raise ValueError(
            f"predict_proba gave shape {given.shape} for {len(x)} examples of {len(classes)} classes; "
            f"it must give a row for each example and a column for each class"
        )
    is_wrong = ~np.isclose(given.sum(axis=1), 1, atol=SUM_TOLERANCE) | (given < 0).any(axis=1)
    if is_wrong.any():
        raise ValueError(
            f"predict_proba gave {given[is_wrong.argmax()].tolist()} for an example; "
            f"probabilities are at least 0 and add up to 1"
        )
    probabilities = np.zeros((len(given), n_classes))
    probabilities[:, classes] = given
    return probabilities


def _copy(x: Any) -> Any:
    """Return a copy of examples for an estimator, which may change them in place: students read the same rows."""
    return deepcopy(x)


def predict_out_of_fold(
    make_estimator: Callable[[], Any], fitted_estimator: Any, x: Any, y: Any, n_classes: int, seed: int
) -> Probabilities:
    """Return probabilities of the training examples, (examples, n_classes), from estimators that have not seen them.

    The folds are stratified. The only example of a class is in no fold, since its estimator would not know the class:
    its probabilities are those of ``fitted_estimator``, which has seen it.

    Parameters
    ----------
    make_estimator : Makes an estimator that is not trained.
    fitted_estimator : The estimator that was trained on all of the examples.
    x, y : The examples, an array or a frame, and their classes from 0.
    seed : The seed of the folds.
    """
    counts = np.bincount(y)
    is_single = counts[y] == 1
    if is_single.all():
        return predict_all_classes(fitted_estimator, x, n_classes)
    probabilities = np.zeros((len(y), n_classes))
    if is_single.any():
        probabilities[is_single] = predict_all_classes(fitted_estimator, _safe_indexing(x, is_single), n_classes)
    rows, single_rows = np.flatnonzero(~is_single), np.flatnonzero(is_single)
    folds = StratifiedKFold(min(N_FOLDS, counts.max()), shuffle=True, random_state=seed % 2**32)
    for train, held_out in folds.split(rows, y[rows]):
        train_rows, held_out_rows = np.sort(np.append(rows[train], single_rows)), rows[held_out]
        estimator = make_estimator()
        estimator.fit(_safe_indexing(x, train_rows), y[train_rows])
        probabilities[held_out_rows] = predict_all_classes(estimator, _safe_indexing(x, held_out_rows), n_classes)
    return probabilities
