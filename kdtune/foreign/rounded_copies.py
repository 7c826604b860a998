"""Find the rows of a second export whose numbers are rounded: 0.1235 beside 0.123457 is the same run once more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from kdtune.foreign.chance_repeats import estimate_chance_repeats
from kdtune.foreign.row_keys import Hashes, Indices, Mask, count_rows, hash_columns

Array = npt.NDArray[np.float64]

_SAMPLE = 1000  # rows that tell whether a column may be rounded in half of the rows
_MAX_DIGITS = 9
# Half of the rows are rounded, and of the others those with zeros at the end look so, too.
_MIN_SHORT, _MAX_SHORT = 0.45, 0.75
_SAMPLING_ERROR = 0.05
_MIN_PAIRED = 0.95  # the share of rows that must have a partner
_MAX_LOG_CHANCE = np.log(1e-6)
# With fewer pairs of replicates their noise is not known: then 1 % of the value is assumed, which is little.
_KNOWN_PAIRS = 10
_ASSUMED_NOISE = 0.01
_MAX_TIES = 4  # columns in which each 5 at the end may go its own way
_CLOSE = 1e-6  # of a unit of the last digit: numbers of 64 bits are no exact decimals


class Rounding(NamedTuple):
    """How the numbers of the second export are rounded."""

    digits: dict[str, int]  # column -> its digits
    is_significant: bool  # whether these are significant digits ("%.4g"), not decimals ("%.4f")


class RoundedPairs(NamedTuple):
    """Rows that repeat others."""

    precise: Indices  # the row with all digits of each pair of which one is rounded
    rounded: Indices  # and the rounded one
    surplus: Indices  # all rows that do not count: the rounded ones, and copies of numbers with few digits


def find_rounding(table: pd.DataFrame, settings: Sequence[str], numbers: Sequence[str]) -> Rounding | None:
    """Find out whether (nearly) each row has a partner to which it rounds, and hardly by chance.

    If L rows with many digits all have partners among the S rows with few in their settings, then chance does so in
    fewer than the product of S! / (S - L)! p^L over the settings, where two replicates agree with the chance p after
    rounding: so many ways there are to choose the partners.

    Parameters
    ----------
    table : Plain columns, one row per run.
    settings : The columns in which partners are equal.
    numbers : The columns that may be rounded: measures and run times.
    """
    for is_significant in (False, True):
        digits: dict[str, int] = {}
        for name in numbers:
            column = _to_array(table[name])
            sample = column[:: len(column) // _SAMPLE + 1]
            if find_digits(sample, is_significant, _SAMPLING_ERROR) is not None:
                found = find_digits(column, is_significant)
                digits |= {} if found is None else {name: found}
        rounding = Rounding(digits, is_significant)
        if digits and _is_no_chance(table, settings, numbers, rounding):
            return rounding
    return None


def pair_rounded_rows(table: pd.DataFrame, columns: Sequence[str], rounding: Rounding) -> RoundedPairs:
    """Pair each row with one that is equal in some columns and has its numbers rounded, or has equal short ones."""
    is_long = _has_long_numbers(table, rounding)
    long, short = np.flatnonzero(is_long), np.flatnonzero(~is_long)
    precise, rounded = [long[:0]], [long[:0]]
    exact = [table[name] for name in columns if name not in rounding.digits]
    keys = np.zeros(0, np.uint64)
    for halves in _list_halves(len(rounding.digits)):
        numbers = [
            _round(table[name], digits, rounding.is_significant, half)
            for (name, digits), half in zip(rounding.digits.items(), halves, strict=True)
        ]
        keys = hash_columns([*exact, *numbers])
        first, second = _match(keys[long], keys[short])
        precise.append(long[first])
        rounded.append(short[second])
        long, short = np.delete(long, first), np.delete(short, second)
        if not len(long):
            break
    _, positions = count_rows(keys[short])  # short numbers have one rounding
    return RoundedPairs(
        np.concatenate(precise), np.concatenate(rounded), np.concatenate([*rounded, short[positions % 2 == 1]])
    )


def _list_halves(n_columns: int) -> list[tuple[float, ...]]:
    """Return how columns may be rounded: a 5 at the end goes down in some programs, and up in others."""
    if n_columns > _MAX_TIES:
        return [(-_CLOSE,) * n_columns, (_CLOSE,) * n_columns]
    return list(product((-_CLOSE, _CLOSE), repeat=n_columns))


def _is_no_chance(table: pd.DataFrame, settings: Sequence[str], numbers: Sequence[str], rounding: Rounding) -> bool:
    pairs = pair_rounded_rows(table, [*settings, *numbers], rounding)
    if 2 * len(pairs.surplus) < _MIN_PAIRED * len(table) or len(pairs.precise) < 2:
        return False
    is_long = _has_long_numbers(table, rounding)
    groups = pd.factorize(hash_columns([table[name] for name in settings], len(table)))[0]
    n_long, n_short, n_paired = (
        np.bincount(group, minlength=groups.max() + 1)
        for group in (groups[is_long], groups[~is_long], groups[pairs.precise])
    )
    log_ways = gammaln(n_long + 1) - gammaln(n_long - n_paired + 1) - gammaln(n_paired + 1)
    log_ways += gammaln(n_short + 1) - gammaln(n_short - n_paired + 1)
    chance = _estimate_chance(table[is_long], groups[is_long], numbers, rounding)
    log_chances = log_ways + n_paired * np.log(chance)
    return bool(np.minimum(log_chances, 0).sum() < _MAX_LOG_CHANCE)


def _estimate_chance(table: pd.DataFrame, groups: Indices, numbers: Sequence[str], rounding: Rounding) -> float:
    """Estimate the chance that two replicates agree after rounding, from the rows that are not rounded."""
    columns = [
        _round(table[name], rounding.digits[name], rounding.is_significant) if name in rounding.digits else table[name]
        for name in numbers
    ]
    # All digits tell runs apart: those that are equal after rounding are what is counted.
    runs = hash_columns([pd.Series(groups), *(table[name].reset_index(drop=True) for name in numbers)])
    settings = groups.astype(np.uint64)
    values = np.column_stack([_to_array(column) for column in columns])
    chance = estimate_chance_repeats(values, settings, runs).of_pair
    sizes = np.bincount(groups)
    if (sizes * (sizes - 1) // 2).sum() < _KNOWN_PAIRS:
        scaled = [_scale(_to_array(table[name]), n, rounding.is_significant)[0] for name, n in rounding.digits.items()]
        noise = _ASSUMED_NOISE * max(float(np.nanmedian(np.abs(column))) for column in scaled)  # in units of rounding
        chance = max(chance, 1 / (2 * np.sqrt(np.pi) * max(noise, _CLOSE)))  # density of a difference at zero
    return float(np.clip(chance, np.finfo(float).tiny, 1))


def find_digits(values: Array, is_significant: bool, tolerance: float = 0.0) -> int | None:
    """Return the digits to which half of the numbers are rounded; None if they are not."""
    known = values[np.isfinite(values)]
    for digits in range(is_significant, _MAX_DIGITS + 1):
        is_long = _is_long(known, digits, is_significant)
        share = 1 - is_long.mean() if len(known) else 0.0
        if share >= _MIN_SHORT - tolerance:
            # Accuracies over 200 examples (0.75, 0.755) have steps of 5, and are not rounded.
            halves = 2 * _scale(known[is_long], digits, is_significant)[0]
            is_lattice = bool((np.abs(halves - np.rint(halves)) < 2 * _CLOSE).all())
            return digits if share <= _MAX_SHORT + tolerance and not is_lattice else None
    return None


def _has_long_numbers(table: pd.DataFrame, rounding: Rounding) -> Mask:
    """Return which rows have a number with more digits than the rounded ones have."""
    is_long = np.zeros(len(table), bool)
    for name, digits in rounding.digits.items():
        is_long |= _is_long(_to_array(table[name]), digits, rounding.is_significant)
    return is_long


def _is_long(values: Array, digits: int, is_significant: bool) -> Mask:
    scaled, _ = _scale(values, digits, is_significant)
    difference = np.abs(scaled - np.rint(scaled))
    return np.asarray(difference > _CLOSE + 4 * np.finfo(float).eps * np.abs(scaled), bool)  # NaN is not long


def _round(column: pd.Series, digits: int, is_significant: bool, half: float = 0.0) -> pd.Series:
    """Round numbers; those halfway between two are rounded down if ``half`` is negative, up if it is positive."""
    scaled, powers = _scale(_to_array(column), digits, is_significant)
    return pd.Series(np.floor(scaled + 0.5 + half) / powers + 0.0)  # -0.0 is 0.0


def _scale(values: Array, digits: int, is_significant: bool) -> tuple[Array, Array]:
    """Return numbers in units of their last digit, and how many of these are 1."""
    decimals = np.full(len(values), float(digits))
    if is_significant:
        sizes = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
        decimals = np.clip(digits - 1 - np.floor(np.log10(sizes)), 0, 20)
    powers = 10.0**decimals
    return np.where(np.isfinite(values), values, np.nan) * powers, powers


def _match(first: Hashes, second: Hashes) -> tuple[Indices, Indices]:
    """Match equal keys, each with one other: the positions in both."""
    _, left, right = np.intersect1d(_number_repeats(first), _number_repeats(second), return_indices=True)
    return left, right


def _number_repeats(keys: Hashes) -> Hashes:
    """Make equal keys different: the n-th of them gets the same new key wherever it is."""
    if not len(keys):
        return keys
    return hash_columns([pd.Series(keys), pd.Series(count_rows(keys)[1])])


def _to_array(column: pd.Series) -> Array:
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
