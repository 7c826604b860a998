"""Compare a table with published figures: where they lie among the replicates, and whether students rank alike.

A published figure is one run: beside the lowest and the highest replicate stands the interval in which one
more run would lie with 95 % probability, by Student's t, if the errors are normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from kdtune.analysis.published_matches import Match
from kdtune.columns import LABEL, MODEL, TEACHER
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL

INSIDE, BELOW, ABOVE, ONE_RUN = "inside", "below", "above", "one run"


@dataclass(frozen=True)
class PublishedComparison:
    """A published figure among the replicates: a row of the comparison."""

    part: str
    network: str
    source: str
    n: int  # test examples
    theirs: float  # published errors
    mean: float  # of the replicates
    lowest: float
    highest: float
    replicates: int
    spread: str  # where the published errors lie among the replicates: ``INSIDE``, ``BELOW``, ...
    low: float  # the interval of one more run, with 95 % probability; NaN for one replicate
    high: float
    one_more_run: str  # where the published errors lie in that interval
    note: str


@dataclass(frozen=True)
class RankedPair:
    """Two students of one part and source, ranked by the published errors and by the replicates."""

    part: str
    source: str
    first: str  # networks
    second: str
    theirs: float  # published errors of the first minus those of the second
    mean: float  # the same here, in pairs of one replicate
    low: float  # the interval of that mean
    high: float
    says: str  # whether the ranks agree: "the same", "the opposite" or "cannot tell"


def compare_with_published(matches: Sequence[Match]) -> pd.DataFrame:
    """Return one row per match, with the columns of ``PublishedComparison``."""
    return pd.DataFrame([_compare(match) for match in matches])


def compare_rankings(matches: Sequence[Match]) -> pd.DataFrame:
    """Compare how pairs of students of one part and source rank here and in the published figures.

    Differences are taken within replicates, which share batch order and initial weights; the intervals hold
    for all pairs of a part together with 95 % probability (Bonferroni).

    Returns
    -------
    Frame with one row per pair and the columns of ``RankedPair``.
    """
    matches_by_part: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        if match.figure.get(MODEL) != TEACHER and not match.figure[LABEL]:
            key = (match.figure["part"], match.figure["source"])
            matches_by_part.setdefault(key, []).append(match)
    ranked_pairs = []
    for part_matches in matches_by_part.values():
        pairs = list(combinations(part_matches, 2))
        for first_match, second_match in pairs:
            differences = (first_match.errors - second_match.errors).dropna()
            if len(differences) > 1 and not first_match.errors.equals(second_match.errors):
                confidence_level = 1 - (1 - CONFIDENCE_LEVEL) / len(pairs)
                ranked_pairs.append(_rank(first_match, second_match, differences, confidence_level))
    return pd.DataFrame(ranked_pairs)


def _compare(match: Match) -> PublishedComparison:
    errors, published_errors = match.errors.to_numpy(np.float64), match.published_errors
    n_replicates = len(errors)
    mean, lowest, highest = float(np.mean(errors)), float(errors.min()), float(errors.max())
    low = high = math.nan
    spread = one_more_run = ONE_RUN
    if n_replicates > 1:
        margin = _scale_deviation(errors, CONFIDENCE_LEVEL) * math.sqrt(1 + 1 / n_replicates)
        low, high = max(0.0, mean - margin), mean + margin
        spread, one_more_run = _locate(published_errors, lowest, highest), _locate(published_errors, low, high)
    return PublishedComparison(
        part=match.figure["part"],
        network=match.figure["network"],
        source=match.figure["source"],
        n=int(match.figure["n"]),
        theirs=published_errors,
        mean=mean,
        lowest=lowest,
        highest=highest,
        replicates=n_replicates,
        spread=spread,
        low=low,
        high=high,
        one_more_run=one_more_run,
        note=match.figure["note"],
    )


def _rank(first_match: Match, second_match: Match, differences: pd.Series, confidence_level: float) -> RankedPair:
    margin = _scale_deviation(differences.to_numpy(), confidence_level) / math.sqrt(len(differences))
    published_errors, mean = first_match.published_errors - second_match.published_errors, float(differences.mean())
    if abs(mean) <= margin:
        verdict = "cannot tell"
    elif published_errors * mean > 0:
        verdict = "the same"
    else:
        verdict = "the opposite"
    return RankedPair(
        part=first_match.figure["part"],
        source=first_match.figure["source"],
        first=first_match.figure["network"],
        second=second_match.figure["network"],
        theirs=published_errors,
        mean=mean,
        low=mean - margin,
        high=mean + margin,
        says=verdict,
    )


def _scale_deviation(values: npt.NDArray[np.float64], confidence_level: float) -> float:
    """Return the critical value of Student's t times the standard deviation of values (n,)."""
    critical_value = stats.t.ppf((1 + confidence_level) / 2, len(values) - 1)
    return float(critical_value * np.std(values, ddof=1))


def _locate(value: float, low: float, high: float) -> str:
    """Return where a value lies relative to an interval."""
    if value < low:
        return BELOW
    return ABOVE if value > high else INSIDE


def write_source_summary(comparison: pd.DataFrame, source: str) -> str:
    """Write how many figures of a source lie inside."""
    rows = comparison[comparison["source"] == source]
    several_runs, single_runs = rows[rows["spread"] != ONE_RUN], rows[rows["spread"] == ONE_RUN]
    ending = "."
    if len(single_runs) == 1:
        ending = "; 1 stands beside a single run, which shows no spread."
    elif len(single_runs) > 1:
        ending = f"; {len(single_runs)} stand beside a single run each, which shows no spread."
    if several_runs.empty:
        return f"The {source}: no figure has replicates beside it{ending}"
    n_in_range = int((several_runs["spread"] == INSIDE).sum())
    n_in_interval = int((several_runs["one_more_run"] == INSIDE).sum())
    return (
        f"The {source}: {n_in_range} of {len(several_runs)} figures lie between the lowest and the highest replicate, "
        f"{n_in_interval} where one more run would lie with 95 % probability{ending}"
    )
