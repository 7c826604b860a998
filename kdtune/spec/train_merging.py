"""Merge ``train`` with the blocks that override it: ``teacher.train``, ``student.train``, ``distill.train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from kdtune.errors import Mistake
from kdtune.settings import Train
from kdtune.spec.block_validation import BlockValidator, NamedBlock
from kdtune.spec.size_limits import SizeLimit
from kdtune.spec.yaml_tree import YamlNode

_ADAPTER = TypeAdapter(Train)


class TrainMerger:
    """Merges and validates ``train`` blocks; equal combinations are merged once."""

    def __init__(self, validator: BlockValidator, size_limit: SizeLimit) -> None:
        self._validator = validator
        self._size_limit = size_limit
        # The keys are the identities of nodes, which the variants of the sweep keep alive.
        self._settings_by_nodes: dict[tuple[int, ...], Train | None] = {}

    @property
    def merged_settings(self) -> list[Train]:
        """The settings of all combinations so far."""
        return [train for train in self._settings_by_nodes.values() if train is not None]

    def merge(self, base: YamlNode, overriding: Sequence[NamedBlock]) -> Train | None:
        """Return the settings of ``train`` with those of the overriding blocks, the strongest last.

        None if they are wrong; the validator has noted the mistakes.
        """
        written_blocks = [block for block in overriding if block.node.value != {}]
        key = (id(base), *(id(block.node) for block in written_blocks))
        if key not in self._settings_by_nodes:
            self._settings_by_nodes[key] = self._merge(base, written_blocks)
        return self._settings_by_nodes[key]

    def _merge(self, base: YamlNode, overriding: list[NamedBlock]) -> Train | None:
        if not isinstance(base.value, dict):
            return self._validate(base, [])
        merged_children: dict[str, YamlNode] = dict(base.value)
        valid_blocks = []
        for block in overriding:
            if isinstance(block.node.value, dict):
                valid_blocks.append(block)
                merged_children |= block.node.value
            else:
                message = "must be a block of settings, as in {epochs: 20}"
                self._validator.mistakes.append(Mistake(block.node.location, block.field, message))
        return self._validate(YamlNode(merged_children, base.location), valid_blocks)

    def _validate(self, node: YamlNode, overriding: list[NamedBlock]) -> Train | None:
        self._size_limit.add("values of train blocks", _count_values(node))
        settings: Any = self._validator.validate(_ADAPTER, node, "train", overriding)
        return settings if isinstance(settings, Train) else None


def _count_values(node: YamlNode) -> int:
    return 1 + sum(_count_values(child) for _, child in node.children())
