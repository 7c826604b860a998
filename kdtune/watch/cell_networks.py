"""Read the networks of one cell from a sweep's table, and their learning curves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from kdtune.analysis.cells import is_distillation_setting
from kdtune.analysis.file_problems import TABLE_FILE
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    ERROR,
    HOST,
    ID,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    SECONDS,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
)

MAX_NETWORKS = 1000  # of a cell that a page lists
_MAX_ERROR_LENGTH = 300  # characters of a reason in the list
_COLUMNS = (MODEL, TEMP, REPLICATE, VAL_NUM_ERROR, NUM_ERROR, ACCURACY, STATUS, ERROR, SECONDS, HOST, ID, TEACHER_ID)
_FRUGAL: dict[str, Any] = {"use_threads": False, "batch_readahead": 1, "fragment_readahead": 1}
_ORDER = (TEACHER, BASELINE, STUDENT)


def read_cell_networks(folder: Path, settings: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the networks of a cell, one row each, and how many there are in all.

    Its teachers come first, then its baselines, then its distilled students by T; of many the first ``MAX_NETWORKS``.

    Raises
    ------
    OSError, ValueError, pa.ArrowException
        If the table cannot be read, or lacks the settings of the cell.
    """
    table = ds.dataset(folder / TABLE_FILE, format="parquet")
    columns = [name for name in _COLUMNS if name in table.schema.names]
    is_student = (pc.field(MODEL) == STUDENT) & _match_settings(settings)
    shared_settings = {name: value for name, value in settings.items() if not is_distillation_setting(name)}
    is_baseline = (pc.field(MODEL) == BASELINE) & _match_settings(shared_settings)
    networks = table.to_table(columns=columns, filter=is_student | is_baseline, **_FRUGAL)
    teacher_ids = set(networks[TEACHER_ID].to_pylist()) - {None} if TEACHER_ID in columns else set()
    is_teacher = (pc.field(MODEL) == TEACHER) & pc.field(ID).isin(pa.array(sorted(teacher_ids), pa.string()))
    rows = [*table.to_table(columns=columns, filter=is_teacher, **_FRUGAL).to_pylist(), *networks.to_pylist()]
    rows.sort(key=_rank)
    return [_to_plain(row) for row in rows[:MAX_NETWORKS]], len(rows)


def _rank(row: dict[str, Any]) -> tuple[int, float, int]:
    """Return the place of a network in the list."""
    return _ORDER.index(row[MODEL]), row.get(TEMP) or 0.0, row.get(REPLICATE) or 0


def _match_settings(settings: dict[str, Any]) -> pc.Expression:
    """Return the condition that a row has these settings; None stands for a null."""
    condition = pc.scalar(True)
    for name, value in settings.items():
        condition &= pc.field(name).is_null() if value is None else pc.field(name) == value
    return condition


def _to_plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON holds it."""
    plain = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
    reason = plain.get(ERROR)
    if isinstance(reason, str):
        plain[ERROR] = reason[:_MAX_ERROR_LENGTH]
    return plain
