"""Call the classes of a data set what the user calls them, where the table says that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from kdtune.columns import CLASS_NAME, DATASET, LABEL

# The name of a data set -> the names of its classes, class 0 first: see ``table.AnswerFacts``.
ClassNames = Mapping[str, Sequence[str]]


def list_class_names(class_names: ClassNames, dataset: str | None, n_classes: int) -> list[str]:
    """Return the names of all classes of a data set; their numbers where it has no names, or other classes."""
    names = list(class_names.get(dataset, ())) if dataset is not None else []
    return names if len(names) == n_classes else [str(number) for number in range(n_classes)]


def add_class_names(rows: pd.DataFrame, class_names: ClassNames) -> pd.DataFrame:
    """Return rows with a column ``class_name`` after that of the class's number, if any of these classes has a name.

    A class without a name is called by its number.

    Parameters
    ----------
    rows : One row per network and class, with ``label`` and, where the table says it, ``dataset``.
    class_names : The names of the classes, by data set.
    """
    if DATASET not in rows or not set(rows[DATASET]) & set(class_names):
        return rows
    known_names = pd.DataFrame(
        [(dataset, number, name) for dataset, names in class_names.items() for number, name in enumerate(names)],
        columns=[DATASET, LABEL, CLASS_NAME],
    )
    names = rows[[DATASET, LABEL]].merge(known_names, on=[DATASET, LABEL], how="left")[CLASS_NAME].to_numpy()
    named_rows = rows.copy()
    numbers = rows[LABEL].astype(str)
    named_rows.insert(list(rows.columns).index(LABEL) + 1, CLASS_NAME, numbers.where(pd.isna(names), names))
    return named_rows
