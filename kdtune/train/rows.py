"""From a network and its figures to a row of the table. Pure."""

from __future__ import annotations

from typing import Any

from kdtune.columns import (
    DATA_SEED,
    DATASET,
    DONE,
    ERROR,
    FAILED,
    HARD_WEIGHT,
    ID,
    MODEL,
    N_PARAMS,
    N_TEST,
    N_TRAIN,
    N_VAL,
    REPLICATE,
    SEEN_CLASSES,
    SKIPPED,
    STATUS,
    STUDENT_SEED,
    TEACHER,
    TEACHER_ID,
    TEACHER_SEED,
    TEMP,
    TRANSFER,
)
from kdtune.plan.network import Network
from kdtune.settings import Distill, Train


def make_row(network: Network, status: str = DONE, error: str | None = None, **figures: Any) -> dict[str, Any]:
    """One row: what names the network, every setting of it, and its figures."""
    data, distill, teacher = network.data.settings, network.distill, network.teacher
    is_teacher = network.model == TEACHER
    found: dict[str, Any] = {
        ID: network.id,
        MODEL: network.model,
        TEMP: distill.T if distill else 1.0,
        HARD_WEIGHT: distill.hard_weight if distill else None,
        REPLICATE: network.replicate,
        TEACHER_ID: teacher.id if teacher else None,
        DATA_SEED: network.data.seed,
        TEACHER_SEED: network.weights_seed if is_teacher else teacher.weights_seed if teacher else None,
        STUDENT_SEED: None if is_teacher else network.weights_seed,
        DATASET: getattr(data, "name", data.kind),
        N_TRAIN: data.n_train if network.transfer is None else None,  # said when they have been counted
        TRANSFER: _transfer(network),
        SEEN_CLASSES: None if network.transfer is None else list(network.transfer),
        N_VAL: data.val_size,
        N_TEST: data.test_size,
        N_PARAMS: network.n_params,
        STATUS: status,
        ERROR: error,
        "seed": network.data.sweep_seed,
        "n_features": data.n_features,
        "n_classes": data.n_classes,
    }
    apart = {"kind", "name", "root", "test_size", "val_size"}
    found |= {k: v for k, v in data.model_dump(exclude=apart).items() if k not in found}
    found["jitter"] = data.jitter or None  # null like in rows from before there was any
    found |= network.shape.describe() | _train(network.train)
    found |= _loss(distill)
    if teacher:
        found |= {f"teacher_{k}": v for k, v in (teacher.shape.describe() | _train(teacher.train)).items()}
    return found | figures


def make_failed_row(network: Network, reason: str, status: str = FAILED, **where: Any) -> dict[str, Any]:
    """The row of a network without figures, and why."""
    return make_row(network, status, reason, **where)


def make_skipped_row(network: Network, reason: str) -> dict[str, Any]:
    """The row of a student whose teacher failed for good, and why that did."""
    assert network.teacher is not None
    return make_failed_row(network, f"its teacher {network.teacher.id} failed: {reason}", SKIPPED)


def _train(train: Train) -> dict[str, Any]:
    return train.model_dump(exclude={"eval_every"})


def _loss(distill: Distill | None) -> dict[str, Any]:
    """Settings of the loss and of the biases. Lists are text, so that rows can be grouped by them."""
    if distill is None:
        return {"scale_T2": None, "bias_start": None, "bias_shift": None}
    start, shift = distill.bias_start, distill.bias_shift
    return {
        "scale_T2": distill.scale_T2,
        "bias_start": ", ".join(f"{label}: {value:g}" for label, value in start.items()) if start else None,
        "bias_shift": ", ".join(map(str, shift)) if shift else None,
    }


def _transfer(network: Network) -> str | None:
    """A transfer set in the shorter words: omit 3; keep 7, 8."""
    if network.transfer is None:
        return None
    omitted = [label for label in range(network.data.settings.n_classes) if label not in network.transfer]
    word, classes = ("omit", omitted) if len(omitted) <= len(network.transfer) else ("keep", list(network.transfer))
    return f"{word} {', '.join(map(str, classes))}"
