"""A small network that learns from a larger classifier, as an estimator of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kdtune.columns import ERROR

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

    from kdtune.estimator.temperature_choice import TemperatureChoice
    from kdtune.estimator.training import Problem

_FLOATS = [np.float64, np.float32]
TEMPERATURES = (1, 2, 3, 4, 6, 8, 12, 16)


class DistilledClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron that is trained on the softened probabilities of a teacher.

    With ``T="auto"`` the temperature of the softening is chosen: in each of ``n_replicates`` replicates some rows are
    drawn for validation, a teacher is trained on the others, and a student at each of ``temperatures`` learns from it.
    T is the one with the fewest errors on the validation rows. Then a teacher and a student at that T are trained on
    all rows. Features are standardised first. All of it runs in this process, on the CPU.

    Parameters
    ----------
    teacher : the classifier that the student learns from; extra trees by default. It is cloned and trained on the
        numbers of the classes, and needs ``predict_proba``. One that is trained already is used as it is in a
        ``sklearn.frozen.FrozenEstimator``.
    hidden : the sizes of the student's hidden layers.
    T : the temperature, or ``"auto"``.
    temperatures : the grid for ``T="auto"``; 1, 2, 3, 4, 6, 8, 12 and 16 by default.
    n_replicates : how often rows, teacher and students are redrawn for ``T="auto"``.
    validation_fraction : the share of the rows on which ``T="auto"`` compares the temperatures.
    select : by what T is chosen: ``"num_error"``, ``"nll"`` or ``"balanced_error"``, on the validation rows.
    soft_targets : where the teacher's probabilities of its own training rows come from: ``"out_of_fold"``, five
        teachers that have not seen them, or ``"in_sample"``, the teacher itself.
    hard_weight : the weight of the labels in the loss; that of the teacher's probabilities is T**2.
    epochs : passes over the training rows; ``"auto"`` makes 50, or as many as 2,000 steps take.
    batch_size : the rows in a training step.
    lr : the learning rate of Adam.
    random_state : the seed of all that is random.
    n_jobs : the number of threads; None is 1, -1 all cores. It changes no student.

    Attributes
    ----------
    best_T_ : the temperature of ``student_``.
    T_interval_ : the 95 % interval of the best temperature, (low, high); 0 and infinite where nothing bounds it, as
        for a T that was given.
    tied_ : the temperatures that are statistically tied with ``best_T_``, itself included.
    table_ : a DataFrame, one row for each network among which T was chosen, as ``kdtune.analyze`` reads it; for a
        given T the teacher and the student, measured on their training rows.
    teacher_ : the teacher that was trained on all rows.
    student_ : the student, a ``torch.nn.Module`` that maps features (batch, n_features_in_) to logits, in float64.
    classes_ : the classes, in ascending order.
    n_features_in_, feature_names_in_ : as in scikit-learn.
    """

    def __init__(
        self,
        teacher: Any = None,
        hidden: Sequence[int] = (32, 32),
        T: float | str = "auto",
        *,
        temperatures: Sequence[float] = TEMPERATURES,
        n_replicates: int = 5,
        validation_fraction: float = 0.2,
        select: str = "num_error",
        soft_targets: str = "out_of_fold",
        hard_weight: float = 10.0,
        epochs: int | str = "auto",
        batch_size: int = 100,
        lr: float = 0.001,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.teacher = teacher
        self.hidden = hidden
        self.T = T
        self.temperatures = temperatures
        self.n_replicates = n_replicates
        self.validation_fraction = validation_fraction
        self.select = select
        self.soft_targets = soft_targets
        self.hard_weight = hard_weight
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any) -> Self:
        """Train a teacher and a student, and choose T first if it is ``"auto"``.

        Parameters
        ----------
        X : numbers, (rows, features): an array, or a frame of pandas or polars. A teacher sees a frame as it is.
        y : the class of each row.

        Raises
        ------
        ValueError
            If a parameter or the data are wrong, or the numbers of the student diverge.
        TypeError
            If ``teacher`` is no classifier with ``predict_proba``.
        """
        from kdtune.estimator.student_module import build_student
        from kdtune.estimator.temperature_choice import make_training_table
        from kdtune.estimator.training import train_on_all_rows

        problem = self._make_problem(X, y)
        choice, table = _choose_temperature(problem, is_given=not isinstance(self.T, str))
        trained = train_on_all_rows(problem, choice.T)
        student = trained.networks[-1]
        if student.weights is None:
            raise ValueError(f"The student cannot be trained: it {student.row[ERROR]}; a lower lr may help")
        self.best_T_, self.T_interval_, self.tied_ = choice.T, choice.interval, choice.tied
        self.table_ = make_training_table(trained) if table is None else table
        self.teacher_ = next(iter(trained.teachers.values()))
        self.student_ = build_student(problem.recipe.student, problem.x, len(self.classes_), student.weights)
        if choice.doubt:
            warnings.warn(choice.doubt, UserWarning, stacklevel=2)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class, (rows, classes), in the order of ``classes_``."""
        from kdtune.estimator.student_module import compute_probabilities

        check_is_fitted(self)
        return compute_probabilities(self.student_, validate_data(self, X, reset=False, dtype=_FLOATS))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels

    def _make_problem(self, X: Any, y: Any) -> Problem:
        """Check parameters and data, and return what is to be learned; errors are those of ``fit``."""
        from kdtune.estimator.recipe import make_recipe
        from kdtune.estimator.teacher_source import TeacherSource, check_teacher, make_default_teacher
        from kdtune.estimator.training import Problem

        if self.teacher is not None:
            check_teacher(self.teacher)
        x, labels = validate_data(self, X, y, dtype=_FLOATS)
        check_classification_targets(labels)
        recipe = make_recipe(self.get_params(deep=False), len(x))
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in the data, but the data contains only "
                f"one class: {self.classes_[0]!r}"
            )
        teachers = TeacherSource(
            template=make_default_teacher() if self.teacher is None else self.teacher,
            x=X if hasattr(X, "columns") else x,
            y=numbers.astype(np.int64),
            classes=self.classes_,
            soft_targets=recipe.soft_targets,
            threads=effective_n_jobs(self.n_jobs),
        )
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return Problem(x, teachers, recipe, seed)


def _choose_temperature(problem: Problem, is_given: bool) -> tuple[TemperatureChoice, pd.DataFrame | None]:
    """Return T, and the table that it was chosen from; no table if nothing was compared."""
    from kdtune.estimator.temperature_choice import (
        choose_temperature,
        make_comparison_table,
        take_fixed_temperature,
    )
    from kdtune.estimator.training import count_validation_rows, train_for_comparison

    recipe = problem.recipe
    if is_given:
        return take_fixed_temperature(recipe.temperatures[0]), None
    n_val = count_validation_rows(problem)
    if n_val is None:
        T, n_rows = recipe.fallback_temperature, len(problem.x)
        doubt = f"{n_rows} rows are too few to choose T on some of them: T = {T:g} was taken untested."
        return take_fixed_temperature(T, doubt), None
    table = make_comparison_table(train_for_comparison(problem, n_val), recipe.select)
    return choose_temperature(table, recipe.temperatures), table
