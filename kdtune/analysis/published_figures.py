"""A table beside published figures: the mean and the spread of its replicates, and whether theirs lie inside.

A reference is a CSV file with a row for each published figure: how many of ``n`` test examples were
wrong, over all or over those of one ``label``, and the columns of ours that the network must have ("none":
null). A published figure is one run: beside the lowest and the highest replicate stands the interval
in which one more run of ours would lie with 95 % probability, by Student's t, were the errors normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kdtune.columns import DONE, ID, LABEL, MODEL, N_LABEL, N_TEST, NUM_ERROR, REPLICATE, STATUS, TEACHER
from kdtune.errors import RequestError
from kdtune.text import nearest

REFERENCES = Path(__file__).parent / "references"
WORDS = ("source", "part", "network", "note")
FIGURES = (LABEL, "n", NUM_ERROR)
NONE = "none"
LEVEL = 0.95
INSIDE, BELOW, ABOVE, ONE_RUN = "inside", "below", "above", "one run"


@dataclass(frozen=True)
class Match:
    """A published figure, and the errors of the networks that it is of, by replicate."""

    published: pd.Series
    errors: pd.Series

    @property
    def theirs(self) -> float:
        return float(self.published[NUM_ERROR])


def read_published(name: str) -> pd.DataFrame:
    """Published figures by their name, or from a CSV file; all as text.

    Raises
    ------
    RequestError
        If there are none, or columns are missing.
    """
    known = {path.stem: path for path in REFERENCES.glob("*.csv")}
    path = known.get(name, Path(name))
    if not path.is_file():
        raise RequestError(f"--with {name}: there is no such file, and no figures of that name; {nearest(name, known)}")
    try:
        found = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: is no table: {str(error).splitlines()[0]}") from None
    lacking = [column for column in (*WORDS, *FIGURES) if column not in found.columns]
    if lacking:
        raise RequestError(f"{path}: has no column {', '.join(lacking)}")
    try:
        _check(found)
    except ValueError as error:
        raise RequestError(f"{path}: {error}") from None
    return found


def _check(reference: pd.DataFrame) -> None:
    """ValueError for the first figure that is none."""
    for place, row in reference.iterrows():
        for name in FIGURES:
            text = row[name]
            if (name != LABEL or text) and not text.isdecimal():
                raise ValueError(f"line {int(str(place)) + 2}: {name}: must be a whole number, not {text!r}")


def match_networks(table: pd.DataFrame, per_class: pd.DataFrame | None, reference: pd.DataFrame) -> list[Match]:
    """The published figures that the table has networks for.

    Parameters
    ----------
    table : one row a network.
    per_class : errors of each network (``id``) on each class (``label``); None if they were not kept.
    reference : all of it as text.
    """
    conditions = [name for name in reference.columns if name not in (*WORDS, *FIGURES)]
    done = table[table[STATUS] == DONE]
    found = []
    for _, published in reference.iterrows():
        networks = _matching(done, {name: published[name] for name in conditions if published[name] != ""})
        errors = _errors(networks, per_class, published)
        if len(errors):
            found.append(Match(published, errors))
    return found


def compare_with_published(found: Sequence[Match]) -> pd.DataFrame:
    """A row for each match.

    Returns
    -------
    Frame of ``part``, ``network``, ``source``, ``n`` (test examples), ``theirs`` (errors), ``mean``, ``lowest``,
    ``highest`` (of the replicates), ``replicates``, ``spread`` (where theirs lies), ``low``, ``high`` (95 % for
    one more run), ``one_more_run`` (where theirs lies), ``note``.
    """
    rows = []
    for match in found:
        words = {name: match.published[name] for name in ("part", "network", "source")}
        figures = {"n": int(match.published["n"]), "theirs": match.theirs}
        rows.append(words | figures | _beside(match.errors.tolist(), match.theirs) | {"note": match.published["note"]})
    return pd.DataFrame(rows)


def compare_rankings(found: Sequence[Match]) -> pd.DataFrame:
    """Pairs of students of one part and source: whether our replicates rank them as theirs did.

    Differences are taken within replicates, which share batch order and initial weights; the intervals hold
    for all pairs of a part together with 95 % probability (Bonferroni).

    Returns
    -------
    Frame of ``part``, ``source``, ``first``, ``second``, ``theirs`` (errors of the first less those of the
    second), ``mean``, ``low``, ``high``, ``says``.
    """
    rows = []
    parts: dict[tuple[str, str], list[Match]] = {}
    for match in found:
        if match.published.get(MODEL) != TEACHER and not match.published[LABEL]:
            parts.setdefault((match.published["part"], match.published["source"]), []).append(match)
    for (part, source), own in parts.items():
        pairs = list(combinations(own, 2))
        for first, second in pairs:
            difference = (first.errors - second.errors).dropna()
            if len(difference) > 1 and not first.errors.equals(second.errors):
                half = _half(difference.to_numpy(), 1 - (1 - LEVEL) / len(pairs)) / math.sqrt(len(difference))
                theirs, mean = first.theirs - second.theirs, float(difference.mean())
                names = {"first": first.published["network"], "second": second.published["network"]}
                figures = {"theirs": theirs, "mean": mean, "low": mean - half, "high": mean + half}
                rows.append({"part": part, "source": source} | names | figures | {"says": _says(theirs, mean, half)})
    return pd.DataFrame(rows)


def _says(theirs: float, mean: float, half: float) -> str:
    if abs(mean) <= half:
        return "cannot tell"
    return "the same" if theirs * mean > 0 else "the opposite"


def _matching(table: pd.DataFrame, wanted: dict[str, str]) -> pd.DataFrame:
    """The networks that have all these settings; a column that is not there is null everywhere."""
    for name, value in wanted.items():
        if name not in table.columns:
            if value != NONE:
                return table.head(0)
        elif value == NONE:
            table = table[table[name].isna()]
        elif pd.api.types.is_numeric_dtype(table[name]):
            number = pd.to_numeric(value, errors="coerce")  # words are no number of ours
            table = table[np.isclose(table[name].astype(float), float(number))]
        else:
            table = table[table[name] == value]
    return table


def _errors(networks: pd.DataFrame, per_class: pd.DataFrame | None, published: pd.Series) -> pd.Series:
    """By replicate; of several networks of a replicate the mean. Of as many test examples as the published ones."""
    n = int(published["n"])
    if published[LABEL]:
        none = pd.DataFrame(columns=[ID, LABEL, N_LABEL, NUM_ERROR])
        classes = none if per_class is None else per_class
        classes = classes[(classes[LABEL] == int(published[LABEL])) & (classes[N_LABEL] == n)]
        networks = networks[[ID, REPLICATE]].merge(classes, on=ID)
    else:
        networks = networks[networks[N_TEST] == n]
    return networks.groupby(REPLICATE)[NUM_ERROR].mean().astype(float)


def _beside(errors: Sequence[float], theirs: float) -> dict[str, object]:
    mean, count = float(np.mean(errors)), len(errors)
    low = high = math.nan
    if count > 1:
        half = _half(np.array(errors), LEVEL) * math.sqrt(1 + 1 / count)
        low, high = max(0.0, mean - half), mean + half
    return {
        "mean": mean, "lowest": min(errors), "highest": max(errors), "replicates": count,
        "spread": _where(theirs, min(errors), max(errors)) if count > 1 else ONE_RUN,
        "low": low, "high": high, "one_more_run": _where(theirs, low, high) if count > 1 else ONE_RUN,
    }  # fmt: skip


def _half(values: Any, level: float) -> float:
    """Student's t at this level times the standard deviation."""
    return float(stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1))


def _where(value: float, low: float, high: float) -> str:
    return BELOW if value < low else ABOVE if value > high else INSIDE


def write_sentence(found: pd.DataFrame, source: str) -> str:
    """How many of a source's figures lie inside."""
    own = found[(found["source"] == source) & (found["spread"] != ONE_RUN)]
    single = int(((found["source"] == source) & (found["spread"] == ONE_RUN)).sum())
    spread, more = (int((own[name] == INSIDE).sum()) for name in ("spread", "one_more_run"))
    rest = f"; {single} stand{'s' * (single == 1)} beside a single run, which shows no spread" if single else ""
    if own.empty:
        return f"The {source}: no figure has replicates beside it{rest}."
    return (
        f"The {source}: of {len(own)} figures with replicates beside them {spread} lie between the lowest and the "
        f"highest, {more} where one more run would lie with 95 % probability{rest}."
    )
