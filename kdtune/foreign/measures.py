"""Find the measure that T is chosen by, and turn accuracies into rates of errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.analysis.column_values import to_numbers
from kdtune.analysis.selection_measure import Measure
from kdtune.columns import (
    ACCURACY,
    NUM_ERROR,
    REPLICATE,
    RESULT_COLUMNS,
    SCORE,
    TEMP,
    VAL_ACCURACY,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.foreign.column_names import describe_columns, split_words
from kdtune.foreign.options import ReadingOptions
from kdtune.text import suggest_nearest

_ACCURACY_WORDS = {"acc", "accuracy", "accuracies", "acc1", "top1", "precision1", "prec1", "correct", "hits"}
_ERROR_WORDS = {"error", "errors", "err", "errs", "misclassified", "misclassifications"}
_VALIDATION_WORDS = {"val", "valid", "validation", "dev"}
# Of other networks or splits, and what is neither an error nor an accuracy though its name has such a word.
_OTHER_WORDS = {
    "train", "training", "teacher", "baseline", "scratch", "std", "stderr", "sem", "top5", "acc5", "bar", "bars", "ci",
    "calibration", "ece", "squared", "mse", "mae", "rmse", "abs", "absolute", "standard", "log", "gap", "drop", "loss",
    "rank", "relative", "rel", "delta", "diff", "gain", "var", "variance", "reconstruction",
}  # fmt: skip
_PERCENT = 100.0


class MeasuredTable(NamedTuple):
    """A table with the measures that the analysis reads."""

    table: pd.DataFrame
    notes: list[str]
    measure: Measure | None  # None for errors


def read_measures(table: pd.DataFrame, options: ReadingOptions) -> MeasuredTable:
    """Give a table the columns of errors, or ``SCORE`` if the user names another measure.

    Numbers of errors are taken as they are. Accuracies become rates of errors in percent.

    Raises
    ------
    RequestError
        If no column is a measure, several may be, or a measure is called an error but looks like an accuracy.
    """
    if options.measure is not None:
        return _read_chosen_measure(table, options.measure, options)
    _refuse_mapped_accuracy(table, options)
    notes: list[str] = []
    for target, accuracy, is_validation in ((VAL_NUM_ERROR, VAL_ACCURACY, True), (NUM_ERROR, ACCURACY, False)):
        if target in table.columns:
            table = _to_error_rate_if_percent(table, target, notes)
            refuse_thousands(options.column_map.get(target, target), table[target])
            continue
        errors = _find_measure(table, _ERROR_WORDS, is_validation)
        accuracies = [accuracy] if accuracy in table.columns else _find_measure(table, _ACCURACY_WORDS, is_validation)
        errors = [name for name in errors if len(accuracies) != 1 or _agree(table[name], table[accuracies[0]])]
        if len(errors) == 1:
            notes.append(f"{errors[0]} is taken for the errors on the {_split_name(is_validation)} split.")
            table = table.rename(columns={errors[0]: target})
            table = _to_error_rate_if_percent(table, target, notes)
        elif not errors and len(accuracies) == 1:
            table = _to_error_rate(table, accuracies[0], target, accuracy, notes, _split_name(is_validation))
    if VAL_NUM_ERROR not in table.columns and NUM_ERROR not in table.columns:
        _refuse_missing_measure(table)
    return MeasuredTable(table, notes, None)


def is_measure_name(name: str) -> bool:
    """Return whether a name says that a column holds accuracies or errors."""
    return bool((_ACCURACY_WORDS | _ERROR_WORDS) & set(split_words(name)))


def _split_name(is_validation: bool) -> str:
    return "validation" if is_validation else "test"


def _agree(errors: pd.Series, accuracies: pd.Series) -> bool:
    """Return whether errors are what accuracies say: their complement, or a multiple of it."""
    error, accuracy = (_strip_percent(column).astype(np.float64) for column in (errors, accuracies))
    wrong = (100 if accuracy.max() > 1 else 1) - accuracy
    is_known = error.notna() & (wrong > 0)
    ratio = error[is_known] / wrong[is_known]
    return (
        bool(is_known.any())
        and float(ratio.median()) > 0
        and bool((abs(ratio / ratio.median() - 1) < 0.1).mean() > 0.9)
    )


def _find_measure(table: pd.DataFrame, words: set[str], is_validation: bool) -> list[str]:
    """Return the columns of numbers whose names hold one of these words and are of the right split."""
    found = []
    for name in table.columns:
        name_words = set(split_words(name))
        if name in RESULT_COLUMNS or not words & name_words or _OTHER_WORDS & name_words:
            continue
        if _ACCURACY_WORDS & name_words and _ERROR_WORDS & name_words:  # the error of an accuracy
            continue
        if bool(_VALIDATION_WORDS & name_words) == is_validation and _is_numeric(table[name]):
            found.append(name)
    exact = [name for name in found if set(split_words(name)) <= words | _VALIDATION_WORDS | {"test"}]
    return exact if len(exact) == 1 else found


def _is_numeric(column: pd.Series) -> bool:
    """Return whether a column holds numbers, or text such as "82.2 %"."""
    values = column.dropna()
    return not values.empty and column.dtype.kind != "b" and bool(_strip_percent(values).notna().all())


def _strip_percent(values: pd.Series) -> pd.Series:
    """Return values as numbers; NaN where they are none. A percent sign is removed."""
    if values.dtype.kind in "iuf":
        return values
    text = values.astype(str).str.strip()
    return pd.to_numeric(text.str.removesuffix("%").str.strip(), errors="coerce")


def _has_percent_signs(column: pd.Series) -> bool:
    return column.dtype.kind == "O" and bool(column.dropna().astype(str).str.strip().str.endswith("%").any())


def _to_error_rate_if_percent(table: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Remove percent signs from a column of errors."""
    if not _has_percent_signs(table[name]) or not _is_numeric(table[name]):
        return table
    notes.append(f"{name} is a rate of errors in percent.")
    return table.assign(**{name: _strip_percent(table[name])})


