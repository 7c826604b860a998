"""Find the settings in which more rows are equal than replicates are by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import binom, poisson

from kdtune.foreign.chance_repeats import estimate_chance_repeats
from kdtune.foreign.row_keys import Indices, Mask, RowKeys, count_rows, find_common_factors

# Rows are copies if chance makes as many equal ones in fewer than one of a thousand tables; where some are known to be
# copies, in fewer than one of fifty.
_MAX_CHANCE = 1e-3
_MAX_CHANCE_BESIDE_COPIES = 0.02
# A single row with a measure with decimals is a copy if chance makes fewer equal rows than this.
_MAX_EXPECTED = 0.02
# A result is frequent by nature if it is repeated in so many settings, and others so much less often.
_FREQUENT_SETTINGS = 3
_MAX_FREQUENT_CHANCE = 0.01


def find_improbable_repeats(keys: RowKeys, is_repeated: Mask, has_copies: bool = False) -> Mask:
    """Return which repeated rows are in settings that have more of them than replicates have by chance.

    Among n rows of a setting chance makes n! / ((n - 2c)! 2^c c!) p^c sets of c pairs of equal rows, if two replicates
    agree with the chance p. The settings with the smallest such numbers are judged together: m of G settings have a
    number of e or less with the chance that a Poisson variable of the mean G e is m or more. The settings for which
    this chance is least are returned; others may be found without them. A single repeat is never too much, unless a
    measure has decimals.

    Parameters
    ----------
    keys : The rows.
    is_repeated : Whether a row repeats another or is repeated, (rows,).
    has_copies : Whether other rows are known to be copies.
    """
    chance = estimate_chance_repeats(keys.values, keys.settings, keys.run)
    if chance.is_fine and chance.expected < _MAX_EXPECTED:
        return is_repeated
    settings, _ = pd.factorize(keys.settings)
    n_rows = np.bincount(settings)
    n_pairs = _count_pairs(keys, is_repeated, settings)
    if n_pairs.sum() < 2 or chance.of_pair >= 1:
        return np.zeros(len(is_repeated), bool)
    log_sets = gammaln(n_rows + 1) - gammaln(n_rows - 2 * n_pairs + 1) - gammaln(n_pairs + 1)
    log_numbers = log_sets + n_pairs * np.log(max(chance.of_pair, np.finfo(float).tiny) / 2)
    numbers = np.where(n_pairs > 0, np.exp(np.minimum(log_numbers, 0)), 1)
    smallest = np.sort(numbers)
    n_settings = int((n_rows > 1).sum())
    chances = poisson.sf(np.arange(len(smallest)), n_settings * smallest)
    least = int(chances.argmin())
    max_chance = _MAX_CHANCE_BESIDE_COPIES if has_copies else _MAX_CHANCE
    limit = smallest[least] if chances[least] < max_chance else -1.0
    is_flagged: Mask = is_repeated & (numbers <= limit)[settings]
    return is_flagged


def _count_pairs(keys: RowKeys, is_repeated: Mask, settings: Indices) -> Indices:
    """Count the pairs of equal rows in each setting, (settings,).

    Networks that fail in the same way, or make no error, are no copies: a result that stands in a setting several times
    where most others do not is one pair at most, unless all rows have a pair; and so is a setting in which all rows are
    equal.
    """
    counts, numbers = count_rows(keys.run)
    is_run = numbers == 0
    usual_counts = pd.Series(counts[is_run]).groupby(settings[is_run]).median().to_numpy()[settings]
    is_all_repeated = find_common_factors(keys.settings, counts) > 1
    largest_counts = np.where(is_all_repeated, counts, 2 * np.floor(usual_counts).astype(np.int64))
    is_counted = is_run & is_repeated & ~_is_frequent(keys, is_run, is_repeated)
    n_pairs = np.bincount(settings, np.where(is_counted, np.minimum(counts, largest_counts) // 2, 0)).astype(np.int64)
    has_several_results = np.bincount(settings, is_run) > 1
    return np.where(has_several_results, n_pairs, np.minimum(n_pairs, 1))


def _is_frequent(keys: RowKeys, is_run: Mask, is_repeated: Mask) -> Mask:
    """Return which rows have a result that is repeated in most settings, as others are not: 9,000 errors of 10,000.

    Copies do not look so: where they are, other results are repeated, too.
    """
    results, _ = pd.factorize(keys.results)
    n_settings = np.bincount(results, is_run).astype(np.int64)
    n_repeated = np.bincount(results, is_run & is_repeated).astype(np.int64)
    share_of_others = (n_repeated.sum() - n_repeated + 1) / (n_settings.sum() - n_settings + 2)
    chance = binom.sf(n_repeated - 1, n_settings, share_of_others)
    is_frequent = (n_settings >= _FREQUENT_SETTINGS) & (chance < _MAX_FREQUENT_CHANCE)
    return np.asarray(is_frequent[results], bool)
