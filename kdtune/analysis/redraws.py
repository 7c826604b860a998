"""Say which randomness the replicates of a table cover: what each of them draws anew, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

import pandas as pd

from kdtune.columns import DATA_SEED, DATASET, MODEL, REPLICATE, STUDENT, STUDENT_SEED, TEACHER_SEED
from kdtune.table_facts import GENERATED, SPLIT, VALIDATION, AnswerFacts, DataSource
from kdtune.text import join_names

# How replicates redraw the data -> what each of them then has another one of.
DATA_PHRASES = {
    GENERATED: "draw of the data",
    SPLIT: "cut of the same examples into training, validation and test data",
    VALIDATION: "cut between training and validation",
}
# What the tables of earlier versions do not say: of these data sets kdtune has always drawn the splits alone. Data of
# the user's came with the tables that say it.
_KNOWN_DATA = {
    SPLIT: ["digits"],
    VALIDATION: ["MNIST", "FashionMNIST", "KMNIST", "EMNIST"],
}
_KNOWN_SOURCES = [
    DataSource("digits", "digits", 1797, "images"),
    *(DataSource(name, name, 0, "images") for name in _KNOWN_DATA[VALIDATION]),
]
_EITHER_TEACHER = "teacher (where it is trained here)"


@dataclass(frozen=True)
class Redraws:
    """What each replicate has another one of, and what it shares with the others.

    Attributes
    ----------
    data : phrases for the data, as in ``DATA_PHRASES``, with the names of data sets where there are several phrases.
    networks : "teacher" and "student", as far as they are redrawn.
    staying_parts : what stays although a reader may think that it is redrawn.
    """

    data: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    staying_parts: list[str] = field(default_factory=list)

    @property
    def parts(self) -> list[str]:
        """All that is redrawn; empty where nothing is, or runs are unpaired."""
        return [*self.data, *self.networks]

    @property
    def text(self) -> str:
        """What each replicate has, as in "another teacher and student"; empty if nothing is redrawn."""
        if not self.parts:
            return ""
        if not self.data:
            return f"another {join_names(self.networks)}"
        text = join_names([f"another {phrase}" for phrase in self.data])
        return f"{text}, and another {join_names(self.networks)}" if self.networks else text

    @property
    def staying_text(self) -> str:
        """What stays, as in "the test data and the teacher stay"; empty if there is nothing to be said."""
        if not self.staying_parts:
            return ""
        return f"{join_names(self.staying_parts)} stay"  # "data" is a plural, as the two together are.

    def describe(self, limit: str = "") -> str:
        """Return all of it in parentheses, to follow "5 replicates"; empty if nothing is redrawn.

        ``limit`` is a clause that says what follows from it.
        """
        if not self.text:
            return ""
        return f" ({'; '.join(filter(None, [f'each with {self.text}', self.staying_text, limit]))})"


def find_redraws(table: pd.DataFrame, facts: AnswerFacts | None) -> Redraws:
    """Find which parts of a sweep are random in each replicate; of unpaired runs none.

    Parameters
    ----------
    table : One row per network.
    facts : What the table says beside its rows; None if it says nothing, and replicates with other data are taken to
        have other generated data.
    """
    names = [name for name in (DATASET, DATA_SEED, TEACHER_SEED, STUDENT_SEED) if name in table.columns]
    students = table.loc[table[MODEL] == STUDENT, [REPLICATE, *names]]
    if students[REPLICATE].isna().all():
        return Redraws()
    kinds = _find_data_kinds(students, {} if facts is None else facts.data_redraws)
    networks = []
    if _is_redrawn(students, TEACHER_SEED):
        networks.append("teacher" if students[TEACHER_SEED].notna().all() else _EITHER_TEACHER)
    if _is_redrawn(students, STUDENT_SEED):
        networks.append("student")
    staying_parts = []
    if list(kinds) == [VALIDATION]:
        staying_parts.append("the test data")
        if TEACHER_SEED in students.columns and students[TEACHER_SEED].isna().all():
            staying_parts.append("the teacher")
    data = [_write_phrase(kind, names, facts) for kind, names in kinds.items()]
    n_redrawn = len(set(chain(*kinds.values())))
    if len(kinds) > 1 or (DATASET in students.columns and 0 < n_redrawn < students[DATASET].nunique()):
        data = [f"{_write_phrase(kind, names, facts)} ({join_names(names)})" for kind, names in kinds.items()]
    return Redraws(data, networks, staying_parts)


def know_earlier_data(data_names: pd.Series) -> AnswerFacts:
    """Return what is known of the data in the table of a sweep that does not say it: an earlier version wrote it."""
    present = set(data_names.dropna())
    known = {kind: [name for name in names if name in present] for kind, names in _KNOWN_DATA.items()}
    others = present.difference(*known.values())
    redraws = {kind: names for kind, names in {**known, GENERATED: sorted(others)}.items() if names}
    return AnswerFacts(redraws, sources=[source for source in _KNOWN_SOURCES if source.name in present])


def _write_phrase(kind: str, names: list[str], facts: AnswerFacts | None) -> str:
    """Return what replicates have another one of; of a single set that is split it says how many examples it has."""
    sources = [] if facts is None else [source for source in facts.sources if source.name in names]
    phrase = DATA_PHRASES[kind]
    if kind != SPLIT or len(sources) != 1 or len(names) != 1 or not sources[0].n_examples:
        return phrase
    return phrase.replace("the same examples", f"the same {sources[0].n_examples:,} {sources[0].unit}")


def _find_data_kinds(students: pd.DataFrame, data_redraws: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return how the data of these students are redrawn, with the names of the data sets that are redrawn so."""
    data_redraws = {kind: names for kind, names in data_redraws.items() if kind in DATA_PHRASES}
    if not data_redraws or DATASET not in students.columns:
        return {GENERATED: []} if _is_redrawn(students, DATA_SEED) else {}
    kinds = {
        kind: [
            name for name in data_redraws.get(kind, []) if _is_redrawn(students[students[DATASET] == name], DATA_SEED)
        ]
        for kind in DATA_PHRASES
    }
    return {kind: names for kind, names in kinds.items() if names}


def _is_redrawn(students: pd.DataFrame, seed_column: str) -> bool:
    """Return whether the seeds of the first and the last replicate have none in common."""
    if seed_column not in students.columns:
        return False
    replicates = students[REPLICATE]
    first_seeds = set(students.loc[replicates == replicates.min(), seed_column].dropna())
    last_seeds = set(students.loc[replicates == replicates.max(), seed_column].dropna())
    return bool(first_seeds) and first_seeds.isdisjoint(last_seeds)
