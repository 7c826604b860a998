"""The teacher of the estimator: any classifier of scikit-learn's kind, trained on rows, and its soft targets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.utils import _safe_indexing
from threadpoolctl import threadpool_limits

from kdtune.inputs.class_weights import number_class_weights
from kdtune.inputs.errors import InputError
from kdtune.train.sklearn_teachers import predict_all_classes, predict_out_of_fold
from kdtune.train.soft_outputs import take_logarithm

FLOOR = 1e-6  # of probabilities; with it the default hard_weight was chosen (docs/estimator.md)
Logits = npt.NDArray[np.float32]


def make_default_teacher() -> ExtraTreesClassifier:
    """Return extra trees whose leaves hold two examples or more, so that their probabilities are soft."""
    return ExtraTreesClassifier(n_estimators=200, min_samples_leaf=2)


@dataclass(frozen=True)
class TeacherSource:
    """Makes teachers that are trained on some of the rows, and asks them.

    They are trained on the numbers of the classes, 0 for the first of ``classes``. A ``FrozenEstimator`` is used as it
    is, whatever its classes are called.

    Attributes
    ----------
    template : the estimator that teachers are clones of.
    x : all rows: an array, or a frame as the user gave it.
    y : the number of each row's class.
    classes : the classes of the data, in ascending order.
    soft_targets : ``"out_of_fold"`` or ``"in_sample"``.
    threads : how many threads a teacher may train on.
    """

    template: Any
    x: Any
    y: npt.NDArray[np.int64]
    classes: npt.NDArray[Any]
    soft_targets: str
    threads: int

    @property
    def is_frozen(self) -> bool:
        """Whether the teacher was trained before."""
        return type(self.template).__name__ == "FrozenEstimator"

    def fit(self, rows: npt.NDArray[np.intp], seed: int) -> Any:
        """Return a teacher that is trained on these rows."""
        teacher = self._make(seed)
        if not self.is_frozen:
            with threadpool_limits(self.threads):
                teacher.fit(_safe_indexing(self.x, rows), self.y[rows])
        return teacher

    def compute_soft_targets(self, teacher: Any, rows: npt.NDArray[np.intp], seed: int) -> Logits:
        """Return logits of the rows that a teacher was trained on, (rows, classes), as students learn from them."""
        if self.is_frozen or self.soft_targets == "in_sample":
            return self.compute_logits(teacher, rows)
        x, y = _safe_indexing(self.x, rows), self.y[rows]
        with threadpool_limits(self.threads), hide_warnings():
            probabilities = predict_out_of_fold(partial(self._make, seed), teacher, x, y, len(self.classes), seed)
        return take_logarithm(probabilities, FLOOR)

    def compute_logits(self, teacher: Any, rows: npt.NDArray[np.intp]) -> Logits:
        """Return logits of any rows, (rows, classes): the logarithms of a teacher's probabilities."""
        x = _safe_indexing(self.x, rows)
        with threadpool_limits(self.threads):
            if not self.is_frozen:
                return take_logarithm(predict_all_classes(teacher, x, len(self.classes)), FLOOR)
            probabilities = np.zeros((len(rows), len(self.classes)))
            probabilities[:, self._list_frozen_classes(teacher)] = teacher.predict_proba(x)
        return take_logarithm(probabilities, FLOOR)

    def _make(self, seed: int) -> Any:
        """Return a clone whose random states that are not set follow from the seed."""
        teacher = clone(self.template)
        if self.is_frozen:
            return teacher
        params = teacher.get_params(deep=True)
        try:
            weights = number_class_weights(params, self.classes.tolist())
        except InputError as error:
            raise ValueError(f"teacher: {error}") from None
        is_open = {name: name.split("__")[-1] == "random_state" and value is None for name, value in params.items()}
        return teacher.set_params(**weights, **{name: seed % 2**32 for name in params if is_open[name]})

    def _list_frozen_classes(self, teacher: Any) -> list[int]:
        """Return the number of each class of a teacher that was trained before; ValueError if the data lack one."""
        number_by_class = {label: number for number, label in enumerate(self.classes.tolist())}
        teacher_classes = np.asarray(teacher.classes_).tolist()
        unknown = [label for label in teacher_classes if label not in number_by_class]
        if unknown:
            raise ValueError(f"teacher: was trained on the class {unknown[0]!r}, which y does not have")
        return [number_by_class[label] for label in teacher_classes]


def check_teacher(teacher: Any) -> None:
    """Raise TypeError if an object cannot be a teacher."""
    if isinstance(teacher, type) or not (hasattr(teacher, "fit") and hasattr(teacher, "get_params")):
        raise TypeError(f"teacher: must be an estimator, as in ExtraTreesClassifier(), not {teacher!r}")
    if not hasattr(teacher, "predict_proba"):
        raise TypeError(
            f"teacher: {type(teacher).__name__} has no predict_proba, and a teacher gives probabilities; wrap it in "
            f"CalibratedClassifierCV, or choose another classifier"
        )


@contextmanager
def hide_warnings() -> Iterator[None]:
    """Hide what teachers on parts of the rows warn of: the teacher on all rows warns of the same, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
