"""Count the networks of a sweep's table by how they ended, with the reasons of those that failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kdtune.analysis.file_problems import TABLE_FILE
from kdtune.columns import DONE, ERROR, FAILED, ID, SKIPPED, STATUS

MAX_REASONS = 20  # that a page shows, the most frequent first
MAX_IDS = 3  # of networks, as examples of a reason
_MAX_REASON_LENGTH = 2000  # characters: a reason may be a whole traceback


@dataclass(frozen=True)
class FailureReason:
    """Networks that failed, or were skipped, for one reason."""

    status: str  # ``FAILED`` or ``SKIPPED``
    reason: str
    n_networks: int
    example_ids: list[str]


@dataclass(frozen=True)
class NetworkCounts:
    """How the networks of a table ended."""

    n_networks: int = 0
    n_done: int = 0
    n_failed: int = 0
    n_skipped: int = 0
    reasons: list[FailureReason] = field(default_factory=list)
    n_reasons_left_out: int = 0
    problem: str = ""  # why the table cannot be read; empty if it can


def count_networks(folder: Path) -> NetworkCounts:
    """Count the networks of the table in a sweep's folder. There may be no table, or one that cannot be read."""
    try:
        table = pq.read_table(folder / TABLE_FILE, columns=[ID, STATUS, ERROR], partitioning=None, use_threads=False)
        status = table[STATUS].cast(pa.string())
    except FileNotFoundError:
        return NetworkCounts()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return NetworkCounts(problem=f"{TABLE_FILE} cannot be read: {str(error).splitlines()[0]}")
    n_of_status = {value: pc.sum(pc.equal(status, value)).as_py() or 0 for value in (DONE, FAILED, SKIPPED)}
    reasons = _list_reasons(table.filter(pc.not_equal(status, DONE)))
    return NetworkCounts(
        n_networks=len(table),
        n_done=n_of_status[DONE],
        n_failed=n_of_status[FAILED],
        n_skipped=n_of_status[SKIPPED],
        reasons=reasons[:MAX_REASONS],
        n_reasons_left_out=max(0, len(reasons) - MAX_REASONS),
    )


def _list_reasons(failures: pa.Table) -> list[FailureReason]:
    """Return the reasons of networks that are not done, the most frequent first."""
    ids_of_reason: dict[tuple[str, str], list[str]] = {}
    columns = (failures[name].cast(pa.string()).to_pylist() for name in (STATUS, ERROR, ID))
    for status, reason, network_id in zip(*columns, strict=True):
        ids_of_reason.setdefault((status or "", reason or ""), []).append(network_id or "")
    reasons = [
        FailureReason(status, reason[:_MAX_REASON_LENGTH] or "no reason was recorded", len(ids), ids[:MAX_IDS])
        for (status, reason), ids in ids_of_reason.items()
    ]
    return sorted(reasons, key=lambda reason: -reason.n_networks)
