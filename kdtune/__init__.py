"""kdtune finds the best distillation temperature, with evidence.

import kdtune
table = kdtune.sweep("fakeset.yaml")                   # a pandas DataFrame, one row per network
answer = kdtune.analyze("results/fakeset")             # answer.t_opt, answer.effects: more DataFrames
student = kdtune.load("results/fakeset", table.id[5])  # an ordinary torch.nn.Module
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdtune.api.sweeps import load, load_data, read_table, sweep
from kdtune.api.tables import analyze, plot, power, report, show
from kdtune.api.take_home import export
from kdtune.errors import KdtuneError, RequestError, StorageError, SweepError, SweepFileError
from kdtune.versions import __version__

if TYPE_CHECKING:
    from kdtune.estimator import DistilledClassifier

__all__ = [
    "DistilledClassifier",
    "KdtuneError",
    "RequestError",
    "StorageError",
    "SweepError",
    "SweepFileError",
    "__version__",
    "analyze",
    "export",
    "load",
    "load_data",
    "plot",
    "power",
    "read_table",
    "report",
    "show",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Import the estimator when it is first asked for: scikit-learn, which it is built on, takes long to import."""
    if name == "DistilledClassifier":
        from kdtune.estimator import DistilledClassifier

        return DistilledClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
