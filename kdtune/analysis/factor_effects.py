"""The effect of a factor on the best temperature, and what it allows to say."""

from __future__ import annotations

import math
from dataclasses import dataclass

RISES, FALLS, STAYS, UNKNOWN = "rises", "falls", "stays", "cannot tell"
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not set
SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class FactorEffect:
    """The change of log2 T_opt per doubling of a factor: a row of ``effects``, but for ``obstacle``.

    An effect that could not be estimated is NaN, and its interval infinite.
    """

    factor: str  # a column that names cells, or ``TEACHER_ERROR``
    effect: float
    low: float  # the 95 % interval of the effect
    high: float
    p_value: float  # of no effect
    check: float  # the effect by a second method
    check_low: float
    check_high: float
    informative_cells: int  # the cells whose best T is known to some extent
    cells: int
    used_cells: int  # the cells that the effect is estimated from
    replicates: int  # of each of those
    independent_sets: int  # sets of cells that have no data in common
    p_holm: float = math.nan  # the p-value after Holm's correction for the number of factors
    verdict: str = UNKNOWN
    obstacle: str = ""  # why the effect was not estimated, in words

    @property
    def is_informative(self) -> bool:
        """Whether at least half of the cells know to some extent where their best T is."""
        return self.informative_cells >= self.cells / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the effect excludes 0."""
        return not self.low <= 0 <= self.high


def decide_verdict(effect: FactorEffect, margin: float) -> str:
    """Return what an effect allows to say, where a change of ``margin`` or less does not matter."""
    if effect.obstacle or effect.replicates < 2 or math.isnan(effect.effect):
        return UNKNOWN
    if not effect.is_informative:
        return UNKNOWN
    if -margin <= effect.low and effect.high <= margin:
        return STAYS
    if effect.excludes_zero and effect.p_holm < SIGNIFICANCE_LEVEL:
        return RISES if effect.low > 0 else FALLS
    return UNKNOWN
