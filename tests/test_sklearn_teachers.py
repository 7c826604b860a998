"""Teachers of scikit-learn's kind: seeds, threads, folds, classes, raw columns, and estimators that fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kdtune.columns import BASELINE, DONE, ERROR, FAILED, MODEL, SKIPPED, STATUS, STUDENT, TEACHER
from kdtune.data.load import load_data
from kdtune.data.raw import load_raw_examples
from kdtune.inputs.class_weights import number_class_weights
from kdtune.inputs.errors import InputError
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network, make_pack
from kdtune.spec.load import load_spec
from kdtune.train.sklearn_teachers import (
    N_FOLDS,
    build_estimator,
    predict_all_classes,
    predict_out_of_fold,
    train_sklearn_teacher,
)
from kdtune.train.soft_outputs import take_logarithm
from kdtune.train.train_pack import train_pack
from kdtune.train.trained_network import TrainedNetwork
from tests.folders import table
from tests.given_files import make_patients, write_arrays, write_given

EXTRA_TREES = {"kind": "sklearn", "factory": "sklearn.ensemble:ExtraTreesClassifier", "args": {"n_estimators": 10}}
BOOSTING = {"kind": "sklearn", "factory": "sklearn.ensemble:HistGradientBoostingClassifier", "args": {"max_iter": 4}}
PATIENTS = {"kind": "table", "file": "patients.csv", "target": "outcome"}

MODELS = """
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

thread_counts = set()


