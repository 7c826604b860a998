"""Measures of one network on one split, computed from its logits: pure functions of numpy arrays, in float64.

Logits are (examples, classes), labels (examples,). Log-likelihoods are in nats.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


def count_errors(logits: Array, labels: Labels) -> int:
    """Count the examples whose argmax is not their label."""
    return int((logits.argmax(axis=1) != labels).sum())


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
