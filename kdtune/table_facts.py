"""What a table says beside its rows: how it was made, how T is chosen, and what an answer must say.

It stands in the metadata of a Parquet file, and in the ``attrs`` of a frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.files.storage_errors import is_pipe

# In the metadata of a file: versions of software, the measure that T is chosen by, and what an answer must say beside
# it. A frame has the latter two in its ``attrs``.
_VERSIONS_KEY = "kdtune"
_SELECT_KEY = "kdtune.select"
_FACTS_KEY = "kdtune.answer"

# How replicates redraw the data: they are generated anew, or all splits of one set are drawn anew, or only the cut
# between training and validation data is.
GENERATED = "generated"
SPLIT = "split"
VALIDATION = "validation"


@dataclass(frozen=True)
class DataSource:
    """A data set that exists once, so that all of its draws are cuts of the same examples.

    Attributes
    ----------
    name : what the column ``dataset`` calls it.
    content : is equal for data of equal content, whatever their names, and for no others.
    n_examples : the number of examples that are split anew: all of them, or those beside the test data.
    unit : what an example is, as a plural: images, rows or examples.
    """

    name: str
    content: str
    n_examples: int
    unit: str = "examples"


@dataclass(frozen=True)
class AnswerFacts:
    """What an answer must say that the rows of a table do not tell.

    Attributes
    ----------
    data_redraws : how the replicates redraw the data (``GENERATED``, ``SPLIT`` or ``VALIDATION``) -> the names of the
        data sets that they redraw so.
    notes : sentences about the data and the teacher that the answer needs.
    class_names : the name of a data set -> what its classes are called, class 0 first; only of data sets whose classes
        have other names than their numbers.
    sources : the data sets that exist once. All others are generated, so that different draws of them are independent.
    n_networks : how many networks the sweep asks for; 0 if the table does not say.
    n_missing : how many of them have no row; it is counted when the table is read.
    """

    data_redraws: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    class_names: dict[str, list[str]] = field(default_factory=dict)
    sources: list[DataSource] = field(default_factory=list)
    n_networks: int = 0
    n_missing: int = 0

    def count_missing(self, n_rows: int) -> AnswerFacts:
        """Return these facts with the number of networks that a whole table of so many rows lacks."""
        return replace(self, n_missing=max(0, self.n_networks - n_rows))

    def describe_no_students(self) -> str:
        """Say that no distilled student is done, where networks of the sweep are missing."""
        return (
            f"no distilled student is done yet: {self.n_networks - self.n_missing:,} of the sweep's "
            f"{self.n_networks:,} networks are; run the sweep again to train the others"
        )

    def describe_missing(self) -> str:
        """Say that an answer is of a part of the sweep; nothing if it is of the whole."""
        if not self.n_missing:
            return ""
        return (
            f"{self.n_networks - self.n_missing:,} of the sweep's {self.n_networks:,} networks are done, and this is "
            f"the answer of these alone. Run the sweep again to train the others."
        )


def stamp_versions(table: pa.Table, versions: Mapping[str, str]) -> pa.Table:
    """Note in a table's metadata the versions of the software that made it."""
    return _add_metadata(table, _VERSIONS_KEY, json.dumps(versions))


def stamp_select(table: pa.Table, select: str) -> pa.Table:
    """Note in a table's metadata the measure that T is chosen by: a key of ``VALIDATION_MEASURES``."""
    return _add_metadata(table, _SELECT_KEY, select)


def _add_metadata(table: pa.Table, key: str, value: str) -> pa.Table:
    return table.replace_schema_metadata({**(table.schema.metadata or {}), key.encode(): value.encode()})


def stamp_facts(table: pa.Table, facts: AnswerFacts) -> pa.Table:
    """Note in a table's metadata what an answer must say beside its rows."""
    return _add_metadata(table, _FACTS_KEY, json.dumps(asdict(facts)))


def find_select(source: Any) -> str | None:
    """Return the measure that T is chosen by, as a table says it: a Parquet file, a frame or an Arrow table.

    Frames that kdtune returns have it in their ``attrs``, which pandas writes into Parquet files as well. It is None
    if the table does not say it, and whatever the table says if that is no measure.
    """
    return _find_metadata(source, _SELECT_KEY)


def find_facts(source: Any) -> AnswerFacts | None:
    """Return what an answer must say beside a table's rows, as ``find_select`` does; None if the table does not say."""
    try:
        facts = json.loads(_find_metadata(source, _FACTS_KEY) or "null")
        redraws = {str(kind): [str(name) for name in names] for kind, names in facts["data_redraws"].items()}
        class_names = {
            str(name): [str(label) for label in labels] for name, labels in facts.get("class_names", {}).items()
        }
        sources = [
            DataSource(str(source["name"]), str(source["content"]), int(source["n_examples"]), str(source["unit"]))
            for source in facts.get("sources", [])
        ]
        n_networks = int(facts.get("n_networks", 0))
        return AnswerFacts(redraws, [str(note) for note in facts["notes"]], class_names, sources, n_networks)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def list_attributes(source: Any) -> dict[str, str]:
    """Return what ``find_select`` and ``find_facts`` read from a table, as it stands in the ``attrs`` of a frame."""
    values = {key: _find_metadata(source, key) for key in (_SELECT_KEY, _FACTS_KEY)}
    return {key: value for key, value in values.items() if value is not None}


def _find_metadata(source: Any, key: str) -> str | None:
    if isinstance(source, pd.DataFrame):
        value = source.attrs.get(key)
        return None if value is None else str(value)
    try:
        if isinstance(source, Path):
            schema = None if is_pipe(source) else pq.read_schema(source)
        else:
            schema = getattr(source, "schema", None)
        metadata = getattr(schema, "metadata", None) or {}
        if key.encode() in metadata:
            return str(metadata[key.encode()].decode(errors="replace"))
        attributes = json.loads(metadata.get(b"PANDAS_ATTRS", b"{}"))
        return str(attributes[key]) if key in attributes else None
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return None


def read_versions(path: Path) -> dict[str, str]:
    """Read the versions of the software that made a table from its file; nothing if the file does not say."""
    try:
        metadata = {} if is_pipe(path) else pq.read_schema(path).metadata or {}
        versions = json.loads(metadata.get(_VERSIONS_KEY.encode(), b"{}"))
        return {str(name): str(version) for name, version in versions.items()}
    except (OSError, ValueError, AttributeError, pa.ArrowException):
        return {}
