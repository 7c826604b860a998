"""The effect of a factor on the best temperature, and the verdict on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from kdtune.analysis.twins import Twins

RISES, FALLS, STAYS, UNKNOWN = "rises", "falls", "stays", "cannot tell"
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not chosen
SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class FactorEffect:
    """The change of log2 T_opt per doubling of a factor: a row of ``effects``, without its last three fields.

    An effect that could not be estimated is NaN, and its interval infinite.
    """

    factor: str  # a column that names cells, or ``TEACHER_ERROR``
    effect: float  # the estimated change
    low: float  # the 95 % interval of the effect
    high: float
    p_value: float  # the p-value of the hypothesis that there is no effect
    check: float  # the effect by a second method
    check_low: float
    check_high: float
    informative_cells: int  # the number of cells in which the best T could be located to some extent
    cells: int  # the number of all cells
    used_cells: int  # the number of cells that the effect is estimated from
    replicates: int  # the number of replicates of each used cell; of unpaired runs that of each T
    independent_sets: int  # the number of sets of cells that share no data
    p_holm: float = math.nan  # the p-value after Holm's correction for the number of factors
    verdict: str = UNKNOWN
    obstacle: str = ""  # why the effect was not estimated, in words
    is_paired: bool = True  # whether replicates pair the runs of different T
    twins: Twins = field(default_factory=Twins)  # the settings that change together with the factor

    @property
    def is_informative(self) -> bool:
        """Whether the best T could be located to some extent in at least half of the cells."""
        return self.informative_cells >= self.cells / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the effect excludes 0."""
        return not self.low <= 0 <= self.high


def decide_verdict(effect: FactorEffect, margin: float) -> str:
    """Return the verdict on an effect: ``RISES``, ``FALLS``, ``STAYS`` or ``UNKNOWN``.

    Parameters
    ----------
    effect : The effect with its corrected p-value.
    margin : The largest change that does not matter. An effect whose interval lies within it is ``STAYS``.
    """
    if effect.obstacle or effect.replicates < 2 or math.isnan(effect.effect):
        return UNKNOWN
    if not effect.is_informative:
        return UNKNOWN
    if -margin <= effect.low and effect.high <= margin:
        return STAYS
    if effect.excludes_zero and effect.p_holm < SIGNIFICANCE_LEVEL:
        return RISES if effect.low > 0 else FALLS
    return UNKNOWN
