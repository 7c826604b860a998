"""Tell settings from bookkeeping (hosts, dates, ids) and from other measures."""

from __future__ import annotations

import re
from typing import NamedTuple

import pandas as pd

from kdtune.analysis.cells import is_known_setting
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import REPLICATE, TEMP
from kdtune.foreign.column_names import is_epoch_name, is_planned_name, split_words
from kdtune.foreign.measure_names import is_measure_name

# Words that settle it: no setting is called so.
_BOOKKEEPING_WORDS = {
    "host", "hostname", "nodename", "ip", "pid", "timestamp", "datetime", "date", "runtime", "duration", "elapsed",
    "walltime", "uuid", "guid", "logdir", "checkpoint", "ckpt", "jobid", "unnamed", "hostip", "wandb", "artifact",
    "uri", "url", "sha", "commit", "username", "seconds", "mlflow", "created", "updated",
}  # fmt: skip
# Names of trackers' exports that consist of words which settings have, too.
_BOOKKEEPING_NAMES = {
    "trial id", "trial name", "experiment id", "experiment tag", "experiment name", "training iteration", "done",
    "time this iter s", "time total s", "time since restore", "timesteps total", "timesteps since restore",
    "iterations since restore", "episodes total", "should checkpoint", "warmup time", "node ip", "run id", "run name",
    "run uuid", "start time", "end time", "stop time", "user id", "number", "index", "level 0", "row", "row id", "id",
    "notes", "trial", "trial number", "run", "run number", "job id",
    "git", "best epoch", "best step", "best iteration", "status", "lock",
}  # fmt: skip
# Words that say so unless the values are laid out like a setting's: as many runs for each T.
_DOUBTFUL_WORDS = {
    "id", "name", "path", "dir", "directory", "folder", "file", "filename", "version", "index", "time",
    "started", "ended", "step", "steps", "epoch", "iteration", "iterations", "iter", "iters", "tag", "tags",
    "notes", "note", "comment", "log", "user", "author", "gpu", "gpus", "device", "cuda", "cpu", "memory", "mem", "job",
    "worker", "machine", "node", "cluster", "rank", "slot", "port", "queue", "partition", "server", "run", "trial",
    "number", "experiment", "git", "branch", "best", "stderr", "sem", "line", "row", "group", "sweep",
}  # fmt: skip
_MEASURE_WORDS = {
    "loss", "losses", "nll", "ece", "f1", "auc", "auroc", "auprc", "recall", "precision", "score", "metric", "mse",
    "rmse", "mae", "kl", "perplexity", "ppl", "bleu", "rouge", "wer", "cer", "top1", "top5", "acc5", "brier", "kappa",
    "mcc", "iou", "miou", "r2", "grad", "gradient", "norm", "gap", "agreement", "fidelity", "entropy", "confidence",
    "latency", "throughput", "flops", "reward", "objective", "value", "values", "calibration", "logloss", "ap", "map50",
}  # fmt: skip
# Words of what a planned setting names, whatever else stands in its name ("model_name", "data_path").
_PLANNED_WORDS = {"model", "student", "teacher", "arch", "architecture", "network", "data", "dataset", "config", "norm",
                  "task", "precision", "objective"}  # fmt: skip
# Words of where a run was, which nobody plans.
_MACHINE_WORDS = {"gpu", "gpus", "cpu", "cuda", "device", "memory", "mem", "job", "worker", "machine", "node",
                  "cluster", "rank", "slot", "port", "queue", "partition", "server", "log", "user", "author", "slurm",
                  "id", "path", "dir", "directory", "folder", "file", "filename", "time"}  # fmt: skip
_MIN_SHARE = 0.75  # of the most runs that a value has at a T
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T_]\d\d[:-]\d\d.*)?")
_DATE = re.compile(r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}:\d{2}(:\d{2})?)")
# Seconds since 1970: from 2010, when nobody distilled, to 2038, when 32 bits end. Sizes of networks lie there, too, but
# those of several sizes farther apart than three years, which are 6 percent of a recent time.
_TIMES = (1.26e9, 2.0**31)
_LONGEST = 3 * 365 * 86400
_MIN_TIMES = 4  # different values; fewer are hardly those of a log or of a sweep


