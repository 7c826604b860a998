"""Small data of the user's for the tests: arrays, outputs of a teacher that knows the truth, and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

N_TRAIN, N_TEST, N_FEATURES, N_CLASSES = 240, 90, 5, 3


def make_arrays(seed: int = 0) -> dict[str, Any]:
    """Examples of three classes around three points, and logits that are right for nine in ten of them."""
    random = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for split, n_examples in (("train", N_TRAIN), ("test", N_TEST)):
        y = np.tile(np.arange(N_CLASSES), n_examples // N_CLASSES)
        centres = 2 * np.eye(N_CLASSES, N_FEATURES)
        arrays[f"{split}_x"] = (centres[y] + random.normal(0, 1, (n_examples, N_FEATURES))).astype(np.float32)
        arrays[f"{split}_y"] = y
        guesses = np.where(random.random(n_examples) < 0.9, y, (y + 1) % N_CLASSES)
        z = 3 * np.eye(N_CLASSES)[guesses] + random.normal(0, 0.5, (n_examples, N_CLASSES))
        arrays[f"{split}_z"] = z.astype(np.float32)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        arrays[f"{split}_p"] = p / p.sum(axis=1, keepdims=True)
    return arrays


def write_arrays(folder: Path, **replaced: Any) -> dict[str, Any]:
    """Write the arrays as .npy files, some of them replaced, and return them."""
    arrays = {**make_arrays(), **replaced}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    return arrays


GIVEN: dict[str, Any] = {
    "name": "given",
    "dataset": {"train": {"x": "train_x.npy", "y": "train_y.npy"}, "test": {"x": "test_x.npy", "y": "test_y.npy"}},
    "teacher": {"kind": "logits", "outputs": {"train": "train_z.npy", "test": "test_z.npy"}},
    "student": {"depth": 1, "width": 4},
    "distill": {"T": {"grid_search": [1, 4]}},
    "train": {"epochs": 2, "batch_size": 30},
}


def write_given(folder: Path, **blocks: Any) -> Path:
    """Write a sweep on the arrays, some blocks of it replaced; a block that is None is left out."""
    path = folder / "given.yaml"
    sweep = {name: block for name, block in {**GIVEN, **blocks}.items() if block is not None}
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(sweep, file)
    return path


def make_patients(n_rows: int = 300) -> pd.DataFrame:
    """A table whose outcome follows from two numbers and a text."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(50, 10, n_rows),
            "dose": random.integers(0, 5, n_rows),
            "ward": random.choice(["east", "north", "west"], n_rows),
        }
    )
    score = (table.age - 50) / 5 + (table.ward == "north") * 2 + table.dose - 3 + random.normal(0, 0.5, n_rows)
    table["outcome"] = np.where(score > 0, "sick", "well")
    return table
