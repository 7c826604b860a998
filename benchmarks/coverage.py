"""Whether the statistics of `kdtune analyze` hold what they promise, on tables with planted answers.

    python -m benchmarks.coverage [--tables 500]

For curves of errors over T of several shapes, with noise about them and a level for each replicate: how
often the interval of T_opt holds the true optimum, and its median width; how often the tied set holds
the best T, and its size; how often an effect is found where there is none and where there is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.analysis import best, curves

Array = npt.NDArray[np.float64]
GRID = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 40.0])


@dataclass(frozen=True)
class Shape:
    """Mean errors as a function of log2 T, and where they are least."""

    errors: Callable[[Array], Array]
    optimum: float  # log2 T; infinite where it lies beyond the grid


def quadratic(optimum: float, bend: float) -> Shape:
    return Shape(lambda x: 150 * (1 + bend * (x - optimum) ** 2), optimum)


def asymmetric(optimum: float, steep: float, flat: float) -> Shape:
    """Falls steeply to the optimum and rises slowly beyond, smooth at it."""

    def errors(x: Array) -> Array:
        d = x - optimum
        return 150 * (1 + steep * (np.exp(-d) - 1 + d) * (d < 0) + flat * (np.exp(-d) - 1 + d) * (d >= 0))

    return Shape(errors, optimum)


def plateau(optimum: float, fall: float) -> Shape:
    """Falls to a level that hardly rises again."""
    return Shape(lambda x: 150 * (1 + fall * np.clip(optimum - x, 0, None) ** 2 + 0.004 * (x - optimum) ** 2), optimum)


SHAPES = {
    "quadratic, on the grid (T = 4)": quadratic(2.0, 0.05),
    "quadratic, off the grid (T = 6)": quadratic(np.log2(6), 0.05),
    "sharp quadratic (T = 6)": quadratic(np.log2(6), 0.25),
    "asymmetric (T = 3)": asymmetric(np.log2(3), 0.4, 0.2),
    "plateau (T = 5)": plateau(np.log2(5), 0.2),
    "falling throughout": Shape(lambda x: 150 * (1 + 0.3 * np.exp(-0.5 * x)), np.inf),
    "rising throughout": Shape(lambda x: 150 * (1 + 0.1 * x), -np.inf),
}


def replicates(shape: Shape, count: int, noise: float, unequal: bool, random: np.random.Generator) -> Array:
    """Errors (replicates, temperatures); unequal noise grows threefold over the grid."""
    x = np.log2(GRID)
    scale = noise * (np.linspace(0.5, 1.5, len(x)) if unequal else np.ones(len(x)))
    levels = random.normal(0, 15, (count, 1))
    return shape.errors(x) + levels + random.normal(0, 1, (count, len(x))) * scale


def optimum_holds(shape: Shape, count: int, noise: float, unequal: bool, tables: int) -> dict[str, float]:
    """Shares of tables, and medians over them."""
    random = np.random.default_rng(0)
    x = np.log2(GRID)
    inside, widths, held, sizes = [], [], [], []
    truth = int(shape.errors(x).argmin())
    for _ in range(tables):
        y = replicates(shape, count, noise, unequal, random)
        one = curves.smoother(tuple(x), [y])
        tied = best.compare(y).tied
        found = curves.out_to_grid(curves.minimum(one.points, y @ one.values.T, y @ one.slopes.T), x, tied)
        inside.append(found.low <= shape.optimum <= found.high)
        widths.append(min(found.high, x[-1]) - max(found.low, x[0]))
        held.append(tied[truth])
        sizes.append(tied.sum())
    return {
        "coverage": float(np.mean(inside)), "width": float(np.median(widths)),
        "tied": float(np.mean(held)), "size": float(np.median(sizes)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--replicates", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--noise", type=float, nargs="+", default=[4, 10, 20])
    asked = parser.parse_args()
    for name, shape in SHAPES.items():
        for count in asked.replicates:
            for noise in asked.noise:
                for unequal in (False, True):
                    found = optimum_holds(shape, count, noise, unequal, asked.tables)
                    said = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
                    print(
                        f"{name:32s} R {count:2d} noise {noise:3g}{' unequal' if unequal else ' equal  '}: {said}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
