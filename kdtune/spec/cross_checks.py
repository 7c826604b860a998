"""What the blocks of a sweep ask of the data: images for convolutions, classes that exist. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kdtune.errors import Mistake
from kdtune.settings import CNN, AnyDataset, Distill, Settings, Torchvision, Transfer
from kdtune.spec.yaml_tree import YamlNode


def find_mismatches(data: AnyDataset, name: str, block: Settings, node: YamlNode) -> Iterator[Mistake]:
    """Where a block does not fit the data set. ``node`` is the block as it was written."""
    match block:
        case CNN() if data.image is None:
            message = f"cnn needs images, and {data.kind} has features in no order; mlp takes them"
            yield Mistake(node.descendant(("kind",)).location, f"{name}.kind", message)
        case Transfer():
            yield from _transfer(data, block, node)
        case Distill():
            for setting, classes in (("bias_start", block.bias_start), ("bias_shift", block.bias_shift)):
                yield from _unknown(
                    data, f"{name}.{setting}", list(classes or ()), node.descendant((setting,)).location
                )


def _transfer(data: AnyDataset, transfer: Transfer, node: YamlNode) -> Iterator[Mistake]:
    setting, classes = transfer.named
    where = node.descendant((setting,)).location
    unknown = list(_unknown(data, f"transfer.{setting}", classes, where))
    yield from unknown
    kept = transfer.classes(data.n_classes)
    if unknown or kept is None:
        return
    if not kept or (isinstance(data, Torchvision) and not any(map(data.class_count, kept))):
        message = "leaves no example to train students on; keep at least one class that has some"
        yield Mistake(where, f"transfer.{setting}", message)


def _unknown(data: AnyDataset, field: str, classes: list[int], where: str) -> Iterator[Mistake]:
    for label in classes:
        if label >= data.n_classes:
            yield Mistake(where, field, f"there is no class {label}; the classes are 0 to {data.n_classes - 1}")
