"""The measures in the row of a trained network, computed from its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdtune.columns import (
    ACCURACY,
    BALANCED_ERROR,
    BIAS_SHIFTED_BY,
    CONFUSION,
    ECE,
    LOGIT_STD,
    LOSS,
    NLL,
    NUM_ERROR,
    SEEN_CLASSES,
    SOFTMAX_ENTROPY,
    TEACHER,
    TEST_ERRORS,
    TRAIN_ERROR,
    TRAIN_LOSS,
    TRAIN_NUM_ERROR,
    UNSHIFTED_ACCURACY,
    UNSHIFTED_NUM_ERROR,
    UNSHIFTED_VAL_NUM_ERROR,
    VAL_ACCURACY,
    VAL_BALANCED_ERROR,
    VAL_LOSS,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.data.splits import Data
from kdtune.errors_by_example import pack_errors
from kdtune.plan.network import Network
from kdtune.stacked.stack import Stack
from kdtune.train import metrics
from kdtune.train.bias_shift import find_best_shift, shift_logits
from kdtune.train.logits import Logits

# Rows of data sets with more classes have no confusion matrix, whose size is the square of this.
MAX_CONFUSION_CLASSES = 256


def evaluate(network: Network, data: Data, logits: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the measures of a row, by column, from logits on the validation and the test split.

    Those of a teacher need its logits on the training split, too, from which its students learn: they have errors, and
    a spread (see ``measure_soft_targets``). With soft targets ``out_of_fold`` they are those of several estimators.
    """
    T = network.distill.T if network.distill else 1.0
    errors = metrics.count_errors(logits["test"], data.y_test)
    val_errors = metrics.count_errors(logits["val"], data.y_val)
    measures: dict[str, Any] = {
        NUM_ERROR: errors,
        ACCURACY: 1 - errors / len(data.y_test),
        LOSS: metrics.nll(logits["test"], data.y_test, T),
        NLL: metrics.nll(logits["test"], data.y_test),
        ECE: metrics.ece(logits["test"], data.y_test),
        BALANCED_ERROR: metrics.balanced_error(logits["test"], data.y_test),
        VAL_NUM_ERROR: val_errors,
        VAL_ACCURACY: 1 - val_errors / len(data.y_val),
        VAL_NLL: metrics.nll(logits["val"], data.y_val),
        VAL_BALANCED_ERROR: metrics.balanced_error(logits["val"], data.y_val),
    }
    measures[TEST_ERRORS] = pack_errors(logits["test"].argmax(axis=1) != data.y_test)
    if network.model == TEACHER:
        measures |= measure_soft_targets(logits["train"])
        if data.has_training_labels:
            measures |= measure_training_errors(metrics.count_errors(logits["train"], data.y_train), len(data.y_train))
    if data.n_classes <= MAX_CONFUSION_CLASSES:
        measures[CONFUSION] = metrics.confusion_matrix(logits["test"], data.y_test).ravel().tolist()
        # A small training split may hold no example of some class, so the classes are taken from its labels.
        measures[SEEN_CLASSES] = data.train_classes
    return measures


def measure_soft_targets(train_logits: Any) -> dict[str, Any]:
    """Measure what T acts on: how far apart a teacher's logits (examples, classes) lie, and how soft its softmax is."""
    return {LOGIT_STD: metrics.logit_std(train_logits), SOFTMAX_ENTROPY: metrics.softmax_entropy(train_logits)}


def measure_training_errors(n_errors: int, n_examples: int) -> dict[str, Any]:
    """Return the columns with the errors on the training set, as a number and as a share."""
    return {TRAIN_NUM_ERROR: n_errors, TRAIN_ERROR: n_errors / n_examples}


def shift_biases(network: Network, data: Data, logits: Logits, model: Stack, member: int) -> dict[str, Any]:
    """Shift the output biases of the classes that the network's settings name, in ``model`` and in ``logits``.

    Returns
    -------
    The columns with the shift and with the errors before it; empty if the settings ask for no shift.
    """
    classes = network.distill.bias_shift if network.distill else None
    if not classes:
        return {}
    errors = metrics.count_errors(logits["test"], data.y_test)
    val_errors = metrics.count_errors(logits["val"], data.y_val)
    shift = find_best_shift(logits["val"], data.y_val, classes)
    model.logit_bias[member, classes] += shift
    for split in ("val", "test"):
        logits[split] = shift_logits(logits[split], classes, shift)
    return {
        BIAS_SHIFTED_BY: shift,
        UNSHIFTED_NUM_ERROR: errors,
        UNSHIFTED_ACCURACY: 1 - errors / len(data.y_test),
        UNSHIFTED_VAL_NUM_ERROR: val_errors,
    }


def measure_learning_point(logits: Logits, data: Data) -> dict[str, Any]:
    """Compute a point of a learning curve: mean cross-entropy at T = 1 against the labels, and number of errors.

    Both are None on a split where some logits are not finite.
    """
    train_loss, train_errors = None, None
    if data.has_training_labels:
        train_loss, train_errors = _measure_split(logits["train"], data.y_train)
    val_loss, val_errors = _measure_split(logits["val"], data.y_val)
    return {TRAIN_LOSS: train_loss, TRAIN_NUM_ERROR: train_errors, VAL_LOSS: val_loss, VAL_NUM_ERROR: val_errors}


def _measure_split(logits: Any, labels: Any) -> tuple[float | None, int | None]:
    """Return the mean cross-entropy and the number of errors, or None for both if some logits are not finite."""
    if not np.isfinite(logits).all():
        return None, None
    return metrics.nll(logits, labels), metrics.count_errors(logits, labels)
