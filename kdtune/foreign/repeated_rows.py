"""Count each run once: one that was exported twice or logged again is no second replicate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from kdtune.columns import DONE, MODEL, STATUS, STUDENT, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.own_names import get_own_name, suggest_replicates
from kdtune.foreign.rounded_rows import drop_rounded_rows
from kdtune.foreign.row_copies import Copies, find_copies, find_surplus_failures, find_twins, split_roles
from kdtune.foreign.row_keys import Indices, Mask, find_equal_rows, hash_rows
from kdtune.text import format_number, pluralize

_SHOWN_COLUMNS = 4  # in a message


class Repeats(NamedTuple):
    """A table in which each run counts once."""

    table: pd.DataFrame  # the rows that count, in their order and with their index
    notes: list[str]  # what was left out, and why: sentences for the user


def drop_repeated_rows(
    table: pd.DataFrame,
    *,
    measures: Sequence[str],
    labels: Sequence[str],
    replicate: str | None,
    repeats: Literal["once", "keep"] | None,
    own_names: Mapping[str, str] = MappingProxyType({}),
) -> Repeats:
    """Leave out the rows that are copies of others.

    Rows that are equal in all columns are copies if all rows of the table stand there equally often; if they share a
    replicate, an id or a time; or if chance does not give so many replicates equal results. Rows that are equal in all
    but labels are refused in the same cases: the user must say what they are. Single replicates with equal results by
    chance stay, and so do rows without any measure. Before that, the rounded one of each two rows is left out where
    two exports of the same runs stand in the table and one of them is rounded.

    Parameters
    ----------
    table : Plain columns, one row per run.
    measures : The columns with results.
    labels : The columns that name or date a run: ids, dates, hosts, run times, numbers of rows.
    replicate : The column that names the replicate; None if there is none.
    repeats : What the user says about rows that are equal in all but labels: each counts "once", or "keep" all.
    own_names : kdtune's name of a column -> the table's own, where they differ; for messages.

    Raises
    ------
    RequestError
        If distilled students are equal in all but labels, hardly by chance, and ``repeats`` is None.
    """
    measures = [name for name in measures if name in table.columns]
    labels = [name for name in labels if name in table.columns and name not in measures]
    run_columns = [name for name in table.columns if name not in set(labels)]
    is_measured = table[measures].notna().any(axis=1).to_numpy() if measures else np.zeros(len(table), bool)
    if STATUS in table.columns:  # What failed does not count, however often it stands there.
        is_measured = is_measured & (table[STATUS] == DONE).to_numpy(bool)
    notes: list[str] = []
    keep = suggest_replicates(replicate, own_names)
    if repeats != "keep":
        is_kept, notes = drop_rounded_rows(
            table, measures=measures, labels=labels, is_measured=is_measured, is_told=repeats == "once", keep=keep
        )
        if not is_kept.all():
            table, is_measured = table[is_kept], is_measured[is_kept]
    is_equal = is_measured & find_equal_rows(table, run_columns)
    if not is_equal.any():
        return Repeats(table, notes)
    if repeats is not None:
        told = _follow_user(table, run_columns, labels, is_equal, repeats)
        return Repeats(told.table, [*notes, *told.notes])

    keys = hash_rows(table, measures, labels, replicate, is_measured)
    is_kept = np.ones(len(table), bool)
    for role, is_role in split_roles(table):
        is_student = role == STUDENT
        copies = find_copies(keys.select(is_role & is_measured), is_student)
        is_kept[copies.positions] = False
        if copies.times > 1:
            is_kept[find_surplus_failures(keys.select(is_role & ~is_measured), copies.times)] = False
        if len(copies.positions):
            rows_of = "" if is_role.all() else f" with {MODEL} {role}"
            notes.append(f"{_describe_copies(copies, is_role, is_kept, rows_of)}; {keep}.")
        twins = find_twins(keys.select(is_role & is_measured & is_kept), is_student)
        if not len(twins):
            continue
        differing = _list_differing(table, run_columns, labels, twins)
        if is_student:
            what = _describe_twins(table, run_columns, measures, differing, twins, own_names)
            raise RequestError(
                f"{what}. If runs were exported or logged twice, add --repeats once: each counts once; {keep}."
            )
        surplus = twins[table[run_columns].iloc[twins].duplicated().to_numpy()]
        is_kept[surplus] = False
        start = _describe_repeats(len(surplus), f" with {MODEL} {role}", differing)
        notes.append(f"{start}: each counts once; {keep}.")
    return Repeats(table if is_kept.all() else table[is_kept], notes)


def _follow_user(
    table: pd.DataFrame, run_columns: list[str], labels: list[str], is_equal: Mask, repeats: str
) -> Repeats:
    """Keep all rows, or one of those that are equal in all but labels, as the user says."""
    positions = np.flatnonzero(is_equal)
    surplus = positions[table[run_columns].iloc[positions].duplicated().to_numpy()]
    start = _describe_repeats(len(surplus), "", _list_differing(table, run_columns, labels, positions))
    if repeats == "keep":
        return Repeats(table, [f"{start}: taken as replicates (--repeats keep)."])
    is_kept = np.ones(len(table), bool)
    is_kept[surplus] = False
    return Repeats(table[is_kept], [f"{start}: each run counts once (--repeats once)."])


def _list_differing(table: pd.DataFrame, run_columns: list[str], labels: list[str], positions: Indices) -> list[str]:
    """Return the labels in which rows differ that are equal in all other columns."""
    rows = table.iloc[positions]
    runs = rows.groupby(run_columns, dropna=False, sort=False)
    return [name for name in labels if (runs[name].nunique(dropna=False) > 1).any()]


def _describe_repeats(count: int, rows_of: str, differing: list[str]) -> str:
    """Begin a sentence about rows that repeat another one."""
    where = f"all columns but {_join_names(differing)}" if differing else "all columns"
    return f"{pluralize(count, 'row')}{rows_of} {'repeats' if count == 1 else 'repeat'} another row in {where}"


def _describe_copies(copies: Copies, is_role: Mask, is_kept: Mask, rows_of: str) -> str:
    """Begin a sentence about rows that do not count."""
    n_left, n_rows = int((is_role & is_kept).sum()), int(is_role.sum())
    if copies.times > 1:
        reason = "" if rows_of else ", as in an export that was appended to itself"
        return (
            f"Each row{rows_of} stands in the table {copies.times} times{reason}: each counts once ({n_left:,} of "
            f"{n_rows:,} rows)"
        )
    return f"{_describe_repeats(n_rows - n_left, rows_of, [])}, hardly by chance: each run counts once"


def _describe_twins(
    table: pd.DataFrame,
    run_columns: list[str],
    measures: list[str],
    differing: list[str],
    twins: Indices,
    own_names: Mapping[str, str],
) -> str:
    """Say which rows are equal in all but labels."""
    rows = table.iloc[twins]
    n_repeated = int(rows.duplicated(run_columns).sum())
    first = rows.iloc[0]
    is_same = np.ones(len(rows), bool)
    for name in run_columns:
        is_same &= ((rows[name] == first[name]) | (rows[name].isna() & pd.isna(first[name]))).to_numpy(bool)
    second = rows[is_same].iloc[1]
    known = (*measures, TEMP, MODEL, STATUS)  # Twins are finished students.
    settings = [name for name in run_columns if name not in known and pd.notna(first[name])]
    shown = [TEMP, *settings[: _SHOWN_COLUMNS - 1]]
    place = ", ".join(
        f"{get_own_name(name, own_names)} {format_number(first[name])}" for name in shown if name in table.columns
    )
    label = next(name for name in differing if first[name] != second[name])
    return (
        f"{_describe_repeats(n_repeated, '', differing)}, as at {place}: {label} {format_number(first[label])} and "
        f"{format_number(second[label])}"
    )


def _join_names(names: Iterable[str]) -> str:
    """Join names as in "id, host and start_time"; of many, the first ones."""
    listed = list(names)
    if len(listed) > _SHOWN_COLUMNS:
        listed = [*listed[: _SHOWN_COLUMNS - 1], f"{len(listed) - _SHOWN_COLUMNS + 1} more"]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