def _to_error_rate(
    table: pd.DataFrame, own_name: str, target: str, accuracy: str, notes: list[str], split: str
) -> pd.DataFrame:
    """Add the rate of errors, in percent, and the accuracy as a fraction, from a column of accuracies."""
    numbers = to_numbers(_strip_percent(table[own_name]).rename(own_name)).astype(np.float64)
    known = numbers.dropna()
    has_signs = _has_percent_signs(table[own_name])
    if (known < 0).any() or (known > _PERCENT).any():
        raise RequestError(
            f"{own_name}: an accuracy lies between 0 and 1, or between 0 and 100 %, "
            f"not at {known[(known < 0) | (known > _PERCENT)].iloc[0]:g}; "
            f"for another measure say --measure {own_name!r} --higher-is-better"
        )
    is_percent = has_signs or bool((known > 1).any())
    if has_signs:
        texts = table[own_name].dropna().astype(str).str.strip()
        plain = known[~texts.str.endswith("%")]
        if ((plain > 0) & (plain <= 1)).any():
            raise RequestError(
                f"{own_name}: some accuracies have a percent sign and some are fractions ({plain.iloc[0]:g}); "
                f"write all in one way, or select rows with --where"
            )
    has_fractions = bool(((known > 0) & (known < 1)).any())
    if is_percent and not has_signs and has_fractions and (known[known > 1].min() > 10):
        raise RequestError(
            f"{own_name}: some accuracies are fractions ({known[known < 1].iloc[0]:g}) and some are percents "
            f"({known[known > 1].iloc[0]:g}); write all in one way, "
            f"or select rows with --where; --measure {own_name!r} --higher-is-better takes them as they are"
        )
    unit = "percent" if is_percent else "fractions"
    fraction = numbers / _PERCENT if is_percent else numbers
    # Rounding keeps equal accuracies equal: 1 - 0.822 is not 0.178.
    rate = ((1 - fraction) * _PERCENT).round(10)
    notes.append(
        f"{own_name} is read as accuracies on the {split} split, in {unit}; "
        f"errors are rates in percent of the examples (100 - accuracy)."
    )
    if own_name != accuracy:
        table = table.drop(columns=own_name)
    return table.assign(**{accuracy: fraction, target: rate})


def refuse_thousands(name: str, column: pd.Series) -> None:
    """Raise RequestError if whole numbers of three digits stand beside numbers such as 1.02, which may mean 1,020."""
    if column.dtype.kind not in "fO":
        return
    numbers = _strip_percent(column.dropna()).dropna().astype(np.float64)
    is_whole = numbers % 1 == 0
    fractions, wholes = numbers[~is_whole], numbers[is_whole]
    if fractions.empty or not ((wholes >= 100) & (wholes < 1000)).any():
        return
    has_three_decimals = bool((abs(fractions * 1000 - (fractions * 1000).round()) < 1e-6).all())
    # Decimals would lie among the whole numbers; thousands that are read as decimals lie far below them.
    is_far_below = fractions.max() < wholes[wholes >= 100].min() / 2
    if has_three_decimals and is_far_below and (fractions >= 1).all() and ((wholes >= 100) | (wholes < 10)).all():
        raise RequestError(
            f"{name}: {fractions.iloc[0]:g} beside {wholes[wholes >= 100].iloc[0]:g} looks like a number with a point "
            f"between thousands ({fractions.iloc[0] * 1000:g}); write thousands without marks, as in 1234"
        )


