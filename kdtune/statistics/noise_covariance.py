"""Estimate the covariance of noise over k treatments, from many replicates or from few.

Few replicates show a covariance badly: two of them one direction of k - 1. The estimate is therefore a mean over
models, each weighted with its likelihood. A model is a form of noise (``noise_models``) and how closely the covariance
follows it: given the form F, the covariance is inverse Wishart with scale F and d degrees of freedom. After replicates
with n degrees of freedom and covariance S it has the scale (d F + n S) / (d + n) (Chen 1979, JRSS B 41; for the mean
over models: Hoeting et al. 1999, Statistical Science 14). With many replicates S prevails, whatever the forms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from kdtune.statistics.correlated_differences import compute_standard_errors
from kdtune.statistics.noise_models import NoiseForms, list_noise_forms
from kdtune.statistics.standard_errors import Array

# Degrees of freedom with which a covariance may follow a form: from hardly to exactly.
PRIOR_DOF: Array = np.array([1.0, 2, 4, 8, 16, 32, 64, 256])
# The scales of a form, over the mean variance that is seen: the mean of an inverse Wishart lies above its scale.
RELATIVE_SCALES: Array = np.array([0.35, 0.5, 0.7, 1.0, 1.4])


@dataclass(frozen=True)
class NoiseCovariance:
    """The covariance of one value of each of k treatments within a replicate, whose level is taken out."""

    covariance: Array  # (k, k): its rows and columns have sums of 0
    dof: Array  # (k,): degrees of freedom of the differences to each treatment, on the average


def estimate_noise_covariance(covariance: Array, dof: float) -> NoiseCovariance:
    """Estimate the covariance of the noise over k treatments from the one that is seen.

    The degrees of freedom of the result are those of a chi-square variable with the same relative variance as the
    variance of a difference has: within a model, and between the models (by its logarithm, which is less skewed).

    Parameters
    ----------
    covariance : (k, k): The covariance of residuals from which the levels of replicates and the means of treatments
        are taken. k is two or more.
    dof : Its degrees of freedom, as the number of replicates minus 1; above 0.
    """
    n_treatments = len(covariance)
    if n_treatments == 2:  # There is one difference, and it has a t-test.
        return NoiseCovariance(covariance, np.full(2, float(dof)))
    forms = list_noise_forms(n_treatments)
    of_contrasts = forms.contrasts.T @ covariance @ forms.contrasts
    scales, weights = _weigh_models(forms, of_contrasts, dof)
    prior_share = PRIOR_DOF / (PRIOR_DOF + dof)  # (d,): what the form counts beside the covariance that is seen
    of_forms = (weights * scales[:, :, np.newaxis] * prior_share).sum(axis=(1, 2))  # (m,)
    of_seen = (weights * (1 - prior_share)).sum(axis=(1, 2))  # (m,)
    mean = np.tensordot(of_forms, forms.covariances, 1) + of_seen.sum() * of_contrasts
    # The form's scale is estimated, too, from all contrasts.
    dof_of_models = 1 / (1 / (PRIOR_DOF + dof) + prior_share**2 / (dof * (n_treatments - 1)))
    spread = _measure_spread(forms, covariance, scales, weights, prior_share, 1 + 2 / dof_of_models)
    return NoiseCovariance(forms.contrasts @ mean @ forms.contrasts.T, 2 / spread)


def _weigh_models(forms: NoiseForms, of_contrasts: Array, dof: float) -> tuple[Array, Array]:
    """Return the scales (m, s) of each form, and the weights (m, s, d) of the models, whose sum is 1."""
    n_contrasts = len(of_contrasts)
    whitened = forms.whiteners @ of_contrasts @ np.swapaxes(forms.whiteners, 1, 2)
    eigenvalues = np.maximum(np.linalg.eigvalsh(whitened), 0.0)  # (m, k - 1)
    scales = eigenvalues.mean(axis=1, keepdims=True) * RELATIVE_SCALES
    shape_dof = PRIOR_DOF + n_contrasts - 1  # of the inverse Wishart distribution of k - 1 contrasts
    prior = PRIOR_DOF * scales[:, :, np.newaxis]  # (m, s, d): eigenvalues of the whitened prior, all equal
    posterior = np.log(prior[..., np.newaxis] + dof * eigenvalues[:, np.newaxis, np.newaxis, :]).sum(axis=-1)
    log_likelihood = (
        shape_dof / 2 * n_contrasts * np.log(prior)
        - (shape_dof + dof) / 2 * posterior
        - dof / 2 * forms.log_determinants[:, np.newaxis, np.newaxis]
        + _log_gamma(n_contrasts, (shape_dof + dof) / 2)
        - _log_gamma(n_contrasts, shape_dof / 2)
    )
    log_weights = log_likelihood + forms.log_weights[:, np.newaxis, np.newaxis]
    weights = np.exp(log_weights - log_weights.max())
    return scales, weights / weights.sum()


def _log_gamma(n_dimensions: int, a: Array) -> Array:
    """Return the logarithm of the multivariate gamma function, but for a constant."""
    values: Array = special.gammaln(a[..., np.newaxis] - np.arange(n_dimensions) / 2).sum(axis=-1)
    return values


def _measure_spread(
    forms: NoiseForms, covariance: Array, scales: Array, weights: Array, prior_share: Array, square_factors: Array
) -> Array:
    """Return the relative variance (k,) of the variance of a difference to each treatment, on the average.

    Parameters
    ----------
    forms, covariance, scales, weights, prior_share : As in ``estimate_noise_covariance``.
    square_factors : (d,): The mean square of a variance in a model, over the square of its mean.
    """
    n_treatments = len(covariance)
    is_likely = weights.sum(axis=(1, 2)) > 1e-6  # (m,): the others change nothing
    scales, weights = scales[is_likely], weights[is_likely]
    seen = compute_standard_errors(covariance) ** 2  # (k, k)
    of_forms = forms.difference_variances[is_likely]  # (m, k, k)
    form_factors = scales[:, :, np.newaxis] * prior_share  # (m, s, d)
    seen_factors = np.broadcast_to(1 - prior_share, form_factors.shape)
    form_weights = weights.sum(axis=(1, 2))

    def average(values: Array) -> Array:
        return np.asarray((weights * values).sum(axis=(1, 2)) / form_weights)[:, np.newaxis, np.newaxis]

    means = average(form_factors) * of_forms + average(seen_factors) * seen
    squares = (
        average(form_factors**2 * square_factors) * of_forms**2
        + 2 * average(form_factors * seen_factors * square_factors) * of_forms * seen
        + average(seen_factors**2 * square_factors) * seen**2
    )
    diagonal = np.arange(n_treatments)
    means[:, diagonal, diagonal], squares[:, diagonal, diagonal] = 1.0, 1.0
    logarithms = np.log(means)
    within = np.tensordot(form_weights, squares / means**2 - 1, 1)
    between = np.tensordot(form_weights, (logarithms - np.tensordot(form_weights, logarithms, 1)) ** 2, 1)
    relative_variances: Array = (within + between).sum(axis=1) / (n_treatments - 1)
    return relative_variances
