"""What the blocks of a sweep demand of the data: images for convolutions, classes that exist, enough examples. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdtune.errors import Mistake
from kdtune.settings import CNN, AnyDataset, Distill, Settings, Torchvision, Train, Transfer
from kdtune.spec.block_validation import NamedBlock
from kdtune.spec.yaml_tree import YamlNode


def find_mismatches(dataset: AnyDataset, block: str, settings: Settings, node: YamlNode) -> Iterator[Mistake]:
    """Find what in a block does not fit the data set.

    Parameters
    ----------
    dataset : the settings of the data set.
    block : the name of the other block.
    settings : its settings.
    node : the block as it was written.
    """
    match settings:
        case CNN() if dataset.image is None:
            message = f"cnn needs images, and the features of {dataset.kind} are in no order; choose mlp"
            yield Mistake(node.descendant(("kind",)).location, f"{block}.kind", message)
        case Transfer():
            yield from _find_transfer_mistakes(dataset, settings, node)
        case Distill():
            for name, classes in (("bias_start", settings.bias_start), ("bias_shift", settings.bias_shift)):
                yield from _find_unknown_classes(dataset, list(classes or ()), name, block, node)


def find_batch_size_mistake(dataset: AnyDataset, train: Train, blocks: Sequence[NamedBlock]) -> Iterator[Mistake]:
    """Find a batch that is larger than the training set.

    Parameters
    ----------
    dataset, train : the settings that must fit.
    blocks : the blocks from which ``train`` was merged, the strongest last.
    """
    if train.batch_size <= dataset.n_train:
        return
    source = blocks[0]
    for block in blocks:
        if isinstance(block.node.value, dict) and "batch_size" in block.node.value:
            source = block
    location = source.node.descendant(("batch_size",)).location
    message = (
        f"{train.batch_size} is more than the {dataset.n_train} training examples; at most {dataset.n_train} is right"
    )
    yield Mistake(location, f"{source.field}.batch_size", message)


def _find_transfer_mistakes(dataset: AnyDataset, transfer: Transfer, node: YamlNode) -> Iterator[Mistake]:
    classes, name = transfer.written_classes, transfer.setting_name
    unknown_classes = list(_find_unknown_classes(dataset, classes, name, "transfer", node))
    yield from unknown_classes
    if not unknown_classes and not _has_examples(dataset, transfer):
        message = "leaves no example to train students on; keep at least one class that has some"
        yield Mistake(node.descendant((name,)).location, f"transfer.{name}", message)


def _has_examples(dataset: AnyDataset, transfer: Transfer) -> bool:
    """Return whether any class of the transfer set has training examples; all written classes exist."""
    classes = transfer.written_classes
    if not isinstance(dataset, Torchvision):
        return bool(classes) if transfer.setting_name == "keep" else len(classes) < dataset.n_classes
    kept_classes = transfer.list_classes(dataset.n_classes)
    return kept_classes is None or any(dataset.count_images(label) for label in kept_classes)


def _find_unknown_classes(
    dataset: AnyDataset, classes: list[int], name: str, block: str, node: YamlNode
) -> Iterator[Mistake]:
    """Find classes that the data do not have; ``classes`` are in ascending order."""
    if not classes or classes[-1] < dataset.n_classes:
        return
    label = next(label for label in classes if label >= dataset.n_classes)
    message = f"there is no class {label}; the classes are 0 to {dataset.n_classes - 1}"
    yield Mistake(node.descendant((name,)).location, f"{block}.{name}", message)
