"""Refuse long tables with a row for each measure of a run, whose values all stand in one column."""

from __future__ import annotations

import pandas as pd

from kdtune.analysis.option_texts import suggest_map, suggest_rows
from kdtune.columns import ACCURACY, NUM_ERROR, RESULT_COLUMNS, VAL_ACCURACY, VAL_NUM_ERROR
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.foreign.measure_names import is_accuracy_name, is_error_name, is_validation_name
from kdtune.foreign.options import ReadingOptions
from kdtune.text import join_names

_NAME_WORDS = {"metric", "measure", "metrics", "measures", "variable", "key", "quantity", "tag"}
_VALUE_NAMES = ("value", "values", "score", "result", "metric_value")
_MAX_MEASURES = 20


def refuse_metric_column(table: pd.DataFrame, options: ReadingOptions) -> None:
    """Raise RequestError if a column names the measure of each row, and rows have different ones.

    Parameters
    ----------
    table : Plain columns.
    options : What the user says about the table.
    """
    for name in table.columns:
        column = table[name]
        if column.dtype.kind != "O" or not _NAME_WORDS & set(split_words(name)) or name in (options.cell or []):
            continue
        measures = [str(value) for value in column.dropna().unique()[: _MAX_MEASURES + 1]]
        known = [value for value in measures if is_accuracy_name(value) or is_error_name(value)]
        if not known or not 1 < len(measures) <= _MAX_MEASURES:
            continue
        chosen = min(known, key=lambda value: not is_validation_name(value))
        remedy = suggest_rows(name, [chosen])
        values = next((value for value in _VALUE_NAMES if value in table.columns), None)
        if values is not None and not {*RESULT_COLUMNS} & set(options.column_map):
            remedy += f" {suggest_map(_find_target(chosen), values)}"
        raise RequestError(
            f"the table has several rows per run, one for each {name} ({join_names(measures, max_names=6)}); select "
            f"the measure that T is chosen by: {remedy}"
        )


def _find_target(measure: str) -> str:
    """Return kdtune's name of a measure."""
    if is_accuracy_name(measure):
        return VAL_ACCURACY if is_validation_name(measure) else ACCURACY
    return VAL_NUM_ERROR if is_validation_name(measure) else NUM_ERROR
