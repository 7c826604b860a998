"""Make frames and a printed table of the answers over all data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from kdtune.analysis.measured import Measured
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.temperature_texts import format_temperature, format_temperatures
from kdtune.columns import TEMP
from kdtune.statistics.pooled_curves import MeanDifference
from kdtune.text import NOTHING

_NO_DIFFERENCE = MeanDifference(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0)


def make_overall_frame(students: Sequence[StudentAnswer]) -> pd.DataFrame:
    """Return the frame ``overall``: one row per student with its recommendation over its data sets.

    ``minus_usual`` is the cost of ``usual_T`` and ``minus_baseline`` the difference to labels alone, each on the test
    split at the T that is chosen on the other replicates, as a share. Their ``_low`` and ``_high`` are 95 % intervals
    for these very data sets; ``_low_like`` and ``_high_like`` those for data sets like these.
    """
    rows = []
    for student in students:
        row: dict[str, Any] = {
            **student.settings,
            "T": student.best_temperature,
            "tied": student.tied,
            "good_enough": student.good_enough,
            "tied_like": student.tied_like,
            "good_enough_like": student.good_enough_like,
            "data_sets": student.data_sets,
            "replicates": student.replicates,
            "usual_T": student.usual_temperature,
        }
        for name, difference in (("minus_usual", student.minus_usual), ("minus_baseline", student.minus_baseline)):
            each = difference or _NO_DIFFERENCE
            row |= {name: each.mean, f"{name}_low": each.low, f"{name}_high": each.high}
            row |= {f"{name}_low_like": each.low_like, f"{name}_high_like": each.high_like}
        test = student.test
        row |= {"student": test.student, "baseline": test.baseline, "teacher": test.teacher, "n_test": test.n_test}
        rows.append(row)
    return pd.DataFrame(rows)


def make_overall_curves(students: Sequence[StudentAnswer], is_relative: bool) -> pd.DataFrame:
    """Return the frame ``overall_curves``: one row per student and temperature with what it costs above the best.

    ``cost`` is the mean over the data sets of the measure that T is chosen by above that at the best T, as a share of
    the latter, or nan if that is 0; ``cost_high`` bounds it from above, with 95 % confidence for all T at once, and
    ``cost_high_like`` does so for data sets like these.
    """
    rows = []
    for student in students:
        means, best = student.curve.means, student.best_index
        unit = (float(means[best]) or math.nan) if is_relative else 1.0  # of no errors there is no share
        like = student.comparison_like
        for i, T in enumerate(student.temperatures):
            row = {
                **student.settings,
                TEMP: float(T),
                "cost": float(means[i] - means[best]) / unit,
                "cost_high": float(student.comparison.upper_bounds[i]) / unit,
                "tied": bool(student.comparison.is_tied[i]),
                "cost_high_like": math.nan if like is None else float(like.upper_bounds[i]) / unit,
                "tied_like": None if like is None else bool(like.is_tied[i]),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def format_overall(students: Sequence[StudentAnswer], measured: Measured, margin_text: str) -> pd.DataFrame:
    """Return the recommendations as a table of text; empty where no student has several data sets."""
    if not any(len(student.cells) > 1 for student in students):
        return pd.DataFrame()
    rows = []
    for student in students:
        grid = student.temperatures.tolist()
        row: dict[str, Any] = dict(student.settings)
        row["use T"] = format_temperature(student.best_temperature, grid)
        row["statistically tied"] = format_temperatures(student.tied, grid)
        if margin_text:
            row[margin_text] = format_temperatures(student.good_enough, grid)
        row["tied, for data sets like these"] = (
            format_temperatures(student.tied_like, grid) if student.comparison_like else NOTHING
        )
        row["data sets"] = str(len(student.cells))
        usual = student.usual_temperature
        row["cost of a usual T"] = _format_difference(student.minus_usual, measured)
        if usual is not None and student.minus_usual is not None:
            row["cost of a usual T"] += f" at T = {format_temperature(usual, grid)}"
        row["minus labels alone"] = _format_difference(student.minus_baseline, measured, measured.sign)
        rows.append(row)
    table = pd.DataFrame(rows)
    unknown = [name for name in ("cost of a usual T", "minus labels alone") if (table[name] == NOTHING).all()]
    return table.drop(columns=unknown)


def explain_overall(students: Sequence[StudentAnswer], margin_text: str, is_paired: bool) -> list[str]:
    """Explain the columns of that table."""
    sentences = [
        "statistically tied: over these very data sets, the T that are not told apart from the best, all at once.",
        "tied, for data sets like these: the data sets taken as a sample of others, so that fewer T can be told apart.",
    ]
    if margin_text:
        sentences.append(f"{margin_text}: in the mean over these data sets, shown with 95 % confidence.")
    if any(student.minus_usual or student.minus_baseline for student in students):
        choice = "the T that the other replicates choose" if is_paired else "that T"
        sentences.append(
            f"cost of a usual T, minus labels alone: on the test split, at {choice}, with 95 % confidence intervals "
            "for these very data sets."
        )
    return sentences


def _format_difference(difference: MeanDifference | None, measured: Measured, sign: int = 1) -> str:
    """Write a difference times a sign with its interval, as in "+31 % (+12 % to +52 %)"."""
    if difference is None or math.isnan(difference.mean):
        return NOTHING
    low, high = sorted(sign * end for end in difference.main_interval)
    if math.isinf(low):
        return measured.write_signed(sign * difference.mean)
    written = [measured.write_signed(value) for value in (sign * difference.mean, low, high)]
    return f"{written[0]} ({written[1]} to {written[2]})"
