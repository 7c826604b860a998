"""Tables from elsewhere with a planted answer: width 10 is best at T = 2, width 40 at T = 8."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

import kdtune

TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
BEST = {10: 2.0, 40: 8.0}


def make_runs(
    best: Mapping[int, float] = BEST,
    temperatures: Sequence[float] = TEMPERATURES,
    replicates: int = 5,
    slope: float = 50,
    noise: float = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Return runs with errors of 10,000: 150 at the best T, and ``slope`` times the squared doublings from it more.

    Columns ``temp``, ``width``, ``replicate``, ``val_num_error``, ``num_error``. The noise, in errors, has a part that
    the runs of a replicate share.
    """
    random = np.random.default_rng(seed)
    rows = []
    for width, best_T in best.items():
        for replicate in range(replicates):
            level = random.normal(0, noise)
            for T in temperatures:
                mean = 150 + level + slope * math.log2(T / best_T) ** 2
                val, test = (round(mean + random.normal(0, noise)) for _ in range(2))
                rows.append((T, width, replicate, val, test))
    return pd.DataFrame(rows, columns=["temp", "width", "replicate", "val_num_error", "num_error"])


def find_best(source: object, **options: object) -> dict[object, float]:
    """Return the best T by width, as ``kdtune.analyze`` finds it."""
    t_opt = kdtune.analyze(source, **options).t_opt  # type: ignore[arg-type]
    assert "width" in t_opt.columns, t_opt
    assert t_opt["width"].is_unique, t_opt
    return dict(zip(t_opt["width"].tolist(), t_opt["T_opt"].tolist(), strict=True))
