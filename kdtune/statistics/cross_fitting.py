"""Choose a treatment for each replicate on the other replicates, so that its own results are not flattered.

A network that was lucky in training is so on every split. A treatment that is chosen because its networks were lucky
on one split therefore looks too good on another one as well. What a replicate shows of a treatment that the others
chose is free of this: its mean is that of the chosen treatment in a new replicate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array


def choose_by_other_replicates(selection_errors: Array) -> npt.NDArray[np.int_]:
    """Return for each replicate the index (R,) of the treatment that has the lowest mean over all other replicates.

    Parameters
    ----------
    selection_errors : (R, k): The errors of two or more replicates of k treatments on the split that one is chosen on.
        None may be NaN.
    """
    sums_of_others = selection_errors.sum(axis=0) - selection_errors
    return np.asarray(sums_of_others.argmin(axis=1))


def compute_pseudo_values(cross_fitted: Array, selection_errors: Array, test_errors: Array) -> Array:
    """Compute the jackknife's values of cross-fitted errors, for which intervals for independent values hold.

    Cross-fitted errors are positively correlated: every two of them were chosen by nearly the same replicates, and
    each of them takes part in choosing for the others. Their own variance says nothing of this: 95 % intervals from it
    hold in 86 % of tables of five replicates where several treatments are equal, and in 80 % of ten. The jackknife
    leaves out each replicate altogether and computes the mean of the cross-fitted errors of the rest. R times the mean
    of all minus R - 1 times that of the rest is the replicate's pseudo-value (Tukey 1958, Annals of Mathematical
    Statistics 29). Their variance is too large rather than too small (Efron and Stein 1981, Annals of Statistics 9),
    and where all choices are clear it is that of the cross-fitted errors.

    Parameters
    ----------
    cross_fitted : (R,): The test errors of each replicate at the treatment from ``choose_by_other_replicates``; NaN
        where that run is missing.
    selection_errors : (R, k): The errors that treatments were chosen by, as there.
    test_errors : (R, k): The errors on the test split. Where a run is missing stands what is expected of it.

    Returns
    -------
    (R,): Pseudo-values with the mean of the cross-fitted errors, and NaN where these are. With two replicates, of which
    none is left to choose when one is left out, and where a test error is NaN, they are the cross-fitted errors.
    """
    n_replicates = len(cross_fitted)
    is_known = ~np.isnan(cross_fitted)
    if n_replicates < 3 or np.isnan(test_errors).any() or not is_known.any():
        return cross_fitted
    replicates = np.arange(n_replicates)
    sums_of_others = selection_errors.sum(axis=0) - selection_errors
    chosen_indices = sums_of_others.argmin(axis=1)
    means_of_rest = np.empty(n_replicates)
    has_other_choices = False
    for left_out in replicates:
        indices = (sums_of_others - selection_errors[left_out]).argmin(axis=1)
        indices[left_out] = chosen_indices[left_out]
        has_other_choices |= bool((indices != chosen_indices).any())
        errors = test_errors[replicates, indices]
        means_of_rest[left_out] = (errors.sum() - errors[left_out]) / (n_replicates - 1)
    if not has_other_choices:
        return cross_fitted  # exactly: a difference to errors at the same treatment is then 0, not a rounding error
    deviations = -(n_replicates - 1) * means_of_rest
    center = cross_fitted[is_known].mean() - deviations[is_known].mean()
    return np.where(is_known, center + deviations, np.nan)
