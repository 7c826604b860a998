"""Choose T and the weight of the hard labels together, where a sweep varies both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.temperature_texts import format_temperatures
from kdtune.columns import HARD_WEIGHT
from kdtune.statistics.multiple_comparisons import compare_with_best
from kdtune.statistics.one_way_layout import compute_column_means


@dataclass(frozen=True)
class BestPair:
    """The best pair of T and weight among cells that differ in the weight alone: a row of ``Answer.pairs``.

    Attributes
    ----------
    T, hard_weight : the pair with the lowest mean of what T is chosen by; of equal means the one with the lower weight.
    tied : for each weight the temperatures that are statistically tied with the best pair, all pairs compared at once.
    weights_left_out : the weights none of whose temperatures is tied.
    is_weight_at_end : whether the best weight is the largest that was tried, so that a larger one may be better.
    student : mean on the test split of the measure that T is chosen by, or of errors; NaN if the table lacks it.
    replicates : those that all pairs have.
    """

    T: float
    hard_weight: float
    tied: dict[float, list[float]]
    weights_left_out: list[float]
    is_weight_at_end: bool
    student: float
    replicates: int


def compare_pairs(cells: Sequence[Cell], cell_columns: Sequence[str], measure: str, test_measure: str) -> pd.DataFrame:
    """Compare all pairs of T and weight of each group of cells that differ in the weight alone.

    Replicates pair the runs of all weights, as they pair those of all temperatures; only those that every cell of a
    group has are used. The comparison is that of temperatures (``compare_with_best``) over all pairs at once.

    Parameters
    ----------
    cells, cell_columns : those of an answer; runs must be paired.
    measure, test_measure : what T is chosen by, and what is reported on the test split.

    Returns
    -------
    One row per group with several weights: the columns that name it, and the fields of ``BestPair``.
    """
    weights = [cell.settings[HARD_WEIGHT] for cell in cells if HARD_WEIGHT in cell.settings]
    if len(weights) < len(cells) or not all(map(_is_weight, weights)) or not all(cell.is_paired for cell in cells):
        return pd.DataFrame()  # In a table from elsewhere the weight may be a word, or unknown.
    names = [name for name in cell_columns if name != HARD_WEIGHT]
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.settings[name] for name in names), []).append(cell)
    rows = []
    for key, members in groups.items():
        pair = _find_best_pair(members, measure, test_measure) if len(members) > 1 else None
        if pair is not None:
            rows.append({**dict(zip(names, key, strict=True)), **asdict(pair)})
    return pd.DataFrame(rows)


def _is_weight(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))


def _find_best_pair(cells: Sequence[Cell], measure: str, test_measure: str) -> BestPair | None:
    """Return the best pair of a group of cells; None if too few replicates have all pairs."""
    cells = sorted(cells, key=lambda cell: float(cell.settings[HARD_WEIGHT]))
    replicates = [name for name in cells[0].replicates if all(name in cell.replicates for cell in cells)]
    if len(replicates) < min(2, *(len(cell.replicates) for cell in cells)):
        return None  # A single replicate of many would tell nothing apart.

    def join(name: str) -> Any:
        """Join a measure of all cells: (replicates, pairs)."""
        columns = [
            cell.student_measures[name][[cell.replicates.index(replicate) for replicate in replicates]]
            for cell in cells
        ]
        return np.concatenate(columns, axis=1)

    values = join(measure)
    comparison = compare_with_best(values)
    pairs = [(float(cell.settings[HARD_WEIGHT]), float(T)) for cell in cells for T in cell.temperatures]
    best = int(values.mean(axis=0).argmin())
    tied: dict[float, list[float]] = {weight: [] for weight, _ in pairs}
    for (weight, T), is_tied in zip(pairs, comparison.is_tied, strict=True):
        if is_tied:
            tied[weight].append(T)
    has_test = all(test_measure in cell.student_measures for cell in cells)
    weight, T = pairs[best]
    return BestPair(
        T=T,
        hard_weight=weight,
        tied={weight: temperatures for weight, temperatures in tied.items() if temperatures},
        weights_left_out=[weight for weight, temperatures in tied.items() if not temperatures],
        is_weight_at_end=weight == max(tied) and weight > 0,
        student=float(compute_column_means(join(test_measure))[best]) if has_test else float("nan"),
        replicates=len(replicates),
    )


def format_pairs(pairs: pd.DataFrame, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return the table of best pairs as text."""
    grid = sorted({float(T) for cell in cells for T in cell.temperatures})
    names = [name for name in pairs.columns if name not in BestPair.__dataclass_fields__]
    table = pairs[names].copy()
    table["best T"] = pairs["T"]
    table["best hard_weight"] = pairs["hard_weight"]
    table["statistically tied"] = [
        "; ".join(f"{weight:g}: T {format_temperatures(temperatures, grid)}" for weight, temperatures in tied.items())
        for tied in pairs["tied"]
    ]
    if pairs["student"].notna().any():
        table["student"] = [f"{value:.4g}" if value < 1 else f"{value:,.1f}" for value in pairs["student"]]
    table["replicates"] = pairs["replicates"]
    return table


def explain_pairs(pairs: pd.DataFrame) -> Iterator[str]:
    """Yield what the pairs say of the weight, in sentences."""
    if all(not weights for weights in pairs["weights_left_out"]):
        yield "The weight: none of those that were tried is told apart from the best; take any, with a T that is tied."
    else:
        yield "A weight that is not listed as tied is worse than the best pair at every T that was tried."
    if pairs["is_weight_at_end"].any():
        yield "Where the best weight is the largest that was tried, a larger one may be better."
