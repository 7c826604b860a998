"""Whether intervals of paired differences hold the difference over a population, where the data set is finite.

Examples have latent difficulties: one that all networks share, one of each kind of network, and luck that a replicate
shares. A network is wrong where their sum is above its threshold (a probit model), so that the share of errors over the
population is known. Print the table with ``python -m benchmarks.promises.paired_differences``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.promises.generators import Array, print_table
from kdtune.statistics.example_errors import estimate_sampling_covariance, pack_into_words
from kdtune.statistics.intervals import estimate_ratio, t_interval

Booleans = npt.NDArray[np.bool_]
REPLICATES = (3, 5, 8)
KINDS = ("student", "baseline", "teacher")
MNIST_RATES = (0.015, 0.019, 0.011)  # shares of errors in the population
DIGITS_RATES = (0.05, 0.065, 0.035)
MNIST_TEST, DIGITS = 10_000, 1797
DIFFERENCES = {"minus baseline": (1.0, -1.0, 0.0), "minus teacher": (1.0, 0.0, -1.0)}
GAP = "gap closed"


@dataclass(frozen=True)
class Luck:
    """Which shares of the latent variance are whose; what is left is each network's own.

    Attributes
    ----------
    difficulty : of the example, for all networks.
    of_kind : of the example, for one kind of network.
    of_replicate : of the example, for all networks of a replicate, which share initial weights and batches.
    of_training : standard deviation of what the training examples do to a kind of network, in units of the threshold.
    of_network : standard deviation of what the training of a network does to it.
    """

    difficulty: float
    of_kind: float
    of_replicate: float
    of_training: float = 0.0
    of_network: float = 0.02


CASES = {
    "common difficulty": Luck(0.6, 0.02, 0.1),
    "some difficulty of each kind": Luck(0.6, 0.1, 0.1),
    "much difficulty of each kind": Luck(0.3, 0.3, 0.1),
    "nearly all difficulty": Luck(0.8, 0.1, 0.05),
    "luck of replicates": Luck(0.2, 0.0, 0.6),
}
CUT_CASES = {**CASES, "training rows matter": Luck(0.6, 0.1, 0.1, of_training=0.05)}
BEYOND = {"training rows matter most": Luck(0.6, 0.1, 0.1, of_training=0.15)}


@dataclass(frozen=True)
class Coverage:
    """How often intervals hold the truth, of the plain method and of kdtune's, and how wide they are in the median."""

    plain: float
    corrected: float
    plain_width: float
    width: float


def draw_errors(
    random: np.random.Generator,
    luck: Luck,
    rates: tuple[float, ...],
    examples: list[npt.NDArray[np.intp]],
    shifts: Array,
) -> Booleans:
    """Draw who is wrong on which example, (kinds, R, n).

    Parameters
    ----------
    examples : For each replicate the numbers of its test examples in the finite set, n each.
    shifts : (kinds, R): What the training examples do to the networks.
    """
    n_kinds, n_examples = len(rates), len(examples[0])
    n_set = 1 + max(int(indices.max()) for indices in examples)
    difficulty = random.standard_normal(n_set) * np.sqrt(luck.difficulty)
    of_kind = random.standard_normal((n_kinds, n_set)) * np.sqrt(luck.of_kind)
    own = 1 - luck.difficulty - luck.of_kind - luck.of_replicate
    total = np.sqrt(1 + luck.of_network**2 + luck.of_training**2)
    thresholds = -special.ndtri(np.array(rates)) * total
    is_wrong = np.empty((n_kinds, len(examples), n_examples), bool)
    for r, indices in enumerate(examples):
        shared = difficulty[indices] + np.sqrt(luck.of_replicate) * random.standard_normal(n_examples)
        for kind in range(n_kinds):
            latent = shared + of_kind[kind, indices] + np.sqrt(own) * random.standard_normal(n_examples)
            level = shifts[kind, r] + luck.of_network * random.standard_normal()
            is_wrong[kind, r] = latent + level > thresholds[kind]
    return is_wrong


