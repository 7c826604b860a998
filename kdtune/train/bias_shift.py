"""Shifting the learned biases of some classes after training (Hinton, Vinyals and Dean 2015, section 3).

A student that has never seen a class learns a bias for it that is far too low, though it recognizes the class
otherwise: adding a constant to that bias corrects this. The paper chose the constant on the test set; here it is
chosen on the validation split. These are pure functions of numpy arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]

# Distance of the shift from the only end of the best range of shifts, if that range is half-open.
OPEN_RANGE_MARGIN = 1.0


def find_best_shift(logits: Array, labels: Labels, classes: Sequence[int]) -> float:
    """Return the shift of the biases of ``classes`` that makes the fewest errors.

    The result is exact. As the shift grows, the predicted class of an example changes once: when its largest logit
    among ``classes`` exceeds its largest among the other classes. Between two neighbouring change points the number of
    errors is constant. Of several ranges with the fewest errors, the one nearest to 0 is chosen; the result is 0 if
    that range contains it, and the middle of the range otherwise.

    Parameters
    ----------
    logits : (examples, all classes).
    labels : (examples,).
    classes : Labels of the classes whose biases are shifted.
    """
    is_shifted = np.isin(np.arange(logits.shape[1]), classes)
    if is_shifted.all() or not len(labels):
        return 0.0  # the same shift of all classes changes no prediction
    logits = logits.astype(np.float64)
    shifted_logits = np.where(is_shifted, logits, -np.inf)
    other_logits = np.where(is_shifted, -np.inf, logits)
    # With a larger shift than this, the predicted class of the example is one of ``classes``.
    change_of_example = other_logits.max(axis=1) - shifted_logits.max(axis=1)
    added_errors = (shifted_logits.argmax(axis=1) != labels).astype(int) - (other_logits.argmax(axis=1) != labels)

    change_points, point_of_example = np.unique(change_of_example, return_inverse=True)
    added_at_point = np.bincount(point_of_example, weights=added_errors)
    errors = np.concatenate([[0], np.cumsum(added_at_point)])  # in each range, relative to a shift of -inf
    lower_ends = np.concatenate([[-np.inf], change_points])
    upper_ends = np.concatenate([change_points, [np.inf]])

    is_best = errors == errors.min()
    lower_ends, upper_ends = lower_ends[is_best], upper_ends[is_best]
    distances_from_0 = np.maximum(np.maximum(lower_ends, -upper_ends), 0)
    nearest_range = np.argmin(distances_from_0)
    return _choose_in_range(float(lower_ends[nearest_range]), float(upper_ends[nearest_range]))


def _choose_in_range(low: float, high: float) -> float:
    """Return 0 if it lies in the range, else the middle, or a point near the only end of a half-open range."""
    if low < 0 < high:
        return 0.0
    if np.isinf(low):
        return high - OPEN_RANGE_MARGIN
    if np.isinf(high):
        return low + OPEN_RANGE_MARGIN
    return (low + high) / 2


def shift_logits(logits: Array, classes: Sequence[int], shift: float) -> Array:
    """Return the logits after a shift of the biases of ``classes``."""
    shifted_logits = logits.copy()
    shifted_logits[:, list(classes)] += np.asarray(shift, logits.dtype)
    return shifted_logits
