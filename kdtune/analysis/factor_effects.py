"""The effect of a factor on the best temperature, over all data sets and in each of them, and the verdict on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from kdtune.analysis.twins import Twins

RISES, FALLS, STAYS, UNKNOWN = "rises", "falls", "stays", "cannot tell"
RISES_EVERYWHERE, FALLS_EVERYWHERE = "rises in every data set", "falls in every data set"
DIFFERS = "differs between data sets"
TEACHER_ERROR = "teacher_error"  # a factor that is measured, not chosen
SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class SetEffect:
    """The change of log2 T_opt per doubling of a factor in one data set: a row of ``effects_by_set``."""

    data_set: str  # the settings of its data, in words
    effect: float  # the estimated change
    low: float  # the 95 % interval of the effect in this data set
    high: float
    settings: int  # the number of settings that it is estimated from
    replicates: int  # the number of replicates of each setting; of unpaired runs that of each T

    @property
    def rises(self) -> bool:
        """Whether the interval is above 0."""
        return self.low > 0

    @property
    def falls(self) -> bool:
        """Whether the interval is below 0."""
        return self.high < 0


@dataclass(frozen=True)
class FactorEffect:
    """The change of log2 T_opt per doubling of a factor: a row of ``effects``, without its last four fields.

    An effect that could not be estimated is NaN, and its interval infinite.
    """

    factor: str  # a column that names cells, or ``TEACHER_ERROR``
    effect: float  # the estimated change; the mean over the data sets if these differ significantly
    low: float  # the 95 % interval of the effect over these very data sets: replicates are the units
    high: float
    p_value: float  # the p-value of the hypothesis that there is no effect
    informative_cells: int  # the number of cells in which the best T could be located to some extent
    cells: int  # the number of all cells
    used_cells: int  # the number of cells that the effect is estimated from
    replicates: int  # the number of replicates of each used cell; of unpaired runs that of each T
    independent_sets: int  # the number of sets of cells that share no data
    sample_low: float = -math.inf  # the 95 % interval of the mean effect over data sets like these: they are the units
    sample_high: float = math.inf
    p_heterogeneity: float = math.nan  # the p-value of the hypothesis that all data sets have the same effect
    p_heterogeneity_holm: float = math.nan  # the same after Holm's correction for the number of factors
    sd_between_sets: float = math.nan  # the standard deviation of the true effects of data sets
    sd_low: float = math.nan  # the 95 % interval of this standard deviation
    sd_high: float = math.nan
    data_sets: int = 0  # the number of data sets that have an effect of their own
    rising_sets: int = 0  # the number of data sets whose interval is above 0
    falling_sets: int = 0  # the number of data sets whose interval is below 0
    p_holm: float = math.nan  # the p-value after Holm's correction for the number of factors
    verdict: str = UNKNOWN
    obstacle: str = ""  # why the effect was not estimated, in words
    is_paired: bool = True  # whether replicates pair the runs of different T
    twins: Twins = field(default_factory=Twins)  # the settings that change together with the factor
    by_set: tuple[SetEffect, ...] = ()  # the effect in each data set

    @property
    def is_informative(self) -> bool:
        """Whether the best T could be located to some extent in at least half of the cells."""
        return self.informative_cells >= self.cells / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the effect excludes 0."""
        return not self.low <= 0 <= self.high

    @property
    def differs(self) -> bool:
        """Whether the effect differs significantly between data sets."""
        return self.p_heterogeneity_holm < SIGNIFICANCE_LEVEL


def decide_verdict(effect: FactorEffect, margin: float) -> str:
    """Return the verdict on an effect: one of the constants above.

    Parameters
    ----------
    effect : The effect with its corrected p-values.
    margin : The largest change that does not matter. ``STAYS`` is an effect whose interval lies within it, if no data
        set can differ by more, either: the interval of each, or that of the deviation between them, is within it.
    """
    if effect.obstacle or effect.replicates < 2 or math.isnan(effect.effect):
        return UNKNOWN
    if not effect.is_informative:
        return UNKNOWN
    if effect.differs:
        if effect.rising_sets == effect.data_sets:
            return RISES_EVERYWHERE
        return FALLS_EVERYWHERE if effect.falling_sets == effect.data_sets else DIFFERS
    if _is_within(effect.low, effect.high, margin) and _is_equal_over_sets(effect, margin):
        return STAYS
    if effect.excludes_zero and effect.p_holm < SIGNIFICANCE_LEVEL:
        return RISES if effect.low > 0 else FALLS
    return UNKNOWN


def _is_equal_over_sets(effect: FactorEffect, margin: float) -> bool:
    """Return whether no data set can have an effect that differs by more than the margin."""
    if effect.data_sets < 2 or effect.sd_high <= margin:
        return True
    return all(_is_within(each.low, each.high, margin) for each in effect.by_set)


def _is_within(low: float, high: float, margin: float) -> bool:
    return -margin <= low and high <= margin
