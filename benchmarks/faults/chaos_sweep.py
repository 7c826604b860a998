"""The sweep that is disturbed, and the comparison of its table with the undisturbed one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kdtune.columns import DEVICE, HOST, ID, SECONDS
from kdtune.results.live_status import read_status

# 66 networks in 30 packs, which two cores train in half a minute.
SWEEP = """
name: chaos
replicates: 3
dataset:
  kind: make_classification
  n_samples: 3000
  n_features: 20
  n_classes: 4
  class_sep: {grid_search: [0.5, 1.5]}
teacher: {hidden: [60, 60], dropout: 0.2, train: {epochs: %(epochs)d}}
student: {depth: 2, width: {grid_search: [10, 20]}}
distill: {T: {grid_search: [1, 2, 4, 8]}}
train: {epochs: %(epochs)d, batch_size: 50}
"""
EPOCHS = 200
OPTIONS = ("--workers", "2", "--pack", "3")
TABLES = ("table.parquet", "per_class.parquet", "confusion.parquet", "errors_by_example.parquet")


def write_sweep(folder: Path, epochs: int = EPOCHS) -> Path:
    """Write the sweep file and return its path."""
    path = folder / "chaos.yaml"
    path.write_text(SWEEP % {"epochs": epochs}, encoding="utf-8")
    return path


def compare_results(results: Path, reference: Path) -> list[str]:
    """Return what differs between two results folders of the sweep, but for times and hosts."""
    problems = []
    for name in TABLES:
        left, right = (folder / "chaos" / name for folder in (results, reference))
        if left.exists() != right.exists():
            problems.append(f"{name} is {'missing' if right.exists() else 'too much'}")
        elif right.exists():
            problems += [f"{name}: {problem}" for problem in _compare_tables(*map(pd.read_parquet, (left, right)))]
    return problems


def _compare_tables(table: pd.DataFrame, reference: pd.DataFrame) -> list[str]:
    n_lost = len(set(reference[ID]) - set(table[ID]))
    n_foreign = len(set(table[ID]) - set(reference[ID]))
    n_doubled = len(table) - len(table.drop_duplicates())
    if n_lost or n_foreign or len(table) != len(reference):
        return [f"{n_lost} networks lost, {n_foreign} too many, {n_doubled} rows doubled"]
    left, right = (frame.drop(columns=[SECONDS, DEVICE, HOST], errors="ignore") for frame in (table, reference))
    try:
        pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)
    except AssertionError as error:
        return [str(error).replace("\n", " ")[:300]]
    return []


def find_first_work(folder: Path, after: float) -> float | None:
    """Return the time at which a pack began after a moment, or ended if the sweep does not say; None if none has."""
    status = read_status(folder)
    if status is not None:
        return min((pack.since for pack in status.running if pack.since > after), default=None)
    ends = [path.stat().st_mtime for path in (folder / "parts").glob("[!.]*.parquet")]
    return min((end for end in ends if end > after), default=None)


def find_restart(folder: Path, after: float) -> float | None:
    """Return the time at which the sweep noticed that Ray had died after a moment; None if it has not."""
    status = read_status(folder)
    return min((restart.at for restart in status.restarts if restart.at > after), default=None) if status else None


def count_progress(folder: Path) -> tuple[int, float]:
    """Return what changes as long as a sweep makes progress."""
    paths = [*(folder / "parts").glob("[!.]*.parquet"), *folder.parent.glob("teachers/*")]
    status = read_status(folder)
    return len(paths) + (status.n_done if status else 0), max((_get_time(path) for path in paths), default=0.0)


def _get_time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
