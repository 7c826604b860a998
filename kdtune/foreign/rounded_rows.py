"""Count each run once where two exports of the same runs stand in a table, and one of them is rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdtune.columns import STUDENT
from kdtune.errors import RequestError
from kdtune.foreign.rounded_copies import RoundedPairs, Rounding, find_rounding, pair_rounded_rows
from kdtune.foreign.row_copies import split_roles
from kdtune.foreign.row_keys import Mask, count_rows, hash_columns
from kdtune.text import join_names, pluralize

_SHOWN_LABELS = 3  # in a message


class _Export(NamedTuple):
    """What was found out about the rounded rows."""

    rounding: Rounding
    columns: list[str]  # the columns in which two rows are equal, but for the rounding
    ignored: list[str]  # the labels in which they may differ


def drop_rounded_rows(
    table: pd.DataFrame, *, measures: Sequence[str], labels: Sequence[str], is_measured: Mask, is_told: bool, keep: str
) -> tuple[Mask, list[str]]:
    """Leave out the rounded one of each two rows, if (nearly) every distilled student stands there in both forms.

    Parameters
    ----------
    table : Plain columns, one row per run.
    measures : The columns with results.
    labels : The columns that name or date a run.
    is_measured : Whether a row has any measure, (rows,).
    is_told : Whether the user says that each run counts once, whatever the labels.
    keep : What to do if they are replicates, for messages.

    Returns
    -------
    Which rows count, and notes.

    Raises
    ------
    RequestError
        If rows differ in labels, too, and the user does not say that each run counts once.
    """
    is_kept = np.ones(len(table), bool)
    roles = dict(split_roles(table))
    if STUDENT not in roles or not (roles[STUDENT] & is_measured).any():
        return is_kept, []
    students = table[roles[STUDENT] & is_measured]
    export = _find_export(students, measures, labels)
    if export is None:
        return is_kept, []
    pairs = pair_rounded_rows(students, export.columns, export.rounding)
    differing = [name for name in export.ignored if _is_different(students[name], pairs)]
    example = _describe_example(students, export.rounding, pairs)
    if differing and not is_told:
        raise RequestError(
            f"{pluralize(len(pairs.surplus), 'row')} repeat another row in all columns but "
            f"{join_names(differing, max_names=_SHOWN_LABELS)}, with rounded numbers, as in {example}. If these are "
            f"two exports of the same runs, add --repeats once: each run counts once; {keep}."
        )
    for is_role in roles.values():
        positions = np.flatnonzero(is_role & is_measured)
        is_kept[positions[pair_rounded_rows(table.iloc[positions], export.columns, export.rounding).surplus]] = False
        failures = np.flatnonzero(is_role & ~is_measured)
        if len(failures):
            counts, numbers = count_rows(hash_columns([table[name].iloc[failures] for name in export.columns]))
            is_kept[failures[numbers >= counts // 2]] = (counts % 2 != 0).any()
    return is_kept, [
        f"Each row stands in the table twice, once with rounded numbers, as in {example}: two exports of the same "
        f"runs. Each counts once, with all its digits ({is_kept.sum():,} of {len(table):,} rows); {keep}."
    ]


def _find_export(students: pd.DataFrame, measures: Sequence[str], labels: Sequence[str]) -> _Export | None:
    """Find out how rows are rounded: first those that are equal in all labels, then those that are not."""
    is_real = {name: students[name].dtype.kind == "f" for name in students.columns}
    if not any(is_real[name] for name in measures):
        return None
    real_labels = [name for name in labels if is_real[name]]  # run times are rounded, too
    texts = [name for name in labels if not is_real[name]]
    settings = [name for name in students.columns if name not in {*measures, *labels}]
    attempts: list[tuple[list[str], list[str], list[str]]] = [([*settings, *texts], [*measures, *real_labels], [])]
    if labels:
        attempts.append((settings, list(measures), list(labels)))
    for equal, numbers, ignored in attempts:
        rounding = find_rounding(students, equal, numbers)
        if rounding is not None:
            return _Export(rounding, [*equal, *numbers], ignored)
    return None


def _is_different(column: pd.Series, pairs: RoundedPairs) -> bool:
    first, second = (column.iloc[positions].to_numpy(object) for positions in (pairs.precise, pairs.rounded))
    return bool(((first != second) & ~(pd.isna(first) & pd.isna(second))).any())


def _describe_example(students: pd.DataFrame, rounding: Rounding, pairs: RoundedPairs) -> str:
    """Name a number and its rounded form, as in "loss 0.123457 and 0.1235"."""
    for name in rounding.digits:
        first, second = (students[name].iloc[positions].to_numpy() for positions in (pairs.precise, pairs.rounded))
        is_different = np.flatnonzero(first != second)
        if len(is_different):
            place = is_different[0]
            return f"{name} {_format(first[place])} and {_format(second[place])}"
    return next(iter(rounding.digits))


def _format(value: Any) -> str:
    return f"{value:.10g}"
