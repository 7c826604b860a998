"""Estimate what the sampling of test examples adds to the noise of errors, from who is wrong on which example.

Networks that are tested on the same examples share the luck of which examples these are. Replicates do not show it:
each of them meets the same luck. It shows in the examples, of which some are wrong in one replicate after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array

Words = npt.NDArray[np.uint64]
_WORD_BYTES = 8


def pack_into_words(rows: Sequence[bytes]) -> Words:
    """Return packed bits as words, (networks, words); bits after the last example are 0.

    Parameters
    ----------
    rows : For each network the bytes that ``np.packbits`` makes of its errors, all of one length.
    """
    n_bytes = len(rows[0]) if rows else 0
    padded = np.zeros((len(rows), -(-n_bytes // _WORD_BYTES) * _WORD_BYTES), np.uint8)
    if n_bytes:
        padded[:, :n_bytes] = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), n_bytes)
    return padded.view(np.uint64)


def estimate_sampling_covariance(errors: Words, n_examples: int) -> Array:
    """Estimate the covariance of numbers of errors that comes from the sampling of test examples alone.

    Let w be 1 where a network is wrong on an example. Its mean over all networks of a kind is the example's difficulty
    for this kind, and what another draw of examples changes is the mean of difficulties. Two replicates have only
    difficulty in common, so that the covariance over the examples of their w estimates that of difficulties without
    the noise of training. This is the component of examples in the crossed design of examples and replicates
    (Cornfield and Tukey 1956, Annals of Mathematical Statistics 27), from the pairs of different replicates.

    Parameters
    ----------
    errors : (m, R, words): The packed errors of R replicates of m kinds of networks on the same test examples.
    n_examples : The number n of test examples.

    Returns
    -------
    (m, m): The covariance of the numbers of errors on n other examples, each the mean over very many replicates.
    The variance of a difference may come out below 0, where there is next to none. NaN with a single replicate.
    """
    n_kinds, n_replicates, n_words = errors.shape
    if n_replicates < 2 or n_examples < 2:
        return np.full((n_kinds, n_kinds), np.nan)
    runs = errors.reshape(n_kinds * n_replicates, n_words)
    totals = np.bitwise_count(runs).sum(axis=1, dtype=np.float64)
    # One run against all: the products of all pairs at once would not stay in the processor's cache.
    shared = np.array([np.bitwise_count(run & runs).sum(axis=1, dtype=np.int64) for run in runs], np.float64)
    covariances = (shared - np.outer(totals, totals) / n_examples) * n_examples / (n_examples - 1)
    blocks = covariances.reshape(n_kinds, n_replicates, n_kinds, n_replicates)
    of_one_replicate = np.einsum("arbr->ab", blocks)
    n_pairs = n_replicates * (n_replicates - 1)
    return np.asarray((blocks.sum(axis=(1, 3)) - of_one_replicate) / n_pairs)
