"""Find rows that repeat earlier rows one after another, as where a part of an export was appended to the whole."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kdtune.foreign.row_keys import Hashes, Indices, Mask, RowKeys

_MAX_CHANCE = 1e-4  # of a block of equal rows somewhere in a table of replicates
_MIN_ROWS = 5
_MAX_LATER = 5  # a row is compared with so many later ones that equal it; more are frequent results


def find_repeated_blocks(keys: RowKeys, hashes: Hashes) -> Mask:
    """Return which rows belong to a block of consecutive rows that are equal to others in the same order.

    Two replicates are equal with the chance p, which the other pairs of rows of a setting tell: (equal pairs + 1) /
    (pairs + 2). A block of L rows with different results is then found at one of n^2 / 2 places with the chance
    n^2 / 2 p^L or less. Blocks with a smaller chance than 1 in 10,000 are copies.

    Parameters
    ----------
    keys : The rows, in the order of the table.
    hashes : What makes rows equal, (rows,).
    """
    is_repeated = np.zeros(len(hashes), bool)
    firsts, seconds = _pair_equal_rows(hashes)
    _, n_rows = np.unique(keys.settings, return_counts=True)
    n_pairs = int((n_rows * (n_rows - 1) // 2).sum())
    n_places = max(1.0, len(hashes) ** 2 / 2)
    for block in _split_into_blocks(firsts, seconds):
        if len(block) < _MIN_ROWS:
            continue
        rows = firsts[block]
        chance = (len(firsts) - len(block) + 1) / max(n_pairs - len(block) + 2, 2)
        n_results = len(pd.unique(keys.results[rows]))
        if chance < 1 and math.log(n_places) + n_results * math.log(chance) < math.log(_MAX_CHANCE):
            is_repeated[seconds[block]] = True
    return is_repeated


def _pair_equal_rows(hashes: Hashes) -> tuple[Indices, Indices]:
    """Return pairs of places of equal rows, the earlier row first, ordered by their distance and then by place."""
    codes, _ = pd.factorize(hashes)
    order = np.argsort(codes, kind="stable")
    ordered_codes = codes[order]
    firsts, seconds = [order[:0]], [order[:0]]
    for distance in range(1, _MAX_LATER + 1):
        is_equal = ordered_codes[distance:] == ordered_codes[:-distance]
        if not is_equal.any():
            break
        firsts.append(order[:-distance][is_equal])
        seconds.append(order[distance:][is_equal])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    by_distance = np.lexsort((first, second - first))
    return first[by_distance], second[by_distance]


def _split_into_blocks(firsts: Indices, seconds: Indices) -> list[Indices]:
    """Return the pairs of each block: their rows follow each other, at one distance."""
    is_start = (np.diff(firsts) != 1) | (np.diff(seconds) != 1)
    return np.split(np.arange(len(firsts)), np.flatnonzero(is_start) + 1)
