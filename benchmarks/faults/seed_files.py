"""The undamaged files that cases are made from: sweep files with their data, tables, and results folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from benchmarks import planted
from kdtune.foreign.door import read_plain_table
from kdtune.spec.bundled_sweeps import BUNDLED_SWEEPS_FOLDER
from kdtune.spec.starting_file import StartingPoint, make_starting_file

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
N_ROWS = 150  # of a table: those of published ones that are read in a moment
N_EXAMPLES, N_CLASSES, N_FEATURES = 300, 3, 5
# Their data are not here, so that they are refused: one of them is enough.
LEFT_OUT = ("mnist-keep78", "mnist-omit3", "mnist-paper")
SWEEP_FILE = "sweep.yaml"

NETS = """
from torch import nn

class Teacher(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)

Student = Teacher
"""

SMALL_SWEEP = """
name: small
dataset: {kind: make_classification, n_samples: 300, n_features: 8, n_classes: 3, p_informative: 0.5}
teacher: {hidden: [6]}
student: {depth: 1, width: {grid_search: [3, 5]}}
distill: {T: {grid_search: [1, 4]}}
train: {epochs: 2, batch_size: 50, eval_every: 1}
"""

GIVEN_SWEEP = """
name: given
replicates: 2
dataset: {kind: arrays, train: {x: train_x.npy, y: train_y.npy}, test: {x: test_x.npy, y: test_y.npy}}
teacher: {kind: logits, outputs: {train: train_z.npy, test: test_z.npy}}
student: {depth: 1, width: 4}
distill: {T: {grid_search: [1, 2, 4]}}
train: {epochs: 2, batch_size: 50}
"""


@dataclass(frozen=True)
class SeedFiles:
    """What cases are made from."""

    sweeps: list[Path]  # folders with a sweep file and the data that it names
    tables: list[pd.DataFrame]
    results: list[Path]  # folders with a sweep file and its results

    @property
    def sweeps_with_data(self) -> list[Path]:
        """The sweeps whose files name data of the user's."""
        return [path for path in self.sweeps if any(word in _read(path) for word in ("x.npy", "table.csv", "photos"))]

    def has(self, kind: str) -> bool:
        """Return whether there are files for a kind of case."""
        return bool({"table": self.tables, "results folder": self.results}.get(kind, self.sweeps))


def write_seed_files(folder: Path, more_tables: Path | None, train: Callable[[Path], None]) -> SeedFiles:
    """Write all undamaged files under a folder.

    Parameters
    ----------
    more_tables : A folder of more tables, of any kind that kdtune reads.
    train : Trains the sweep file of a folder.
    """
    bundled = [path for path in sorted(BUNDLED_SWEEPS_FOLDER.glob("*.yaml")) if path.stem not in LEFT_OUT]
    sweeps = [_copy_bundled_sweep(path, folder) for path in bundled]
    sweeps += [_write_start(start, folder) for start in get_args(StartingPoint)]
    results = [_write_sweep(SMALL_SWEEP, folder / "results-small"), _write_sweep(GIVEN_SWEEP, folder / "results-given")]
    for path in results:
        train(path)
    return SeedFiles(sweeps, _read_tables(more_tables), results)


def _read(folder: Path) -> str:
    return (folder / SWEEP_FILE).read_text(encoding="utf-8")


def _copy_bundled_sweep(path: Path, folder: Path) -> Path:
    (folder / path.stem).mkdir(parents=True)
    shutil.copy(path, folder / path.stem / SWEEP_FILE)
    return folder / path.stem


def _write_sweep(text: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / SWEEP_FILE).write_text(text, encoding="utf-8")
    _write_arrays(folder)
    return folder


def _write_start(start: StartingPoint, folder: Path) -> Path:
    """Write what ``kdtune init --from`` writes, and small data where its paths lead."""
    path = _write_sweep("", folder / start) / SWEEP_FILE
    settings = YAML(typ="safe", pure=True).load(make_starting_file(path, start))
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(settings, file)
    if start == "images":
        _write_images(path.parent)
    return path.parent


def _write_arrays(folder: Path) -> None:
    """Write a little of everything that the starting files name."""
    random = np.random.default_rng(0)
    for prefix, n_examples in (("train_", N_EXAMPLES), ("test_", 40), ("", N_EXAMPLES)):
        y = np.arange(n_examples) % N_CLASSES
        np.save(folder / f"{prefix}x.npy", random.normal(size=(n_examples, N_FEATURES)) + y[:, None])
        np.save(folder / f"{prefix}y.npy", y)
        np.save(folder / f"{prefix}z.npy", 3 * np.eye(N_CLASSES)[y] + random.normal(size=(n_examples, N_CLASSES)))
    people = pd.DataFrame({"age": random.normal(size=N_EXAMPLES), "town": random.choice(["A", "B"], N_EXAMPLES)})
    people.assign(label=np.arange(N_EXAMPLES) % N_CLASSES).to_csv(folder / "table.csv", index=False)
    (folder / "mynets.py").write_text(NETS, encoding="utf-8")
    shapes = {"layers.0.weight": (8, N_FEATURES), "layers.0.bias": (8,)}
    shapes |= {"layers.2.weight": (N_CLASSES, 8), "layers.2.bias": (N_CLASSES,)}
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, folder / "teacher.safetensors")


def _write_images(folder: Path) -> None:
    random = np.random.default_rng(0)
    for part, n_images in (("train", 50), ("test", 3)):
        for name in ("cat", "dog"):
            (folder / "photos" / part / name).mkdir(parents=True)
            for i in range(n_images):
                pixels = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "photos" / part / name / f"{i}.png")


def _read_tables(more: Path | None) -> list[pd.DataFrame]:
    """Return published tables, those of planted answers, and those of a folder, of as many rows as are read quickly."""
    tables = [pd.read_parquet(path) for path in sorted(PUBLISHED.glob("*/table.parquet"))]
    answers = planted.table(planted.RISES)
    students = answers[answers["model"] == "distilled_student"]
    plain = students[["width", "temp", "replicate", "val_num_error", "num_error"]]
    tables += [answers, plain.rename(columns={"temp": "T", "replicate": "seed", "num_error": "test errors"})]
    for path in sorted(more.iterdir()) if more else ():
        if path.suffix in (".csv", ".parquet", ".json"):
            tables.append(read_plain_table(str(path))[0])
    return [table.head(N_ROWS).reset_index(drop=True) for table in tables]