class OtherColumns(NamedTuple):
    """The columns that are no settings."""

    bookkeeping: list[str]  # ids, hosts, dates, run times
    measures: list[str]  # results that T is not chosen by
    unique: list[str]  # a value of its own in (nearly) every row
    changing: list[str]  # values that change from run to run of one replicate
    uncertain: list[str]  # those of the above that may be settings: each value has several replicates of its own

    @property
    def all_names(self) -> list[str]:
        """All columns that are no settings."""
        return [*self.bookkeeping, *self.measures, *self.unique, *self.changing]


def classify_columns(rows: RowNumbers, candidates: list[str]) -> OtherColumns:
    """Return which of the candidates are no settings; all that are left are settings, or do not vary.

    Parameters
    ----------
    rows : The rows of distilled students, with ``TEMP``.
    candidates : The columns that have no known meaning.
    """
    students = rows.table
    found = OtherColumns([], [], [], [], [])
    doubtful: list[str] = []  # laid out as settings are, but called as other columns are
    teacher_results: list[str] = []
    for name in candidates:
        column = students[name]
        words = split_words(name)
        if is_surely_bookkeeping(words, column):  # asked first: to count the values of a million ids takes long
            found.bookkeeping.append(name)
            continue
        n_values = rows.count_values(name)
        kind = _find_kind(name, column, found)
        if n_values == 1 and kind is found.measures and not _has_planned_name(name):
            kind.append(name)  # Runs that did not finish lack it, which makes no setting of theirs.
        if n_values == 1:
            continue
        if holds_dates(column) or (holds_seconds(column, n_values) and not _has_planned_name(name)):
            found.bookkeeping.append(name)
        elif _is_unique(column, n_values):
            found.unique.append(name)
        elif kind is found.measures and name.startswith("teacher_"):  # the result of another network
            found.measures.append(name)
            teacher_results.append(name)
        elif kind is found.measures and column.nunique() == 1:  # a result that some rows lack
            found.measures.append(name)
        elif kind is not None and (_has_planned_name(name) or _is_laid_out(students, name)):
            doubtful.append(name)
        elif kind is not None:
            kind.append(name)
    if (doubtful or teacher_results) and _has_pairs(rows):
        settings = [name for name in candidates if name not in (*found.all_names, *doubtful)]
        settings = [name for name in settings if _has_planned_name(name) or _is_laid_out(students, name)]
        for name in doubtful:
            kind = _find_kind(name, students[name], found)
            if kind is None or _has_runs_to_distinguish(rows, name, settings):
                continue
            has_own_replicates = _has_own_replicates(rows, name, settings)
            # A data set, say, may be drawn with seeds of its own.
            if has_own_replicates and (_has_planned_name(name) or _has_setting_word(name)):
                continue
            kind.append(name)
            if has_own_replicates and not _MACHINE_WORDS & set(split_words(name)):
                found.uncertain.append(name)
        found.uncertain.extend(name for name in teacher_results if _has_own_replicates(rows, name, settings))
    return found


def _has_planned_name(name: str) -> bool:
    """Return whether a name says that someone planned the values of a column."""
    return is_known_setting(name) or is_planned_name(name)


def _has_setting_word(name: str) -> bool:
    """Return whether a name has a word of what is planned ("model_name", "data_path"), and is that of no measure."""
    return bool(_PLANNED_WORDS & set(split_words(name))) and not is_measure_name(name)


def _find_kind(name: str, column: pd.Series, found: OtherColumns) -> list[str] | None:
    """Return the list that a column belongs to by its name, if it is no setting; None if its name says nothing."""
    words = set(split_words(name))
    if words & _DOUBTFUL_WORDS and not (is_measure_name(name) and column.dtype.kind == "f"):
        return found.bookkeeping
    if (words & _MEASURE_WORDS or is_measure_name(name)) and column.dtype.kind in "iuf":
        return found.measures
    return None


def _has_pairs(rows: RowNumbers) -> bool:
    """Return whether replicates have several runs each, as those have that are trained with each T."""
    return REPLICATE in rows.table.columns and rows.count_values(REPLICATE) <= len(rows.table) / 2


