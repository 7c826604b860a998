"""What a user asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from kdtune.errors import RequestError
from kdtune.settings import Precision, Resources
from kdtune.spec.spec import MAX_NETWORKS

Keep = Literal["none", "best", "all"]


@dataclass(frozen=True)
class Request:
    """What a user asked for: a file, what overrides it, where and how to run it."""

    file: Path
    overrides: Sequence[str] = ()
    results: Path = Path("results")
    data_root: Path | None = None  # of data sets in files: it goes before the file's
    resources: Resources = field(default_factory=Resources)  # flags: they go before the file's
    pack: int | None = None
    precision: Precision | None = None  # of the whole sweep; the file's own blocks may say otherwise
    address: str | None = None
    retries: int = 3
    keep_students: Keep = "none"
    fresh: bool = False
    fresh_teachers: bool = False
    max_networks: int = MAX_NETWORKS
    verbose: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.overrides, str):
            raise RequestError(f"set must be a list of texts, as in ['distill.T=[2, 4]'], not {self.overrides!r}")
        if (self.pack is not None and self.pack < 1) or self.retries < 0 or self.max_networks < 1:
            raise RequestError("pack and max_networks must be at least 1, retries at least 0")
        if re.match(r"\w+:/", str(self.results)):
            raise RequestError(f"{self.results}: results lie in a folder that every worker sees; give its path")
        if self.keep_students not in get_args(Keep):
            raise RequestError(f"keep_students must be none, best or all, not {self.keep_students!r}")
        if self.precision not in (None, *get_args(Precision)):
            raise RequestError(f"precision must be {' or '.join(get_args(Precision))}, not {self.precision!r}")

    @property
    def all_overrides(self) -> list[str]:
        """What replaces values of the file, flags first."""
        return [f"train.precision={self.precision}"] * bool(self.precision) + list(self.overrides)
