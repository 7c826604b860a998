"""Teachers that train in scikit-learn's way: ``fit`` and ``predict_proba``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from kdtune.data.raw import load_raw_examples
from kdtune.data.splits import Data
from kdtune.plan.network import Network
from kdtune.settings import SklearnTeacher
from kdtune.train.logits import Logits
from kdtune.train.soft_outputs import take_logarithm

N_FOLDS = 5
SPLITS = ("train", "val", "test")


def train_sklearn_teacher(network: Network, data: Data, threads: int) -> Logits:
    """Train an estimator on the training split, and return the logarithms of its probabilities on all splits.

    Its probabilities on examples that it was trained on are nearly their labels. With ``out_of_fold`` those of the
    training split come from five estimators, each trained on four fifths and asked about the last; the other splits are
    answered by the one that was trained on all of the training split.

    Parameters
    ----------
    threads : How many threads it may train on.
    """
    settings = network.shape
    assert isinstance(settings, SklearnTeacher)
    x: dict[str, Any] = {split: getattr(data, f"x_{split}")[:] for split in SPLITS}
    if settings.inputs == "raw":
        x = load_raw_examples(network.data.settings, data)
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore")  # A worker has no screen; what an estimator cannot do, it raises.
        estimator = _make_estimator(settings, network.weights_seed, threads)
        estimator.fit(x["train"], data.y_train)
        asked_splits = SPLITS if settings.soft_targets == "in_sample" else ("val", "test")
        probabilities = {split: _predict(estimator, x[split], data.n_classes) for split in asked_splits}
        if settings.soft_targets == "out_of_fold":
            probabilities["train"] = _predict_out_of_fold(network, x["train"], data, threads)
    return {split: take_logarithm(probabilities[split], settings.floor) for split in SPLITS}


def _make_estimator(settings: SklearnTeacher, seed: int, threads: int) -> Any:
    """Make an estimator with the teacher's seed and the worker's threads, where it has such parameters left to set."""
    estimator = settings.make_estimator()
    names = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    values = {}
    if "random_state" in names and "random_state" not in settings.args:
        values["random_state"] = seed % 2**32
    if "n_jobs" in names and "n_jobs" not in settings.args:
        values["n_jobs"] = threads
    return estimator.set_params(**values) if values else estimator


def _predict(estimator: Any, x: Any, n_classes: int) -> npt.NDArray[np.float64]:
    """Return the probability of every class, (examples, n_classes): 0 of one that the estimator has not seen."""
    given = np.asarray(estimator.predict_proba(x), np.float64)
    probabilities = np.zeros((len(given), n_classes))
    probabilities[:, np.asarray(estimator.classes_).astype(np.int64)] = given
    return probabilities


def _predict_out_of_fold(network: Network, x: Any, data: Data, threads: int) -> npt.NDArray[np.float64]:
    """Return probabilities of the training examples from estimators that have not seen them."""
    from sklearn.model_selection import KFold, StratifiedKFold

    settings = network.shape
    assert isinstance(settings, SklearnTeacher)
    counts = np.bincount(data.y_train)
    # Stratified folds need a class to have as many examples as there are folds.
    can_stratify = counts[counts > 0].min() >= N_FOLDS
    folds = (StratifiedKFold if can_stratify else KFold)(
        N_FOLDS, shuffle=True, random_state=network.weights_seed % 2**32
    )
    probabilities = np.zeros((len(data.y_train), data.n_classes))
    for train, held_out in folds.split(np.zeros(len(data.y_train)), data.y_train):
        estimator = _make_estimator(settings, network.weights_seed, threads)
        estimator.fit(_take(x, train), data.y_train[train])
        probabilities[held_out] = _predict(estimator, _take(x, held_out), data.n_classes)
    return probabilities


def _take(x: Any, rows: Any) -> Any:
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]
