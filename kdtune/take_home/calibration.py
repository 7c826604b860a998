"""A temperature that makes probabilities honest: of the finished network, fitted on the validation split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy.optimize import minimize_scalar

from kdtune.train import metrics

LARGEST_TEMPERATURE = 100.0  # The search ends here, and at its inverse: what no labels contradict has no limit.


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, and the calibration on the test split without and with it."""

    temperature: float
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float


def fit_temperature(logits: Any, labels: Any) -> float:
    """Return the temperature at which softmax(z / T) has the lowest cross-entropy (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    logits : (examples, classes), of examples that the network was not trained on.
    labels : (examples,).
    """
    limit = math.log(LARGEST_TEMPERATURE)
    # The cross-entropy is convex in 1 / T, so it has one minimum in log T as well.
    best = minimize_scalar(
        lambda log_T: metrics.nll(logits, labels, math.exp(log_T)), bounds=(-limit, limit), method="bounded"
    )
    T = math.exp(float(best.x))
    return T if metrics.nll(logits, labels, T) < metrics.nll(logits, labels) else 1.0


def calibrate(val_logits: Any, val_labels: Any, test_logits: Any, test_labels: Any) -> Calibration:
    """Fit a temperature on the validation split, and measure on the test split what it is worth."""
    T = fit_temperature(val_logits, val_labels)
    return Calibration(
        temperature=T,
        ece_before=metrics.ece(test_logits, test_labels),
        ece_after=metrics.ece(test_logits / T, test_labels),
        nll_before=metrics.nll(test_logits, test_labels),
        nll_after=metrics.nll(test_logits, test_labels, T),
    )
