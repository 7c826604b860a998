"""What the row of a trained network says, from its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtune.columns import CONFUSION, SHIFTED_BY, UNSHIFTED_COLUMNS
from kdtune.data.splits import Data
from kdtune.plan.network import Network
from kdtune.train import bias_shift as bias
from kdtune.train import metrics

if TYPE_CHECKING:
    from kdtune.train.fit import Stack

MOST_CLASSES = 256  # of which errors by class and confusions are kept

Logits = dict[str, Any]  # "train", "val", "test": arrays of (examples, classes), float32


def evaluate(network: Network, data: Data, logits: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a row, from logits on the validation and the test split."""
    T = network.distill.T if network.distill else 1.0
    errors = metrics.num_error(logits["test"], data.y_test)
    val_errors = metrics.num_error(logits["val"], data.y_val)
    return {
        "num_error": errors,
        "accuracy": 1 - errors / len(data.y_test),
        "loss": metrics.nll(logits["test"], data.y_test, T),
        "nll": metrics.nll(logits["test"], data.y_test),
        "ece": metrics.ece(logits["test"], data.y_test),
        "val_num_error": val_errors,
        "val_accuracy": 1 - val_errors / len(data.y_val),
        "val_nll": metrics.nll(logits["val"], data.y_val),
    } | _confusion(logits["test"], data.y_test)


def _confusion(logits: Any, labels: Any) -> dict[str, Any]:
    """As one list; none of very many classes, whose square nobody could hold or read."""
    if logits.shape[1] > MOST_CLASSES:
        return {}
    return {CONFUSION: metrics.confusion(logits, labels).ravel().tolist()}


def shift_biases(network: Network, data: Data, logits: Logits, model: Stack, member: int) -> dict[str, Any]:
    """Shift the biases that the network asks for, in model and logits; by how much, and what there was before."""
    classes = network.distill.bias_shift if network.distill else None
    if not classes:
        return {}
    by = bias.find_best_shift(logits["val"], data.y_val, classes)
    before = {name: metrics.num_error(logits[name], getattr(data, f"y_{name}")) for name in ("val", "test")}
    model.logit_bias[member, classes] += by
    for name in before:
        logits[name] = bias.shift_logits(logits[name], classes, by)
    unshifted = before["test"], 1 - before["test"] / len(data.y_test), before["val"]
    return {SHIFTED_BY: by, **dict(zip(UNSHIFTED_COLUMNS, unshifted, strict=True))}


def measure_learning_point(logits: Logits, data: Data) -> dict[str, Any]:
    """A point of a learning curve: mean cross-entropy at T = 1 against the labels, and errors; null if not finite."""
    found: dict[str, Any] = {}
    for split in ("train", "val"):
        z, y = logits[split], getattr(data, f"y_{split}")
        finite = bool(np.isfinite(z).all())
        found[f"{split}_loss"] = metrics.nll(z, y) if finite else None
        found[f"{split}_num_error"] = metrics.num_error(z, y) if finite else None
    return found
