"""Whether the outputs of a teacher stand in another order than the classes of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdtune.inputs.given_data import ClassName
from kdtune.text import join_names

# A teacher that agrees with so many more labels, and with most of them, if its classes are renamed, is not only weak.
MIN_GAIN = 0.1
MIN_AGREEMENT = 0.5
MAX_CLASSES = 2_000  # The best order of more classes takes long to find.


def describe_better_order(
    predictions: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], classes: Sequence[ClassName]
) -> str | None:
    """Return in a sentence in which order of its classes a teacher would agree with many more labels; None if in none.

    The order is the best one-to-one assignment of outputs to classes (the Hungarian method, Kuhn 1955).

    Parameters
    ----------
    predictions, labels : (examples,) each: the teacher's largest output, and the number of the class.
    classes : The label of each class in the order of the numbers.
    """
    from scipy.optimize import linear_sum_assignment

    n_classes = len(classes)
    if n_classes > MAX_CLASSES:
        return None
    counts = np.bincount(predictions * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    outputs, assigned_classes = linear_sum_assignment(counts, maximize=True)
    agreement, best_agreement = np.trace(counts) / len(labels), counts[outputs, assigned_classes].sum() / len(labels)
    if best_agreement < MIN_AGREEMENT or best_agreement - agreement < MIN_GAIN:
        return None
    names = list(map(str, classes))
    order = [names[number] for number in assigned_classes]
    return (
        f"agrees with {agreement:.1%} of the labels, and with its classes in the order "
        f"{join_names(order, max_names=12)} it would agree with {best_agreement:.1%}; its outputs must be in the order "
        f"of the data's classes, {join_names(names, max_names=12)}: put them in this order, or write `agreement: any` "
        f"in the teacher block if they are"
    )
