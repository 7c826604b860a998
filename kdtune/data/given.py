"""Data that users bring: draw the splits, then scale what was given as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.data.mapped_examples import MappedExamples, Scaling, measure_scaling
from kdtune.data.splits import Data, Features, Labels, SplitRows
from kdtune.inputs.arrays import ArrayInput, open_array
from kdtune.inputs.given_data import Part, PartName
from kdtune.plan.identity import derive_seed
from kdtune.plan.network import DataDraw
from kdtune.settings import GivenDataset


def load_given_data(settings: GivenDataset, draw: DataDraw) -> Data:
    """Return one draw of data that the user brings; the same draw gives the same bits every time."""
    parts = settings.given.parts
    labels = {name: None if part.y is None else np.asarray(open_array(part.y)) for name, part in parts.items()}
    rows = draw_splits(settings, draw, labels)
    x = _load_examples(settings, parts, rows)
    y = {split: _select_labels(labels[rows[split].part], rows[split]) for split in rows}
    return Data(
        x["train"],
        y["train"],
        x["val"],
        y["val"],
        x["test"],
        y["test"],
        settings.n_classes,
        rows,
        settings.has_training_labels,
    )


def draw_splits(
    settings: GivenDataset, draw: DataDraw, labels: Mapping[PartName, npt.NDArray[Any] | None]
) -> dict[str, SplitRows]:
    """Draw the rows of each split, stratified by class; given splits keep all their rows, in their order."""
    parts = settings.given.parts
    rows: dict[str, SplitRows] = {
        name: SplitRows(name, np.arange(part.n_examples)) for name, part in parts.items() if name != "all"
    }
    pool = rows.get("train", SplitRows("all", np.arange(next(iter(parts.values())).n_examples)))
    y = labels[pool.part]
    if "test" not in rows:
        test_seed = draw.seed if draw.test_seed is None else draw.test_seed
        rest, test = _split(pool.indices, y, int(settings.test_size or 0), test_seed)
        pool, rows["test"] = SplitRows("all", rest), SplitRows("all", test)
    if "val" not in rows:
        val_seed = derive_seed("validation split", draw.seed) >> 32
        train, val = _split(pool.indices, y, int(settings.val_size or 0), val_seed)
        pool, rows["val"] = SplitRows(pool.part, train), SplitRows(pool.part, val)
    rows["train"] = pool
    return {name: rows[name] for name in ("train", "val", "test")}


def _split(
    rows: npt.NDArray[np.intp], y: npt.NDArray[Any] | None, size: int, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Draw ``size`` rows, stratified by class, and return the others and these, both in ascending order.

    Each class gives its share of the size, rounded so that the shares add up, and keeps at least one example. This is
    what scikit-learn's ``train_test_split`` does, in a tenth of the memory: there may be tens of millions of rows.
    """
    assert y is not None, "a part without labels is not split"
    labels = y[rows]
    counts = np.bincount(labels)
    random = np.random.default_rng(seed)
    is_drawn = np.zeros(len(rows), bool)
    for label, n_drawn in enumerate(_share_out(size, counts)):
        if n_drawn:
            is_drawn[random.choice(np.flatnonzero(labels == label), n_drawn, replace=False, shuffle=False)] = True
    return rows[~is_drawn], rows[is_drawn]


def _share_out(size: int, counts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return how many of each class are drawn: in proportion to its count, at most all but one, ``size`` in all."""
    limits = np.maximum(counts - 1, 0)
    shares: npt.NDArray[np.float64] = size * counts / counts.sum()
    drawn: npt.NDArray[np.intp] = np.minimum(np.floor(shares).astype(np.intp), limits)
    # What rounding has left goes to the classes that it took most from.
    for label in np.argsort(drawn - shares, kind="stable").tolist() * 2:
        if drawn.sum() == size:
            break
        drawn[label] = min(drawn[label] + 1, limits[label])
    missing = size - int(drawn.sum())
    if missing > 0:  # Classes of one example gave none of theirs: the largest classes give more.
        for label in np.argsort(-limits, kind="stable").tolist():
            n_more = min(missing, int(limits[label] - drawn[label]))
            drawn[label] += n_more
            missing -= n_more
    return drawn


def _select_labels(y: npt.NDArray[Any] | None, rows: SplitRows) -> Labels:
    if y is None:
        return np.zeros(len(rows.indices), np.int64)
    return y[rows.indices].astype(np.int64)


def _load_examples(
    settings: GivenDataset, parts: Mapping[PartName, Part], rows: Mapping[str, SplitRows]
) -> dict[str, Features]:
    """Return the examples of each split, scaled as the settings say."""
    train_rows = rows["train"]
    if not isinstance(parts[train_rows.part].x, ArrayInput):
        from kdtune.data.encoding import encode_splits

        return encode_splits(parts, rows)
    arrays = {part: _open(parts[part]) for part in {split.part for split in rows.values()}}
    scaling = choose_scaling(settings, arrays[train_rows.part], train_rows)
    x: dict[str, Features] = {}
    for name, split in rows.items():
        examples = MappedExamples(arrays[split.part], split.indices, scaling)
        x[name] = examples if settings.is_read_from_file else examples[:]
    return x


def _open(part: Part) -> Any:
    assert isinstance(part.x, ArrayInput)
    return open_array(part.x)


def choose_scaling(settings: GivenDataset, array: Any, rows: SplitRows) -> Scaling:
    """Return what is done to the values of an array: ``standard`` is measured over the training rows."""
    scale = getattr(settings, "scale", None)
    if scale is None:
        return Scaling()
    if scale == "standard":
        return measure_scaling(array, np.sort(rows.indices))
    return Scaling(scale=float(scale))
