"""A sweep and planted tables in which errors, nll and balanced error are each best at another T."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

import kdtune
from kdtune.columns import BALANCED_ERROR, MODEL, NLL, NUM_ERROR, STUDENT, TEMP, VALIDATION_MEASURES
from tests.planted_tables import TEMPERATURES

# A small sweep in which each measure is best at another T: found by trying seeds.
THREE_BESTS = {
    "seed": 23, "replicates": 1, "dataset": {"kind": "digits", "val_size": 65, "test_size": 65},
    "teacher": {"kind": "mlp", "hidden": [40]}, "student": {"kind": "mlp", "depth": 1, "width": 5},
    "distill": {"T": {"grid_search": [1, 2, 3, 4, 6, 8]}}, "train": {"epochs": 4, "batch_size": 50, "lr": 0.005},
}  # fmt: skip
BEST_BY = {NUM_ERROR: 2.0, NLL: 4.0, BALANCED_ERROR: 8.0}  # in planted tables


def sweep_three(path: Path) -> Path:
    """Train the small sweep with ``select: nll``, and return its folder."""
    write_file(path, select=NLL)
    kdtune.sweep(path / "small.yaml", results=path, workers=0, progress=False)
    return path / "three"


def write_file(path: Path, **settings: Any) -> None:
    """Write the small sweep, with more settings, to ``small.yaml``."""
    with (path / "small.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"name": "three", **THREE_BESTS, **settings}, file)


def find_lowest(table: pd.DataFrame, column: str) -> float:
    """Return the T at which the students have the lowest mean of a column."""
    students = table[table[MODEL] == STUDENT]
    return float(students.groupby(TEMP)[column].mean().idxmin())


def plant(unit: Mapping[str, float] | None = None, replicates: int = 4, seed: int = 0) -> pd.DataFrame:
    """Return runs from elsewhere whose measures are best at the temperatures of ``BEST_BY``, on both splits."""
    random = np.random.default_rng(seed)
    units = {NUM_ERROR: 20, NLL: 0.1, BALANCED_ERROR: 0.02} | (unit or {})
    rows = []
    for replicate in range(replicates):
        for T in TEMPERATURES:
            row: dict[str, float] = {TEMP: T, "replicate": replicate}
            for test, val in VALIDATION_MEASURES.items():
                mean = 10 * units[test] + units[test] * math.log2(T / BEST_BY[test]) ** 2
                noise = random.normal(0, units[test] / 20, 2)
                row[val], row[test] = (round(x) if test == NUM_ERROR else x for x in mean + noise)
            rows.append(row)
    return pd.DataFrame(rows)
