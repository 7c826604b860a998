"""Say what T acts on: how far apart the logits of each teacher are, and how soft its targets are at T = 1."""

from __future__ import annotations

import math

import pandas as pd

from kdtune.columns import (
    DESCRIPTIVE_COLUMNS,
    DONE,
    IDENTITY_COLUMNS,
    LOGIT_STD,
    MODEL,
    N_CLASSES,
    N_PARAMS,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    SEED,
    SOFTMAX_ENTROPY,
    STATUS,
    TEACHER,
    TEMP,
)

_NO_SETTINGS = {*RESULT_COLUMNS, *RUN_COLUMNS, *IDENTITY_COLUMNS, *DESCRIPTIVE_COLUMNS, N_PARAMS, TEMP, SEED}
SPREAD, ENTROPY, LARGEST = "std of centred logits", "mean entropy at T = 1", "largest possible entropy"


def describe_softness(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per teacher, the mean over its replicates, with the settings that tell teachers apart.

    Its columns are these settings; the standard deviation of the centred logits over the training set; the mean entropy
    of their softmax in nats, and the largest that it can be. It is empty if no teacher has these figures, as in tables
    from elsewhere and of earlier versions.
    """
    if not {LOGIT_STD, SOFTMAX_ENTROPY, STATUS} <= set(table.columns):
        return pd.DataFrame()
    teachers = table[(table[MODEL] == TEACHER) & (table[STATUS] == DONE) & table[SOFTMAX_ENTROPY].notna()]
    if teachers.empty:
        return pd.DataFrame()
    settings = _find_settings(teachers)
    figures = teachers[settings].assign(
        **{SPREAD: teachers[LOGIT_STD].astype(float), ENTROPY: teachers[SOFTMAX_ENTROPY].astype(float)}
    )
    if N_CLASSES in teachers.columns:
        figures[LARGEST] = teachers[N_CLASSES].map(lambda count: math.log(count))
    if settings:
        figures = figures.groupby(settings, dropna=False, sort=True).mean().reset_index()
    else:
        figures = figures.mean().to_frame().T
    names = [name for name in (SPREAD, ENTROPY, LARGEST) if name in figures.columns]
    return figures.assign(**{name: figures[name].map("{:.3g}".format) for name in names})


def _find_settings(teachers: pd.DataFrame) -> list[str]:
    """Return the settings that differ between teachers; of several that differ alike the first."""
    settings: list[str] = []
    for name in teachers.columns:
        count = teachers[name].nunique(dropna=False)
        if name in _NO_SETTINGS or count < 2:
            continue
        is_known = any(
            count == teachers[other].nunique(dropna=False) == len(teachers[[name, other]].drop_duplicates())
            for other in settings
        )
        if not is_known:
            settings.append(name)
    return settings