class Centres:
    '''No class of scikit-learn's: no get_params, no classes_, no self from fit; it draws from NumPy's generator.'''

    def fit(self, x, y):
        thread_counts.update(pool["num_threads"] for pool in threadpool_info())
        rows = np.random.permutation(len(x))[: len(x) // 2]
        self.centres = np.array([x[rows][y[rows] == label].mean(axis=0) for label in np.unique(y)])

    def predict_proba(self, x):
        closeness = np.exp(-((x[:, None] - self.centres) ** 2).sum(axis=2))
        return closeness / closeness.sum(axis=1, keepdims=True)


class Backwards(Centres):
    '''Names its classes in another order than that of their numbers.'''

    def fit(self, x, y):
        super().fit(x, y)
        self.classes_ = np.unique(y)[::-1]

    def predict_proba(self, x):
        return super().predict_proba(x)[:, ::-1]


class Scores(Centres):
    '''Gives something that is no probabilities.'''

    def __init__(self, scores):
        self.scores = scores

    def predict_proba(self, x):
        p = super().predict_proba(x)
        return {"twice": 2 * p, "nan": np.nan * p, "negative": p - [0.5, -0.5, 0], "one": p[:, 0]}[self.scores]


class Breaks(Centres):
    def __init__(self, limit):
        self.limit = limit

    def fit(self, x, y):
        if len(x) > self.limit:
            raise MemoryError(f"{len(x)} rows are too many")
        super().fit(x, y)


def make_steps():
    return make_pipeline(StandardScaler(), ExtraTreesClassifier(10))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """The arrays, and a module with estimators that scikit-learn did not write."""
    write_arrays(tmp_path)
    (tmp_path / "own_models.py").write_text(MODELS)
    yield tmp_path
    sys.modules.pop("own_models", None)


def list_teachers(folder: Path, **blocks: Any) -> list[Network]:
    spec = load_spec(write_given(folder, **blocks), inputs_folder=folder / "results/inputs")
    return [network for network in enumerate_networks(spec) if network.model == TEACHER]


def train(network: Network, threads: int = 1) -> TrainedNetwork:
    return train_pack(make_pack([network]), threads=threads)[0]


def own(name: str, **args: Any) -> dict[str, Any]:
    return {"kind": "sklearn", "factory": f"own_models:{name}", "args": args}


def assert_same_logits(first: TrainedNetwork, second: TrainedNetwork) -> None:
    for split, logits in first.logits.items():
        np.testing.assert_array_equal(logits, second.logits[split])


def test_seeds_differ_between_replicates_and_do_not_depend_on_the_student(folder):
    teachers = list_teachers(folder, teacher=EXTRA_TREES, replicates=3)
    assert len({teacher.weights_seed for teacher in teachers}) == 3
    others = list_teachers(
        folder,
        teacher=EXTRA_TREES,
        replicates=3,
        student={"depth": 2, "width": {"grid_search": [3, 5]}},
        distill={"T": 7},
        train={"epochs": 9},
    )
    assert [teacher.id for teacher in others] == [teacher.id for teacher in teachers]
    rows = [train(teacher).row for teacher in teachers]
    assert [row["teacher_seed"] for row in rows] == [teacher.weights_seed for teacher in teachers]


def test_teachers_of_one_draw_of_the_data_differ_by_their_seed_alone(folder):
    replicates = {"data": 1, "teacher": 2, "student": 2}
    first, second = map(train, list_teachers(folder, teacher=EXTRA_TREES, replicates=replicates))
    assert not np.array_equal(first.logits["test"], second.logits["test"])
    fixed = {**EXTRA_TREES, "args": {"n_estimators": 10, "random_state": 3}}
    first, second = map(train, list_teachers(folder, teacher=fixed, replicates=replicates))
    np.testing.assert_array_equal(first.logits["test"], second.logits["test"])


def test_args_may_be_grids_and_make_one_teacher_each(folder):
    teacher = {**BOOSTING, "args": {"max_iter": {"grid_search": [2, 6]}}}
    path = write_given(folder, teacher=teacher)
    networks = list(enumerate_networks(load_spec(path, inputs_folder=folder / "results/inputs")))
    teachers = [network for network in networks if network.model == TEACHER]
    assert [train(network).row["max_iter"] for network in teachers] == [2, 6]
    for network in teachers:
        students = [other for other in networks if other.model == STUDENT and other.teacher.id == network.id]
        assert [student.distill.T for student in students] == [1, 4]


def test_steps_of_a_pipeline_have_the_teachers_seed_and_threads(folder):
    (teacher,) = list_teachers(folder, teacher=own("make_steps"))
    pipeline = build_estimator(teacher.shape, teacher.weights_seed, 2, range(3))
    seed = teacher.weights_seed % 2**32
    assert pipeline.get_params()["extratreesclassifier__random_state"] == seed
    assert pipeline.get_params()["extratreesclassifier__n_jobs"] == 2
    data = load_data(teacher.data)
    expected = make_pipeline(StandardScaler(), ExtraTreesClassifier(10, random_state=seed))
    p = expected.fit(data.x_train, data.y_train).predict_proba(data.x_test)
    np.testing.assert_array_equal(train(teacher).logits["test"], take_logarithm(p, teacher.shape.floor))


@pytest.mark.parametrize("n_jobs", [None, 1, -1])
def test_an_estimator_has_the_threads_of_its_worker_unless_args_say_otherwise(folder, n_jobs):
    args = {"n_estimators": 10} if n_jobs is None else {"n_estimators": 10, "n_jobs": n_jobs}
    (teacher,) = list_teachers(folder, teacher={**EXTRA_TREES, "args": args})
    assert build_estimator(teacher.shape, 0, 3, range(3)).n_jobs == (3 if n_jobs is None else n_jobs)


@pytest.mark.parametrize("block", [EXTRA_TREES, BOOSTING], ids=["trees", "boosting"])
def test_numbers_do_not_depend_on_threads(folder, block):
    (teacher,) = list_teachers(folder, teacher=block)
    assert_same_logits(train(teacher, threads=1), train(teacher, threads=2))


def test_thread_pools_of_libraries_are_limited_to_the_worker(folder):
    (teacher,) = list_teachers(folder, teacher=own("Centres"))
    train(teacher, threads=1)
    assert sys.modules["own_models"].thread_counts == {1}


def test_an_estimator_that_is_not_of_scikit_learn_repeats_its_numbers(folder):
    first, second = list_teachers(folder, teacher=own("Centres"), replicates={"data": 1, "teacher": 2, "student": 2})
    outer_state = np.random.get_state()[1].copy()
    once, again = train(first), train(first)
    np.testing.assert_array_equal(np.random.get_state()[1], outer_state)
    assert_same_logits(once, again)
    assert not np.array_equal(once.logits["test"], train(second).logits["test"])
    assert once.row["accuracy"] > 0.7


def test_classes_are_matched_by_label_not_by_position(folder):
    (forwards,) = list_teachers(folder, teacher=own("Centres"))
    (backwards,) = list_teachers(folder, teacher={**own("Backwards"), "version": "1"})
    data = load_data(forwards.data)
    for network in (forwards, backwards):
        logits = train_sklearn_teacher(network, data, 1)["test"]
        assert (logits.argmax(axis=1) == data.y_test).mean() > 0.7


def test_text_labels_reach_the_estimator_as_numbers_in_their_order(tmp_path):
    make_patients().to_csv(tmp_path / "patients.csv", index=False)
    (teacher,) = list_teachers(tmp_path, teacher=EXTRA_TREES, dataset=PATIENTS)
    data = load_data(teacher.data)
    trained = train(teacher)
    assert trained.row["accuracy"] > 0.7
    assert teacher.data.settings.given.classes == ("sick", "well")
    truth = make_patients().outcome.to_numpy()[data.rows["test"].indices]
    assert (np.array(["sick", "well"])[trained.logits["test"].argmax(axis=1)] == truth).mean() > 0.7


def test_raw_columns_reach_the_estimator_as_they_were(tmp_path):
    """Text is categorical in the order of the whole table, and missing values stay missing."""
    patients = make_patients()
    patients.loc[::7, "age"] = np.nan
    patients.to_csv(tmp_path / "patients.csv", index=False)
    dataset = {**PATIENTS, "impute": "median"}
    block = {**BOOSTING, "inputs": "raw", "args": {"max_iter": 10, "categorical_features": "from_dtype"}}
    (teacher,) = list_teachers(tmp_path, teacher=block, dataset=dataset)
    data = load_data(teacher.data)
    x = load_raw_examples(teacher.data.settings, data)
    assert isinstance(x["train"].ward.dtype, pd.CategoricalDtype)
    assert x["train"].age.isna().any()
    seed = teacher.weights_seed % 2**32
    expected = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype", random_state=seed)
    p = expected.fit(x["train"], data.y_train).predict_proba(x["test"])
    logits = train(teacher).logits
    np.testing.assert_allclose(logits["test"], take_logarithm(p, teacher.shape.floor), rtol=1e-6)
    assert expected.is_categorical_ is not None
    assert len(logits["train"]) == len(data.y_train)
    assert (logits["train"].argmax(axis=1) == data.y_train).mean() > 0.7


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("twice", "probabilities are at least 0 and add up to 1"),
        ("nan", "predict_proba gave [nan, nan, nan] for an example"),
        ("negative", "probabilities are at least 0 and add up to 1"),
        ("one", "it must give a row for each example and a column for each class"),
    ],
)
def test_what_is_no_probabilities_is_no_teacher(folder, scores, message):
    (teacher,) = list_teachers(folder, teacher=own("Scores", scores=scores))
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        train(teacher)


