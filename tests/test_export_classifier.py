"""The student of a ``DistilledClassifier``, exported: the same predictions without kdtune."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import kdtune
from kdtune import DistilledClassifier
from kdtune.columns import BASELINE
from kdtune.errors import RequestError
from tests.test_export import predict, run_onnx

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 30, "lr": 0.02, "random_state": 0}


def fit(classifier: DistilledClassifier, X: Any, y: Any) -> DistilledClassifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # On data of a few rows it cannot tell which T is best.
        return classifier.fit(X, y)


def test_student_of_an_array(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    X[:, 3] = 2.5  # a constant column
    names = np.array(["Barolo", "Grignolino", "Barbera"])[y]
    classifier = fit(DistilledClassifier(temperatures=(1, 4), n_replicates=2, **QUICK), X, names)
    exported = kdtune.export(classifier, tmp_path / "out")
    np.save(tmp_path / "x.npy", X)
    printed = predict(exported.folder, tmp_path / "x.npy")
    np.testing.assert_allclose(printed.iloc[:, 1:], classifier.predict_proba(X), atol=1e-5)
    assert (printed["label"] == classifier.predict(X)).all()
    np.testing.assert_allclose(run_onnx(exported.folder, x=X)[1], classifier.predict_proba(X), atol=1e-5)
    assert 0 < exported.difference < 1e-5
    card = (exported.folder / "model_card.md").read_text()
    rows = classifier.table_[classifier.table_["model"] == BASELINE]
    assert len(rows) == 2
    assert f"{rows['val_num_error'].mean():.1f} of students that were trained on labels alone" in card
    assert f"T = {exported.temperature:g}, which was best of T = 1 and 4" in card
    assert not (exported.folder / "sweep.yaml").exists()


def test_student_of_a_frame(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    teacher = FrozenEstimator(DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y))
    classifier = fit(DistilledClassifier(teacher, T=4, **QUICK), X, y)
    exported = kdtune.export(classifier, tmp_path / "out")
    X.iloc[:, ::-1].to_csv(tmp_path / "x.csv", index=False, sep=";")  # Columns are found by name.
    printed = predict(exported.folder, tmp_path / "x.csv")
    np.testing.assert_allclose(printed.iloc[:, 1:], classifier.predict_proba(X), atol=1e-5)
    card = (exported.folder / "model_card.md").read_text()
    assert "`DecisionTreeClassifier`" in card
    assert "nothing is known of its errors" in card


def test_refused_requests(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    classifier = fit(DistilledClassifier(DecisionTreeClassifier(), T=4, **QUICK), X, y)
    for source, options, message in (
        (make_pipeline(StandardScaler(), classifier), {}, "of a pipeline, give its last step"),
        (DistilledClassifier(), {}, "is not fitted; call its fit first"),
        (classifier, {"temperature_scaled": True}, "temperature_scaled: goes with a sweep"),
        (classifier, {"cell": {"width": 8}}, "cell: goes with a sweep"),
    ):
        with pytest.raises(RequestError, match=message):
            kdtune.export(source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"holds files; .* with force=True"):
        kdtune.export(classifier, tmp_path / "out")
