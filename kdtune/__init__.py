"""kdtune finds the best distillation temperature, with evidence.

import kdtune
table = kdtune.sweep("fakeset.yaml")                   # a pandas DataFrame, one row per network
answer = kdtune.analyze("results/fakeset")             # answer.t_opt, answer.effects: more DataFrames
student = kdtune.load("results/fakeset", table.id[5])  # an ordinary torch.nn.Module
"""

from __future__ import annotations

from kdtune.api.sweeps import load, load_data, read_table, sweep
from kdtune.api.tables import analyze, plot, power, report, show
from kdtune.api.take_home import export
from kdtune.errors import KdtuneError, RequestError, StorageError, SweepError, SweepFileError
from kdtune.versions import __version__

__all__ = [
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
