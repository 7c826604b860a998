"""kdtune finds the best distillation temperature, with evidence.

import kdtune
table = kdtune.sweep("fakeset.yaml")                   # a pandas DataFrame, one row per network
answer = kdtune.analyze("results/fakeset")             # answer.t_opt, answer.effects: more DataFrames
student = kdtune.load("results/fakeset", table.id[5])  # an ordinary torch.nn.Module
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdtune.api.sweeps import load, load_data, read_table, sweep
    from kdtune.api.tables import analyze, plot, power, report, show
    from kdtune.api.take_home import export
    from kdtune.errors import KdtuneError, RequestError, StorageError, SweepError, SweepFileError
    from kdtune.estimator import DistilledClassifier
    from kdtune.versions import __version__

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

_NAMES_BY_MODULE = {
    "api.sweeps": ("load", "load_data", "read_table", "sweep"),
    "api.tables": ("analyze", "plot", "power", "report", "show"),
    "api.take_home": ("export",),
    "errors": ("KdtuneError", "RequestError", "StorageError", "SweepError", "SweepFileError"),
    "estimator": ("DistilledClassifier",),
    "versions": ("__version__",),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: `import kdtune` takes no time, and the command line starts at once."""
    for module, names in _NAMES_BY_MODULE.items():
        if name in names:
            value = getattr(import_module(f"kdtune.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
