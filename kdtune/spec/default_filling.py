"""Write a sweep file again with its defaults filled in, so that results say what they were made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from kdtune.settings import SweepHeader, Train
from kdtune.spec.grid import GRID
from kdtune.spec.variants import BlockVariant, SweepVariants
from kdtune.spec.yaml_tree import YamlNode


def fill_defaults(
    tree: YamlNode, header: SweepHeader, variants: SweepVariants, trains: Sequence[Train]
) -> dict[str, Any]:
    """Return the sweep file as it was written, with the defaults that all variants of a block share.

    Parameters
    ----------
    tree : the sweep file.
    header : its settings that belong to no block.
    variants : the variants of its blocks, all valid.
    trains : the settings of ``train`` in every combination with the blocks that override it.
    """
    settings_by_block = {
        "dataset": _list_settings(variants.dataset),
        "transfer": _list_settings(variants.transfer),
        "train": trains,
        "teacher": _list_settings(variants.teacher),
        "student": _list_settings(variants.student),
        "distill": _list_settings(variants.distill),
    }
    source = header.model_dump(exclude_none=True)
    for block, settings in settings_by_block.items():
        node = tree.find([block])
        filled_block = _fill_block({} if node is None else node.to_plain(), settings)
        if filled_block or block != "transfer":
            source[block] = filled_block
    return source


def _list_settings(variants: list[BlockVariant]) -> list[BaseModel]:
    return [variant.settings for variant in variants]


def _fill_block(written_block: dict[str, Any], settings: Sequence[BaseModel]) -> dict[str, Any]:
    if GRID in written_block:
        return written_block  # Its variants are written as several blocks, so that no place is left for defaults.
    # Whether the root is the default depends on the machine; depth and width are written as ``hidden``.
    dumps = [item.model_dump(exclude={"depth", "width", "root"}, exclude_none=True) for item in settings]
    first_dump, other_dumps = dumps[0], dumps[1:]
    written_names = set(written_block)
    if "depth" in written_block or "width" in written_block:
        written_names.add("hidden")
    filled_block = dict(written_block)
    for name, value in first_dump.items():
        if name not in written_names and all(dump.get(name) == value for dump in other_dumps):
            filled_block[name] = value
    return filled_block
