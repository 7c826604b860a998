"""Merge ``train`` with the blocks that override it: ``teacher.train``, ``student.train``, ``distill.train``."""

from __future__ import annotations

from pydantic import TypeAdapter

from kdtune.settings import Train
from kdtune.spec.block_validation import BlockValidator, NamedBlock
from kdtune.spec.size_limits import SizeLimit
from kdtune.spec.yaml_tree import YamlNode

_TRAIN_ADAPTER = TypeAdapter(Train)


class TrainMerger:
    """Merges and validates ``train`` blocks; equal combinations are merged once."""

    def __init__(self, validator: BlockValidator, size_limit: SizeLimit) -> None:
        self._validator = validator
        self._size_limit = size_limit
        # The keys are the identities of nodes, which the variants of the sweep keep alive.
        self._settings_by_node_ids: dict[tuple[int, ...], Train | None] = {}
        # The keys are the identities of merged settings, which are kept alive by the dictionary above.
        self._blocks_by_settings_id: dict[int, list[NamedBlock]] = {}

    @property
    def merged_settings(self) -> list[Train]:
        """The valid settings of all combinations so far."""
        return [train for train in self._settings_by_node_ids.values() if train is not None]

    def merge(self, base: NamedBlock, *overriding_blocks: NamedBlock) -> Train | None:
        """Return the settings of ``train`` with those of the overriding blocks; None if any are wrong.

        Parameters
        ----------
        base : The block ``train``.
        overriding_blocks : The blocks that override it, the strongest last.

        Raises
        ------
        SweepFileError
            If there are too many mistakes, or the ``train`` blocks of the sweep have too many values in all.
        """
        written_blocks = [block for block in overriding_blocks if not block.is_empty]
        key = (id(base.node), *(id(block.node) for block in written_blocks))
        if key not in self._settings_by_node_ids:
            merged_children: dict[str, YamlNode] = dict(base.node.value)
            for block in written_blocks:
                merged_children |= block.node.value
            merged_node = YamlNode(merged_children, base.node.location)
            self._size_limit.add("values of train blocks", _count_values(merged_node))
            train: Train | None = self._validator.validate(_TRAIN_ADAPTER, merged_node, "train", written_blocks)
            self._settings_by_node_ids[key] = train
            if train is not None:
                self._blocks_by_settings_id[id(train)] = [base, *written_blocks]
        return self._settings_by_node_ids[key]

    def get_source_block(self, train: Train, setting: str) -> NamedBlock:
        """Return the block from which a merged setting comes; the block ``train`` if none sets it."""
        blocks = self._blocks_by_settings_id[id(train)]
        source_block = blocks[0]
        for block in blocks:
            if setting in block.node.value:
                source_block = block
        return source_block


def _count_values(node: YamlNode) -> int:
    return 1 + sum(_count_values(child) for _, child in node.children())
