"""Turn the answer from a sweep's table into what a page shows of it, as values that JSON can hold."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.headline import write_opening, write_recommendations
from kdtune.analysis.printed_tables import format_optima
from kdtune.analysis.shown_figures import prefer_cross_fitted
from kdtune.analysis.table_terms import describe_pairing, explain_optima
from kdtune.answers import AnsweredTable

MAX_CELLS_WITHOUT_RESULTS = 10  # that the page names
NOT_KNOWN = "not known yet"
_CURVE_COLUMNS = ("T", "errors", "band", "tied", "good_enough", "replicates")
_DIGITS = 6  # significant ones of the numbers of a curve: a picture shows no more


def summarize_answer(answered: AnsweredTable, is_ended: bool) -> dict[str, Any]:
    """Return what the page shows of an answer.

    What the best T depends on takes long to estimate, so it is left out until the sweep has ended (``is_ended``).
    """
    answer = answered.answer
    assert answer is not None
    without_results = answer.cells_without_results
    return {
        "n_networks": len(answered.table),
        "opening": _write_opening(answer, is_ended),
        "notes": [*answer.reading_notes, *answer.matching_notes],
        "terms": [*filter(None, [describe_pairing(answer)]), *explain_optima(answer)],
        "redraws": _describe_redraws(answer),
        "measure": answer.measure_name,
        "split": answer.selection_split,
        "criterion": answer.criterion,
        "margin": answer.margin_text,
        "cells": _summarize_cells(answer),
        "without_results": without_results[:MAX_CELLS_WITHOUT_RESULTS],
        "n_without_results": len(without_results),
    }


def _write_opening(answer: Answer, is_ended: bool) -> list[str]:
    """Return the recommendations with what limits them, each a paragraph."""
    recommendations = write_recommendations(answer)
    if not recommendations:  # No T has been run in all data sets of a student.
        return [*filter(None, [answer.reserve]), "No T can be recommended yet: too few runs are done."]
    if is_ended:
        return write_opening(answer)
    return [*filter(None, [answer.reserve]), *recommendations]


def _describe_redraws(answer: Answer) -> str:
    """Say what each replicate draws anew, which is what intervals cover."""
    sentence = "; ".join(filter(None, [answer.redraws.text, answer.redraws.staying_text]))
    return f"Each replicate has {sentence}." if sentence else ""


def _summarize_cells(answer: Answer) -> list[dict[str, Any]]:
    """Return a summary of each cell, in the order of the table."""
    test = prefer_cross_fitted(answer.test).reindex(columns=["student", "baseline", "teacher"])
    texts = format_optima(answer)
    ends = np.cumsum([len(cell.temperatures) for cell in answer.cells]).tolist()
    cells = []
    for i, (cell, end) in enumerate(zip(answer.cells, ends, strict=True)):
        curve = answer.curves.iloc[end - len(cell.temperatures) : end]
        summary = {
            "id": name_cell(cell.settings),
            "name": cell.describe() or "all networks",
            "settings": {name: _to_plain(value) for name, value in cell.settings.items()},
            "test": {name: _to_plain(value) for name, value in test.iloc[i].items()},
            "curve": {name: _to_plain_list(curve[name]) for name in _CURVE_COLUMNS},
            **_summarize_optimum(answer.t_opt.iloc[i], texts.iloc[i], answer.margin_text),
        }
        if curve["band"].isna().all():
            _withhold_intervals(summary)
        cells.append(summary)
    return cells


def _summarize_optimum(optimum: pd.Series[Any], text: pd.Series[Any], margin_text: str) -> dict[str, Any]:
    """Return what is said of the best T of a cell, from its row of ``t_opt`` and the same row as text."""
    return {
        "best": _to_plain(optimum["T_opt"]),
        "low": _to_plain(optimum["T_opt_low"]) or None,  # 0 if it has no lower bound
        "high": _to_plain(optimum["T_opt_high"]),
        "interval": text["interval"],
        "tied": text["statistically tied"],
        "good_enough": text[margin_text] if margin_text else "",
        "flags": text.get("flags", ""),
        "replicates": _to_plain(optimum["replicates"]),
        "n_failed": int(sum(optimum["failed_runs"])),
    }


def _withhold_intervals(summary: dict[str, Any]) -> None:
    """Say that nothing is known of a cell but its means: no two of its runs show how much results vary."""
    summary |= {"low": None, "high": None, "interval": NOT_KNOWN, "tied": NOT_KNOWN, "good_enough": NOT_KNOWN}
    for name in ("tied", "good_enough"):
        summary["curve"][name] = [None] * len(summary["curve"]["T"])


def name_cell(settings: dict[str, Any]) -> str:
    """Return a short name of a cell that stays as long as its settings do."""
    text = json.dumps({name: _to_plain(value) for name, value in settings.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _to_plain_list(values: Any) -> list[Any]:
    return [_to_plain(float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value) for value in values]


def _to_plain(value: Any) -> Any:
    """Return a value as JSON holds it; numbers that are not finite, and what does not apply, become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
