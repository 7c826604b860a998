"""Measures of one network on one split, computed from its logits: pure functions of numpy arrays, in float64.

Logits are (examples, classes), labels (examples,). Log-likelihoods are in nats.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import entr, log_softmax, softmax

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]

_BLOCK = 2**20  # numbers of a training set's logits that are read at a time, so that memory does not grow with the set


def count_errors(logits: Array, labels: Labels) -> int:
    """Count the examples whose argmax is not their label."""
    return int((logits.argmax(axis=1) != labels).sum())


def balanced_error(logits: Array, labels: Labels) -> float:
    """Return the mean, over the classes that have examples, of the share of a class's examples that are errors."""
    n_examples = np.bincount(labels, minlength=logits.shape[1])
    n_errors = np.bincount(labels[logits.argmax(axis=1) != labels], minlength=len(n_examples))
    has_examples = n_examples > 0
    return float((n_errors[has_examples] / n_examples[has_examples]).mean())


def confusion_matrix(logits: Array, labels: Labels) -> Labels:
    """Count, for each label (row), how many of its examples have their argmax at each class (column)."""
    n_classes = logits.shape[1]
    pairs = labels * n_classes + logits.argmax(axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def nll(logits: Array, labels: Labels, T: float = 1.0) -> float:
    """Return the mean cross-entropy of softmax(z / T) against the label.

    At T = 1 this is the negative log-likelihood; at a student's own T it is the tutorial's ``loss``, which rises
    with T by construction, since a softer softmax gives each label a lower probability.
    """
    return float(-log_softmax(logits.astype(np.float64) / T, axis=1)[np.arange(len(labels)), labels].mean())


def ece(logits: Array, labels: Labels, bins: int = 15) -> float:
    """Return the expected calibration error at T = 1 with bins of equal width (Guo et al. 2017, equation 3)."""
    probabilities = softmax(logits.astype(np.float64), axis=1)
    confidence = probabilities.max(axis=1)
    is_correct = probabilities.argmax(axis=1) == labels
    # Bins are open below and closed above, as in the paper: (0, 1/15], ..., (14/15, 1].
    bin_of_example = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of_example, weights=is_correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def logit_std(logits: Array) -> float:
    """Return the standard deviation of the logits of all examples and classes, each example's centred at 0.

    A softmax does not see the mean of an example's logits. T divides what is left, so a good T grows with its spread.
    """
    squares = [np.square(z - z.mean(axis=1, keepdims=True)).sum() for z in _iterate_blocks(logits)]
    return float(np.sqrt(sum(squares) / logits.size))


def softmax_entropy(logits: Array) -> float:
    """Return the mean entropy of softmax(z), at T = 1, in nats: 0 for certainty, log(classes) for equal shares."""
    entropies = [entr(softmax(z, axis=1)).sum() for z in _iterate_blocks(logits)]
    return float(sum(entropies) / len(logits))


def _iterate_blocks(logits: Array) -> Iterator[Array]:
    """Yield the logits of some examples after the other, in float64."""
    n_rows = max(1, _BLOCK // logits.shape[1])
    for start in range(0, len(logits), n_rows):
        yield logits[start : start + n_rows].astype(np.float64)
