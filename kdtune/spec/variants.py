"""The variants of each block of a sweep file: its grids expanded, its settings validated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from kdtune.settings import CNN, MLP
from kdtune.spec.block_validation import BlockValidator, NamedBlock
from kdtune.spec.grid import expand_grid
from kdtune.spec.schema import BLOCKS, BLOCKS_WITH_TRAIN, REQUIRED_BLOCKS
from kdtune.spec.size_limits import SizeLimit
from kdtune.spec.yaml_tree import YamlNode, make_empty_block


@dataclass(frozen=True, slots=True)
class BlockVariant:
    """One variant of a block."""

    settings: Any  # None if they are wrong, and for ``train``, which is validated when it is merged
    node: YamlNode
    train: NamedBlock  # the block's own ``train``; empty if it has none


@dataclass(frozen=True)
class SweepVariants:
    """The variants of all blocks."""

    dataset: list[BlockVariant]
    transfer: list[BlockVariant]
    train: list[BlockVariant]
    teacher: list[BlockVariant]
    student: list[BlockVariant]
    distill: list[BlockVariant]


def make_variants(tree: YamlNode, validator: BlockValidator, size_limit: SizeLimit) -> SweepVariants:
    """Expand the grids of all blocks, and validate each variant.

    Raises
    ------
    SweepFileError
        If the networks have too many layers in all.
    """

    def expand(block: str) -> list[BlockVariant]:
        return list(_iterate_variants(block, tree, validator, size_limit))

    return SweepVariants(
        dataset=expand("dataset"),
        transfer=expand("transfer"),
        train=expand("train"),
        teacher=expand("teacher"),
        student=expand("student"),
        distill=expand("distill"),
    )


def _iterate_variants(
    block: str, tree: YamlNode, validator: BlockValidator, size_limit: SizeLimit
) -> Iterator[BlockVariant]:
    block_node = tree.find([block])
    if block_node is None and block in REQUIRED_BLOCKS:
        yield BlockVariant(None, tree, NamedBlock(f"{block}.train", make_empty_block(tree.location)))
        return
    adapter = TypeAdapter(BLOCKS[block])
    for node in expand_grid(block_node or make_empty_block(tree.location)):
        own_settings, train = _split_off_train(block, node)
        # A train block may be incomplete or overridden, so that it is validated when it is merged.
        settings = None if block == "train" else validator.validate(adapter, own_settings, block)
        if isinstance(settings, MLP | CNN):
            _count_layers(block, settings, size_limit)
        yield BlockVariant(settings, node, train)


def _split_off_train(block: str, node: YamlNode) -> tuple[YamlNode, NamedBlock]:
    """Return a block without its ``train``, and its ``train``."""
    field = f"{block}.train"
    train = node.find(["train"]) if block in BLOCKS_WITH_TRAIN else None
    if train is None:
        return node, NamedBlock(field, make_empty_block(node.location))
    settings = {name: child for name, child in node.value.items() if name != "train"}
    return YamlNode(settings, node.location), NamedBlock(field, train)


def _count_layers(block: str, shape: MLP | CNN, size_limit: SizeLimit) -> None:
    if block == "teacher":
        size_limit.add("layers of teachers", shape.n_layers * size_limit.count_teachers_of_variant())
    else:
        size_limit.add("layers of students", shape.n_layers * size_limit.count_students_of_variant("student"))
