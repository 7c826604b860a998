"""A table beside published figures: the mean and the spread of its replicates, and whether theirs lie inside. Pure.

A reference is a CSV file with a row for each published figure: how many of ``n`` test examples were
wrong, over all or over those of one ``label``, and the columns of ours that the network must have ("none":
null). A published figure is one run: beside the lowest and the highest replicate stands the interval
in which one more run of ours would lie with 95 % probability, by Student's t, were the errors normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from kdtune import table as t

WORDS = ("source", "part", "network", "note")
FIGURES = (t.LABEL, "n", t.NUM_ERROR)
NONE = "none"
LEVEL = 0.95
INSIDE, BELOW, ABOVE, ONE_RUN = "inside", "below", "above", "one run"


def compare(table: pd.DataFrame, per_class: pd.DataFrame | None, reference: pd.DataFrame) -> pd.DataFrame:
    """A row for each published figure that the table has networks for.

    Parameters
    ----------
    table : one row a network.
    per_class : errors of each network (``id``) on each class (``label``); None if they were not kept.
    reference : all of it as text.

    Returns
    -------
    Frame of ``part``, ``network``, ``source``, ``n`` (test examples), ``theirs`` (errors), ``mean``, ``lowest``,
    ``highest`` (of the replicates), ``replicates``, ``spread`` (where theirs lies), ``low``, ``high`` (95 % for
    one more run), ``one_more_run`` (where theirs lies), ``note``.
    """
    conditions = [name for name in reference.columns if name not in (*WORDS, *FIGURES)]
    done = table[table[t.STATUS] == t.DONE]
    found = []
    for _, published in reference.iterrows():
        wanted = {name: published[name] for name in conditions if published[name] != ""}
        errors = _errors(_matching(done, wanted), per_class, published[t.LABEL])
        if len(errors):
            theirs = float(published[t.NUM_ERROR])
            words = {name: published[name] for name in ("part", "network", "source")}
            found.append(
                {**words, "n": int(published["n"]), "theirs": theirs, **_beside(errors, theirs)}
                | {"note": published["note"]}
            )
    return pd.DataFrame(found)


def _matching(table: pd.DataFrame, wanted: dict[str, str]) -> pd.DataFrame:
    """The networks that have all these settings; a column that is not there is null everywhere."""
    for name, value in wanted.items():
        if name not in table.columns:
            if value != NONE:
                return table.head(0)
        elif value == NONE:
            table = table[table[name].isna()]
        elif pd.api.types.is_numeric_dtype(table[name]):
            table = table[np.isclose(table[name].astype(float), float(value))]
        else:
            table = table[table[name] == value]
    return table


def _errors(networks: pd.DataFrame, per_class: pd.DataFrame | None, label: str) -> Sequence[float]:
    if not label:
        return networks[t.NUM_ERROR].astype(float).tolist()
    if per_class is None:
        return []
    own = per_class[per_class[t.LABEL] == int(label)].merge(networks[[t.ID]], on=t.ID)
    return own[t.NUM_ERROR].astype(float).tolist()


def _beside(errors: Sequence[float], theirs: float) -> dict[str, object]:
    mean, count = float(np.mean(errors)), len(errors)
    low = high = math.nan
    if count > 1:
        half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.std(errors, ddof=1) * math.sqrt(1 + 1 / count)
        low, high = mean - half, mean + half
    return {
        "mean": mean, "lowest": min(errors), "highest": max(errors), "replicates": count,
        "spread": _where(theirs, min(errors), max(errors)) if count > 1 else ONE_RUN,
        "low": low, "high": high, "one_more_run": _where(theirs, low, high) if count > 1 else ONE_RUN,
    }  # fmt: skip


def _where(value: float, low: float, high: float) -> str:
    return BELOW if value < low else ABOVE if value > high else INSIDE


def sentence(found: pd.DataFrame, source: str) -> str:
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
