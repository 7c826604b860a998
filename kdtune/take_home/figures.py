"""The figures of an exported network, as they stand in its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from kdtune.data.splits import Data
from kdtune.train import metrics


@dataclass(frozen=True)
class SplitFigures:
    """What the exported weights do on the test split.

    Attributes
    ----------
    errors, n_test : wrong examples, of how many.
    error_low, error_high : 95 % interval of the share of errors, for other examples of the same kind (Wilson's).
    balanced_error, nll, ece : as in the table.
    """

    errors: int
    n_test: int
    error_low: float
    error_high: float
    balanced_error: float
    nll: float
    ece: float

    @property
    def error(self) -> float:
        """The share of errors."""
        return self.errors / self.n_test


def measure_test(logits: Any, data: Data) -> SplitFigures:
    """Compute the figures from logits on the test split, (examples, classes)."""
    errors, n_test = metrics.count_errors(logits, data.y_test), len(data.y_test)
    interval = binomtest(errors, n_test).proportion_ci(method="wilson")
    return SplitFigures(
        errors=errors,
        n_test=n_test,
        error_low=float(interval.low),
        error_high=float(interval.high),
        balanced_error=metrics.balanced_error(logits, data.y_test),
        nll=metrics.nll(logits, data.y_test),
        ece=metrics.ece(logits, data.y_test),
    )
