"""Tables with planted answers: what a sweep would leave if errors followed a known curve of T."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from kdtune import table as t

GRID = (1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 40)

Shape = Callable[[np.ndarray, dict[str, float]], np.ndarray]  # log2 T and a cell to mean errors


def quadratic(optimum: Callable[[dict[str, float]], float], bend: float = 0.1, least: float = 150) -> Shape:
    """Least errors at log2 T = ``optimum(cell)``."""
    return lambda x, cell: least * (1 + bend * (x - optimum(cell)) ** 2)


def table(
    shape: Shape,
    seps: Sequence[float] = (0.2, 1.0),
    informative: Sequence[float] = (0.5, 1.0),
    widths: Sequence[int] = (20, 50, 100),
    temperatures: Sequence[float] = GRID,
    replicates: int = 5,
    noise: float = 6,
    seed: int = 0,
) -> pd.DataFrame:
    """Teachers, baselines and distilled students; noise of each split on top of a level for each replicate."""
    random = np.random.default_rng(seed)
    x = np.log2(temperatures)
    rows = []
    for sep, share, replicate in itertools.product(seps, informative, range(replicates)):
        data = {t.CLASS_SEP: sep, t.P_INFORMATIVE: share, t.REPLICATE: replicate, t.DATASET: "planted"}
        teacher = f"teacher {sep} {share} {replicate}"
        rows.append(data | {t.MODEL: t.TEACHER, t.ID: teacher, t.TEMP: 1.0} | _errors(80 + random.normal(0, 4, 2)))
        for width in widths:
            level = random.normal(0, 15)
            same = data | {t.WIDTH: width}
            rows.append(same | {t.MODEL: t.BASELINE, t.TEMP: 1.0} | _errors(500 + level + random.normal(0, noise, 2)))
            cell = {t.CLASS_SEP: sep, t.P_INFORMATIVE: share, t.WIDTH: width}
            for T, mean in zip(temperatures, shape(x, cell), strict=True):
                errors = _errors(mean + level + random.normal(0, noise, 2))
                rows.append(same | {t.MODEL: t.STUDENT, t.TEMP: float(T), t.TEACHER_ID: teacher} | errors)
    frame = pd.DataFrame(rows).assign(**{t.STATUS: t.DONE, t.ERROR: None, t.HARD_WEIGHT: 0.0})
    frame[t.ID] = frame[t.ID].where(frame[t.ID].notna(), [f"network {i}" for i in range(len(frame))])
    return frame.astype({t.WIDTH: "Int64"})


def _errors(both: np.ndarray) -> dict[str, float]:
    validation, test = (float(max(0, round(value))) for value in both)
    return {
        t.VAL_NUM_ERROR: validation, t.NUM_ERROR: test, t.ACCURACY: 1 - test / 10_000, t.VAL_NLL: validation / 1000,
        t.NLL: test / 1000, t.ECE: test / 20_000, t.LOSS: test / 1000,
    }  # fmt: skip
