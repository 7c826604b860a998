"""Columns whose names mislead: errors that are none, roles, truths, steps, settings that look like bookkeeping."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs

BASELINE_ROWS = [(width, 350 + 7 * seed, seed) for width in (10, 40) for seed in range(5)]


def with_accuracy(**columns):
    runs = make_runs()
    accuracy = 1 - runs["num_error"] / 10_000
    values = {name: value(runs, accuracy) if callable(value) else value for name, value in columns.items()}
    return runs.drop(columns=["num_error", "val_num_error"]).assign(test_acc=accuracy, **values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("expected_calibration_error", lambda runs, accuracy: 0.1 - 0.005 * np.log2(runs["temp"])),
        ("test_acc_err", lambda runs, accuracy: 0.01 / runs["temp"]),
        ("mean_squared_error", lambda runs, accuracy: 1 / runs["temp"]),
        ("errors", 0),
        ("n_errors", lambda runs, accuracy: 20 - runs["temp"]),
        ("test_error", lambda runs, accuracy: (1 - accuracy) * 100),
    ],
)
def test_only_errors_that_agree_with_the_accuracy_are_errors(name, values):
    assert find_best(with_accuracy(**{name: values})) == BEST


@pytest.mark.parametrize("name", ["acc_gap", "acc_drop", "accuracy_loss", "acc_rank", "scratch_acc", "teacher_acc"])
def test_an_accuracy_of_something_else_is_none(name):
    runs = with_accuracy().rename(columns={"test_acc": name})
    with pytest.raises(RequestError, match="measure"):
        kdtune.analyze(runs)


def test_percent_signs_in_some_rows_only_are_refused():
    runs = with_accuracy()
    accuracy = [
        f"{a:.4f}" if T >= 8 else f"{100 * a:.2f}%" for a, T in zip(runs["test_acc"], runs["temp"], strict=True)
    ]
    with pytest.raises(RequestError, match="some accuracies have a percent sign and some are fractions"):
        kdtune.analyze(runs.assign(test_acc=accuracy))


@pytest.mark.parametrize("has_T", [True, False])
@pytest.mark.parametrize("name", ["baseline", "scratch"])
def test_baselines_beside_students_stay_baselines(name, has_T):
    baselines = pd.DataFrame(BASELINE_ROWS, columns=["width", "num_error", "replicate"])
    baselines = baselines.assign(val_num_error=baselines["num_error"], model=name, temp=1.0 if has_T else None)
    answer = kdtune.analyze(pd.concat([make_runs().assign(model="student"), baselines]))
    assert answer.t_opt["T_opt"].tolist() == list(BEST.values())
    np.testing.assert_allclose(answer.test["baseline"], 364)


def test_a_method_with_the_names_of_roles_is_the_role():
    baselines = pd.DataFrame(BASELINE_ROWS, columns=["width", "num_error", "replicate"])
    baselines = baselines.assign(val_num_error=baselines["num_error"], method="scratch", temp=1.0)
    answer = kdtune.analyze(pd.concat([make_runs().assign(method="kd"), baselines]))
    assert answer.cell_columns == ["width"]
    np.testing.assert_allclose(answer.test["baseline"], 364)
    assert "method; its rows are 50 distilled students ('kd') and " in " ".join(answer.reading_notes)


@pytest.mark.parametrize(
    ("name", "is_failure"), [("failed", True), ("diverged", True), ("success", False), ("done", False)]
)
@pytest.mark.parametrize("kind", [bool, int, float, str])
def test_truths_about_the_end_of_a_run_count(name, is_failure, kind):
    runs = make_runs()
    is_bad = np.isin(np.arange(50), [3, 17, 30])
    spoiled = runs.assign(num_error=runs["num_error"].where(~is_bad, 9000), val_num_error=0)
    spoiled["val_num_error"] = runs["val_num_error"].where(~is_bad, 0)
    answer = kdtune.analyze(spoiled.assign(**{name: (is_bad == is_failure).astype(kind)}))
    assert answer.t_opt["T_opt"].tolist() == list(BEST.values())
    assert "3 rows of unfinished runs" in " ".join(answer.reading_notes)


@pytest.mark.parametrize(
    "name",
    ["loss_type", "max_epochs", "kl_weight", "num_layers", "precision", "teacher_epochs", "optimizer", "dropout", "lr",
     "warmup_steps", "config/steps", "params_version"],
)  # fmt: skip
def test_settings_of_which_some_runs_are_missing_stay_settings(name):
    first, second = make_runs({10: 1.0, 40: 4.0}, replicates=4), make_runs({10: 4.0, 40: 16.0}, replicates=4, seed=1)
    runs = pd.concat([first.assign(**{name: 1}), second.assign(**{name: 2})]).drop(columns="replicate")
    answer = kdtune.analyze(runs.sample(frac=0.92, random_state=1))
    assert set(answer.cell_columns) == {"width", name}
    assert sorted(answer.t_opt["T_opt"]) == [1, 4, 4, 16]


@pytest.mark.parametrize("name", ["name", "group", "user", "tags", "device", "loss"])
def test_settings_with_names_of_bookkeeping_stay_settings_where_they_are_laid_out(name):
    runs = pd.concat([make_runs().assign(**{name: "a"}), make_runs(seed=1).assign(**{name: "b"})])
    answer = kdtune.analyze(runs.drop(columns="replicate"))
    assert {column.removesuffix(" (setting)") for column in answer.cell_columns} == {"width", name}


@pytest.mark.parametrize("name", ["trainer/global_step", "checkpoint_epoch", "epoch_idx", "iters", "step"])
@pytest.mark.parametrize("has_seeds", [True, False])
def test_rows_of_several_steps_are_refused(name, has_seeds):
    steps = pd.concat([make_runs().assign(**{name: step}) for step in (10, 20, 30)])
    if not has_seeds:
        steps = steps.drop(columns="replicate")
    with pytest.raises(RequestError, match="several rows per run, one for each"):
        kdtune.analyze(steps)


def test_rows_of_several_splits_are_refused():
    with pytest.raises(RequestError, match="""where='split == "val"'"""):
        kdtune.analyze(pd.concat([make_runs().assign(split=split) for split in ("train", "val", "test")]))


@pytest.mark.parametrize("name", ["seed_idx", "seed0", "rep_id", "fold_id", "run", "attempt", "rng", "init_id"])
def test_replicates_of_many_names_are_known(name):
    answer = kdtune.analyze(make_runs().rename(columns={"replicate": name}))
    assert answer.is_paired
    assert answer.cell_columns == ["width"]


def test_a_constant_seed_is_said_to_tell_nothing():
    answer = kdtune.analyze(make_runs().drop(columns="replicate").assign(seed=42))
    assert "seed has one value only among finished distilled students (42)" in " ".join(answer.reading_notes)


def test_the_remedy_for_blank_seeds_works(tmp_path):
    runs = make_runs().astype({"replicate": "Int64"}).rename(columns={"replicate": "my seed"})
    runs.loc[3, "my seed"] = None
    for source in (runs, tmp_path / "runs.csv"):
        if source is not runs:
            runs.to_csv(source, index=False)
        with pytest.raises(RequestError, match=r'1 row of distilled students has none.*where="(.*)"') as refusal:
            kdtune.analyze(source)
        where = str(refusal.value).split('where="')[1].rstrip('"')
        assert find_best(source, where=where) == BEST


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_points_between_thousands_are_never_decimals(separator, tmp_path):
    runs = make_runs()
    for name in ("val_num_error", "num_error"):
        runs[name] = [f"{3 * value:,}".replace(",", ".") for value in runs[name]]
    runs.to_csv(tmp_path / "runs.csv", sep=separator, index=False)
    for source in (tmp_path / "runs.csv", runs):
        with pytest.raises(RequestError, match="thousands"):
            kdtune.analyze(source)


def test_errors_with_three_decimals_are_no_thousands():
    random = np.random.default_rng(0)
    runs = make_runs()
    runs["val_num_error"] = (runs["val_num_error"] + random.random(50)).round(3)
    runs.loc[::7, "val_num_error"] = runs.loc[::7, "val_num_error"].round()
    assert find_best(runs) == BEST


def test_infinite_errors_are_said():
    runs = make_runs()
    spoiled = runs.assign(val_num_error=runs["val_num_error"].where(runs.index != 7, np.inf))
    notes = " ".join(kdtune.analyze(spoiled).reading_notes)
    assert "1 run has infinite errors (1 at T 4), perhaps because of divergence." in notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paired_by_order": True}, "the replicates do"),
        ({"cell": ["seed"]}, "seed cannot name a setting"),
        ({"measure": "temp", "higher_is_better": False}, "it is the temperature"),
        ({"measure": "seed", "higher_is_better": False}, "it is the replicate"),
        ({"paired_by_order": "yes"}, "must be True or False"),
    ],
)
def test_options_that_contradict_the_table_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        kdtune.analyze(make_runs().rename(columns={"replicate": "seed"}), **options)


def test_two_columns_of_one_name_with_different_values_are_refused():
    runs = make_runs()
    with pytest.raises(RequestError, match="two columns temp with different values"):
        kdtune.analyze(pd.concat([runs, runs[["width"]].rename(columns={"width": "temp"})], axis=1))
