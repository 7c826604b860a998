"""Figures of one network on one split, from its logits. Pure numpy, in float64.

Logits are (examples, classes), labels (examples,). Log-likelihoods are in nats.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


def num_error(logits: Array, labels: Labels) -> int:
    """How many examples have their argmax elsewhere than their label."""
    return int((logits.argmax(axis=1) != labels).sum())


def confusion(logits: Array, labels: Labels) -> Labels:
    """(classes, classes): how many examples of each label, by row, have their argmax where, by column."""
    classes = logits.shape[1]
    return np.bincount(labels * classes + logits.argmax(axis=1), minlength=classes**2).reshape(classes, classes)


def nll(logits: Array, labels: Labels, T: float = 1.0) -> float:
    """Mean cross-entropy of softmax(z / T) against the label.

    At T = 1 the negative log-likelihood; at a student's own T the tutorial's ``loss``, which rises
    with T by construction: a softer softmax gives every label less.
    """
    return float(-log_softmax(logits.astype(np.float64) / T, axis=1)[np.arange(len(labels)), labels].mean())


def ece(logits: Array, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error at T = 1 with equal-width bins (Guo et al. 2017, equation 3)."""
    probabilities = softmax(logits.astype(np.float64), axis=1)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    # Bins are open below and closed above, as in the paper: (0, 1/15], ..., (14/15, 1].
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
