"""Make or read data sets: one function for each kind, all giving the same ``Data``."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kdtune.data.splits import Data
from kdtune.plan.network import DataDraw
from kdtune.settings import Digits, MakeClassification, Torchvision


# A worker trains packs of one data set after another: the last few are kept, not all.
@lru_cache(maxsize=4)
def load_data(draw: DataDraw) -> Data:
    """Make or read one draw of a data set; the same draw gives the same bits every time."""
    match draw.settings:
        case MakeClassification():
            from kdtune.data.generated import make_data
        case Digits():
            from kdtune.data.digits import make_data  # type: ignore[assignment]
        case Torchvision():
            from kdtune.data.torchvision_images import make_data  # type: ignore[assignment]
    return make_data(draw.settings, np.random.RandomState(draw.seed))  # type: ignore[arg-type]
