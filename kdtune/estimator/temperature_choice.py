"""Choose T from the networks that the estimator has trained, by kdtune's own analysis, and say what is doubtful."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdtune.columns import (
    ACCURACY,
    BALANCED_ERROR,
    ECE,
    ID,
    LOSS,
    N_TEST,
    N_VAL,
    NLL,
    NUM_ERROR,
    VAL_ACCURACY,
    VAL_BALANCED_ERROR,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.estimator.training import Trained
from kdtune.table import rows_to_arrow, select_networks, to_frame
from kdtune.table_facts import stamp_select

if TYPE_CHECKING:
    import pandas as pd

_TEST_COLUMNS = [NUM_ERROR, ACCURACY, LOSS, NLL, ECE, BALANCED_ERROR, N_TEST]


@dataclass(frozen=True)
class TemperatureChoice:
    """The chosen T, and how sure the choice is.

    Attributes
    ----------
    T : the temperature.
    interval : the 95 % interval of the best T; its ends are 0 and infinite where nothing bounds it.
    tied : the temperatures that are statistically tied with it, itself included.
    doubt : why another T may be better, in sentences; empty if nothing speaks against the choice.
    """

    T: float
    interval: tuple[float, float]
    tied: list[float]
    doubt: str = ""


def make_comparison_table(trained: Trained, select: str) -> pd.DataFrame:
    """Return the table of the networks among which T is chosen: one row per network, measured on validation rows."""
    rows = [network.row for network in trained.networks]
    table = stamp_select(select_networks(rows_to_arrow(rows), [row[ID] for row in rows]), select)
    return to_frame(table.drop_columns(_TEST_COLUMNS))


def make_training_table(trained: Trained) -> pd.DataFrame:
    """Return the table of a teacher and a student that were trained, and measured, on all rows."""
    rows = [network.row for network in trained.networks]
    table = to_frame(select_networks(rows_to_arrow(rows), [row[ID] for row in rows]).drop_columns(_TEST_COLUMNS))
    return table.drop(columns=[VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL, VAL_BALANCED_ERROR, N_VAL])


def choose_temperature(table: pd.DataFrame, temperatures: list[float]) -> TemperatureChoice:
    """Choose T from a table.

    Parameters
    ----------
    table : the table of ``make_comparison_table``.
    temperatures : the grid, in ascending order.

    Raises
    ------
    ValueError
        If students diverged at all temperatures.
    """
    from kdtune.answers import read_and_answer
    from kdtune.foreign.options import ReadingOptions

    try:
        answer = read_and_answer(table, ReadingOptions()).answer
    except RequestError as error:
        raise ValueError(f"T cannot be chosen: {error}") from None
    assert answer is not None
    optimum = answer.t_opt.iloc[0]
    choice = TemperatureChoice(
        T=float(optimum["T_opt"]),
        interval=(float(optimum["T_opt_low"]), float(optimum["T_opt_high"])),
        tied=[float(T) for T in optimum["tied"]],
    )
    doubts = [answer.reserve, describe_doubt(choice, temperatures)]
    return TemperatureChoice(choice.T, choice.interval, choice.tied, " ".join(filter(None, doubts)))


def describe_doubt(choice: TemperatureChoice, temperatures: list[float]) -> str:
    """Say why another T may be better than the chosen one; nothing if the grid and the noise leave no such doubt."""
    low, high = choice.interval
    has_single_winner = len(choice.tied) == 1
    if low <= temperatures[0] and high >= temperatures[-1] and not has_single_winner:
        return (
            f"The validation rows do not tell which T is best: T = {choice.T:g} did best, and the 95 % interval "
            f"excludes no T from {temperatures[0]:g} to {temperatures[-1]:g}. More rows or more replicates "
            f"(n_replicates) may tell."
        )
    if choice.T in (temperatures[0], temperatures[-1]):
        end, beyond = ("highest", "higher") if temperatures[0] < choice.T else ("lowest", "lower")
        return (
            f"T = {choice.T:g} did best, the {end} of the grid, so a {beyond} T may be better still: add it to "
            f"temperatures."
        )
    return ""


def take_fixed_temperature(T: float, doubt: str = "") -> TemperatureChoice:
    """Return the choice of a T that was compared with no other: nothing is known of the best one."""
    return TemperatureChoice(T, (0.0, math.inf), [T], doubt)
