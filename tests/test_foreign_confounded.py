"""A column with a value of its own for each T is said first, whatever it is called; T written again is not."""

import numpy as np
import pandas as pd
import pytest

import kdtune

TEMPERATURES = [1.0, 2.0, 4.0, 8.0, 16.0]
RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01]


def _make_table(name: str, values: list[object], widths: tuple[int, ...] = (32,)) -> pd.DataFrame:
    """Make a table in which T goes with the values of another column, in six replicates of each width."""
    rng = np.random.default_rng(5)
    rows = []
    for width in widths:
        for seed in range(6):
            for T, value, errors in zip(TEMPERATURES, values, (14, 12.5, 11, 12, 13.5), strict=True):
                accuracy = 1 - (errors + rng.normal(0, 0.2)) / 100
                rows.append({"T": T, name: value, "width": width, "seed": seed, "val_acc": accuracy})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("learning_rate", RATES),
        ("optim.lr", RATES),
        ("config.optimizer.lr", [0.1 * T for T in TEMPERATURES]),
        ("alpha", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("beta", [10, 20, 30, 40, 50]),
        ("kd_weight", [0.9, 0.8, 0.6, 0.5, 0.1]),
        ("n_epochs", [50, 100, 150, 200, 250]),
        ("schedule", ["cosine", "step", "linear", "constant", "poly"]),
    ],
)
def test_setting_that_changes_with_temperature_leads_the_answer(name: str, values: list[object]) -> None:
    answer = kdtune.analyze(_make_table(name, values))
    assert answer.reserve.startswith(f"{name} changes with T (T = 1 was run at {values[0]}")
    assert "which of the two makes the difference cannot be told" in answer.reserve
    assert str(answer).lstrip().startswith(name)


def test_several_settings_are_named_together() -> None:
    table = _make_table("learning_rate", [*RATES])
    table["beta"] = np.where(table["T"] == 1, 0.5, 0.9)
    reserve = kdtune.analyze(table).reserve
    assert reserve.startswith("learning_rate and beta change with T (learning_rate: T = 1 was run at 0.0001")


def test_setting_that_is_tuned_for_each_width_is_named_for_the_first() -> None:
    table = _make_table("learning_rate", [*RATES], widths=(32, 64))
    table["learning_rate"] *= table["width"] / 32
    table.loc[table["T"] == 1, "learning_rate"] = 0.5
    reserve = kdtune.analyze(table).reserve
    assert reserve.startswith("learning_rate changes with T (in width 32 T = 1 was run at 0.5, T = 2 at 0.0003")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("T_squared", [T**2 for T in TEMPERATURES]),
        ("soft_weight", [T**2 for T in TEMPERATURES]),
        ("kd_weight", [0.9 * T**2 for T in TEMPERATURES]),
        ("inverse", [1 / T for T in TEMPERATURES]),
        ("sharpness", [round(1 / T, 3) for T in TEMPERATURES]),
        ("softness", [float(np.log2(T)) for T in TEMPERATURES]),
        ("logarithm", [float(np.log(T)) for T in TEMPERATURES]),
        ("twice", [2 * T for T in TEMPERATURES]),
        ("stage", [1, 2, 3, 4, 5]),
        ("label", [f"T={T:g}" for T in TEMPERATURES]),
        ("kind_of_run", [f"kd-{T:g}-b" for T in TEMPERATURES]),
    ],
)
def test_temperature_written_again_is_no_setting(name: str, values: list[object]) -> None:
    assert kdtune.analyze(_make_table(name, values)).reserve == ""


def test_results_and_settings_of_the_user_raise_no_reserve() -> None:
    rng = np.random.default_rng(1)
    table = _make_table("learning_rate", [*RATES])
    assert kdtune.analyze(table, cell=["width"]).reserve == ""
    table = table.drop(columns="learning_rate")
    assert kdtune.analyze(table.assign(stopped=rng.integers(3, 30, len(table)))).reserve == ""
    assert kdtune.analyze(table.assign(sharpness=table["T"] + rng.normal(0, 1e-6, len(table)))).reserve == ""
