"""Choose a treatment for each replicate on the other replicates, so that its own results are not flattered.

A network that was lucky in training is so on every split. A treatment that is chosen because its networks were lucky
on one split therefore looks too good on another one as well. What a replicate shows of a treatment that the others
chose is free of this: its mean is that of the chosen treatment in a new replicate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import ROUNDING, Array


def choose_without_each(sets: Sequence[Array]) -> list[npt.NDArray[np.int_]]:
    """Choose for each replicate the treatment that is best on average over all other replicates of all sets.

    Parameters
    ----------
    sets : The errors of each independent set on the split that treatments are chosen on, (R, k) with its own R; NaN
        where a run is missing.

    Returns
    -------
    The index of the chosen treatment of each replicate, (R,) for each set. A replicate without others in its set, or
    whose others lack a treatment, has the choice of the other sets; where there are none the index is -1.
    """
    return [_find_lowest(means) for means in _average_others(sets)]


def _find_lowest(means: Array) -> npt.NDArray[np.int_]:
    """Return the index of the lowest mean in each row (R, k), of equal ones the first; -1 where any is NaN."""
    highest = abs(means).max(axis=1, keepdims=True)
    is_lowest = means <= means.min(axis=1, keepdims=True) + ROUNDING * highest
    return np.where(is_lowest.any(axis=1), is_lowest.argmax(axis=1), -1)


def _average_others(sets: Sequence[Array]) -> list[Array]:
    """Return for each replicate what all others say of each treatment, (R, k) for each set, up to a factor.

    It is the sum over the sets of their means, that of the own set without the replicate; NaN where nobody says
    anything.
    """
    set_means = np.array([np.nanmean(values, axis=0) for values in sets])
    averages = []
    for number, values in enumerate(sets):
        is_seen = ~np.isnan(values)
        counts = is_seen.sum(axis=0) - is_seen
        sums = np.where(is_seen, values, 0.0)
        own = np.divide(sums.sum(axis=0) - sums, counts, out=np.full(values.shape, np.nan), where=counts > 0)
        is_silent = np.isnan(own).any(axis=1, keepdims=True)
        others = np.delete(set_means, number, axis=0).sum(axis=0)
        averages.append(others + (own if len(sets) == 1 else np.where(is_silent, 0.0, own)))
    return averages


def compute_pseudo_values(selection: Sequence[Array], results: Sequence[Array], fallback: int) -> list[Array]:
    """Compute the jackknife's values of results at cross-fitted choices, for which intervals hold.

    Results at the choices of ``choose_without_each`` depend on each other: every two of them were chosen by nearly the
    same replicates, and each replicate takes part in choosing for the others, in all sets. Their own variance says
    nothing of this: of five replicates of one set with equal treatments, 95 % intervals from it hold in 86 % of tables.
    The jackknife leaves out each replicate altogether and computes the sum over the sets of their mean results anew. A
    replicate's value deviates from the mean of its set as far as that sum moves, times R - 1 (Tukey 1958, Annals of
    Mathematical Statistics 29). Their variance is too large rather than too small (Efron and Stein 1981, Annals of
    Statistics 9), and where all choices are clear it is that of the results.

    It takes a time that rises with the square of the number of replicates of all sets.

    Parameters
    ----------
    selection : The errors of each set that treatments are chosen by, (R, k) with its own R. None is NaN.
    results : The results of each set, of the same shapes. Where a run is missing stands what is expected of it.
    fallback : The choice for a replicate that no other replicate chooses for.

    Returns
    -------
    (R,) for each set, with the mean of its results at the choices. They are these results themselves where leaving out
    a replicate changes no choice, where one set has two replicates, of which none is left to choose, or a value is NaN.
    """
    choices = [np.where(indices < 0, fallback, indices) for indices in choose_without_each(selection)]
    chosen = [values[np.arange(len(values)), indices] for values, indices in zip(results, choices, strict=True)]
    has_gap = any(np.isnan(values).any() for values in (*selection, *results))
    if has_gap or (len(selection) == 1 and len(selection[0]) < 3):
        return chosen
    counts = [len(values) for values in selection]
    starts = np.concatenate([[0], np.cumsum(counts)])
    averages, all_results = np.concatenate(_average_others(selection)), np.concatenate(results)
    all_choices, rows = np.concatenate(choices), np.arange(starts[-1])
    set_means = np.array([values.mean(axis=0) for values in selection])
    pseudo_values, has_other_choices = [], False
    for number, values in enumerate(selection):
        count, start = counts[number], starts[number]
        others = np.delete(set_means, number, axis=0).sum(axis=0)
        weights = np.repeat(1 / np.array(counts, float), counts)
        sums = np.full(count, 0.0)
        for replicate in range(count if count > 1 else 0):
            left = values.sum(axis=0) - values[replicate]
            shifted = averages - set_means[number] + left / (count - 1)  # what other sets hear of this one
            own = (left - values) / (count - 2) if count > 2 else np.zeros_like(values)
            shifted[start : start + count] = others + own
            indices = _find_lowest(shifted)
            indices = np.where(indices < 0, fallback, indices)
            weights[start : start + count] = 1 / (count - 1)
            weights[start + replicate] = 0.0
            sums[replicate] = weights @ all_results[rows, indices]
            is_left = rows != start + replicate
            has_other_choices |= bool((indices != all_choices)[is_left].any())
        pseudo_values.append(chosen[number].mean() - (count - 1) * (sums - sums.mean()))
    # Exactly the results: a difference to errors at the same treatment is then 0, not a rounding error.
    return pseudo_values if has_other_choices else chosen
