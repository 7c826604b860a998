"""Find the measure that T is chosen by, and turn accuracies into rates of errors."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.analysis.column_values import to_numbers
from kdtune.analysis.selection_measure import Measure, make_missing_select_error
from kdtune.columns import (
    ACCURACY,
    BALANCED_ERROR,
    ERROR,
    MODEL,
    NUM_ERROR,
    RESULT_COLUMNS,
    SCORE,
    STUDENT,
    VAL_ACCURACY,
    VAL_BALANCED_ERROR,
    VAL_NUM_ERROR,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.foreign.error_units import add_doubt, is_unit_doubtful, prove_unit
from kdtune.foreign.fixed_splits import find_fixed_split
from kdtune.foreign.measure_names import (
    is_accuracy_name,
    is_error_name,
    is_short_name,
    is_test_name,
    is_validation_name,
)
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.percents import has_percent_signs, is_numeric, strip_percent
from kdtune.foreign.split_columns import refuse_split_column
from kdtune.foreign.unclear_measures import refuse_contradictory_maps, refuse_missing_measure, refuse_several_measures
from kdtune.text import suggest_nearest

_PERCENT = 100.0
_LOW_ACCURACY = 30.0  # percent; guessing among three classes is better
_PERCENT_WORDS = {"percent", "pct", "percentage"}

_SPLIT_WORDS = {"test", "val", "valid", "validation", "dev", "eval", "rate", "percent", "top1"}


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
    refuse_contradictory_maps(table, options)
    select = options.select or NUM_ERROR
    is_selected = select != NUM_ERROR
    if is_selected and {select, VALIDATION_MEASURES[select]}.isdisjoint(table.columns):
        raise make_missing_select_error(table, select)
    fixed = find_fixed_split(table)
    notes = [] if fixed is None else [fixed.describe()]
    is_all_validation = fixed is not None and fixed.is_validation
    _refuse_split_measures(table, options)
    for target, accuracy, is_validation in ((VAL_NUM_ERROR, VAL_ACCURACY, True), (NUM_ERROR, ACCURACY, False)):
        if is_all_validation and is_validation and NUM_ERROR in table.columns and NUM_ERROR not in options.column_map:
            table = table.rename(columns={NUM_ERROR: VAL_NUM_ERROR}) if target not in table.columns else table
        if target in table.columns:
            own_name = options.column_map.get(target, target)
            refuse_thousands(own_name, table[target])
            table = _read_error_rates(table, own_name, target, accuracy, notes)
            continue
        errors = _find_measure(table, is_error_name, is_validation, is_all_validation)
        accuracies = [accuracy] if accuracy in table.columns else []
        accuracies = accuracies or _find_measure(table, is_accuracy_name, is_validation, is_all_validation)
        if not accuracies and is_all_validation and is_validation and ACCURACY not in options.column_map:
            accuracies = [name for name in table.columns if name == ACCURACY]
        unlike = errors if len(accuracies) == 1 else []
        unlike = [name for name in unlike if not _is_complement(table[name], table[accuracies[0]])]
        is_told = accuracy in options.column_map
        if not is_told and any(_is_surely_error(name) for name in unlike):
            refuse_several_measures(unlike, accuracies, target, accuracy)
        errors = [name for name in errors if name not in unlike]
        if len(errors) == 1:
            notes.append(f"{errors[0]} is taken for the errors on the {_name_split(is_validation)} split.")
            table = table.rename(columns={errors[0]: target})
            table = _read_error_rates(table, errors[0], target, accuracy, notes)
            to_numbers(table[target], errors[0])  # raises if one is negative
        elif not errors and len(accuracies) == 1:
            table = _to_error_rate(table, accuracies[0], target, accuracy, notes, _name_split(is_validation))
            if is_told and (100 - table[target]).max() < _LOW_ACCURACY:
                own_name = options.column_map[accuracy]
                notes.append(
                    f"{own_name} is below {_LOW_ACCURACY:g} % in every row, which is little for an accuracy: if these "
                    f"are error rates, say --map {target}={shlex.quote(own_name)}."
                )
    if VAL_NUM_ERROR not in table.columns and NUM_ERROR not in table.columns and not is_selected:
        table = _take_balanced_errors(table, notes)
    return MeasuredTable(table, notes, None)


def _take_balanced_errors(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Take balanced errors for the errors of a table that has no others, and refuse one that has not these either."""
    new_names = {}
    for name, target in ((VAL_BALANCED_ERROR, VAL_NUM_ERROR), (BALANCED_ERROR, NUM_ERROR)):
        if name in table.columns and is_numeric(table[name]):
            notes.append(f"{name} is taken for the errors on the {_name_split(target == VAL_NUM_ERROR)} split.")
            new_names[name] = target
    if not new_names:
        refuse_missing_measure(table)
    table = table.rename(columns=new_names)
    for name, target in new_names.items():
        accuracy = VAL_ACCURACY if target == VAL_NUM_ERROR else ACCURACY
        table = _read_error_rates(table, name, target, accuracy, notes)
        to_numbers(table[target], name)  # raises if one is negative
    return table


