"""Read the learning curves of a cell's networks, also while the sweep runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from kdtune.columns import EPOCH, ID, LEARNING_CURVE, MODEL, TEMP, VAL_NUM_ERROR
from kdtune.errors import StorageError
from kdtune.results.parts import list_parts

LEARNING_FILE = "learning_curves.parquet"
MAX_PARTS = 300  # that are read for one cell while a sweep runs, the newest first: each takes some milliseconds
MAX_POINTS = 200  # of a curve


def read_cell_learning(folder: Path, networks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a curve of errors on the validation split against epochs for each model and T of a cell's networks.

    Each is the mean over the networks of that T, at the epochs that all of them have. The list is empty if nothing
    was recorded, or the files cannot be read.
    """
    ids = pa.array([network[ID] for network in networks], pa.string())
    points = _read_file(folder / LEARNING_FILE, ids)
    if points is None or points.empty:
        points = _read_parts(folder / "parts", ids)
    if points.empty:
        return []
    kinds = pd.DataFrame({name: [network[name] for network in networks] for name in (ID, MODEL, TEMP)})
    points = points.dropna(subset=VAL_NUM_ERROR).merge(kinds, on=ID)
    curves = []
    for (model, T), group in points.groupby([MODEL, TEMP], sort=True):
        n_networks = group[ID].nunique()
        means = group.groupby(EPOCH)[VAL_NUM_ERROR].agg(["mean", "size"])
        means = means[means["size"] == n_networks]
        shown = np.unique(np.linspace(0, len(means) - 1, min(len(means), MAX_POINTS)).astype(int))
        curves.append(
            {
                "model": model,
                "T": T,
                "n_networks": n_networks,
                "epochs": means.index[shown].tolist(),
                "errors": means["mean"].iloc[shown].round(3).tolist(),
            }
        )
    return curves


def _read_file(path: Path, ids: pa.Array) -> pd.DataFrame | None:
    """Return the points of networks from the file that a sweep writes when it ends; None if there is none."""
    try:
        points = ds.dataset(path, format="parquet")
        frame: pd.DataFrame = points.to_table(
            columns=[ID, EPOCH, VAL_NUM_ERROR], filter=pc.field(ID).isin(ids)
        ).to_pandas()
        return frame
    except (OSError, ValueError, pa.ArrowException):
        return None


def _read_parts(folder: Path, ids: pa.Array) -> pd.DataFrame:
    """Return the points of networks from the rows as they came, which a running sweep has."""
    points = []
    try:
        paths = list_parts(folder)
    except StorageError:
        paths = []
    for path in paths[: -MAX_PARTS - 1 : -1]:
        try:
            rows = pq.read_table(path, columns=[ID, LEARNING_CURVE], filters=pc.field(ID).isin(ids))
        except (OSError, ValueError, KeyError, pa.ArrowException):
            continue  # It has no curves, or was compacted or is damaged: the sweep itself reports that.
        for network_id, curve in zip(rows[ID].to_pylist(), rows[LEARNING_CURVE].to_pylist(), strict=True):
            points += [{ID: network_id, EPOCH: p[EPOCH], VAL_NUM_ERROR: p[VAL_NUM_ERROR]} for p in curve or ()]
    return pd.DataFrame(points, columns=[ID, EPOCH, VAL_NUM_ERROR]).drop_duplicates([ID, EPOCH])
