"""Find settings that do not fit the data: convolutions without images, unknown classes, too few examples. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from kdtune.errors import Mistake
from kdtune.inputs.class_weights import number_class_weights
from kdtune.inputs.errors import InputError
from kdtune.inputs.reader import InputReader
from kdtune.settings import (
    CNN,
    Dataset,
    Distill,
    GivenDataset,
    GivenOutputs,
    ModuleShape,
    Replicates,
    Settings,
    SklearnTeacher,
    Torchvision,
    Train,
    Transfer,
    list_classes,
)
from kdtune.spec.block_validation import NamedBlock
from kdtune.spec.grid import has_invalid_grid
from kdtune.spec.label_checks import find_label_mistakes
from kdtune.spec.module_checks import find_distill_mistakes, find_module_mistakes
from kdtune.spec.output_checks import find_output_mistakes
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.variants import BlockVariant
from kdtune.spec.yaml_tree import YamlNode


def find_mismatches(
    variants: Mapping[str, Sequence[BlockVariant]], train_merger: TrainMerger, reader: InputReader
) -> Iterator[Mistake]:
    """Find settings that do not fit the data of the sweep; blocks with other mistakes are skipped.

    Parameters
    ----------
    variants : The variants of each block.
    train_merger : The merger that has merged every combination of ``train`` blocks.
    reader : The reader of what the user brings, which takes notes.
    """
    # Every variant of a block meets every data set, so that no case has to be looked at.
    datasets = [variant.settings for variant in variants["dataset"] if variant.settings is not None]
    for dataset, train in itertools.product(datasets, train_merger.merged_settings):
        yield from _find_batch_size_mistake(dataset, train, train_merger.get_source_block(train, "batch_size"))
    for block_name in ("transfer", "teacher", "student", "distill"):
        for dataset, variant in itertools.product(datasets, variants[block_name]):
            yield from _find_block_mistakes(dataset, block_name, variant.settings, variant.node)
    for block_name in ("teacher", "student"):
        for dataset, variant in itertools.product(datasets, variants[block_name]):
            if isinstance(variant.settings, ModuleShape) and not has_invalid_grid(variant.node):
                yield from find_module_mistakes(dataset, block_name, variant.settings, variant.node, reader)
    for student, distill in itertools.product(variants["student"], variants["distill"]):
        if isinstance(student.settings, ModuleShape) and isinstance(distill.settings, Distill):
            yield from find_distill_mistakes(distill.settings, student.settings, distill.node)
    for dataset in datasets:
        if not dataset.has_training_labels:
            yield from find_label_mistakes(variants)
    yield from _find_shared_names(variants["dataset"])
    for teacher in variants["teacher"]:
        if teacher.settings is not None and not teacher.settings.is_trained_by_steps:
            yield from _find_given_teacher_mistakes(datasets, teacher, reader)


def _find_given_teacher_mistakes(
    datasets: Sequence[Dataset], teacher: BlockVariant, reader: InputReader
) -> Iterator[Mistake]:
    """Find what does not fit a teacher that kdtune does not train by gradient steps."""
    kind = teacher.settings.kind
    if not teacher.train.is_empty:
        message = f"a teacher of kind {kind} is not trained by steps; leave train out"
        yield Mistake(teacher.train.node.location, "teacher.train", message)
    for dataset in datasets:
        if dataset.jitter:
            message = f"a teacher of kind {kind} does not see shifted images; leave jitter out of the dataset block"
            yield Mistake(teacher.node.descendant(("kind",)).location, "teacher.kind", message)
        elif isinstance(teacher.settings, SklearnTeacher):
            try:
                number_class_weights(teacher.settings.args, list_classes(dataset))
            except InputError as error:
                yield Mistake(teacher.node.descendant(("args",)).location, "teacher.args", str(error))
        elif isinstance(teacher.settings, GivenOutputs):
            yield from find_output_mistakes(dataset, teacher.settings, teacher.node, reader)


def _find_shared_names(datasets: Sequence[BlockVariant]) -> Iterator[Mistake]:
    """Find different data of the user's that would have one name in the table."""
    content_by_name: dict[str, str] = {}
    for variant in datasets:
        if not isinstance(variant.settings, GivenDataset):
            continue
        name = variant.settings.dataset_name
        if content_by_name.setdefault(name, variant.settings.given.content) != variant.settings.given.content:
            message = f"is missing: two data sets are called {name!r} in the table; give each a name of its own"
            yield Mistake(variant.node.location, "dataset.name", message)


