"""Limit the size of a sweep, so that a typing error is refused at once instead of filling the memory.

Everything that validation or planning enumerates is bounded here before it is enumerated: networks, the
values of expanded grids, layers, classes. Only validated numbers are used. The sizes of layers and data
are not bounded: nothing enumerates them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from kdtune.errors import Mistake
from kdtune.settings import Replicates, ReplicatesSetting
from kdtune.spec.grid import GRID, is_grid, measure_grid
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.schema import BLOCKS
from kdtune.spec.yaml_tree import YamlNode, make_empty_block
from kdtune.text import pluralize

MAX_NETWORKS = 100_000
# A network may have this many values of blocks, this many layers, and this many classes in its transfer set, on
# average over the sweep. Real sweeps need at most the 62 classes of EMNIST.
MAX_COUNT_PER_NETWORK = 100


def count_replicates(tree: YamlNode) -> int:
    """Count the replicates of a sweep; 1 if their number is missing or wrong."""
    node = tree.find(("replicates",))
    if node is None:
        return 1
    try:
        replicates: Replicates = TypeAdapter(ReplicatesSetting).validate_python(node.to_plain())
    except ValidationError:
        return 1  # The validation of the header reports it.
    return replicates.count


class SizeLimit:
    """Counts the things that validation and planning enumerate, and refuses a sweep that has too many.

    Parameters
    ----------
    tree : The sweep file.
    max_networks : The largest number of networks that is accepted.
    mistakes : The collector of mistakes; those found so far are reported together with the size.

    Raises
    ------
    SweepFileError
        If the grid is too large to be expanded.
    """

    def __init__(self, tree: YamlNode, max_networks: int, mistakes: MistakeCollector) -> None:
        self._tree = tree
        self._mistakes = mistakes
        # A lower ``max_networks`` restricts the networks only: a small sweep may still have many layers or classes.
        self._max_count = MAX_COUNT_PER_NETWORK * max(max_networks, MAX_NETWORKS)
        self._counts: dict[str, int] = {}
        sizes = {name: measure_grid(tree.value.get(name, make_empty_block(""))) for name in BLOCKS}
        self._n_variants = {name: size.variants for name, size in sizes.items()}
        n_combinations = math.prod(self._n_variants.values())
        n_replicates = count_replicates(tree)
        self._n_students = n_combinations * n_replicates
        if self._n_students > max_networks:
            combinations = "combination" if n_combinations == 1 else "combinations"
            self._refuse(
                f"asks for {_format_count(self._n_students)} students or more, over the limit of "
                f"{pluralize(max_networks, 'network')}: the grid has {_format_count(n_combinations)} {combinations}, "
                f"with {pluralize(n_replicates, 'replicate')} of each; shrink the grid or raise --max-networks"
            )
        for size in sizes.values():
            self.add("values of blocks", size.values)

    def count_students_per_variant(self, *block_names: str) -> int:
        """Count the distilled students that share one variant of each of these blocks."""
        return self._n_students // math.prod(self._n_variants[block_name] for block_name in block_names)

    def bound_teachers_per_variant(self) -> int:
        """Return an upper bound on the teachers that share one variant of the block ``teacher``.

        A sweep may have more replicates than draws of teachers.
        """
        return self.count_students_per_variant("transfer", "teacher", "student", "distill")

    def add(self, noun: str, count: int) -> None:
        """Add to the count of the things that ``noun`` names, such as "layers of students".

        Raises
        ------
        SweepFileError
            If the count is now too large.
        """
        self._counts[noun] = self._counts.get(noun, 0) + count
        if self._counts[noun] > self._max_count:
            self._refuse(
                f"has more than {self._max_count:,} {noun}, each counted once for every network that has it; "
                f"shrink the grid, or the long lists in it"
            )

    def _refuse(self, message: str) -> NoReturn:
        self._mistakes.add(Mistake(_find_override(self._tree) or self._tree.location, "", message))
        self._mistakes.raise_error()


def _find_override(tree: YamlNode) -> str | None:
    """Return the location of the replicates or the grid that multiplies the networks most, if ``--set`` gave it."""
    factors: list[tuple[int, str]] = []
    replicates = tree.find(("replicates",))
    if replicates is not None:
        nodes = [replicates, *(child for _, child in replicates.children())]
        # Their number is in one of these nodes, so that an override of any of them counts.
        location = max((node.location for node in nodes), key=_is_override)
        factors.append((count_replicates(tree), location))
    for block_name in BLOCKS:
        if block_name in tree.value:
            factors += _iterate_grids(tree.value[block_name])
    if not factors:
        return None
    _, location = max(factors, key=lambda factor: factor[0])
    return location if _is_override(location) else None


def _is_override(location: str) -> bool:
    return location.startswith("--set ")


def _iterate_grids(node: YamlNode) -> Iterator[tuple[int, str]]:
    """Iterate over the grids in a tree: the number of variants of each, and where its values stand."""
    if is_grid(node):
        yield measure_grid(node).variants, node.value[GRID].location
    for _, child in node.children():
        yield from _iterate_grids(child)


def _format_count(count: int) -> str:
    """Format a count, which may be very large."""
    # Python refuses to print an integer of more than 4,300 digits, and nobody wants to read one.
    return f"{count:,}" if count <= 10**15 else "more than 1,000,000,000,000,000"
