"""Write a sweep file again with its defaults filled in, so that results say what they were made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from kdtune.settings import GivenDataset, SweepHeader, Train
from kdtune.spec.grid import GRID
from kdtune.spec.variants import BlockVariant
from kdtune.spec.yaml_tree import YamlNode


def fill_defaults(
    tree: YamlNode,
    header: SweepHeader,
    variants: Mapping[str, Sequence[BlockVariant]],
    train_settings: Sequence[Train],
) -> dict[str, Any]:
    """Return the sweep file as it is written, with the defaults that all variants of a block share.

    Parameters
    ----------
    tree : The sweep file.
    header : The settings that belong to no block.
    variants : The variants of each block, all valid.
    train_settings : The settings of ``train`` in every combination with the blocks that override it.
    """
    filled_sweep = header.model_dump(exclude_none=True)
    for block_name, block_variants in variants.items():
        settings = train_settings if block_name == "train" else [variant.settings for variant in block_variants]
        node = tree.find((block_name,))
        filled_block = _fill_block({} if node is None else node.to_plain(), settings)
        if filled_block or block_name != "transfer":
            filled_sweep[block_name] = filled_block
    return filled_sweep


def _fill_block(written_block: dict[str, Any], settings: Sequence[BaseModel]) -> dict[str, Any]:
    if GRID in written_block:
        return written_block  # Its variants are written as several blocks, so that no place is left for defaults.
    dumps = [_dump(item) for item in settings]
    first_dump, other_dumps = dumps[0], dumps[1:]
    written_names = set(written_block)
    if "depth" in written_block or "width" in written_block:
        written_names.add("hidden")
    filled_block = dict(written_block)
    for name, value in first_dump.items():
        if name not in written_names and all(dump.get(name) == value for dump in other_dumps):
            filled_block[name] = value
    return filled_block


def _dump(settings: BaseModel) -> dict[str, Any]:
    # The root depends on the machine; depth and width are written as ``hidden``.
    names = {"depth", "width", "root"}
    if isinstance(settings, GivenDataset):
        names.add("n_classes")  # The data tell it; written out, it would mean that labels are counted from 0.
    return settings.model_dump(exclude=names, exclude_none=True)
