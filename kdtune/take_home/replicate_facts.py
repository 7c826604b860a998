"""What the replicates of a sweep say beside the one network that is taken home."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.redraws import DATA_PHRASES
from kdtune.columns import DATA_SEED, DATASET, DONE, MODEL, NUM_ERROR, STATUS, STUDENT, TEMP
from kdtune.settings import Dataset
from kdtune.table_facts import SPLIT
from kdtune.take_home.choice import Choice, is_in_cell

_CUTS = DATA_PHRASES[SPLIT].rpartition(" into ")[
    2
]  # The words before it name the number of examples where it is known.


@dataclass(frozen=True)
class ReplicateFacts:
    """What the replicates say.

    Attributes
    ----------
    n_cuts : into how many triples of splits one set of examples was cut; 1 where all share the test split.
    n_students, mean_errors : the students of its setting at its T that are done, and the mean of their test errors.
    teacher_errors, baseline_errors : the means of the test errors of teachers and of students that were trained on
        labels alone, in its setting; None where they are not known.
    """

    n_cuts: int = 1
    n_students: int = 0
    mean_errors: float | None = None
    teacher_errors: float | None = None
    baseline_errors: float | None = None


def find_replicate_facts(
    table: pd.DataFrame, answer: Answer | None, choice: Choice, dataset: Dataset
) -> ReplicateFacts:
    """Find what the replicates of a table say beside a network; dataset is the settings of its data."""
    n_cuts = _count_cuts(table, answer, choice, dataset)
    if answer is None or choice.position is None:
        return ReplicateFacts(n_cuts)
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE) & (table[TEMP] == choice.row[TEMP])]
    students = students[is_in_cell(students, answer.cells[choice.position].settings)]
    errors = answer.test.iloc[choice.position]
    return ReplicateFacts(
        n_cuts,
        len(students),
        float(students[NUM_ERROR].mean()),
        *(float(errors[name]) if pd.notna(errors.get(name)) else None for name in ("teacher", "baseline")),
    )


def _count_cuts(table: pd.DataFrame, answer: Answer | None, choice: Choice, dataset: Dataset) -> int:
    """Count the cuts of the network's data set into training, validation and test examples."""
    is_kept = answer is not None and not any(_CUTS in phrase for phrase in answer.redraws.data)
    if is_kept or not dataset.is_test_drawn or DATA_SEED not in table.columns:
        return 1
    return int(table.loc[table[DATASET] == choice.row[DATASET], DATA_SEED].nunique())
