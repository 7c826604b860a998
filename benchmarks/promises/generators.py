"""Generate arrays whose truth is known: curves of errors over log2 T, and noise as sweeps have it.

Nothing here is shared with the analysis that is put to the test: means, covariances and draws are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
Curve = Callable[[Array], Array]  # log2 T (k,) to relative mean errors (k,), 1 at the least

STUDY = Path(__file__).parents[2] / "results" / "published" / "fakeset-study" / "table.parquet"
STUDY_GRID: Array = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 40])
STUDY_WIDTHS = (5, 10, 20, 50, 100, 200)


def make_grid(n_temperatures: int) -> Array:
    """Return that many temperatures from 1 to 40, evenly spaced in log T; twelve are the study's."""
    return STUDY_GRID if n_temperatures == 12 else np.geomspace(1, 40, n_temperatures)


def quadratic(optimum: float, bend: float = 0.1) -> Curve:
    """Return a parabola over log2 T."""
    return lambda x: 1 + bend * (x - optimum) ** 2


def asymmetric(optimum: float, steep: float = 0.4, gentle: float = 0.2) -> Curve:
    """Return a curve that falls steeply to the optimum and rises slowly beyond, smooth at it."""

    def curve(x: Array) -> Array:
        d = x - optimum
        return 1 + np.where(d < 0, steep, gentle) * (np.exp(-d) - 1 + d)

    return curve


def kinked(optimum: float, left: float = 0.3, right: float = 0.03) -> Curve:
    """Return two straight lines that meet at the optimum, with these slopes per doubling on either side."""
    return lambda x: 1 + np.where(x < optimum, left * (optimum - x), right * (x - optimum))


def plateau(optimum: float, fall: float = 0.2) -> Curve:
    """Return a curve that falls to a level that hardly rises again."""
    return lambda x: 1 + fall * np.clip(optimum - x, 0, None) ** 2 + 0.004 * (x - optimum) ** 2


def two_minima(first: float, second: float, depth: float = 0.05, hill: float = 0.1) -> Curve:
    """Return a curve with its minimum at ``first`` and another, higher by ``depth``, at ``second``."""

    def curve(x: Array) -> Array:
        u = (x - first) / (second - first)
        return 1 + depth * u**2 * (3 - 2 * u) + 16 * hill * (u * (1 - u)) ** 2

    return curve


def flat(x: Array) -> Array:
    """Return equal errors at all temperatures."""
    return np.ones_like(x)


def equal_noise(n_temperatures: int, deviation: float = 0.04) -> Array:
    """Return the covariance (k, k) of independent noise of one size."""
    return deviation**2 * np.eye(n_temperatures)


def rising_noise(n_temperatures: int, deviation: float = 0.04) -> Array:
    """Return the covariance (k, k) of independent noise that grows threefold over the temperatures."""
    return np.diag((deviation * np.linspace(0.5, 1.5, n_temperatures)) ** 2)


def lagged_noise(n_temperatures: int, deviation: float = 0.04, correlation: float = 0.6) -> Array:
    """Return the covariance (k, k) of noise whose correlation falls with the distance on the grid."""
    distance = abs(np.subtract.outer(np.arange(n_temperatures), np.arange(n_temperatures)))
    return np.asarray(deviation**2 * correlation**distance)


def loud_first_noise(n_temperatures: int, deviation: float = 0.04, correlation: float = 0.5) -> Array:
    """Return the covariance (k, k) of lagged noise that is three times as large at the first temperature."""
    scale = np.ones(n_temperatures)
    scale[0] = 3.0
    return lagged_noise(n_temperatures, deviation, correlation) * np.outer(scale, scale)


@lru_cache(maxsize=16)
def study_residuals(width: int, column: str = "val_num_error") -> Array:
    """Return the study's relative residuals of one width, (45 replicates, 12 T).

    Each data set's mean curve is taken out, and so is each replicate's level; the factor 5 / 4 restores the variance
    that the mean of five replicates takes.
    """
    table = pd.read_parquet(
        STUDY, columns=["model", "class_sep", "p_informative", "width", "replicate", "temp", column]
    )
    table = table[(table["model"] == "distilled_student") & (table["width"] == width)]
    rows = []
    for _, group in table.groupby(["class_sep", "p_informative"]):
        errors = group.pivot(index="replicate", columns="temp", values=column).to_numpy(float)
        relative = errors / errors.mean(axis=0).min()
        rows.append(relative - relative.mean(axis=0))
    residuals = np.concatenate(rows) * np.sqrt(5 / 4)
    return np.asarray(residuals - residuals.mean(axis=1, keepdims=True))


@lru_cache(maxsize=16)
def study_noise(width: int) -> Array:
    """Return the covariance (12, 12) of the study's relative errors at one width, without the replicate's level."""
    residuals = study_residuals(width)
    return np.asarray(residuals.T @ residuals / len(residuals))


@lru_cache(maxsize=16)
def study_curves(width: int, column: str = "val_num_error") -> Array:
    """Return the study's mean curves of one width relative to their least, (9 data sets, 12 T)."""
    table = pd.read_parquet(STUDY, columns=["model", "class_sep", "p_informative", "width", "temp", column])
    table = table[(table["model"] == "distilled_student") & (table["width"] == width)]
    means = table.groupby(["class_sep", "p_informative", "temp"])[column].mean().unstack("temp").to_numpy(float)
    return np.asarray(means / means.min(axis=1, keepdims=True))


def draw(
    mean: Array, covariance: Array, n_tables: int, n_replicates: int, random: np.random.Generator, level: float = 0.1
) -> Array:
    """Draw relative errors (tables, R, k): means (k,), normal noise, and a level of each replicate."""
    size = (n_tables, n_replicates)
    noise = random.multivariate_normal(np.zeros(len(mean)), covariance, size, check_valid="ignore")
    return np.asarray(mean + noise + level * random.standard_normal((*size, 1)))


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    for cells in [columns, ["---"] * len(columns), *rows]:
        print("| " + " | ".join(cells) + " |", flush=True)
