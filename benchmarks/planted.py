"""Tables with planted answers: what a sweep would leave if errors followed a known curve of T."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from kdtune.columns import (
    ACCURACY,
    BASELINE,
    CLASS_SEP,
    DATA_SEED,
    DATASET,
    DONE,
    ECE,
    ERROR,
    HARD_WEIGHT,
    ID,
    LOSS,
    MODEL,
    NLL,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_NLL,
    VAL_NUM_ERROR,
    WIDTH,
)

GRID = (1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 40)

LEAST = 150.0  # errors at the optimum
Optimum = Callable[[dict[str, float]], float]  # a cell to log2 T
Shape = Callable[[np.ndarray, dict[str, float]], np.ndarray]  # log2 T and a cell to mean errors


def quadratic(optimum: Optimum, bend: float = 0.1) -> Shape:
    return lambda x, cell: LEAST * (1 + bend * (x - optimum(cell)) ** 2)


RISES = quadratic(lambda cell: 2 + math.log2(cell["width"] / 50))  # T = 4 at width 50, twice that at width 100


def asymmetric(optimum: Optimum, steep: float = 0.4, gentle: float = 0.2) -> Shape:
    """Falls steeply to the optimum and rises slowly beyond, smooth at it."""

    def errors(x: np.ndarray, cell: dict[str, float]) -> np.ndarray:
        d = x - optimum(cell)
        return LEAST * (1 + np.where(d < 0, steep, gentle) * (np.exp(-d) - 1 + d))

    return errors


def plateau(optimum: Optimum, fall: float = 0.2) -> Shape:
    """Falls to a level that hardly rises again."""

    def errors(x: np.ndarray, cell: dict[str, float]) -> np.ndarray:
        d = x - optimum(cell)
        return LEAST * (1 + fall * np.clip(-d, 0, None) ** 2 + 0.004 * d**2)

    return errors


def falling(x: np.ndarray, cell: dict[str, float]) -> np.ndarray:
    """Least beyond the grid's upper end."""
    return LEAST * (1 + 0.3 * np.exp(-0.5 * x))


def rising(x: np.ndarray, cell: dict[str, float]) -> np.ndarray:
    """Least beyond the grid's lower end."""
    return LEAST * (1 + 0.1 * x)


def table(
    shape: Shape,
    seps: Sequence[float] = (0.2, 1.0),
    informative: Sequence[float] = (0.5, 1.0),
    widths: Sequence[int] = (20, 50, 100),
    temperatures: Sequence[float] = GRID,
    replicates: int = 5,
    noise: float = 6,
    unequal: bool = False,
    draws: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Teachers, baselines and distilled students; noise of each split on top of a level for each replicate.

    ``unequal`` noise grows threefold over the temperatures. Of several ``draws`` each is a data set of its own.
    """
    random = np.random.default_rng(seed)
    x = np.log2(temperatures)
    scale = noise * (np.linspace(0.5, 1.5, len(x)) if unequal else np.ones(len(x)))
    rows = []
    every = itertools.product(range(draws), seps, informative, range(replicates))
    for data_seed, (draw, sep, share, replicate) in enumerate(every):
        data = {
            CLASS_SEP: sep,
            P_INFORMATIVE: share,
            REPLICATE: replicate,
            DATASET: f"draw {draw}",
        }
        data |= {DATA_SEED: data_seed}  # no two share one
        teacher = f"teacher {draw} {sep} {share} {replicate}"
        rows.append(data | {MODEL: TEACHER, ID: teacher, TEMP: 1.0} | _errors(80 + random.normal(0, 4, 2)))
        for width in widths:
            level = random.normal(0, 15)
            same = data | {WIDTH: width}
            rows.append(same | {MODEL: BASELINE, TEMP: 1.0} | _errors(500 + level + random.normal(0, noise, 2)))
            cell = {CLASS_SEP: sep, P_INFORMATIVE: share, WIDTH: width}
            for T, mean, spread in zip(temperatures, shape(x, cell), scale, strict=True):
                errors = _errors(mean + level + random.normal(0, spread, 2))
                rows.append(same | {MODEL: STUDENT, TEMP: float(T), TEACHER_ID: teacher} | errors)
    frame = pd.DataFrame(rows).assign(**{STATUS: DONE, ERROR: None, HARD_WEIGHT: 0.0})
    frame[ID] = frame[ID].where(frame[ID].notna(), [f"network {i}" for i in range(len(frame))])
    return frame.astype({WIDTH: "Int64"})


def _errors(both: np.ndarray) -> dict[str, float]:
    validation, test = (float(max(0, round(value))) for value in both)
    return {
        VAL_NUM_ERROR: validation, NUM_ERROR: test, ACCURACY: 1 - test / 10_000, VAL_NLL: validation / 1000,
        NLL: test / 1000, ECE: test / 20_000, LOSS: test / 1000,
    }  # fmt: skip
