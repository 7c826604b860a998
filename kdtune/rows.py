"""From a network and its figures to a row of the table. Pure."""

from __future__ import annotations

from typing import Any

from kdtune import table as t
from kdtune.network import Network
from kdtune.settings import MLP


def row(network: Network, status: str = t.DONE, error: str | None = None, **figures: Any) -> dict[str, Any]:
    """One row: what names the network, every setting of it, and its figures."""
    data, distill, teacher = network.data.settings, network.distill, network.teacher
    is_teacher = network.model == t.TEACHER
    found: dict[str, Any] = {
        t.ID: network.id,
        t.MODEL: network.model,
        t.TEMP: distill.T if distill else 1.0,
        t.HARD_WEIGHT: distill.hard_weight if distill else None,
        t.REPLICATE: network.replicate,
        t.TEACHER_ID: teacher.id if teacher else None,
        t.DATA_SEED: network.data.seed,
        t.TEACHER_SEED: network.weights_seed if is_teacher else teacher.weights_seed if teacher else None,
        t.STUDENT_SEED: None if is_teacher else network.weights_seed,
        t.DATASET: data.kind,
        t.N_TRAIN: data.n_train,
        t.N_VAL: data.val_size,
        t.N_TEST: data.test_size,
        t.N_PARAMS: network.n_params,
        t.STATUS: status,
        t.ERROR: error,
        "seed": network.data.sweep_seed,
        "n_features": data.n_features,
        "n_classes": data.n_classes,
    }
    found |= {k: v for k, v in data.model_dump(exclude={"kind", "test_size", "val_size"}).items() if k not in found}
    found |= _shape(network.shape) | network.train.model_dump()
    found["scale_T2"] = distill.scale_T2 if distill else None
    if teacher:
        found |= {f"teacher_{k}": v for k, v in (_shape(teacher.shape) | teacher.train.model_dump()).items()}
    return found | figures


def failed_row(network: Network, reason: str, status: str = t.FAILED, **where: Any) -> dict[str, Any]:
    """The row of a network without figures, and why."""
    return row(network, status, reason, **where)


def skipped_row(network: Network, reason: str) -> dict[str, Any]:
    """The row of a student whose teacher failed for good, and why that did."""
    assert network.teacher is not None
    return failed_row(network, f"its teacher {network.teacher.id} failed: {reason}", t.SKIPPED)


def _shape(shape: MLP) -> dict[str, Any]:
    return {
        "architecture": shape.kind,
        "hidden": "-".join(map(str, shape.sizes)),  # text, so that rows can be grouped by it
        t.WIDTH: shape.width,
        "depth": shape.depth,
        "dropout": shape.dropout,
        "activation": shape.activation,
    }