def _refuse_split_measures(table: pd.DataFrame, options: ReadingOptions) -> None:
    """Raise RequestError if a measure of distilled students stands in two columns, each of which has other rows."""
    targets = {is_error_name: (VAL_NUM_ERROR, NUM_ERROR), is_accuracy_name: (VAL_ACCURACY, ACCURACY)}
    for is_measure, (validation_target, test_target) in targets.items():
        named = [name for name in table.columns if is_measure(name) and table[name].isna().any() and name != ERROR]
        named = [name for name in named if is_numeric(table[name])]
        for is_validation in (True, False):
            parts = [name for name in named if is_validation_name(name) == is_validation]
            if len(parts) > 1 and not set(options.column_map) & set(parts):
                target = validation_target if is_validation else test_target
                refuse_split_column(table[table[MODEL] == STUDENT], parts, target)


def _is_surely_error(name: str) -> bool:
    """Return whether a name surely says errors: others may be standard errors, or count exceptions."""
    words = set(split_words(name))
    return bool({"error", "errors"} & words and _SPLIT_WORDS & words) or bool(
        {"misclassified", "misclassification"} & words
    )


def _name_split(is_validation: bool) -> str:
    return "validation" if is_validation else "test"


def _is_complement(errors: pd.Series, accuracies: pd.Series) -> bool:
    """Return whether errors are what accuracies say: their complement, or a multiple of it."""
    error, accuracy = (strip_percent(column).astype(np.float64) for column in (errors, accuracies))
    wrong = (100 if accuracy.max() > 1 else 1) - accuracy
    is_known = error.notna() & (wrong > 0)
    ratio = error[is_known] / wrong[is_known]
    return (
        bool(is_known.any())
        and float(ratio.median()) > 0
        and bool((abs(ratio / ratio.median() - 1) < 0.1).mean() > 0.9)
    )


def _find_measure(
    table: pd.DataFrame, is_measure: Callable[[str], bool], is_validation: bool, is_all_validation: bool
) -> list[str]:
    """Return the columns of numbers whose names surely say this measure, and are of the right split.

    Names that say no split are of the test split, unless all rows are of the validation split.
    """
    found = [
        name
        for name in table.columns
        if name not in RESULT_COLUMNS
        and is_measure(name)
        and (is_validation_name(name) or (is_all_validation and not is_test_name(name))) == is_validation
        and is_numeric(table[name])
    ]
    exact = [name for name in found if is_short_name(name)]
    return exact if len(exact) == 1 else found


def _read_error_rates(table: pd.DataFrame, own_name: str, target: str, accuracy: str, notes: list[str]) -> pd.DataFrame:
    """Read rates of errors in percent; a column of numbers of errors stays as it is.

    Rates have percent signs, say so in their name, or are fractions. The accuracy is added as a fraction, by which the
    analysis knows the unit of the errors.
    """
    if not is_numeric(table[target]):
        return table
    rates = strip_percent(table[target]).astype(np.float64)
    known = rates.dropna()
    are_fractions = bool(((known >= 0) & (known <= 1)).all()) and bool((known % 1 != 0).any())
    if has_percent_signs(table[target]) or "%" in own_name or _PERCENT_WORDS & set(split_words(own_name)):
        if not ((known >= 0) & (known <= _PERCENT)).all():
            return table
        notes.append(f"{own_name} is a rate of errors in percent.")
    elif are_fractions:
        unit = prove_unit(table, target)
        if unit is None and is_unit_doubtful(known):
            notes[:] = add_doubt(notes, own_name, known)
            return table
        if unit == "percent":
            notes.append(f"{own_name} is a rate of errors in percent: the accuracies of the table say so.")
        else:
            rates = (_PERCENT * rates).round(10)
            notes.append(
                f"{own_name} is a rate of errors in fractions; errors are in percent of the examples (100 * it)."
            )
    else:
        return table
    accuracies = {} if accuracy in table.columns else {accuracy: 1 - rates / _PERCENT}
    return table.assign(**{target: rates}, **accuracies)


