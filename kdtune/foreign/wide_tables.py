"""Refuse wide tables, which have a column for each T or seed, and write how pandas makes them one row per run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

import pandas as pd

from kdtune.columns import ACCURACY, MODEL, NUM_ERROR, TEMP
from kdtune.foreign.column_names import describe_columns, split_words
from kdtune.foreign.measure_names import is_accuracy_name, is_error_name
from kdtune.foreign.melting import Family, find_stem, name_measure, write_command
from kdtune.foreign.mending import MendingError
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.percents import is_numeric
from kdtune.foreign.unclear_measures import looks_like_accuracy
from kdtune.foreign.wide_companions import Companions, find_companions
from kdtune.text import join_names

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_TEMPERATURE_WORDS = {"t", "temp", "temps", "temperature", "temperatures", "tau", "kdt"}
_SEED_WORDS = {"seed", "seeds", "rep", "reps", "replicate", "run", "fold", "trial", "repeat", "repetition", "cv", "s",
               "r", "attempt", "init", "kfold"}  # fmt: skip
_TOP_KS = {"1", "3", "5", "10"}  # acc1 and acc5 are two measures


def refuse_wide_temperatures(table: pd.DataFrame) -> None:
    """Raise RequestError if a table without a column of T has columns whose names differ in a number, maybe T."""
    families = _find_families(table)
    found = [family for family in families if _says_temperature(family)]
    found = found or [family for family in families if _is_measure(family)]
    if found:
        _refuse(table, _add_companions(found, families), TEMP, "temperatures")


def refuse_wide_replicates(table: pd.DataFrame, options: ReadingOptions) -> None:
    """Raise RequestError if each replicate has a column of its own for the measure, and there is no other measure."""
    if options.measure is not None:
        return
    families = _find_families(table)
    found = [family for family in families if _says_replicate(family) or _is_measure(family)]
    names = {name for family in found for name in family.columns}
    if found and not any(is_accuracy_name(name) or is_error_name(name) for name in table.columns if name not in names):
        _refuse(table, _add_companions(found, families), "seed", "seeds")


def _refuse(table: pd.DataFrame, families: list[Family], variable: str, meaning: str) -> NoReturn:
    names = [name for family in families for name in family.columns]
    companions = Companions([name for name in table.columns if name not in names], [], {})
    measure, choice = "", []
    if len(families) == 1:
        companions = find_companions(table, names, find_stem(families[0]), families[0].suffix)
        measure = name_measure(families[0])
    if len(families) == 1 and not measure:
        choice = [NUM_ERROR, ACCURACY]
        values = pd.concat([table[name] for name in names])
        if looks_like_accuracy(pd.to_numeric(values, errors="coerce").dropna()):  # Single values may be words.
            choice.reverse()
        measure = choice[0]
    reason = f"the table has no column {TEMP!r}, but" if variable == TEMP else "the table has the measure in several"
    reason += f" columns {describe_columns(names, 6)}"
    command = write_command(families, companions.ids, variable, measure, companions.statistics, companions.roles)
    raise MendingError(
        f"{reason}: if the numbers in these names are {meaning}, bring the table into one row per run with pandas, "
        "as in ",
        [command],
        _describe_choice(choice, companions),
    )


def _describe_choice(choice: list[str], companions: Companions) -> str:
    """Say what to write if the measure is another one, and what becomes of the other columns."""
    ending = ""
    what = {NUM_ERROR: "errors", ACCURACY: "accuracies"}
    if choice and companions.roles:
        ending = f" for {what[choice[0]]}, and {choice[1]!r} instead of {choice[0]!r} for {what[choice[1]]}"
    elif choice:
        ending = f" for {what[choice[0]]}, value_name={choice[1]!r} for {what[choice[1]]}"
    if companions.statistics:
        verb = "sums" if len(companions.statistics) == 1 else "sum"
        ending += f"; it leaves out {join_names(companions.statistics)}, which {verb} up the others"
    if companions.roles:
        verb = "becomes" if len(companions.roles) == 1 else "become"
        roles = dict.fromkeys(companions.roles.values())
        ending += f"; {join_names(list(companions.roles))} {verb} rows of their own ({MODEL} {join_names(list(roles))})"
    return ending


def _find_families(table: pd.DataFrame) -> list[Family]:
    """Return the columns of numbers whose names differ in one number only, at least two of them together."""
    columns: dict[tuple[str, str], list[str]] = {}
    for name in table.columns:
        for match in _NUMBER.finditer(name):
            columns.setdefault((name[: match.start()], name[match.end() :]), []).append(name)
    families = [Family(prefix, suffix, names) for (prefix, suffix), names in columns.items() if len(names) > 1]
    return [family for family in families if all(is_numeric(table[name]) for name in family.columns)]


def _says_temperature(family: Family) -> bool:
    if not family.prefix and not family.suffix:
        return True
    return split_words(family.prefix)[-1:] != [] and split_words(family.prefix)[-1] in _TEMPERATURE_WORDS


def _says_replicate(family: Family) -> bool:
    words = split_words(family.prefix)
    rest = name_measure(family)
    return bool(words) and words[-1] in _SEED_WORDS and (not rest or is_accuracy_name(rest) or is_error_name(rest))


def _is_measure(family: Family) -> bool:
    """Return whether the name without its number is that of a measure, as of acc_0, acc_1 and acc_2."""
    name = f"{family.prefix} {family.suffix}"
    if "epoch" in split_words(name) or (set(family.list_numbers()) <= _TOP_KS and "1" in family.list_numbers()):
        return False
    return is_accuracy_name(name) or is_error_name(name)


def _add_companions(found: list[Family], families: Iterable[Family]) -> list[Family]:
    """Add the columns of other measures that have the same numbers in their names, as loss_1 beside acc_1."""
    found_names = {name for family in found for name in family.columns}
    numbers = found[0].list_numbers()
    others = [
        family
        for family in families
        if family.list_numbers() == numbers
        and not found_names & set(family.columns)
        and (family.prefix or family.suffix)
    ]
    return [*found, *others]
