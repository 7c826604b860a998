"""Rows of the table, with the identity, the settings and the measures of a network. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdtune.columns import (
    BIAS_SHIFT,
    BIAS_START,
    DATA_SEED,
    DATASET,
    DONE,
    ERROR,
    FAILED,
    HARD_WEIGHT,
    ID,
    JITTER,
    MODEL,
    MULTIPLY_ADDS,
    N_CLASSES,
    N_FEATURES,
    N_PARAMS,
    N_TEST,
    N_TRAIN,
    N_VAL,
    REPLICATE,
    SCALE_T2,
    SEED,
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
from kdtune.settings import Distill


def make_row(
    network: Network, measures: Mapping[str, Any] | None = None, status: str = DONE, error: str | None = None
) -> dict[str, Any]:
    """Return one row of the table, by column: the identity of the network, all its settings, and its measures.

    Parameters
    ----------
    measures : Columns from training. They replace columns of the same name from the plan.
    status, error : Whether training succeeded, and the reason if it did not.
    """
    data, distill, teacher = network.data.settings, network.distill, network.teacher
    teacher_seed, student_seed = _select_seeds(network)
    row: dict[str, Any] = {
        ID: network.id,
        MODEL: network.model,
        TEMP: distill.T if distill else 1.0,
        HARD_WEIGHT: distill.hard_weight if distill else None,
        REPLICATE: network.replicate,
        TEACHER_ID: teacher.id if teacher else None,
        DATA_SEED: network.data.seed,
        TEACHER_SEED: teacher_seed,
        STUDENT_SEED: student_seed,
        DATASET: data.dataset_name,
        N_TRAIN: data.n_train if network.transfer is None else None,  # a transfer set is counted when it is loaded
        TRANSFER: _describe_transfer(network),
        N_VAL: data.val_size,
        N_TEST: data.test_size,
        N_PARAMS: network.n_params,
        MULTIPLY_ADDS: network.multiply_adds,
        STATUS: status,
        ERROR: error,
        SEED: network.data.sweep_seed,
        N_FEATURES: data.n_features,
        N_CLASSES: data.n_classes,
    }
    for name, value in data.to_columns().items():
        row.setdefault(name, value)
    row[JITTER] = data.jitter or None  # null, as in rows of versions that had no jitter
    row |= _describe_training(network)
    row |= _describe_loss(distill)
    if teacher:
        row |= {f"teacher_{name}": value for name, value in _describe_training(teacher).items()}
    if measures is not None:
        row |= measures
    return row


def make_failed_row(network: Network, reason: str, run_columns: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the row of a network that could not be trained, with the reason and without measures.

    Parameters
    ----------
    run_columns : Device, host and seconds of the attempt, by column.
    """
    return make_row(network, run_columns, FAILED, reason)


def make_skipped_row(network: Network, reason: str) -> dict[str, Any]:
    """Return the row of a student whose teacher has failed permanently, with the reason for that failure."""
    assert network.teacher is not None
    return make_row(network, status=SKIPPED, error=f"its teacher {network.teacher.id} failed: {reason}")


def _select_seeds(network: Network) -> tuple[int | None, int | None]:
    """Return the seeds of the teacher's and of the student's initial weights, None if there is no such network."""
    if network.model == TEACHER:
        return _get_seed(network), None
    if network.teacher is None:
        return None, network.weights_seed
    return _get_seed(network.teacher), network.weights_seed


def _get_seed(teacher: Network) -> int | None:
    """Return the seed of a teacher; None if it was trained elsewhere."""
    return teacher.weights_seed if teacher.shape.is_redrawn else None


def _describe_training(network: Network) -> dict[str, Any]:
    """Return the settings of a network's shape and training, by column; training is null if kdtune trains none."""
    training = network.train.model_dump(exclude={"eval_every"})
    if not network.shape.is_trained_by_steps:
        training = dict.fromkeys(training)
    return network.shape.to_columns() | training


def _describe_loss(distill: Distill | None) -> dict[str, Any]:
    """Return the settings of the loss and of the biases, by column. Lists are text, so that rows group by them."""
    if distill is None:
        return {SCALE_T2: None, BIAS_START: None, BIAS_SHIFT: None}
    bias_start = bias_shift = None
    if distill.bias_start:
        bias_start = ", ".join(f"{label}: {value:g}" for label, value in distill.bias_start.items())
    if distill.bias_shift:
        bias_shift = ", ".join(map(str, distill.bias_shift))
    return {SCALE_T2: distill.scale_T2, BIAS_START: bias_start, BIAS_SHIFT: bias_shift}


def _describe_transfer(network: Network) -> str | None:
    """Return the classes of a transfer set in the shorter of two forms: "omit 3", or "keep 7, 8"."""
    seen_classes = network.transfer
    if seen_classes is None:
        return None
    omitted_classes = [label for label in range(network.data.settings.n_classes) if label not in seen_classes]
    if len(omitted_classes) <= len(seen_classes):
        return f"omit {', '.join(map(str, omitted_classes))}"
    return f"keep {', '.join(map(str, seen_classes))}"