def cover_fixed_test(
    luck: Luck, n_replicates: int, tables: int, n_test: int = MNIST_TEST, seed: int = 0
) -> dict[str, Coverage]:
    """Cover differences where all replicates are tested on the same examples, as on MNIST."""
    random = np.random.default_rng([seed, n_replicates])
    examples = [np.arange(n_test)] * n_replicates
    no_shifts = np.zeros((len(KINDS), n_replicates))

    def draw() -> tuple[Array, Array, float]:
        is_wrong = draw_errors(random, luck, MNIST_RATES, examples, no_shifts)
        rows = np.packbits(is_wrong, axis=2).reshape(len(KINDS) * n_replicates, -1)
        words = pack_into_words([row.tobytes() for row in rows]).reshape(len(KINDS), n_replicates, -1)
        return is_wrong.sum(axis=2).astype(float), estimate_sampling_covariance(words, n_test), 0.0

    return _measure(draw, n_test * np.array(MNIST_RATES), tables)


def cover_cuts(
    luck: Luck, n_replicates: int, tables: int, n_rows: int = DIGITS, test_share: float = 0.2, seed: int = 0
) -> dict[str, Coverage]:
    """Cover differences where each replicate is another cut of the same rows, as on the digits."""
    random = np.random.default_rng([seed, n_replicates, 1])
    n_test = int(n_rows * test_share)
    n_val = (n_rows - n_test) // 10
    n_train = n_rows - n_test - n_val

    def draw() -> tuple[Array, Array, float]:
        cuts = [random.permutation(n_rows) for _ in range(n_replicates)]
        influence = random.standard_normal((len(KINDS), n_rows)) * luck.of_training / np.sqrt(n_train)
        shifts = np.array([[row[cut[n_test + n_val :]].sum() for cut in cuts] for row in influence])
        is_wrong = draw_errors(random, luck, DIGITS_RATES, [cut[:n_test] for cut in cuts], shifts)
        return is_wrong.sum(axis=2).astype(float), np.zeros((len(KINDS), len(KINDS))), n_test / n_train

    return _measure(draw, n_test * np.array(DIGITS_RATES), tables)


def _measure(draw: Callable[[], tuple[Array, Array, float]], truth: Array, tables: int) -> dict[str, Coverage]:
    """Measure the coverage of each difference and of the gap closed; a gap without an interval does not count."""
    results: dict[str, list[tuple[bool, bool, float, float]]] = {name: [] for name in (*DIFFERENCES, GAP)}
    to_gap = np.array([[-1.0, 1, 0], [0, 1, -1]])
    for _ in range(tables):
        errors, sampling, overlap = draw()
        for name, weights in DIFFERENCES.items():
            w = np.array(weights)
            plain = t_interval(w @ errors)
            corrected = t_interval(w @ errors, overlap=overlap, sampling_variance=w @ sampling @ w)
            results[name].append(_compare(plain, corrected, float(w @ truth)))
        parts = to_gap @ errors
        plain = estimate_ratio(*parts)[1:]
        corrected = estimate_ratio(*parts, overlap=overlap, sampling_covariance=to_gap @ sampling @ to_gap.T)[1:]
        if not np.isnan([*plain, *corrected]).any():
            numerator, denominator = to_gap @ truth
            results[GAP].append(_compare(plain, corrected, numerator / denominator))
    coverages = {}
    for name, rows in results.items():
        values = np.array(rows, float).reshape(-1, 4)
        widths = np.median(values[:, 2:], axis=0) if len(values) else np.full(2, np.nan)
        coverages[name] = Coverage(*(values[:, :2].mean(axis=0) if len(values) else widths), *widths)
    return coverages


def _compare(plain: tuple[float, ...], corrected: tuple[float, ...], truth: float) -> tuple[bool, bool, float, float]:
    return (
        plain[0] <= truth <= plain[1],
        corrected[0] <= truth <= corrected[1],
        plain[1] - plain[0],
        corrected[1] - corrected[0],
    )


def main() -> None:
    """Print how often the intervals hold the difference over the population."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    tables = parser.parse_args().tables
    rows = []
    for title, cover, cases in (
        ("one test set of 10,000", cover_fixed_test, CASES),
        ("cuts of 1,797 rows", cover_cuts, {**CUT_CASES, **BEYOND}),
    ):
        for case, luck in cases.items():
            for n_replicates in REPLICATES:
                for name, result in cover(luck, n_replicates, tables).items():
                    shares = [f"{result.plain:.1%}", f"{result.corrected:.1%}"]
                    wider = f"{result.width / result.plain_width - 1:+.0%}"
                    rows.append([title, case, str(n_replicates), name, *shares, wider])
    print_table(["data", "what decides", "replicates", "figure", "without", "held", "wider by"], rows)


if __name__ == "__main__":
    main()
