"""Find what the replicates of a cell have in common because their data set exists once.

Generated data sets are drawn from endlessly many. Digits, MNIST and what a user brings exist once: their draws are cuts
of the same examples, and where test data are given all networks are tested on the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from kdtune.columns import DATASET, ERRORS_ROW, ID, N_TEST, N_TRAIN, N_VAL, TEST_ERRORS
from kdtune.statistics.example_errors import Words, pack_into_words
from kdtune.statistics.standard_errors import Array
from kdtune.table_facts import GENERATED, SPLIT, AnswerFacts, DataSource

# The columns of a student that tell on which examples it was trained and tested.
DATA_COLUMNS = (DATASET, N_TRAIN, N_VAL, N_TEST)


@dataclass(frozen=True)
class FiniteSet:
    """The finite data of a cell.

    Attributes
    ----------
    source : the number of the data set: cells of one number have examples in common. None of generated data.
    overlap : the ratio of test to training examples, if each replicate is another cut of the set with other test data;
        otherwise 0.
    n_test : the number of test examples that all replicates share; 0 if they do not, or it is not known.
    has_fixed_validation : whether all replicates share the validation examples, too.
    n_val : the number of validation examples; 0 if it is not known.
    packed_errors : for each network of the table its errors on the test examples, as ``np.packbits`` makes them; the
        column ``ERRORS_ROW`` says which are whose. It is empty if they were not kept.
    """

    source: int | None
    overlap: float = 0.0
    n_test: int = 0
    packed_errors: Sequence[bytes] = ()
    has_fixed_validation: bool = False
    n_val: int = 0

    def read_errors(self, rows: Array, counts: Array) -> tuple[Words, npt.NDArray[np.bool_]]:
        """Return the packed errors of networks as words, (networks, words), and of which they are known, (networks,).

        They are not known where they are not as many as the network's row in the table says: a mean over several
        networks stands there, or the file belongs to another table.

        Parameters
        ----------
        rows : (networks,): Their values of ``ERRORS_ROW``; NaN where it is not known.
        counts : (networks,): Their numbers of errors.
        """
        n_bytes = -(-self.n_test // 8)
        is_row = np.isfinite(rows) & (rows % 1 == 0)
        packed = [self.packed_errors[int(row)] if is_known else b"" for row, is_known in zip(rows, is_row, strict=True)]
        words = pack_into_words([bits if len(bits) == n_bytes else bytes(n_bytes) for bits in packed])
        has_size = np.array([len(bits) == n_bytes for bits in packed], bool)
        has_equal_count = np.bitwise_count(words).sum(axis=1, dtype=np.int64) == counts
        return words, has_size & has_equal_count


@dataclass(frozen=True)
class FiniteData:
    """What a table says about the data sets that exist once, and the errors by example that lie beside it.

    Attributes
    ----------
    sources : the name of a data set in the table -> what it is; none of generated data.
    numbers : its name -> its number; data sets that have their content in common have one number.
    cut_names : the names of those of which each draw has other test examples.
    packed_errors : as in ``FiniteSet``.
    """

    sources: Mapping[str, DataSource] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    cut_names: frozenset[str] = frozenset()
    packed_errors: Sequence[bytes] = ()

    def describe_cell(self, student: Mapping[str, Any], n_draws: int) -> FiniteSet | None:
        """Return the finite data of a cell; None where replicates have nothing in common.

        Parameters
        ----------
        student : The values of ``DATA_COLUMNS`` of one of its students, as far as the table has them.
        n_draws : The number of draws of data in the cell; 0 if it is not known.
        """
        name = str(student.get(DATASET))
        n_test = _read_count(student.get(N_TEST))
        n_val = _read_count(student.get(N_VAL))
        source = self.sources.get(name)
        if n_draws == 1 or (source is not None and name not in self.cut_names):
            return FiniteSet(self.numbers.get(name), 0.0, n_test, self.packed_errors, n_draws == 1, n_val)
        if source is None:
            return None
        # The row of a student that learns from some classes only does not say how large the training split is.
        n_train = source.n_examples - n_test - n_val
        n_train = n_train if source.n_examples else _read_count(student.get(N_TRAIN))
        return FiniteSet(self.numbers[name], n_test / n_train if n_train > 0 else 0.0)


def _read_count(value: Any) -> int:
    """Return a number of examples, 0 where it is missing or no number: a file may have passed other hands."""
    number = pd.to_numeric(pd.Series([value]), errors="coerce").astype(np.float64).item()
    return int(number) if math.isfinite(number) else 0


def find_finite_data(
    table: pd.DataFrame, facts: AnswerFacts | None, errors_by_example: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, FiniteData | None]:
    """Find the finite data of a table, and number in it the networks whose errors by example are known.

    Parameters
    ----------
    table : One row per network.
    facts : What the table says beside its rows; None if it says nothing, and nothing is found.
    errors_by_example : One row per network, with ``ID`` and ``TEST_ERRORS``; None if there are none.

    Returns
    -------
    The table, with the column ``ERRORS_ROW`` if there are errors by example, and what was found.
    """
    if facts is None or DATASET not in table.columns:
        return table, None
    sources = list_sources(table, facts)
    packed_errors: list[bytes] = []
    if errors_by_example is not None and ID in table.columns:
        positions = pd.Series(np.arange(len(errors_by_example), dtype=np.float64), errors_by_example[ID])
        positions = positions[~positions.index.duplicated()]
        table = table.assign(**{ERRORS_ROW: table[ID].map(positions).to_numpy(np.float64, na_value=np.nan)})
        packed_errors = errors_by_example[TEST_ERRORS].tolist()
    return table, FiniteData(
        sources={source.name: source for source in sources},
        numbers=_number_sources(sources),
        cut_names=frozenset(facts.data_redraws.get(SPLIT, [])),
        packed_errors=packed_errors,
    )


def list_sources(table: pd.DataFrame, facts: AnswerFacts) -> list[DataSource]:
    """Return the data sets of a table that exist once.

    Tables of earlier versions do not list them: there they are those that are not said to be generated.
    """
    names = set(table[DATASET].dropna().astype(str))
    sources = [source for source in facts.sources if source.name in names]
    listed_names = {*facts.data_redraws.get(GENERATED, []), *(source.name for source in sources)}
    if facts.data_redraws and not facts.sources:
        sources += [DataSource(name, name, 0) for name in sorted(names - listed_names)]
    return sources


def _number_sources(sources: Sequence[DataSource]) -> dict[str, int]:
    """Return a number for each name, the same for names that have content in common."""
    if not sources:
        return {}
    names, unique_names = pd.factorize(np.array([source.name for source in sources], object))
    contents = len(unique_names) + pd.factorize(np.array([source.content for source in sources], object))[0]
    n_nodes = int(contents.max()) + 1
    graph = sparse.coo_array((np.ones(len(sources)), (names, contents)), shape=(n_nodes, n_nodes))
    _, components = sparse.csgraph.connected_components(graph, directed=False)
    return {str(name): int(components[index]) for index, name in enumerate(unique_names)}
