"""How much a sweep bears before it gives up."""

from __future__ import annotations

from dataclasses import dataclass

from kdtune.errors import RequestError


@dataclass(frozen=True)
class Patience:
    """How often Ray may die, and how long a cluster may be away.

    Raises
    ------
    RequestError
        If a value is not valid.
    """

    restarts: int = 3  # of Ray, between which no pack was finished
    cluster_minutes: float = 10.0  # for which a cluster that was joined and answers no more is waited for

    def __post_init__(self) -> None:
        if not isinstance(self.restarts, int) or isinstance(self.restarts, bool) or self.restarts < 0:
            raise RequestError(f"restarts must be a whole number of at least 0, not {self.restarts!r}")
        if isinstance(self.cluster_minutes, bool) or not isinstance(self.cluster_minutes, int | float):
            raise RequestError(f"cluster_minutes must be a number, not {self.cluster_minutes!r}")
        if not self.cluster_minutes >= 0:
            raise RequestError(f"cluster_minutes must be at least 0, not {self.cluster_minutes!r}")
