"""Tell error rates in percent from those in fractions: a column of accuracies beside them proves the unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.foreign.measure_names import is_accuracy_name
from kdtune.foreign.mending import MendingNote, quote
from kdtune.foreign.percents import is_numeric, strip_percent
from kdtune.text import join_names

Unit = Literal["percent", "fractions"]

_PERCENT = 100.0
_MOST = 0.9  # of the rows must agree
_NEAR = 5  # The errors of two splits differ by a smaller factor than this; the two units by a factor of 100.
_HALF = 0.5  # A rate above it would be worse than half of all examples: it may be one in percent.


def prove_unit(table: pd.DataFrame, name: str) -> Unit | None:
    """Return the unit of error rates that lie between 0 and 1, if accuracies beside them prove it.

    Parameters
    ----------
    table : Plain columns.
    name : The column of error rates.
    """
    errors = strip_percent(table[name]).to_numpy(np.float64, na_value=np.nan)
    accuracies = list(_iterate_accuracies(table))
    for wrong in accuracies:  # first those of the same split, whose accuracies and errors add up to all
        units: list[tuple[Unit, float]] = [("percent", 1.0), ("fractions", _PERCENT)]
        for unit, factor in units:
            is_known = np.isfinite(errors) & np.isfinite(wrong)
            is_equal = np.abs(errors[is_known] * factor - wrong[is_known]) <= 0.01 * factor
            if is_known.any() and is_equal.mean() > _MOST and np.nanmax(wrong) > 0.01 * factor:
                return unit
    for wrong in accuracies:  # then those of another split, whose errors are about as many
        ratio = np.nanmedian(errors) / max(float(np.nanmedian(wrong)), 1e-9)
        if 1 / _NEAR <= ratio <= _NEAR:
            return "percent"
        if 1 / _NEAR <= _PERCENT * ratio <= _NEAR:
            return "fractions"
    return None


def is_unit_doubtful(rates: pd.Series) -> bool:
    """Return whether error rates between 0 and 1 are so high as fractions that they may be percents."""
    return bool(rates.max() > _HALF)


class _Doubt(MendingNote):
    """A note that the unit of error rates cannot be known."""

    rates_by_name: dict[str, pd.Series]


def add_doubt(notes: Sequence[str], own_name: str, rates: pd.Series) -> list[str]:
    """Return notes with one that says that the unit of error rates cannot be known, and how to say it.

    Parameters
    ----------
    notes : What was understood already; a doubt about another column is said together with this one.
    own_name : The column, as the table itself calls it.
    rates : Its values.
    """
    rates_by_name = {own_name: rates}
    for note in notes:
        if isinstance(note, _Doubt):
            rates_by_name = {**note.rates_by_name, **rates_by_name}
    return [*(note for note in notes if not isinstance(note, _Doubt)), _describe_doubt(rates_by_name)]


def _describe_doubt(rates_by_name: dict[str, pd.Series]) -> _Doubt:
    names = list(rates_by_name)
    low, high = min(r.min() for r in rates_by_name.values()), max(r.max() for r in rates_by_name.values())
    subject, verb, pronoun = (names[0], "is", "it") if len(names) == 1 else (join_names(names), "are", "they")
    stand = "stands" if len(names) == 1 else "stand"
    new_names = ", ".join(f"{quote(name)}: {quote(f'{name} (%)')}" for name in names)
    doubt = _Doubt(
        f"Nothing says whether {subject} ({low:g} to {high:g}) {verb} percent or fractions, {low:.3g} % or "
        f"{100 * low:.3g} % errors at best: {pronoun} {verb} printed as {pronoun} {stand} in the table, and the best T "
        f"does not depend on it. If {pronoun} {verb} percent, let the name say so, with pandas: ",
        [f"frame = frame.rename(columns={{{new_names}}})"],
        f". If {pronoun} {verb} fractions, multiply {'it' if len(names) == 1 else 'them'} by 100, too.",
    )
    doubt.rates_by_name = rates_by_name
    return doubt


def _iterate_accuracies(table: pd.DataFrame) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the errors in percent that each column of accuracies says, (rows,)."""
    for name in table.columns:
        if not is_accuracy_name(name) or not is_numeric(table[name]):
            continue
        accuracies = strip_percent(table[name]).to_numpy(np.float64, na_value=np.nan)
        known = accuracies[np.isfinite(accuracies)]
        if not len(known) or known.min() < 0 or known.max() > _PERCENT:
            continue
        yield _PERCENT - accuracies * (1 if known.max() > 1 else _PERCENT)
