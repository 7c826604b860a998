"""Load a draw of any data set: one function for each kind, all of which return ``Data``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from kdtune.data.machine_files import load_once
from kdtune.data.splits import Data
from kdtune.plan.network import DataDraw
from kdtune.settings import Digits, GivenDataset, MakeClassification, Torchvision

_shared_folder: Path | None = None


def share_data(folder: Path | None) -> None:
    """Let ``load_data`` make each data set once for all processes of this machine, in files of this folder.

    Without a folder, as at first, each process makes its own. A worker calls this once.
    """
    global _shared_folder
    _shared_folder = folder


# A worker trains packs of one data set after another, so the last few data sets are worth keeping.
@lru_cache(maxsize=4)
def load_data(data_draw: DataDraw) -> Data:
    """Generate or read one draw of a data set; the same draw gives the same bits every time."""
    if _shared_folder is None or data_draw.settings.is_read_from_file:  # Those lie in a file that all map already.
        return _make_data(data_draw)
    return load_once(_shared_folder, data_draw.id, lambda: _make_data(data_draw))


def _make_data(data_draw: DataDraw) -> Data:
    random = np.random.RandomState(data_draw.seed)
    # Each kind imports scikit-learn, which takes a while: only what is needed is imported.
    match data_draw.settings:
        case MakeClassification() as settings:
            from kdtune.data.generated import generate_data

            return generate_data(settings, random)
        case Digits() as settings:
            from kdtune.data.digits import load_digits_data

            test_random = random if data_draw.test_seed is None else np.random.RandomState(data_draw.test_seed)
            return load_digits_data(settings, random, test_random)
        case Torchvision() as settings:
            from kdtune.data.torchvision_images import load_image_data

            return load_image_data(settings, random)
        case GivenDataset() as settings:
            from kdtune.data.given import load_given_data

            return load_given_data(settings, data_draw)
