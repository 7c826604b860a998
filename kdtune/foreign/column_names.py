"""Recognize columns by their names, as scripts, trackers and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from kdtune.columns import MODEL, REPLICATE, STATUS, TEMP
from kdtune.errors import RequestError

# What trackers put in front of a name: Ray ("config/"), Weights & Biases ("config."), Optuna ("params_",
# "user_attrs_"), MLflow ("params.", "metrics.").
_PREFIX = re.compile(
    r"^(train_loop_config|config|cfg|conf|params?|hparams?|hyper_?parameters|hp|args|user_attrs?|metrics?|summary"
    r"|results?)[/.:_]+",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_TEMPERATURE_NAMES = {"temp", "temperature", "temperatures", "tau", "kd t", "kd temp", "kd temperature", "kd tau",
                      "distill t", "distill temp", "distill temperature", "distillation t", "distillation temp",
                      "distillation temperature", "soft temp", "softmax temperature", "student temp",
                      "distill tau", "temp t", "t kd", "temperature t"}  # fmt: skip
_STATE_NAMES = {"status", "state", "run state", "run status", "trial state", "trial status", "job state", "job status"}
_REPLICATE_NAMES = {"replicate", "replicates", "replication", "rep", "repetition", "repeat", "fold", "cv fold",
                    "random state", "replica"}  # fmt: skip
_MACHINE_WORDS = {"gpu", "cpu", "system", "cuda", "device", "sensor", "node"}  # a GPU has a temperature, too
_WIDTH_NAMES = {"width", "student width"}


def split_words(name: str) -> list[str]:
    """Split a name into lower-case words, as in "config/student_width" -> ["student", "width"]."""
    return [word.lower() for word in _SPLIT.split(strip_prefix(name)) if word]


def strip_prefix(name: str) -> str:
    """Remove what a tracker put in front of a name; a name that is nothing else stays."""
    stripped = name.strip().lstrip("_ ")
    while True:
        shorter = _PREFIX.sub("", stripped, count=1)
        if shorter == stripped or not shorter:
            return stripped
        stripped = shorter


def find_temperature(names: Iterable[str]) -> str | None:
    """Return the column of the distillation temperature; None if no name says so.

    Raises
    ------
    RequestError
        If several do.
    """
    candidates = []
    for name in names:
        words = split_words(name)
        is_capital = re.split(r"[/.:_ ]", strip_prefix(name))[-1] == "T"
        phrases = {" ".join(words), " ".join(words[-1:]), " ".join(words[-2:])}
        if (is_capital or phrases & _TEMPERATURE_NAMES) and not _MACHINE_WORDS & set(words):
            candidates.append(name)
    return _choose_one(candidates, TEMP)


def find_seeds(names: Iterable[str]) -> list[str]:
    """Return the columns that name a replicate: seeds, repetitions, folds of a cross-validation."""
    names = list(names)
    if REPLICATE in names:
        return [REPLICATE]
    return [name for name in names if _names_replicate(split_words(name))]


def _names_replicate(words: list[str]) -> bool:
    return bool(words) and (words[-1] in ("seed", "seeds") or " ".join(words) in _REPLICATE_NAMES)


def find_states(names: Iterable[str]) -> list[str]:
    """Return the columns that may hold the states of runs, ``STATUS`` first."""
    found = [name for name in names if " ".join(split_words(name)) in _STATE_NAMES]
    return sorted(found, key=lambda name: name != STATUS)


def find_model(names: Iterable[str]) -> str | None:
    """Return the column that says which rows are teachers, baselines and distilled students."""
    candidates = [name for name in names if " ".join(split_words(name)) in (MODEL, "role", "model role", "kind")]
    return MODEL if MODEL in candidates else (candidates[0] if len(candidates) == 1 else None)


def find_width(names: Iterable[str]) -> str | None:
    """Return the column of the student's width, if exactly one name says so."""
    candidates = [name for name in names if " ".join(split_words(name)) in _WIDTH_NAMES]
    return candidates[0] if len(candidates) == 1 else None


def refuse_missing_temperature(names: Iterable[str]) -> NoReturn:
    """Raise RequestError: no column is called as the temperature is."""
    names = list(names)
    numbers = [name for name in names if re.fullmatch(r"(T ?=? ?)?[0-9]+([.][0-9]+)?", name)]
    if len(numbers) > 1:
        raise RequestError(
            f"the table has no column {TEMP!r}, but columns {describe_columns(numbers, 6)}: if these are temperatures, "
            f"bring the table into one row per run, as in frame.melt(id_vars=[...], var_name='{TEMP}', "
            f"value_name='num_error') with pandas"
        )
    raise RequestError(
        f"the table has no column {TEMP!r}; name the one with the temperatures: --map {TEMP}=NAME; "
        f"it has {describe_columns(names)}"
    )


def _choose_one(candidates: list[str], name: str) -> str | None:
    if name in candidates:
        return name
    if len(candidates) > 1:
        choices = " or ".join(f"--map {name}={candidate!r}" for candidate in candidates[:4])
        raise RequestError(
            f"{len(candidates)} columns may be the temperature: {', '.join(candidates[:4])}; say which: {choices}"
        )
    return candidates[0] if candidates else None


def describe_columns(names: Iterable[str], count: int = 12) -> str:
    """List the first names of columns, as in "a, b, c and 7 more"."""
    listed = list(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more
