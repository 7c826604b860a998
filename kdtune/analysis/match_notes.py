"""Say with which baselines or teachers students are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.analysis.match_gaps import describe_gaps, describe_several
from kdtune.analysis.match_keys import encode_rows, is_loss_setting
from kdtune.analysis.match_texts import list_values, name_pools, name_role
from kdtune.analysis.pool_matches import PoolMatches
from kdtune.analysis.value_spellings import Integers
from kdtune.columns import REPLICATE
from kdtune.text import join_names, pluralize


def describe_matches(matches: PoolMatches, measures: list[str]) -> list[str]:
    """Describe in sentences what students are compared with, and what is compared with nothing.

    Of a sweep of kdtune, only what no sweep should have is said.
    """
    if matches.is_sweep:
        return [*describe_several(matches), *_describe_repeats(matches, measures)]
    comparisons = _describe_comparisons(matches) if len(matches.list_compared_pools()) else []
    return [*comparisons, *_describe_repeats(matches, measures), *describe_several(matches), *describe_gaps(matches)]


def _describe_comparisons(matches: PoolMatches) -> list[str]:
    """Say what a student has in common with the network that it is compared with."""
    notes = [_describe_keys(matches), *_describe_other_columns(matches)]
    return [*notes, *_describe_means(matches)] if matches.has_replicates() else notes


def _describe_keys(matches: PoolMatches) -> str:
    """Name the columns in which a student and its network have the same values."""
    compared_pools = matches.list_compared_pools()
    noun = name_role(matches)
    if not matches.has_replicates() and matches.count_rows()[compared_pools].max() > 1:
        start = "Students are compared with the mean over the rows of the"
    else:
        start = "Students are compared with the"
    is_joined = bool(matches.are_joined()[compared_pools].all())
    if not matches.keys:
        return f"{start} only {noun} of the table{', in the same replicate' if is_joined else ''}."
    note = f"{start} {noun} of the same {join_names([*matches.keys, *([REPLICATE] if is_joined else [])])}"
    values = matches.networks[matches.keys].iloc[matches.pools.first_rows[compared_pools]]
    blank_keys = [name for name in matches.keys if values[name].isna().any() and matches.cells[name].notna().all()]
    if blank_keys:
        note += (
            f"; a row that leaves {join_names(blank_keys, 'or')} empty is for all students that no other row matches"
        )
    return f"{note}."


def _describe_other_columns(matches: PoolMatches) -> list[str]:
    """Name the columns that name cells in which a student need not agree with its network."""
    noun = name_role(matches)
    is_compared = np.isin(matches.pools.of_rows, matches.list_compared_pools())
    texts = []
    for name in matches.columns:
        values = matches.networks[name][is_compared].dropna().unique()
        if name in matches.keys or is_loss_setting(name, matches.role) or not len(values):
            continue
        student_values = matches.cells[name].dropna().unique()
        if len(values) > 1 or list(values) != list(student_values):
            texts.append(f"{name} ({noun}: {list_values(values)}; students: {list_values(student_values)})")
    if not texts:
        return []
    return [f"Students are compared with their {noun} even where they differ from it in {join_names(texts)}."]


def _describe_means(matches: PoolMatches) -> list[str]:
    """Say which networks lack replicates of their students, and how they are compared with all of them."""
    replicates, row_counts = matches.replicates, matches.count_rows()
    pools = matches.list_compared_pools()
    pools = pools[~matches.are_joined()[pools]]
    is_single = row_counts[pools] == 1
    is_unnamed, is_apart = replicates.row_counts[pools] == 0, replicates.shared_counts[pools] == 0
    pools_by_problem = {
        "one row": pools[is_single],
        "no names of replicates": pools[~is_single & is_unnamed],
        "no replicate in common with the students": pools[~is_single & ~is_unnamed & is_apart],
        "only some of the students' replicates": pools[~is_single & ~is_apart],
    }
    return [
        _describe_mean(matches, problem, affected_pools, row_counts)
        for problem, affected_pools in pools_by_problem.items()
        if len(affected_pools)
    ]


def _describe_mean(matches: PoolMatches, problem: str, pools: Integers, row_counts: Integers) -> str:
    """Say what some pools lack, and that all replicates of their students are compared with the same number."""
    if row_counts[pools].max() == 1:
        result = "it is" if len(pools) == 1 else "each is"
    else:
        result = f"the mean over {f'its {row_counts[pools[0]]:,} rows' if len(pools) == 1 else 'the rows of each'} is"
    verb = "has" if len(pools) == 1 else "have"
    return f"{name_pools(matches, pools)} {verb} {problem}: {result} compared with every replicate."


def _describe_repeats(matches: PoolMatches, measures: list[str]) -> list[str]:
    """Say that networks have several rows of one replicate that differ in their measures."""
    pools = matches.list_compared_pools()
    is_joined = np.isin(matches.pools.of_rows, pools[matches.are_joined()[pools]]) & matches.replicates.has_student
    networks = encode_rows(np.column_stack([matches.pools.of_rows, matches.replicates.of_rows])[is_joined])
    values = [pd.factorize(matches.networks[name][is_joined], use_na_sentinel=False)[0] for name in measures]
    results = encode_rows(np.column_stack([networks, *values]))
    result_counts = np.bincount(networks[np.unique(results, return_index=True)[1]])
    n_repeated = int((result_counts > 1).sum())
    if not n_repeated:
        return []
    verb = "has" if n_repeated == 1 else "have"
    return [
        f"{pluralize(n_repeated, f'{REPLICATE}')} of {name_role(matches)}s {verb} several rows with different results: "
        "the mean over these is used."
    ]
