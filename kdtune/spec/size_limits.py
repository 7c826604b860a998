"""Limits on the size of a sweep, so that a typing error is refused at once instead of filling the memory.

Everything that validation or planning enumerates is bounded here before it is enumerated: networks, the
values of expanded grids, layers, classes. Only validated numbers are used. The sizes of layers and data
are not bounded: nothing enumerates them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from kdtune.errors import Mistake, SweepFileError
from kdtune.settings import Replicates, ReplicatesSetting
from kdtune.spec.grid import measure_grid
from kdtune.spec.schema import BLOCKS
from kdtune.spec.yaml_tree import YamlNode, make_empty_block

MAX_NETWORKS = 100_000
# Values of blocks, layers and classes of transfer sets, on average over the networks. The largest that real
# sweeps need are the 62 classes of EMNIST.
MAX_COUNT_PER_NETWORK = 100


def count_replicates(tree: YamlNode) -> int:
    """Count the replicates of a sweep; 1 if the file does not say or what it says is wrong."""
    node = tree.find(["replicates"])
    if node is None:
        return 1
    try:
        replicates: Replicates = TypeAdapter(ReplicatesSetting).validate_python(node.to_plain())
    except ValidationError:
        return 1  # The validation of the header reports it.
    return replicates.count


class SizeLimit:
    """Counts what a sweep makes validation and planning enumerate, and refuses the sweep when it is too much.

    Parameters
    ----------
    tree : the sweep file.
    max_networks : the largest sweep that is accepted.
    mistakes : what was found wrong so far; it is reported together with the size.

    Raises
    ------
    SweepFileError
        If the grid is too large to be expanded.
    """

    def __init__(self, tree: YamlNode, max_networks: int, mistakes: Sequence[Mistake]) -> None:
        self._location = tree.location
        self._mistakes = mistakes
        self._max_count = MAX_COUNT_PER_NETWORK * max(max_networks, MAX_NETWORKS)
        self._counts: dict[str, int] = {}
        sizes = {block: measure_grid(tree.value.get(block, make_empty_block(""))) for block in BLOCKS}
        self._n_variants = {block: size.variants for block, size in sizes.items()}
        n_settings, n_replicates = math.prod(self._n_variants.values()), count_replicates(tree)
        self.n_students = n_settings * n_replicates
        if self.n_students > max_networks:
            self._refuse(
                f"asks for {_format_count(self.n_students)} students or more, over the limit of {max_networks:,} "
                f"networks: the grid has {_format_count(n_settings)} settings, with {n_replicates:,} replicates of "
                f"each; shrink the grid or raise --max-networks"
            )
        for size in sizes.values():
            self.add("values of blocks", size.values)

    def count_students_of_variant(self, *blocks: str) -> int:
        """Count the distilled students that share one variant of each of these blocks."""
        return self.n_students // math.prod(self._n_variants[block] for block in blocks)

    def count_teachers_of_variant(self) -> int:
        """Count the teachers that share one variant of the block ``teacher``, at most."""
        return self.count_students_of_variant("transfer", "teacher", "student", "distill")

    def add(self, noun: str, count: int) -> None:
        """Add to the count of what ``noun`` names, such as "layers of students".

        Raises
        ------
        SweepFileError
            If there are now too many.
        """
        self._counts[noun] = self._counts.get(noun, 0) + count
        if self._counts[noun] > self._max_count:
            self._refuse(
                f"has more than {self._max_count:,} {noun}, each counted once for every network that has it; "
                f"shrink the grid, or the long lists in it"
            )

    def _refuse(self, message: str) -> None:
        raise SweepFileError([*self._mistakes, Mistake(self._location, "", message)])


def _format_count(count: int) -> str:
    # Python refuses to print an integer of more than 4,300 digits, and nobody wants to read one.
    return f"{count:,}" if count <= 10**15 else "more than 1,000,000,000,000,000"
