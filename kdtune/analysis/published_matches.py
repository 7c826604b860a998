"""Find the networks of a table that a published figure is compared with.

A reference is a CSV file with one row per published figure. The row has the number of wrong test examples of ``n``,
over all classes or over one ``label``, and the settings that a matching network must have ("none" stands for a null).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdtune.analysis.published_files import FIGURE_COLUMNS, TEXT_COLUMNS
from kdtune.columns import DONE, ID, LABEL, N_LABEL, N_TEST, NUM_ERROR, REPLICATE, STATUS

NULL = "none"  # how a reference writes a null


@dataclass(frozen=True)
class Match:
    """A published figure, and the errors of the networks that it is compared with."""

    figure: pd.Series  # a row of the reference, as text
    errors: pd.Series  # by replicate

    @property
    def published_errors(self) -> float:
        """The errors that were published."""
        return float(self.figure[NUM_ERROR])


def match_networks(table: pd.DataFrame, per_class: pd.DataFrame | None, reference: pd.DataFrame) -> list[Match]:
    """Return the published figures that the table has networks for.

    Parameters
    ----------
    table : One row per network.
    per_class : The errors of each network (``id``) on each class (``label``), or None if they were not recorded.
    reference : The published figures, all as text.
    """
    condition_columns = [name for name in reference.columns if name not in (*TEXT_COLUMNS, *FIGURE_COLUMNS)]
    done = table[table[STATUS] == DONE]
    matches = []
    for _, figure in reference.iterrows():
        conditions = {name: figure[name] for name in condition_columns if figure[name] != ""}
        errors = _select_errors(_select_networks(done, conditions), per_class, figure)
        if len(errors):
            matches.append(Match(figure, errors))
    return matches


def _select_networks(table: pd.DataFrame, conditions: dict[str, str]) -> pd.DataFrame:
    """Return the networks that have all these settings; a column that does not exist is null everywhere."""
    for name, value in conditions.items():
        if name not in table.columns:
            if value != NULL:
                return table.head(0)
        elif value == NULL:
            table = table[table[name].isna()]
        elif pd.api.types.is_numeric_dtype(table[name]):
            number = float(pd.to_numeric(value, errors="coerce"))  # Text is NaN, which matches no number.
            table = table[np.isclose(table[name].astype(float), number)]
        else:
            table = table[table[name] == value]
    return table


def _select_errors(networks: pd.DataFrame, per_class: pd.DataFrame | None, figure: pd.Series) -> pd.Series:
    """Return errors by replicate, on as many test examples as the figure's; the mean of several networks."""
    n_examples = int(figure["n"])
    if not figure[LABEL]:
        networks = networks[networks[N_TEST] == n_examples]
    elif per_class is None:
        networks = networks.head(0)
    else:
        is_same_class = (per_class[LABEL] == int(figure[LABEL])) & (per_class[N_LABEL] == n_examples)
        networks = networks[[ID, REPLICATE]].merge(per_class[is_same_class], on=ID)
    return networks.groupby(REPLICATE)[NUM_ERROR].mean().astype(float)