def _has_runs_to_distinguish(rows: RowNumbers, name: str, settings: list[str]) -> bool:
    """Return whether a replicate has a run for each of several values of a column, as a setting's.

    Where each replicate has one value of it (the machine that trained all runs of a seed), it tells no runs apart.
    """
    keys = [*settings, TEMP, REPLICATE]
    return rows.count_combinations([*keys, name]) > rows.count_combinations(keys)


def _has_own_replicates(rows: RowNumbers, name: str, settings: list[str]) -> bool:
    """Return whether each value of a column has several replicates, which no other value has."""
    keys = [*settings, name]
    n_replicates = rows.count_combinations([*keys, REPLICATE])
    return rows.count_values(name) > 1 and n_replicates >= 2 * rows.count_combinations(keys)


def find_changing_columns(rows: RowNumbers, settings: list[str]) -> list[str]:
    """Return the columns that differ between the runs of one replicate, though nothing but T should.

    The runs of a setting that was planned have it at each T, so that without its column each T would have several runs
    of a replicate. Where each has one, the column tells nothing apart: it happened to the run, or goes with T.

    Parameters
    ----------
    rows : The rows of distilled students, with ``TEMP`` and ``REPLICATE``.
    settings : The columns that may name settings.
    """
    students = rows.table
    changing: list[str] = []
    for name in settings:
        others = [other for other in settings if other != name and other not in changing]
        if rows.count_values(name) == 1 or is_known_setting(name) or _is_laid_out(students, name):
            continue
        if rows.has_duplicates([*others, TEMP, REPLICATE]):
            continue
        groups = students.groupby([*others, REPLICATE], dropna=False, sort=False)[name]
        if (groups.nunique(dropna=False) > 1).mean() > 0.1:
            changing.append(name)
    return changing


def is_surely_bookkeeping(words: list[str], column: pd.Series) -> bool:
    """Return whether a name, in words, is that of an id, a host, a time or a counter, whatever the values are."""
    is_epoch = column.dtype.kind in "iuf" and is_epoch_name(words)
    return bool(_BOOKKEEPING_WORDS & set(words)) or " ".join(words) in _BOOKKEEPING_NAMES or is_epoch


def holds_dates(column: pd.Series) -> bool:
    """Return whether a column of text holds dates or times of day."""
    if column.dtype.kind != "O":
        return False
    values = column.dropna().drop_duplicates().head(20)
    return bool(len(values)) and all(isinstance(value, str) and _DATE.match(value) for value in values)


def is_iso_date(value: object) -> bool:
    """Return whether a value is text that begins with a date whose order as text is that in time: 2025-01-31 10:05."""
    return isinstance(value, str) and bool(_ISO_DATE.fullmatch(value.strip()))


def holds_seconds(column: pd.Series, n_values: int) -> bool:
    """Return whether numbers are times in seconds or milliseconds since 1970, of the same few years."""
    if column.dtype.kind not in "iuf" or n_values < _MIN_TIMES:
        return False
    low, high = float(column.min()), float(column.max())
    unit = 1000 if low > _TIMES[1] else 1
    return _TIMES[0] * unit <= low and high <= _TIMES[1] * unit and high - low <= _LONGEST * unit


def _is_unique(column: pd.Series, n_values: int) -> bool:
    """Return whether (nearly) every row has a value of its own, as no setting with several temperatures has."""
    return len(column) > 2 and n_values > 0.8 * len(column)


def _is_laid_out(students: pd.DataFrame, name: str) -> bool:
    """Return whether values are laid out as those of a setting: each with (nearly) as many runs at each T."""
    counts = students.groupby([name, TEMP], dropna=False).size()
    by_value = counts.groupby(level=0, dropna=False)
    temperatures_per_value = by_value.size()
    if (temperatures_per_value == 1).mean() > 0.1 or len(temperatures_per_value) > len(students) / 4:
        return False
    # A run in ten may be missing; values that were drawn at random vary more.
    return bool((counts >= _MIN_SHARE * by_value.transform("max")).mean() >= 0.85)