def _to_error_rate(
    table: pd.DataFrame, own_name: str, target: str, accuracy: str, notes: list[str], split: str
) -> pd.DataFrame:
    """Add the rate of errors, in percent, and the accuracy as a fraction, from a column of accuracies."""
    numbers = strip_percent(table[own_name])
    wrong_values = table[own_name][numbers.isna() & table[own_name].notna()]
    if len(wrong_values):
        to_numbers(wrong_values)  # raises with the first
    numbers = to_numbers(numbers.rename(own_name)).astype(np.float64)
    known = numbers.dropna()
    has_signs = has_percent_signs(table[own_name])
    if (known < 0).any() or (known > _PERCENT).any():
        raise RequestError(
            f"{own_name}: an accuracy lies between 0 and 1, or between 0 and 100 %, "
            f"not at {known[(known < 0) | (known > _PERCENT)].iloc[0]:g}; "
            f"for another measure say --measure {shlex.quote(own_name)} --higher-is-better or --lower-is-better"
        )
    is_percent = has_signs or bool((known > 1).any())
    if has_signs:
        texts = table[own_name].dropna().astype(str).str.strip()
        plain = known[~texts.str.endswith("%")]
        if ((plain > 0) & (plain <= 1)).any():
            raise RequestError(
                f"{own_name}: some accuracies have a percent sign and some are fractions ({plain.iloc[0]:g}); "
                f"write all in one way"
            )
    has_fractions = bool(((known > 0) & (known < 1)).any())
    if is_percent and not has_signs and has_fractions and (known[known > 1].min() > 10):
        raise RequestError(
            f"{own_name}: some values are fractions ({known[known < 1].iloc[0]:g}) and some are percents "
            f"({known[known > 1].iloc[0]:g}); write all in one way"
        )
    unit, formula = ("percent", "100 - accuracy") if is_percent else ("fractions", "100 * (1 - accuracy)")
    fraction = numbers / _PERCENT if is_percent else numbers
    # Rounding keeps equal accuracies equal: 1 - 0.822 is not 0.178.
    rate = ((1 - fraction) * _PERCENT).round(10)
    notes.append(
        f"{own_name} is read as accuracies on the {split} split, in {unit}; "
        f"errors are rates in percent of the examples ({formula})."
    )
    if own_name != accuracy:
        table = table.drop(columns=own_name)
    return table.assign(**{accuracy: fraction, target: rate})


def refuse_thousands(name: str, column: pd.Series) -> None:
    """Raise RequestError if whole numbers of three digits stand beside numbers such as 1.02, which may mean 1,020."""
    if column.dtype.kind not in "fO":
        return
    numbers = strip_percent(column.dropna()).dropna().astype(np.float64)
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


def _read_chosen_measure(table: pd.DataFrame, name: str, options: ReadingOptions) -> MeasuredTable:
    """Add ``SCORE``, which is to be minimized, from the measure that the user names."""
    if name not in table.columns:
        raise RequestError(f"--measure: there is no column {name!r}; {suggest_nearest(name, table.columns)}")
    if not is_numeric(table[name]):
        to_numbers(table[name])  # raises with the first value that is no number
        raise RequestError(f"--measure {name}: the column has no numbers")
    if options.is_higher_better is None:
        if is_accuracy_name(name):
            table = table.drop(columns=[NUM_ERROR, VAL_NUM_ERROR], errors="ignore")
            notes: list[str] = []
            is_validation = is_validation_name(name)
            target, accuracy = (VAL_NUM_ERROR, VAL_ACCURACY) if is_validation else (NUM_ERROR, ACCURACY)
            table = _to_error_rate(table, name, target, accuracy, notes, _name_split(is_validation))
            return MeasuredTable(table, notes, None)
        raise RequestError(
            f"--measure {name}: say which values are better, with --higher-is-better or --lower-is-better"
        )
    numbers = to_numbers(strip_percent(table[name]).rename(SCORE), name).astype(np.float64)
    score = -numbers if options.is_higher_better else numbers
    direction = "more is better" if options.is_higher_better else "less is better"
    note = f"T is chosen by {name} ({direction}), in its own units."
    others = [column for column in RESULT_COLUMNS if column in table.columns and column != name]
    if others:
        note += f" {', '.join(others)}: not used."
    table = table.drop(columns=[*others, name], errors="ignore").assign(**{SCORE: score})
    return MeasuredTable(table, [note], Measure(name, options.is_higher_better))
