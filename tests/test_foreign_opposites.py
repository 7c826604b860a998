"""Names that say the opposite of an accuracy, of an error or of T are read as none: the worst T would be the best."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdtune
from kdtune.errors import RequestError
from kdtune.foreign.measure_names import is_accuracy_name, is_error_name
from tests.planted_tables import BEST, find_best, make_runs

# The complement of an accuracy, by names that hold the word.
LESS_IS_BETTER = [
    "1-acc", "1 - accuracy", "100-acc", "100 - top-1", "(1-acc)", "1/acc", "1-acc@1", "one_minus_val_acc", "inv_acc",
    "InvAcc", "acc_degradation", "acc_decrease", "acc_deficit", "acc loss", "acc_lost", "acc drop", "-acc", "test/-acc",
    "neg_acc", "negAccuracy", "not_correct", "top1_wrong", "−acc", "acc^-1", "acc ↓", "accuracy (lower is better)",
    "incorrect_acc",
]  # fmt: skip
MORE_IS_BETTER = ["errors_avoided", "error_reduction", "err_improvement", "no_errors", "error_free", "1-error", "-err",
                  "err ↑", "inverse error", "1/error_rate"]  # fmt: skip

# As Weights & Biases, MLflow, Lightning, Keras, Hugging Face, Ray, timm, torchmetrics and scripts of papers call them.
ACCURACIES = [
    "acc", "Acc", "ACC", "accuracy", "Accuracy (%)", "test_acc", "testAcc", "test accuracy [%]", "Test Acc.", "acc@1",
    "Acc@1", "acc1", "top1", "top-1", "Top-1 acc", "top_1_accuracy", "prec@1", "precision@1", "test/prec1", "oa",
    "overall_accuracy", "val_acc", "val/acc", "valid_acc", "validation_accuracy", "metrics.val_accuracy",
    "summary.test_acc", "eval_accuracy", "eval/accuracy", "predict_accuracy", "mean_accuracy", "acc/mean",
    "val_sparse_categorical_accuracy", "categorical_accuracy", "MulticlassAccuracy", "test_acc_epoch",
    "test_acc/dataloader_idx_0", "Accuracy/test", "best_acc", "final_test_acc", "student_acc", "student test accuracy",
    "acc_student", "ema_acc", "test_top1", "eval_top1", "cifar100_test_acc", "CIFAR-100 acc", "imagenet_top1",
    "sst2_acc", "acc_pct", "test_acc_percent", "accuracy_score", "max_val_acc", "testacc", "val_acc1", "acc_mean",
    "balanced_accuracy", "classification_accuracy", "acc on the test set", "accuracy (test, %)", "acc ↑", "Genauigkeit",
]  # fmt: skip
ERRORS = [
    "err", "error_rate", "test_error", "test_err", "Test Error (%)", "top1_err", "top-1 error", "err@1", "val_error",
    "val_err_rate", "n_errors", "num_errors", "number of errors", "error_count", "misclassification_rate", "testerr",
    "best_err", "min_val_err", "student_error", "cifar10_err", "classification_error", "mean_error_rate", "err ↓",
]  # fmt: skip
# Clear to people who know the repository, or about something else.
ASKED = ["robust_acc", "acc_t", "top5_acc", "acc@5", "train_acc", "teacher_acc", "acc_std", "acc_gain", "num_correct",
         "mean_squared_error", "max_error", "standard_error", "acc_err", "word_error_rate", "acc_T4", "acc_seed3",
         "clean_acc", "label_error", "precision_1", "acc*100"]  # fmt: skip


def with_measure(name: str, is_accuracy: bool, scale: float = 1.0) -> pd.DataFrame:
    runs = make_runs()
    errors = runs["val_num_error"] / 10_000
    values = (1 - errors if is_accuracy else errors) * scale
    return runs.drop(columns=["val_num_error", "num_error"]).assign(**{name: values})


def refuse(runs: pd.DataFrame, **options: object) -> str:
    with pytest.raises(RequestError) as refusal:
        kdtune.analyze(runs, **options)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("name", "is_accuracy"), [(name, False) for name in LESS_IS_BETTER] + [(name, True) for name in MORE_IS_BETTER]
)
def test_a_name_that_says_the_opposite_is_asked_for(name, is_accuracy):
    runs = with_measure(name, is_accuracy)
    message = refuse(runs)
    assert "whether more or less is better" in message
    remedy = re.search(r"measure=(\".*?\"), higher_is_better=True or measure=", message)
    assert remedy, message
    assert find_best(runs, measure=name, higher_is_better=is_accuracy) == BEST
    target = "accuracy" if is_accuracy else "num_error"
    assert find_best(runs, map={target: name}) == BEST


@pytest.mark.parametrize("name", LESS_IS_BETTER)
def test_the_direction_of_an_opposite_is_never_taken_from_its_name(name):
    assert "say which values are better" in refuse(with_measure(name, False), measure=name)


@pytest.mark.parametrize("name", ["1-acc", "inv_acc", "-acc", "acc_degradation", "test_error", "top1_err"])
def test_an_opposite_or_an_error_that_is_mapped_to_accuracies_is_refused(name):
    runs = with_measure(name, False)
    assert f'map={{"num_error": "{name}"}}' in refuse(runs, map={"accuracy": name})
    assert find_best(runs, map={"num_error": name}) == BEST


@pytest.mark.parametrize("name", ["errors_avoided", "1-error", "error_reduction"])
def test_an_opposite_that_is_mapped_to_errors_is_refused(name):
    runs = with_measure(name, True)
    assert f'map={{"accuracy": "{name}"}}' in refuse(runs, map={"num_error": name})


@pytest.mark.parametrize("name", ACCURACIES)
def test_accuracies_as_trackers_and_scripts_call_them_are_read(name):
    for scale in (1, 100):
        assert find_best(with_measure(name, True, scale)) == BEST


@pytest.mark.parametrize("name", ERRORS)
def test_errors_as_trackers_and_scripts_call_them_are_read(name):
    for scale in (1, 100, 10_000):
        assert find_best(with_measure(name, False, scale)) == BEST


@pytest.mark.parametrize("name", ASKED)
def test_names_that_leave_it_open_are_asked_for(name):
    assert "may be the measure" in refuse(with_measure(name, True)) or name == "precision_1"


WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@given(name=st.sampled_from([*ACCURACIES, *ERRORS]), word=WORDS, is_first=st.booleans())
def test_no_unknown_word_beside_an_accuracy_or_error_is_overlooked(name, word, is_first):
    changed_name = f"{word} {name}" if is_first else f"{name} {word}"
    if f"xq{word}" in name:
        return
    changed_name = changed_name.replace(word, f"xq{word}", 1) if is_first else f"{changed_name}xq"
    assert not is_accuracy_name(changed_name)
    assert not is_error_name(changed_name)


def test_beside_a_clear_measure_an_opposite_is_another_measure():
    runs = make_runs().assign(**{"1-acc": lambda frame: frame["num_error"] / 10_000, "acc_drop": 0.02})
    assert find_best(runs) == BEST


TRANSFORMS = {
    "one_over_T": lambda T: 1 / T, "1/T": lambda T: 1 / T, "inverse_temperature": lambda T: 1 / T,
    "reciprocal_T": lambda T: 1 / T, "sqrt_T": np.sqrt, "root_T": np.sqrt, "squared_T": np.square, "T^2": np.square,
    "T_squared": np.square, "sq_T": np.square, "log2_T": np.log2, "log(T)": np.log, "exp_T": np.exp,
    "idx_T": lambda T: 1 + np.log2(T), "index_T": lambda T: 1 + np.log2(T), "exponent_of_T": np.log2,
    "delta_T": lambda T: 17 - T, "config/log_temp": np.log,
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_is_never_the_temperature(name):
    runs = make_runs()
    transformed = runs.drop(columns="temp").assign(**{name: TRANSFORMS[name](runs["temp"])})
    message = refuse(transformed)
    assert "transform" in message
    assert "add a column temp with T itself" in message
    assert "map" not in message
    assert find_best(transformed.assign(temp=runs["temp"])) == BEST  # what the message says


def test_what_may_be_the_temperature_may_be_mapped():
    runs = make_runs().rename(columns={"temp": "T_value"})
    assert 'if this is T: map={"temp": "T_value"}' in refuse(runs)
    assert find_best(runs, map={"temp": "T_value"}) == BEST
