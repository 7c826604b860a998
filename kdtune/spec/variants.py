"""Expand the grids of each block of a sweep file, and validate its variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from kdtune.errors import Mistake
from kdtune.settings import CNN, MLP
from kdtune.spec.block_validation import BlockValidator, NamedBlock
from kdtune.spec.grid import expand_grid, has_invalid_grid
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.schema import BLOCKS, BLOCKS_WITH_TRAIN, REQUIRED_BLOCKS
from kdtune.spec.size_limits import SizeLimit
from kdtune.spec.yaml_tree import YamlNode, make_empty_block


@dataclass(frozen=True, slots=True)
class BlockVariant:
    """A block with one value chosen from each of its grids."""

    settings: Any  # The validated settings; None if they are wrong or a required block is missing.
    node: YamlNode  # The block with its chosen values, before validation.
    train: NamedBlock  # The block's own ``train``, or the block itself if it is ``train``; empty if missing or invalid.


class VariantMaker:
    """Expands the grids of blocks, and validates each variant.

    Parameters
    ----------
    validator : The validator of the variants.
    size_limit : The limit to which the layers of networks are added.
    mistakes : The collector to which mistakes are added.
    """

    def __init__(self, validator: BlockValidator, size_limit: SizeLimit, mistakes: MistakeCollector) -> None:
        self._validator = validator
        self._size_limit = size_limit
        self._mistakes = mistakes

    def make_variants(self, tree: YamlNode) -> dict[str, list[BlockVariant]]:
        """Return the variants of every block in ``BLOCKS``, in their order.

        Raises
        ------
        SweepFileError
            If there are too many mistakes, or the networks have too many layers in all.
        """
        return {block_name: self._expand_block(tree, block_name) for block_name in BLOCKS}

    def _expand_block(self, tree: YamlNode, block_name: str) -> list[BlockVariant]:
        block_node = tree.find((block_name,))
        if block_node is None:
            block_node = make_empty_block(tree.location)
            if block_name in REQUIRED_BLOCKS:  # ``load`` reports that it is missing.
                return [BlockVariant(None, block_node, NamedBlock(f"{block_name}.train", block_node))]
        adapter = TypeAdapter(BLOCKS[block_name])
        variants = []
        for node in expand_grid(block_node):
            train = self._get_train(block_name, node)
            # The block ``train`` is validated here as it is written, even if every other block overrides it. The
            # ``train`` inside another block is removed first: it is validated after the merge.
            settings = self._validator.validate(adapter, _remove_train(block_name, node), block_name)
            if isinstance(settings, MLP | CNN):
                self._count_layers(block_name, settings)
            variants.append(BlockVariant(settings, node, train))
        return variants

    def _get_train(self, block_name: str, node: YamlNode) -> NamedBlock:
        """Return the ``train`` of a block, and report it if it is no block."""
        empty_block = make_empty_block(node.location)
        if block_name == "train":  # ``validate`` reports it if it is no block.
            return NamedBlock("train", node if isinstance(node.value, dict) else empty_block)
        name = f"{block_name}.train"
        train = node.find(("train",)) if block_name in BLOCKS_WITH_TRAIN else None
        if train is None:
            return NamedBlock(name, empty_block)
        if isinstance(train.value, dict):
            return NamedBlock(name, train)
        if not has_invalid_grid(train):  # ``find_grid_mistakes`` reports such a grid.
            self._mistakes.add(Mistake(train.location, name, "must be a block of settings, as in {epochs: 20}"))
        return NamedBlock(name, empty_block)

    def _count_layers(self, block_name: str, shape: MLP | CNN) -> None:
        if block_name == "teacher":
            self._size_limit.add("layers of teachers", shape.n_layers * self._size_limit.bound_teachers_per_variant())
        else:
            n_students = self._size_limit.count_students_per_variant("student")
            self._size_limit.add("layers of students", shape.n_layers * n_students)


def _remove_train(block_name: str, node: YamlNode) -> YamlNode:
    """Return a block without its ``train``, which is validated after the merge."""
    if block_name not in BLOCKS_WITH_TRAIN or node.find(("train",)) is None:
        return node
    return YamlNode({name: child for name, child in node.value.items() if name != "train"}, node.location)
