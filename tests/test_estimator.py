"""``DistilledClassifier``: scikit-learn's own checks, and what it says of the temperature."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import kdtune
from kdtune import DistilledClassifier
from kdtune.estimator.temperature_choice import TemperatureChoice, describe_doubt

SMALL_FOREST = ExtraTreesClassifier(n_estimators=5)
QUICK: dict[str, Any] = {"epochs": 60, "lr": 0.02, "random_state": 0}
FIXED = DistilledClassifier(SMALL_FOREST, T=4, **QUICK)
CHOSEN = DistilledClassifier(SMALL_FOREST, temperatures=(1, 4), n_replicates=2, **QUICK)


# On data of a few rows it says that it cannot tell which T is best: it is right.
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([FIXED, CHOSEN])
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def digits() -> Any:
    X, y = load_digits(return_X_y=True)
    return train_test_split(X[:900], y[:900], test_size=300, random_state=0, stratify=y[:900])


@pytest.fixture(scope="module")
def chosen(digits: Any) -> DistilledClassifier:
    X, _, y, _ = digits
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DistilledClassifier(SMALL_FOREST, temperatures=[4, 1, 1000], n_replicates=3, **QUICK).fit(X, y)


def test_auto_tells_how_sure_the_choice_is_as_analyze_does(chosen: DistilledClassifier) -> None:
    optimum = kdtune.analyze(chosen.table_).t_opt.iloc[0]
    assert chosen.best_T_ == optimum["T_opt"]
    assert chosen.T_interval_ == (optimum["T_opt_low"], optimum["T_opt_high"])
    assert chosen.tied_ == list(optimum["tied"])
    assert chosen.best_T_ in chosen.tied_


def test_auto_compares_all_temperatures_with_teachers_and_baselines(chosen: DistilledClassifier) -> None:
    table = chosen.table_
    assert (table["status"] == "done").all()
    assert table.groupby("model").size().to_dict() == {"teacher": 3, "student": 3, "distilled_student": 9}
    assert sorted(table.loc[table["model"] == "distilled_student", "temp"].unique()) == [1, 4, 1000]
    assert (table["n_val"] == 120).all()
    assert (table["n_train"] == 480).all()
    assert table["val_num_error"].notna().all()
    assert not {"num_error", "accuracy", "nll", "ece", "n_test"} & set(table.columns)  # No row is for testing.


def test_replicates_redraw_rows_teachers_and_students(chosen: DistilledClassifier) -> None:
    students = chosen.table_[chosen.table_["model"] == "distilled_student"]
    for column in ("data_seed", "teacher_seed", "student_seed", "teacher_id"):
        assert students[column].nunique() == 3
    assert kdtune.analyze(chosen.table_).redraws.parts == ["draw of the data", "teacher", "student"]


def test_the_student_refits_on_all_rows_at_the_chosen_temperature(chosen: DistilledClassifier, digits: Any) -> None:
    X, X_test, y, y_test = digits
    fixed = DistilledClassifier(SMALL_FOREST, T=chosen.best_T_, **QUICK).fit(X, y)
    np.testing.assert_array_equal(fixed.predict_proba(X_test), chosen.predict_proba(X_test))
    assert (fixed.table_["n_train"] == 600).all()
    assert fixed.score(X_test, y_test) > 0.85


def test_a_fixed_temperature_was_compared_with_nothing(digits: Any) -> None:
    X, _, y, _ = digits
    fixed = DistilledClassifier(SMALL_FOREST, T=3, **QUICK).fit(X, y)
    assert (fixed.best_T_, fixed.T_interval_, fixed.tied_) == (3.0, (0.0, np.inf), [3.0])
    teacher, student = fixed.table_.to_dict("records")
    assert (teacher["model"], student["model"], student["temp"]) == ("teacher", "distilled_student", 3.0)
    assert student["train_num_error"] == (fixed.predict(X) != y).sum()
    assert "val_num_error" not in fixed.table_
    # The teacher is measured by what students learn from: five teachers that have not seen the rows.
    assert teacher["train_num_error"] > (fixed.teacher_.predict(X) != y).sum()


def test_the_student_is_a_module_that_takes_features_as_they_are(chosen: DistilledClassifier, digits: Any) -> None:
    X = digits[1]
    with torch.inference_mode():
        logits = chosen.student_(torch.as_tensor(X, dtype=torch.float32))
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), chosen.predict_proba(X), rtol=1e-9)
    same = pickle.loads(pickle.dumps(chosen))
    np.testing.assert_array_equal(same.predict_proba(X), chosen.predict_proba(X))


def test_threads_change_no_student(digits: Any) -> None:
    X, X_test, y, _ = digits
    one, two = (DistilledClassifier(SMALL_FOREST, T=2, n_jobs=n, **QUICK).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.predict_proba(X_test), two.predict_proba(X_test))
    other = clone(one).set_params(random_state=1).fit(X, y)
    assert (one.predict_proba(X_test) != other.predict_proba(X_test)).any()


def test_the_number_of_torch_threads_comes_back(digits: Any) -> None:
    X, _, y, _ = digits
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        DistilledClassifier(SMALL_FOREST, T=2, **QUICK).fit(X, y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_nothing_stays_in_memory_or_on_disk(digits: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kdtune.data.load import load_data
    from kdtune.inputs import storage

    monkeypatch.chdir(tmp_path)
    X, _, y, _ = digits
    n_kept = len(storage._values_by_path)
    DistilledClassifier(SMALL_FOREST, T=2, **QUICK).fit(X, y)
    assert len(storage._values_by_path) == n_kept
    assert load_data.cache_info().currsize == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:The validation rows do not tell")
def test_a_frozen_teacher_is_used_as_it_is() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    names = y.map({0: "barolo", 1: "grignolino", 2: "barbera"})
    teacher = ExtraTreesClassifier(20, random_state=0).fit(X, names)
    search = GridSearchCV(DistilledClassifier(FrozenEstimator(teacher), **QUICK), {"T": [1, 4]}, cv=2).fit(X, names)
    best = search.best_estimator_
    np.testing.assert_array_equal(best.teacher_.predict_proba(X), teacher.predict_proba(X))
    assert best.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert best.table_["train_num_error"].tolist()[0] == 0  # Columns are matched by label: the teacher is right.
    assert best.score(X, names) > 0.9
    auto = DistilledClassifier(FrozenEstimator(teacher), temperatures=(1, 500), n_replicates=2, **QUICK).fit(X, names)
    assert kdtune.analyze(auto.table_).redraws.parts == ["draw of the data", "student"]


def test_classes_of_a_frozen_teacher_are_matched_by_label() -> None:
    X, y = load_wine(return_X_y=True)
    teacher = FrozenEstimator(ExtraTreesClassifier(20, random_state=0).fit(X[y > 0], y[y > 0]))
    student = DistilledClassifier(teacher, T=1, hard_weight=0, **QUICK).fit(X, y)
    assert set(student.predict(X)) == {1, 2}  # The teacher does not know class 0, and nothing else tells it.
    assert (student.predict(X) == y)[y > 0].mean() > 0.9


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_teacher_sees_the_frame_of_the_user() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    for frame in (X, pl.from_pandas(X)):
        auto = DistilledClassifier(SMALL_FOREST, temperatures=(1, 4), n_replicates=2, **QUICK).fit(frame, y)
        assert auto.teacher_.feature_names_in_.tolist() == X.columns.tolist()
        assert auto.feature_names_in_.tolist() == X.columns.tolist()
        assert auto.score(frame, y) > 0.9


def test_it_works_in_a_pipeline_with_another_teacher() -> None:
    X, y = load_wine(return_X_y=True)
    teacher = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline = make_pipeline(StandardScaler(), DistilledClassifier(teacher, hidden=8, T=2, **QUICK)).fit(X, y)
    assert pipeline.score(X, y) > 0.95
    boosted = DistilledClassifier(HistGradientBoostingClassifier(max_iter=5), T=2, **QUICK).fit(X, y)
    assert boosted.score(X, y) > 0.95
    assert boosted.table_["architecture"].tolist() == ["HistGradientBoostingClassifier", "mlp"]


def test_it_says_when_the_rows_do_not_tell_the_best_temperature() -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match="do not tell which T is best: T = .* excludes no T from 1 to 1.01"):
        DistilledClassifier(SMALL_FOREST, temperatures=(1, 1.01), n_replicates=2, **QUICK).fit(X, y)


def test_it_says_when_the_best_temperature_is_at_an_end_of_the_grid(digits: Any) -> None:
    X, _, y, _ = digits
    # The probabilities of a forest are soft already, and nothing but the teacher tells the classes here.
    unsure = DistilledClassifier(SMALL_FOREST, temperatures=(0.5, 64), hard_weight=0, n_replicates=3, **QUICK)
    with pytest.warns(UserWarning, match="T = 0.5 did best, the lowest of the grid, so a lower T may be better still"):
        unsure.fit(X, y)


@pytest.mark.parametrize(
    ("choice", "doubt"),
    [
        (TemperatureChoice(4, (2, 8), [4]), ""),
        (TemperatureChoice(4, (0, np.inf), [4]), ""),  # The comparison finds a winner, where the interval does not.
        (TemperatureChoice(4, (0, np.inf), [2, 4]), "do not tell"),
        (TemperatureChoice(1, (0, 2), [1, 2]), "the lowest of the grid, so a lower T"),
        (TemperatureChoice(16, (8, np.inf), [16]), "the highest of the grid, so a higher T"),
    ],
)
def test_doubts(choice: TemperatureChoice, doubt: str) -> None:
    text = describe_doubt(choice, [1, 2, 4, 8, 16])
    assert doubt in text
    assert bool(text) == bool(doubt)


def test_too_few_rows_take_a_temperature_untested() -> None:
    X, y = np.eye(4), [0, 0, 1, 1]
    with pytest.warns(UserWarning, match="4 rows are too few to choose T on some of them: T = 3 was taken untested"):
        few = DistilledClassifier(SMALL_FOREST, temperatures=(3, 50), validation_fraction=0.7, **QUICK).fit(X, y)
    assert (few.best_T_, few.T_interval_) == (3.0, (0.0, np.inf))


def test_a_class_of_one_row_is_learned() -> None:
    X = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), [[9.0, 9.0]]])
    y = np.array([0, 1] * 20 + [2])
    X[y == 1] += 5
    single = DistilledClassifier(LogisticRegression(), T=2, hard_weight=0, **QUICK).fit(X, y)
    assert single.predict([[9.0, 9.0]]).tolist() == [2]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"T": "best"}, "T: must be 'auto' or a number above 0, not 'best'"),
        ({"T": 0}, "T: must be at least 1e-06, not 0"),
        ({"T": "auto", "temperatures": [4]}, "temperatures: must be two or more"),
        ({"T": "auto", "temperatures": [4, -1]}, "temperatures: must be at least 1e-06, not -1"),
        ({"hidden": (32, 0)}, "hidden: must be at least 1, not 0"),
        ({"epochs": 0}, "epochs: must be at least 1, not 0"),
        ({"lr": -1.0}, "lr: must be greater than 0"),
        ({"batch_size": 2.5}, "batch_size: must be a whole number, not 2.5"),
        ({"n_replicates": 0}, "n_replicates: must be at least 1, not 0"),
        ({"hard_weight": -1}, "hard_weight: must be at least 0, not -1"),
        ({"validation_fraction": 1.0}, "validation_fraction: must be a fraction between 0 and 1, not 1.0"),
        ({"soft_targets": "none"}, "soft_targets: must be 'out_of_fold' or 'in_sample', not 'none'"),
        ({"select": "f1"}, "select: must be 'num_error' or 'nll' or 'balanced_error', not 'f1'"),
        ({"lr": 1e30}, "diverged.*; a lower lr may help"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, Any], message: str) -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        DistilledClassifier(SMALL_FOREST, **({"T": 4} | QUICK | params)).fit(X, y)


def test_wrong_teachers_are_named() -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.raises(TypeError, match="SVC has no predict_proba, and a teacher gives probabilities"):
        DistilledClassifier(SVC(), T=4).fit(X, y)
    with pytest.raises(TypeError, match="teacher: must be an estimator"):
        DistilledClassifier(ExtraTreesClassifier, T=4).fit(X, y)
    stranger = FrozenEstimator(LogisticRegression(max_iter=5000).fit(X[:, :1], np.arange(len(y)) % 4))
    with pytest.raises(ValueError, match="was trained on the class 3, which y does not have"):
        DistilledClassifier(stranger, T=4).fit(X[:, :1], y)


def test_ray_is_not_imported_and_kdtune_imports_quickly() -> None:
    code = (
        "import sys, kdtune; assert not {'torch', 'sklearn', 'ray'} & set(sys.modules); "
        "from kdtune import DistilledClassifier; from sklearn.datasets import load_wine; import warnings; "
        "warnings.simplefilter('ignore'); "
        "DistilledClassifier(temperatures=(1, 4), n_replicates=2, epochs=2).fit(*load_wine(return_X_y=True)); "
        "assert 'ray' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_page_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parent.parent / "docs" / "estimator.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(snippets) >= 3
    code = "\n".join(snippets)
    # The same with fewer trees, epochs and digits.
    for text, quick_text in {
        "ExtraTreesClassifier(200": "ExtraTreesClassifier(5",
        "T=4,": "T=4, epochs=9,",
        "hidden=(32, 32),": "hidden=(32, 32), epochs=9,",
        "load_digits(": "load_digits(n_class=3, ",
    }.items():
        assert text in code
        code = code.replace(text, quick_text)
    exec(code, {})
    assert "distilled_student" in capsys.readouterr().out
    assert (tmp_path / "my-student" / "student.safetensors").is_file()