def find_needless_replicates(
    replicates: Replicates, variants: Mapping[str, Sequence[BlockVariant]], location: str
) -> Iterator[Mistake]:
    """Find replicates that would redraw nothing, since what they redraw is given.

    Parameters
    ----------
    replicates : The numbers of draws of data, teacher and student.
    variants : The variants of each block.
    location : Where the replicates stand in the sweep file.
    """
    for dataset, teacher in itertools.product(variants["dataset"], variants["teacher"]):
        if dataset.settings is None or teacher.settings is None:
            continue
        redrawn = [replicates.student]
        if dataset.settings.is_redrawn:
            redrawn.append(replicates.data)
        if teacher.settings.is_redrawn:
            redrawn.append(replicates.teacher)
        if max(redrawn) < replicates.count:
            given = [
                noun
                for noun, block in (("all splits of the data", dataset), ("the teacher", teacher))
                if not block.settings.is_redrawn
            ]
            message = (
                f"{replicates.count} would redraw nothing but what is given ({' and '.join(given)}); redraw the "
                f"students, as in {{student: {replicates.count}}}"
            )
            yield Mistake(location, "replicates", message)
            return


def _find_batch_size_mistake(dataset: Dataset, train: Train, source_block: NamedBlock) -> Iterator[Mistake]:
    if train.batch_size > dataset.n_train:
        location = source_block.node.descendant(("batch_size",)).location
        message = (
            f"{train.batch_size} is more than the {dataset.n_train} training examples; "
            f"at most {dataset.n_train} is right"
        )
        yield Mistake(location, f"{source_block.name}.batch_size", message)


def _find_block_mistakes(
    dataset: Dataset, block_name: str, settings: Settings | None, node: YamlNode
) -> Iterator[Mistake]:
    match settings:
        case CNN() if dataset.image is None:
            message = (
                f"cnn takes images, (channels, height, width), which these {dataset.kind} are not; choose mlp, or, for "
                "windows of signals, a module of your own: {kind: python}"
            )
            yield Mistake(node.descendant(("kind",)).location, f"{block_name}.kind", message)
        case Transfer():
            yield from _find_transfer_mistakes(dataset, settings, node)
        case Distill():
            for name, classes in (("bias_start", settings.bias_start), ("bias_shift", settings.bias_shift)):
                yield from _find_unknown_classes(dataset, list(classes or ()), name, block_name, node)


def _find_transfer_mistakes(dataset: Dataset, transfer: Transfer, node: YamlNode) -> Iterator[Mistake]:
    classes, name = transfer.written_classes, transfer.setting_name
    unknown_classes = list(_find_unknown_classes(dataset, classes, name, "transfer", node))
    yield from unknown_classes
    if not unknown_classes and not _has_examples(dataset, transfer):
        message = "leaves no example to train students on; keep at least one class that has some"
        yield Mistake(node.descendant((name,)).location, f"transfer.{name}", message)


def _has_examples(dataset: Dataset, transfer: Transfer) -> bool:
    """Return whether any class of the transfer set has training examples, if all of its classes exist."""
    classes = transfer.written_classes
    if not isinstance(dataset, Torchvision | GivenDataset):
        return bool(classes) if transfer.setting_name == "keep" else len(classes) < dataset.n_classes
    kept_classes = transfer.list_classes(dataset.n_classes)
    return kept_classes is None or any(dataset.count_examples_of_class(label) for label in kept_classes)


def _find_unknown_classes(
    dataset: Dataset, classes: list[int], name: str, block_name: str, node: YamlNode
) -> Iterator[Mistake]:
    """Find the first class that the data do not have.

    Parameters
    ----------
    dataset : The settings of the data set.
    classes : The classes that a setting names, in ascending order.
    name, block_name : The name of that setting, and of its block.
    node : That block as it is written.
    """
    if not classes or classes[-1] < dataset.n_classes:
        return
    label = next(label for label in classes if label >= dataset.n_classes)
    message = f"there is no class {label}; the classes are 0 to {dataset.n_classes - 1}"
    yield Mistake(node.descendant((name,)).location, f"{block_name}.{name}", message)