def test_an_estimator_that_fails_takes_its_students_along_and_no_others(folder, call):
    """The estimator with a limit of 10 rows raises in fit, the other one does not."""
    path = write_given(folder, teacher=own("Breaks", limit={"grid_search": [10, 10_000]}))
    result = call("sweep", path, "--workers", "0", "--results", folder / "results")
    assert result.exit_code == 1, result.output
    rows = table(folder / "results/given")
    limits = rows["limit"].fillna(rows["teacher_limit"]).fillna(0)
    statuses = dict(zip(zip(rows[MODEL], limits, strict=True), rows[STATUS], strict=True))
    assert statuses == {
        (TEACHER, 10): FAILED,
        (TEACHER, 10_000): DONE,
        (BASELINE, 0): DONE,
        (STUDENT, 10): SKIPPED,
        (STUDENT, 10_000): DONE,
    }
    (reason,) = rows[ERROR][rows[STATUS] == FAILED]
    assert reason.startswith(f"{folder / 'own_models.py'}:")
    assert reason.endswith("MemoryError: 216 rows are too many")


class Memory:
    """Knows the rows that it has seen, and is sure of their classes."""

    def fit(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Memory:
        self.classes_ = np.unique(y)
        self.seen = set(x[:, 0].tolist())
        return self

    def predict_proba(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        p = np.full((len(x), len(self.classes_)), 1 / len(self.classes_))
        p[[row in self.seen for row in x[:, 0].tolist()]] = np.eye(len(self.classes_))[0]
        return p


@pytest.mark.filterwarnings("ignore:The least populated class")
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 2**64 - 1))
def test_no_estimator_answers_for_rows_that_it_was_trained_on(labels, seed):
    """But for the only example of a class; and every estimator knows every class of the training part."""
    y = np.array(labels)
    x = np.arange(len(y), dtype=float)[:, None]
    estimators: list[Memory] = []

    def make() -> Memory:
        estimators.append(Memory())
        return estimators[-1]

    whole = Memory().fit(x, y)
    p = predict_out_of_fold(make, whole, x, y, 5, seed)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    counts = np.bincount(y, minlength=5)
    is_known = p.max(axis=1) == 1  # An estimator is as sure of a row that it has seen.
    assert is_known.tolist() == (counts[y] == 1).tolist() if len(whole.classes_) > 1 else True
    assert (p[:, counts == 0] == 0).all()
    assert len(estimators) <= N_FOLDS
    for estimator in estimators:
        assert estimator.classes_.tolist() == whole.classes_.tolist()


@given(st.permutations(range(4)), st.integers(1, 4))
def test_probabilities_stand_in_the_columns_of_their_classes(order, n_known):
    known = np.array(order[:n_known])
    estimator = Memory().fit(np.zeros((n_known, 1)), known)
    estimator.classes_ = known
    p = predict_all_classes(estimator, np.zeros((3, 1)), 4)
    expected = np.zeros(4)
    expected[known[0]] = 1
    np.testing.assert_array_equal(p, np.tile(expected, (3, 1)))


@pytest.mark.parametrize(
    ("weights", "classes", "numbered"),
    [
        ({"yes": 4, "no": 1}, ("no", "yes"), {1: 4, 0: 1}),
        ({"0": 1, "1": 4}, (0, 1), {0: 1, 1: 4}),
        ({1: 1, 2: 4}, (1, 2), {0: 1, 1: 4}),
        ({"0": 1, "1": 4}, ("no", "yes"), {0: 1, 1: 4}),
        ({True: 4}, ("False", "True"), {1: 4}),
    ],
)
def test_weights_of_classes_are_named_by_label(weights, classes, numbered):
    params = {"class_weight": weights, "last__class_weight": weights, "other": 3, "first__class_weight": "balanced"}
    assert number_class_weights(params, classes) == {"class_weight": numbered, "last__class_weight": numbered}


def test_weights_of_unknown_classes_are_refused():
    with pytest.raises(InputError, match="class_weight names the class 'maybe'; the classes are no and yes"):
        number_class_weights({"class_weight": {"maybe": 4, "no": 1}}, ("no", "yes"))
