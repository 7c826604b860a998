"""Say which networks of earlier runs lack what is recorded today; they are not trained again for its sake."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import DONE, ID, LEARNING_CURVE, MODEL, N_TEST, STATUS, TEACHER, TEST_ERRORS
from kdtune.errors_by_example import MAX_TEST_EXAMPLES
from kdtune.plan.network import Network
from kdtune.run.progress import Progress
from kdtune.text import pluralize


def report_missing_details(networks: Iterable[Network], rows: pa.Table, progress: Progress) -> None:
    """Say how many networks are done but lack learning curves that are asked for, or errors by example.

    Parameters
    ----------
    networks : The networks of the sweep.
    rows : Their rows, with details; rows of other networks do not count.
    """
    networks = list(networks)
    ids = [network.id for network in networks if network.shape.is_trained_by_steps and network.train.eval_every > 0]
    without_curves = _select_done_without(LEARNING_CURVE, rows, ids)
    if len(without_curves):
        progress.say(
            f"{pluralize(len(without_curves), 'network')} recorded no learning curve in an earlier run; "
            f"to record it, train again with {_name_options(without_curves)}."
        )
    without_errors = _select_done_without(TEST_ERRORS, rows, [network.id for network in networks])
    without_errors = without_errors.filter(pc.less_equal(without_errors[N_TEST], MAX_TEST_EXAMPLES))
    if len(without_errors):
        progress.say(
            f"{pluralize(len(without_errors), 'network')} of an earlier version of kdtune recorded neither training "
            f"errors nor errors by example; to record them, train again with {_name_options(without_errors)}."
        )


def _select_done_without(detail: str, rows: pa.Table, ids: list[str]) -> pa.Table:
    """Select the rows of these networks that are done and lack a detail."""
    rows = rows.filter(pc.and_(pc.equal(rows[STATUS], DONE), pc.is_in(rows[ID], pa.array(ids, pa.string()))))
    return rows.filter(pc.is_null(rows[detail])) if detail in rows.column_names else rows


def _name_options(rows: pa.Table) -> str:
    """Name the options that train these networks again: students have one, teachers another."""
    models = set(rows[MODEL].to_pylist())
    options = {"--fresh": models != {TEACHER}, "--fresh-teachers": TEACHER in models}
    return " and ".join(option for option, is_needed in options.items() if is_needed)
