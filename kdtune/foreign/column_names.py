"""Recognize columns by their names, as scripts, trackers and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from kdtune.analysis.option_texts import suggest_map
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
_STATE_NAMES = {
    "status",
    "state",
    "outcome",
    "lifecycle stage",
    "run state",
    "run status",
    "trial state",
    "trial status",
    "job state",
    "job status",
}
_REPLICATE_WORDS = {"replicate", "replicates", "replication", "rep", "repetition", "repeat", "fold", "cv", "replica",
                    "rng", "attempt", "init", "kfold", "realization", "realisation"}  # fmt: skip
_COUNTING_WORDS = {"id", "idx", "index", "number", "no", "n", "i"}
_WEAK_NAMES = {"run", "run idx", "run index", "run number", "run no", "try", "iter", "iteration", "trial idx"}
MACHINE_WORDS = {"gpu", "cpu", "system", "cuda", "device", "sensor", "node"}  # a GPU has a temperature, too
# What is not T itself, though its name ends in T.
TRANSFORM_WORDS = {
    "inv", "inverse", "reciprocal", "over", "log", "log2", "log10", "logarithm", "ln", "exp", "exponent", "sqrt",
    "root", "square", "squared", "sq", "cube", "cubed", "power", "pow", "num", "n", "max", "min", "1", "2", "10",
    "idx", "index", "rank", "delta", "diff", "change", "scaled", "normalized", "relative", "rel", "minus", "neg",
    "negative",
}  # fmt: skip
_EPOCH_WORDS = {"epoch", "step", "iteration", "iter", "iters", "round", "ep", "update", "it"}
_EPOCH_COMPANIONS = {"global", "train", "training", "trainer", "current", "idx", "index", "number", "i", "checkpoint",
                     "eval", "ckpt", "num", "no"}  # fmt: skip
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


def find_temperatures(names: Iterable[str]) -> list[str]:
    """Return the columns that may be the distillation temperature by their names."""
    candidates = []
    for name in names:
        words = split_words(name)
        is_capital = re.split(r"[/.:_ ]", strip_prefix(name))[-1] == "T"
        phrases = {" ".join(words), " ".join(words[-1:]), " ".join(words[-2:])}
        if (is_capital or phrases & _TEMPERATURE_NAMES) and not (MACHINE_WORDS | TRANSFORM_WORDS) & set(words):
            candidates.append(name)
    return candidates


def refuse_several_temperatures(candidates: list[str]) -> NoReturn:
    """Raise RequestError: the user must say which column is the temperature."""
    choices = " or ".join(suggest_map(TEMP, name) for name in candidates[:4])
    raise RequestError(
        f"{len(candidates)} columns may be the temperature: {', '.join(candidates[:4])}; say which: {choices}"
    )


def find_seeds(names: Iterable[str]) -> list[str]:
    """Return the columns that name a replicate: seeds, repetitions, folds of a cross-validation."""
    names = list(names)
    if REPLICATE in names:
        return [REPLICATE]
    return [name for name in names if _is_replicate_name(split_words(name))]


def _is_replicate_name(words: list[str]) -> bool:
    if " ".join(words) == "random state" or any(re.fullmatch(r"seeds?[0-9]*", word) for word in words):
        is_count = {"num", "count"} & set(words) or ("seeds" in words and {"n", "number", "nr"} & set(words))
        return not is_count
    return bool(_REPLICATE_WORDS & set(words)) and set(words) <= _REPLICATE_WORDS | _COUNTING_WORDS


def find_weak_replicates(names: Iterable[str]) -> list[str]:
    """Return the columns that may name a replicate, such as ``run``, if their values go through the temperatures."""
    return [name for name in names if " ".join(split_words(name)) in _WEAK_NAMES]


def find_states(names: Iterable[str]) -> list[str]:
    """Return the columns that may hold the states of runs, ``STATUS`` first."""
    found = [name for name in names if " ".join(split_words(name)) in _STATE_NAMES]
    return sorted(found, key=lambda name: name != STATUS)


def find_models(names: Iterable[str]) -> list[str]:
    """Return the columns that by their names say which rows are teachers, baselines and distilled students."""
    candidates = [name for name in names if " ".join(split_words(name)) in (MODEL, "role", "model role", "kind")]
    if MODEL in candidates:
        return [MODEL, *(name for name in candidates if name != MODEL)]
    return candidates if len(candidates) == 1 else []


def find_width(names: Iterable[str]) -> str | None:
    """Return the column of the student's width, if exactly one name says so."""
    candidates = [name for name in names if " ".join(split_words(name)) in _WIDTH_NAMES]
    return candidates[0] if len(candidates) == 1 else None


def is_planned_name(name: str) -> bool:
    """Return whether a tracker's prefix says that a column is a setting, as in ``config/lr`` and ``params_lr``."""
    return bool(
        re.match(r"^(train_loop_config|config|cfg|params?|hparams?|hp|args)[/.:_]", name.strip(), re.IGNORECASE)
    )


def is_epoch_name(words: list[str]) -> bool:
    """Return whether a name, in words, counts the epochs or steps of a run; ``epochs``, a setting, does not."""
    return bool(_EPOCH_WORDS & set(words)) and set(words) <= _EPOCH_WORDS | _EPOCH_COMPANIONS


def describe_columns(names: Iterable[str], count: int = 12) -> str:
    """List the first names of columns, as in "a, b, c and 7 more"."""
    listed = list(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more
