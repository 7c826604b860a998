"""The differences that do not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from kdtune.errors import RequestError
from kdtune.text import describe_value


@dataclass(frozen=True)
class Margins:
    """The largest differences that do not matter, chosen before the table is read.

    Raises
    ------
    RequestError
        If a margin is not a finite number, or is negative.
    """

    error: float | None = 0.05  # excess errors, as a share of the best temperature's; of another measure, in its
    # own units, or None for unknown
    effect: float = 0.1  # change of log2 T_opt per doubling of a factor

    def __post_init__(self) -> None:
        for argument, margin in (("margin", self.error), ("effect_margin", self.effect)):
            is_unknown = argument == "margin" and margin is None
            if not is_unknown and not _is_margin(margin):
                raise RequestError(f"{argument}: must be a finite number, 0 or more, not {describe_value(margin)}")


def _is_margin(value: Any) -> bool:
    """Return whether a value is a finite number, 0 or more."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) and float(value) >= 0


DEFAULT_MARGINS = Margins()
