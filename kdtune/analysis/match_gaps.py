"""Say which students are compared with no baseline or teacher, and which rows of these match no student."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.analysis.cells import format_setting
from kdtune.analysis.match_keys import encode_keys, is_network_setting
from kdtune.analysis.match_texts import count_rows, list_values, name_cells, name_role, write_selection
from kdtune.analysis.network_pools import NO_POOL, SEVERAL_POOLS, Booleans
from kdtune.analysis.pool_matches import PoolMatches
from kdtune.analysis.value_spellings import list_spellings
from kdtune.columns import REPLICATE
from kdtune.text import join_names

_MAX_COLUMNS = 4  # A sentence names no more columns in which networks differ.
_MAX_PAIRS = 6  # of values that are written in two ways


def describe_several(matches: PoolMatches) -> list[str]:
    """Name the cells that match several different networks, and how these differ."""
    is_affected = matches.have_several_networks()
    if not is_affected.any():
        return []
    noun = name_role(matches)
    is_pool_affected = np.isin(np.arange(matches.pools.count_pools()), matches.pools.of_cells[is_affected])
    values_by_column = {}
    for name, differs in matches.differences.items():
        if (differs & is_pool_affected).any():
            values_by_column[name] = matches.networks[name][(differs & is_pool_affected)[matches.pools.of_rows]]
    # Text comes before numbers: an architecture names a network better than its learning rate.
    names = sorted(values_by_column, key=lambda name: pd.api.types.is_numeric_dtype(values_by_column[name]))
    texts = [f"{name} ({list_values(values_by_column[name])})" for name in names]
    if matches.teacher_columns:
        remedy = f", or fill in {join_names(matches.teacher_columns)} in the rows of teachers."
    else:
        remedy = (
            f". If each {noun} has students of its own, add a column {noun}_name with the same value in a {noun}'s row "
            "and in its students' rows."
        )
    unshared_names = [name for name in names if _is_unshared(matches, name)]
    if unshared_names:  # Whichever one were selected, it might be wrong for all students.
        values = [f"{name} ({list_values(matches.cells[name].dropna())})" for name in unshared_names]
        advice = f"None has the students' {join_names(values)}: write the same value in a {noun}'s row and in its "
        advice += (
            f"students' rows, or leave {join_names(unshared_names)} empty in the row of a {noun} for all students."
        )
    else:
        advice = f"Select one with {write_selection(matches, names[0], values_by_column[names[0]])}{remedy}"
    return [
        f"{_begin(matches, is_affected)}, because several {noun}s match them, which "
        f"differ in {join_names(texts, max_names=_MAX_COLUMNS)}. {advice}"
    ]


def _is_unshared(matches: PoolMatches, name: str) -> bool:
    """Return whether students and networks have different values of what should be a key, such as the data set."""
    return name in matches.columns and not is_network_setting(name) and bool(matches.cells[name].notna().any())


def _describe_spellings(matches: PoolMatches) -> list[str]:
    """Say which values are taken for the same although they are written in different ways."""
    notes = []
    for name in matches.keys:
        spellings = list_spellings(matches.cells[name], matches.networks[name])
        if spellings:
            pairs = [f"{row_word} is {cell_word} of students" for row_word, cell_word in spellings.items()]
            notes.append(
                f"Values of {name} that differ only in case, blanks, - or _ are the same: of {name_role(matches)}s "
                f"{join_names(pairs, max_names=_MAX_PAIRS)}."
            )
    return notes


def _begin(matches: PoolMatches, is_affected: Booleans) -> str:
    """Write the beginning of a sentence: which students are compared with no network."""
    noun = name_role(matches)
    if is_affected.all():
        return f"No student is compared with a {noun}"
    return f"{name_cells(matches, is_affected)} are compared with no {noun}"


def describe_gaps(matches: PoolMatches) -> list[str]:
    """Describe in sentences what is left out because rows do not say what they belong to, or to nothing."""
    return [
        *_describe_spellings(matches),
        *_describe_blank_patterns(matches),
        *_describe_unknown_teachers(matches),
        *_describe_unmatched_cells(matches),
        *_describe_unused_rows(matches),
    ]


def _describe_blank_patterns(matches: PoolMatches) -> list[str]:
    """Name the cells that match rows which leave different keys empty."""
    is_affected = matches.pools.of_cells == SEVERAL_POOLS
    if not is_affected.any():
        return []
    noun = name_role(matches)
    blank_keys = [name for name in matches.keys if matches.networks[name].isna().any()]
    return [
        f"{_begin(matches, is_affected)}, because several rows of {noun}s match them, "
        f"each of which leaves another one of {join_names(blank_keys)} empty. Fill these columns in."
    ]


def _describe_unknown_teachers(matches: PoolMatches) -> list[str]:
    """Name the cells whose students have different teachers that no row of a teacher names."""
    is_affected = matches.has_unknown_teacher & ~matches.have_several_networks()
    if not is_affected.any():
        return []
    names = matches.teacher_columns
    texts = [f"{name} ({list_values(matches.cells[name])})" for name in names]
    return [
        f"{_begin(matches, is_affected)}, because they have different teachers, named "
        f"in {join_names(texts)}, but no row of a teacher says there which one it is. Fill in {join_names(names)} in "
        "the rows of teachers."
    ]


def _describe_unmatched_cells(matches: PoolMatches) -> list[str]:
    """Name the cells of which no row has the keys."""
    is_affected = matches.pools.of_cells == NO_POOL
    if not is_affected.any():
        return []
    values = encode_keys(matches.cells, matches.networks, matches.keys)
    is_missing = [not np.isin(values.cells[is_affected, i], values.rows[:, i]).all() for i in range(len(matches.keys))]
    missing_keys = [name for name, is_key_missing in zip(matches.keys, is_missing, strict=True) if is_key_missing]
    noun, keys = name_role(matches), join_names(missing_keys or matches.keys)
    return [
        f"{_begin(matches, is_affected)}, because no row of a {noun} has their {keys}. "
        f"If a {noun} is for all students, leave {keys} empty in its row."
    ]


def _describe_unused_rows(matches: PoolMatches) -> list[str]:
    """Name the rows that match no student."""
    pools = matches.pools
    is_unused = ~np.isin(pools.of_rows, pools.of_cells)
    if (pools.of_cells == SEVERAL_POOLS).any():  # Rows with empty keys may match, but are named elsewhere.
        is_unused &= matches.networks[matches.keys].notna().all(axis=1).to_numpy()
    compared_pools = matches.list_compared_pools()
    joined_pools = compared_pools[matches.are_joined()[compared_pools]]
    has_other_replicate = np.isin(pools.of_rows, joined_pools) & ~matches.replicates.has_student
    is_left_out = is_unused | has_other_replicate
    count = int(is_left_out.sum())
    if not count:
        return []
    row = int(is_left_out.argmax())
    names = [*matches.keys, *([REPLICATE] if has_other_replicate[row] else [])]
    setting = format_setting(names, matches.networks[names].iloc[row].tolist()) or f"no {REPLICATE}"
    if count == 1:
        return [f"{count_rows(matches, count)} matches no student and is not used: it has {setting}."]
    return [f"{count_rows(matches, count)} match no student and are not used: the first has {setting}."]
