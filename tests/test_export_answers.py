"""The card of an exported student says what `kdtune analyze` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kdtune
from kdtune.analysis.temperature_texts import format_interval
from kdtune.take_home import onnx_files
from tests.test_export import run_sweep


def test_the_card_reckons_with_other_test_examples_as_the_answer_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All replicates share their validation and test examples, so that errors by example widen the intervals."""
    monkeypatch.setattr(onnx_files, "list_missing_packages", lambda: ["onnx"])
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 4)).astype(np.float32)
    y = (x[:, 0] + random.normal(size=400) > 0).astype(int)
    splits = {"train": slice(0, 200), "val": slice(200, 300), "test": slice(300, 400)}
    for name, rows in splits.items():
        np.save(tmp_path / f"{name}_x.npy", x[rows])
        np.save(tmp_path / f"{name}_y.npy", y[rows])
        np.save(tmp_path / f"{name}_logits.npy", np.stack([-x[rows, 0], x[rows, 0]], axis=1) * 4)
    sweep = {
        "name": "shared",
        "replicates": {"student": 4},
        "dataset": {
            name: {"x": str(tmp_path / f"{name}_x.npy"), "y": str(tmp_path / f"{name}_y.npy")} for name in splits
        },
        "teacher": {"kind": "logits", "outputs": {name: str(tmp_path / f"{name}_logits.npy") for name in splits}},
        "student": {"hidden": [3]},
        "distill": {"T": {"grid_search": [0.5, 1, 2, 4, 8]}},
        "train": {"epochs": 3, "batch_size": 20, "lr": 0.01},
    }
    results = run_sweep(tmp_path, sweep)
    answer, plain = kdtune.analyze(results), kdtune.analyze(kdtune.read_table(results))
    optimum, grid = answer.t_opt.iloc[0], answer.cells[0].temperatures.tolist()
    interval = format_interval(optimum["T_opt_low"], optimum["T_opt_high"], grid)
    card = (kdtune.export(results, tmp_path / "out").folder / "model_card.md").read_text()
    assert f"the 95 % interval of the best T: {interval}." in card
    assert f"The sweep's recommendation: {answer.advice[0].text}" in " ".join(card.split())
    low, high = plain.test.iloc[0][["minus_baseline_low", "minus_baseline_high"]]
    assert answer.test.iloc[0]["minus_baseline_high"] - answer.test.iloc[0]["minus_baseline_low"] > high - low
