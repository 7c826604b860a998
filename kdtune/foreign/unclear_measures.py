"""Refuse tables of which nobody can say in which column the measure is, or whether more of it is better."""

from __future__ import annotations

import shlex
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_map
from kdtune.columns import ACCURACY, NUM_ERROR, REPLICATE, TEMP, VAL_ACCURACY, VAL_NUM_ERROR, WIDTH
from kdtune.errors import RequestError
from kdtune.foreign.column_names import describe_columns
from kdtune.foreign.measure_names import (
    is_accuracy_name,
    is_error_name,
    is_measure_name,
    says_accuracy,
    says_opposite_of_accuracy,
    says_opposite_of_error,
)
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.optuna_objective import describe_objective
from kdtune.foreign.percents import is_numeric, strip_percent
from kdtune.foreign.summed_runs import refuse_spreads

_PERCENT = 100.0


def refuse_contradictory_maps(table: pd.DataFrame, options: ReadingOptions) -> None:
    """Raise RequestError if a column is mapped to errors or accuracies but seems to be the opposite.

    The worst T would be the best.
    """
    if options.is_higher_better is False:
        return
    for target, accuracy in ((NUM_ERROR, ACCURACY), (VAL_NUM_ERROR, VAL_ACCURACY)):
        if target in options.column_map and target in table.columns:
            _refuse_accuracy(options.column_map[target], table[target], target, accuracy)
        if accuracy in options.column_map and accuracy in table.columns:
            _refuse_error(options.column_map[accuracy], target, accuracy)


def _refuse_accuracy(own_name: str, column: pd.Series, target: str, accuracy: str) -> None:
    """Raise RequestError if a column that is mapped to errors looks like an accuracy."""
    numbers = strip_percent(column.dropna()).dropna()
    if says_accuracy(own_name):
        reason = "its name says that it is an accuracy, of which more is better"
    elif looks_like_accuracy(numbers):
        reason = f"its values ({numbers.min():g} to {numbers.max():g}) look like accuracies, of which more is better"
    elif says_opposite_of_error(own_name):
        reason = "its name says the opposite of an error, of which more is better"
    else:
        return
    raise RequestError(
        f"--map {target}={own_name}: {reason}; {suggest_map(accuracy, own_name)} has it turned into errors; "
        f"add --lower-is-better if fewer really is better"
    )


def _refuse_error(own_name: str, target: str, accuracy: str) -> None:
    """Raise RequestError if a column that is mapped to accuracies is an error by its name, or no accuracy."""
    if is_error_name(own_name):
        reason = "its name says that it is an error, of which fewer is better"
    elif says_opposite_of_accuracy(own_name):
        reason = "its name says the opposite of an accuracy"
    else:
        return
    raise RequestError(
        f"--map {accuracy}={own_name}: {reason}; if fewer is better say {suggest_map(target, own_name)} instead; if "
        f"more really is better say --measure {shlex.quote(own_name)} --higher-is-better instead"
    )


def refuse_several_measures(errors: list[str], accuracies: list[str], target: str, accuracy: str) -> NoReturn:
    """Raise RequestError: a table has errors and accuracies that are not each other's complement."""
    choices = [*(suggest_map(target, name) for name in errors), *(suggest_map(accuracy, name) for name in accuracies)]
    raise RequestError(
        f"{describe_columns([*errors, *accuracies])} may be the measure that T is chosen by, and they do not agree; "
        f"say which: {' or '.join(choices)}"
    )


def looks_like_accuracy(numbers: pd.Series) -> bool:
    """Return whether most values lie between 0.5 and 1, or between 50 and 100 with decimals."""
    if numbers.empty or numbers.min() < 0:
        return False
    has_decimals = bool((numbers % 1 != 0).any())
    for top in (1.0, _PERCENT):
        if numbers.max() <= top and numbers.median() >= top / 2:
            return has_decimals
    return False


def refuse_missing_measure(table: pd.DataFrame) -> None:
    """Raise RequestError: no column is a measure, or several may be, or a name leaves open what it says."""
    named = [name for name in table.columns if is_measure_name(name)]
    candidates = [name for name in named if is_numeric(table[name])]
    texts = [name for name in named if name not in candidates and table[name].notna().any()]
    if texts and not candidates:
        values = table[texts[0]].dropna()
        refuse_spreads(texts[0], values)
        is_wrong = strip_percent(values).isna()
        example = values[is_wrong].iloc[0] if is_wrong.any() else values.iloc[0]
        raise RequestError(
            f"{texts[0]}: it seems to be the measure, but holds {example!r}, which is no number; write numbers "
            f"alone and leave cells without a result empty, or name another column: "
            f"--map {NUM_ERROR}=NAME, --map {ACCURACY}=NAME"
        )
    if candidates:
        _refuse_candidates(candidates)
    known = {TEMP, REPLICATE, WIDTH}
    numeric = [name for name in table.columns if name not in known and table[name].nunique() > 1]
    numeric = [name for name in numeric if is_numeric(table[name])]
    objective = describe_objective(table.columns)
    objective = f". {objective.removesuffix('.')}" if objective else ""
    raise RequestError(
        f"the table has no errors: it needs a column {VAL_NUM_ERROR} or {NUM_ERROR} (--map {NUM_ERROR}=NAME), "
        f"accuracies (--map {ACCURACY}=NAME), or another measure (--measure NAME with --higher-is-better or "
        f"--lower-is-better); it has numbers in {describe_columns(numeric) or 'no other column'}{objective}"
    )


def _refuse_candidates(candidates: list[str]) -> None:
    """Raise RequestError: columns whose names speak of errors or accuracies may be the measure."""
    question = "this column may be" if len(candidates) == 1 else "several columns may be"
    name = shlex.quote(candidates[0]) if len(candidates) == 1 and "," not in candidates[0] else "NAME"
    is_open = not any(is_accuracy_name(candidate) or is_error_name(candidate) for candidate in candidates)
    doubt = ", but no name says surely whether more or less is better" if is_open else ""
    raise RequestError(
        f"{question} the measure that T is chosen by{doubt}: {describe_columns(candidates, 6)}; "
        f"say which: --map {VAL_NUM_ERROR}={name} for errors on a validation split, --map {NUM_ERROR}={name} for "
        f"errors on a test split, --map {VAL_ACCURACY}={name} or --map {ACCURACY}={name} for accuracies, "
        f"--measure {name} --higher-is-better or --measure {name} --lower-is-better for anything else"
    )
