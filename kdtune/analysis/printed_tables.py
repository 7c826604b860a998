"""An answer's tables in words, for a terminal and for a page."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.sentences import format_interval, format_temperatures
from kdtune.columns import ECE, NLL
from kdtune.text import NOTHING, plural


def summarize_errors(answer: Answer) -> pd.DataFrame:
    """A row a cell: mean test errors of teacher, baseline and the student at the chosen T; numbers, not words."""
    found = answer.test.reindex(columns=[*answer.columns, "teacher", "baseline", "T", "student"])
    return found.assign(replicates=answer.t_opt["replicates"])


def format_optima(answer: Answer) -> pd.DataFrame:
    """The cells and their best temperatures."""
    best = answer.t_opt
    shown = best[answer.columns].copy()
    shown["T_opt"] = best["T_opt"]
    shown["interval"] = [
        format_interval(low, high) for low, high in zip(best["T_opt_low"], best["T_opt_high"], strict=True)
    ]
    for name, title in (("tied", "not told apart"), ("good_enough", f"within {answer.margins.error:.0%}, 95 % sure")):
        grids = (cell.temperatures.tolist() for cell in answer.cells)
        shown[title] = [format_temperatures(found, grid) for found, grid in zip(best[name], grids, strict=True)]
    said = zip(best["flags"], best["left_out"], strict=True)
    shown["flags"] = [
        ", ".join(flags) + (f" (without {', '.join(without)})" if without else "") for flags, without in said
    ]
    return shown if shown["flags"].any() else shown.drop(columns="flags")


def format_test_errors(answer: Answer) -> pd.DataFrame:
    """Mean errors on the test split at the chosen temperatures, and of what they compare with."""
    test = answer.test
    shown = test[[*answer.columns, "T"]].copy()
    titles = {"student": "student", "at_T1": "at T=1", "baseline": "baseline", "teacher": "teacher",
              "cross_fitted": "cross-fitted", "chosen_on_test": "chosen on test"}  # fmt: skip
    for name, title in titles.items():
        if test[name].notna().any():
            digits = _digits(test[name])
            shown[title] = [NOTHING if pd.isna(errors) else f"{errors:.{digits}f}" for errors in test[name]]
    if test["gap_closed"].notna().any():
        bounds = zip(test["gap_closed"], test["gap_low"], test["gap_high"], strict=True)
        shown["gap closed"] = [
            NOTHING if pd.isna(share) else f"{share:.0%} ({low:.0%} to {high:.0%})" for share, low, high in bounds
        ]
    return shown


def format_differences(answer: Answer) -> pd.DataFrame:
    """Paired differences in errors on the test split, student minus another, with 95 % intervals."""
    test = answer.test
    shown = test[[*answer.columns, "T"]].copy()
    for name, title in (
        ("minus_T1", "minus T=1"),
        ("cross_fitted_minus_T1", "cross-fitted minus T=1"),
        ("minus_baseline", "minus baseline"),
        ("minus_teacher", "minus teacher"),
    ):
        if test[name].notna().any():
            bounds = zip(test[name], test[f"{name}_low"], test[f"{name}_high"], strict=True)
            shown[title] = [_difference(*three, _digits(test["student"])) for three in bounds]
    return shown


def format_fixed_temperatures(answer: Answer) -> pd.DataFrame:
    """What one temperature for all cells costs; empty where there is one cell, or one temperature."""
    fixed = answer.fixed
    if len(answer.cells) < 2 or len(fixed) < 2:
        return pd.DataFrame()
    shown = pd.DataFrame({"T": fixed["T"]})
    for name, title in (("median", "median"), ("worst", "worst cell")):
        shown[title] = [NOTHING if pd.isna(share) else f"{share:+.1%}" for share in fixed[name]]
    shown["not told apart from the best in"] = [
        f"{tied} of {plural(cells, 'cell')}" for tied, cells in zip(fixed["tied"], fixed["cells"], strict=True)
    ]
    return shown


def format_calibration(answer: Answer) -> pd.DataFrame:
    """Cross-entropy and expected calibration error of the softmax at T = 1 on the test split."""
    test = answer.test
    shown = test[[*answer.columns, "T"]].copy()
    for measure in (NLL, ECE):
        for who in ("", "baseline_", "teacher_"):
            name = f"{who}{measure}"
            if name in test and test[name].notna().any():
                shown[f"{measure} {who.rstrip('_') or 'student'}"] = _rounded(test[name])
    return shown


def format_effects(answer: Answer) -> pd.DataFrame:
    """What T_opt moves with; empty where nothing varies."""
    if answer.effects.empty:
        return answer.effects
    names = ["factor", "effect", "low", "high", "p_value", "p_holm", "check", "check_low", "check_high",
             "informative_cells", "cells", "replicates"]  # fmt: skip
    shown = {name: answer.effects[name] for name in names}
    return pd.DataFrame(
        {name: column.map(_short) if column.dtype.kind == "f" else column for name, column in shown.items()}
    )


def list_findings(answer: Answer) -> list[str]:
    """A sentence for each factor; why there is none."""
    if (answer.t_opt["temperatures"] == 1).all():
        if answer.t_opt["T_opt"].nunique() > 1:
            return ["Each cell has one temperature; name the columns that make a cell with --cell."]
        return ["There is one temperature: nothing to compare it with."]
    if len(answer.effects):
        return list(answer.effects["sentence"])
    return ["No setting varies over the cells: nothing that the best T could move with."]


def _difference(mean: float, low: float, high: float, digits: int) -> str:
    if pd.isna(mean):
        return NOTHING
    said = f"{mean:+.{digits}f}"
    return said if math.isinf(low) else f"{said} ({low:+.{digits}f} to {high:+.{digits}f})"


def _digits(errors: pd.Series) -> int:
    """After the point: one for counts of errors, more for rates, which a table from elsewhere may have."""
    most = errors.abs().max()
    return max(1, 2 - math.floor(math.log10(most))) if most > 0 else 1  # no number is not above 0


def _short(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.3g}"


def _rounded(values: Iterable[float]) -> list[str]:
    return [NOTHING if pd.isna(value) else f"{value:.4f}" for value in values]