def _refuse_mapped_accuracy(table: pd.DataFrame, options: ReadingOptions) -> None:
    """Raise RequestError if a column that looks like an accuracy is mapped to errors: the worst T would be the best."""
    if options.is_higher_better is False:
        return
    for target, split_accuracy in ((NUM_ERROR, ACCURACY), (VAL_NUM_ERROR, VAL_ACCURACY)):
        own_name = options.column_map.get(target)
        if own_name is None or target not in table.columns:
            continue
        says_accuracy = bool(_ACCURACY_WORDS & set(split_words(own_name)))
        numbers = _strip_percent(table[target].dropna()).dropna()
        reason = "its name says that it is an accuracy, of which more is better" if says_accuracy else ""
        if not reason and _looks_like_accuracy(numbers):
            reason = (
                f"its values ({numbers.min():g} to {numbers.max():g}) look like accuracies, of which more is better"
            )
        if reason:
            raise RequestError(
                f"--map {target}={own_name}: {reason}; say --map {split_accuracy}={own_name} to have it turned into "
                f"errors, or add --lower-is-better if fewer really is better"
            )


def _looks_like_accuracy(numbers: pd.Series) -> bool:
    """Return whether most values lie between 0.5 and 1, or between 50 and 100 with decimals."""
    if numbers.empty or numbers.min() < 0:
        return False
    has_decimals = bool((numbers % 1 != 0).any())
    for top in (1.0, _PERCENT):
        if numbers.max() <= top and numbers.median() >= top / 2:
            return has_decimals
    return False


def _read_chosen_measure(table: pd.DataFrame, name: str, options: ReadingOptions) -> MeasuredTable:
    """Add ``SCORE``, which is to be minimized, from the measure that the user names."""
    if name not in table.columns:
        raise RequestError(f"--measure: there is no column {name!r}; {suggest_nearest(name, table.columns)}")
    if not _is_numeric(table[name]):
        to_numbers(table[name])  # raises with the first value that is no number
        raise RequestError(f"--measure {name}: the column has no numbers")
    if options.is_higher_better is None:
        if _ACCURACY_WORDS & set(split_words(name)):
            table = table.drop(columns=[NUM_ERROR, VAL_NUM_ERROR], errors="ignore")
            notes: list[str] = []
            is_validation = bool(_VALIDATION_WORDS & set(split_words(name)))
            target, accuracy = (VAL_NUM_ERROR, VAL_ACCURACY) if is_validation else (NUM_ERROR, ACCURACY)
            table = _to_error_rate(table, name, target, accuracy, notes, _split_name(is_validation))
            return MeasuredTable(table, notes, None)
        raise RequestError(
            f"--measure {name}: say which values are better, with --higher-is-better or --lower-is-better"
        )
    numbers = to_numbers(_strip_percent(table[name]).rename(name)).astype(np.float64)
    score = -numbers if options.is_higher_better else numbers
    direction = "more is better" if options.is_higher_better else "less is better"
    note = f"T is chosen by {name} ({direction}), in its own units."
    others = [column for column in RESULT_COLUMNS if column in table.columns and column != name]
    if others:
        note += f" {', '.join(others)}: not used."
    table = table.drop(columns=[*others, name], errors="ignore").assign(**{SCORE: score})
    return MeasuredTable(table, [note], Measure(name, options.is_higher_better))


def _refuse_missing_measure(table: pd.DataFrame) -> None:
    """Raise RequestError: no column is a measure, or several may be."""
    named = [name for name in table.columns if is_measure_name(name)]
    candidates = [name for name in named if _is_numeric(table[name])]
    texts = [name for name in named if name not in candidates and table[name].notna().any()]
    if texts and not candidates:
        example = table[texts[0]].dropna().iloc[0]
        raise RequestError(
            f"{texts[0]}: it seems to be the measure, but holds {example!r}, which is no number; write numbers alone, "
            f"or name another column: --map {NUM_ERROR}=NAME, --map {ACCURACY}=NAME"
        )
    if candidates:
        question = "this column may be" if len(candidates) == 1 else "several columns may be"
        raise RequestError(
            f"{question} the measure that T is chosen by: {describe_columns(candidates, 6)}; "
            f"say which: --map {VAL_NUM_ERROR}=NAME for errors on a validation split, --map {NUM_ERROR}=NAME for "
            f"errors on a test split, --map {VAL_ACCURACY}=NAME or --map {ACCURACY}=NAME for accuracies"
        )
    known = {TEMP, REPLICATE, WIDTH}
    numeric = [name for name in table.columns if name not in known and table[name].nunique() > 1]
    numeric = [name for name in numeric if _is_numeric(table[name])]
    raise RequestError(
        f"the table has no errors: it needs a column {VAL_NUM_ERROR} or {NUM_ERROR} (--map {NUM_ERROR}=NAME), "
        f"accuracies (--map {ACCURACY}=NAME), or another measure (--measure NAME with --higher-is-better or "
        f"--lower-is-better); it has numbers in {describe_columns(numeric) or 'no other column'}"
    )
