"""Find outputs of teachers that do not fit the data: other rows, other classes, another order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kdtune.errors import Mistake
from kdtune.inputs.arrays import Array, ArrayInput, iterate_chunks, open_array
from kdtune.inputs.class_orders import describe_better_order
from kdtune.inputs.given_data import PartName
from kdtune.inputs.reader import InputReader
from kdtune.settings import Dataset, GivenOutputs, GivenProbabilities, list_classes
from kdtune.spec.yaml_tree import YamlNode
from kdtune.text import join_names

PART_TITLES: dict[PartName, str] = {
    "all": "labels",
    "train": "training labels",
    "val": "validation labels",
    "test": "test labels",
}

# Levels of tests. A teacher that has seen validation examples makes T too high, so that a warning too many in a hundred
# sweeps does little harm; rows out of order are rare.
SEEN_LEVEL = 0.01
DISORDER_LEVEL = 0.001


def find_output_mistakes(
    dataset: Dataset, teacher: GivenOutputs, node: YamlNode, reader: InputReader
) -> Iterator[Mistake]:
    """Find what is wrong with the outputs of a teacher on these data, and note what was matched.

    Parameters
    ----------
    dataset, teacher : The settings of the data and of the teacher.
    node : The block of the teacher as it is written.
    reader : The reader that takes notes for the user.
    """
    sizes = dataset.list_part_sizes()
    arrays = teacher.arrays

    def make_mistake(setting: str, message: str) -> Mistake:
        return Mistake(node.descendant(tuple(setting.split("."))).location, f"teacher.{setting}", message)

    if not sizes:
        message = f"outputs are given for data that are given; those of {dataset.kind} are generated anew: choose mlp"
        yield make_mistake("kind", message)
        return
    if set(arrays) != set(sizes):
        yield make_mistake("outputs", _describe_wrong_parts(list(sizes), dataset))
        return
    agreements: dict[PartName, float] = {}
    for part, array in arrays.items():
        setting = "outputs" if part == "all" else f"outputs.{part}"
        rows, n_classes = array.shape
        if rows != sizes[part]:
            message = (
                f"has {rows:,} rows for {sizes[part]:,} {'' if part == 'all' else part + ' '}examples; one for each"
            )
            yield make_mistake(setting, f"{message} is right, in their order")
            return
        if n_classes != dataset.n_classes:
            message = (
                f"has {n_classes:,} columns, and the data have {dataset.n_classes:,} classes; one for each is right, "
                f"in the order of the labels"
            )
            if n_classes > dataset.n_classes:
                message += (
                    f" (if the labels are class numbers from 0 to {n_classes - 1}, of which some have no example, "
                    f"write `n_classes: {n_classes}` in the dataset block)"
                )
            yield make_mistake(setting, message)
            return
        labels = dataset.read_part_labels(part)
        if labels is None:
            continue
        predictions = predict_classes(array)
        if teacher.agreement == "checked":
            problem = describe_better_order(predictions, labels, list_classes(dataset))
            if problem is not None:
                yield make_mistake(setting, problem)
                return
        agreement = float(np.mean(predictions == labels))
        most_frequent = np.bincount(labels).max() / len(labels)
        if agreement < most_frequent and teacher.agreement == "checked":
            message = (
                f"agrees with {agreement:.0%} of the {PART_TITLES[part]}, fewer than the {most_frequent:.0%} of the "
                f"most frequent class; are the rows in the same order? If so, write `agreement: any` in this block"
            )
            yield make_mistake(setting, message)
            return
        agreements[part] = agreement
    shares = [f"{agreement:.1%} of the {PART_TITLES[part]}" for part, agreement in agreements.items()]
    reader.add_note(f"The teacher agrees with {join_names(shares)}.")
    if isinstance(teacher, GivenProbabilities):
        _note_floor(teacher, reader)


def describe_unlike_agreements(dataset: Dataset, teacher: GivenOutputs) -> Iterator[str]:
    """Yield what it may mean that given outputs agree with more labels of one part of the data than of another."""
    sizes = dataset.list_part_sizes()
    labels = {part: dataset.read_part_labels(part) for part in sizes}
    agreeing = {
        part: count_agreeing(teacher.arrays[part], part_labels)
        for part, part_labels in labels.items()
        if part_labels is not None
    }

    def is_larger(part: PartName, other: PartName, level: float) -> bool:
        """Whether a teacher agrees with a larger share of the labels of a part, by Fisher's exact test, one-sided."""
        from scipy.stats import hypergeom  # It takes a second to import.

        if not {part, other} <= agreeing.keys():
            return False
        n_all = sizes[part] + sizes[other]
        p = hypergeom.sf(agreeing[part] - 1, n_all, agreeing[part] + agreeing[other], sizes[part])
        return bool(p < level)

    others: tuple[PartName, ...] = ("val", "test")
    if "val" not in sizes and is_larger("train", "test", SEEN_LEVEL):
        yield (
            "The teacher knows the training examples better than the test examples, so it was probably trained on "
            "them. The validation split is cut from them, and T that is chosen on it tends to be too high: give `val` "
            "examples that the teacher has not seen."
        )
    if is_larger("val", "test", SEEN_LEVEL):
        yield (
            "The teacher knows the validation examples better than the test examples. If it was trained on them, T "
            "that is chosen on them tends to be too high: give `val` examples that the teacher has not seen."
        )
    if any(is_larger(part, "train", DISORDER_LEVEL) for part in others):
        yield (
            "The teacher agrees with fewer of the training labels than of the others, where one expects more: are all "
            "rows of its training outputs in the order of the training examples?"
        )


@lru_cache(maxsize=64)
def predict_classes(array: ArrayInput) -> npt.NDArray[np.int64]:
    """Return the number of the largest output of each example, (examples,); large files are read once a command."""
    outputs = open_array(array)
    chunks = [np.asarray(outputs[start:stop]).argmax(axis=1) for start, stop in iterate_chunks(outputs)]
    return np.concatenate(chunks).astype(np.int64)


def count_agreeing(array: ArrayInput, labels: Array) -> int:
    """Return how many examples have their largest output at their label."""
    return int((predict_classes(array) == labels).sum())


def _describe_wrong_parts(parts: list[PartName], dataset: Dataset) -> str:
    if parts == ["all"]:
        return f"must be one file with a row for each of the {dataset.list_part_sizes()['all']:,} examples, as in z.npy"
    names = ", ".join(f"{part}: z_{part}.npy" for part in parts)
    return f"must be a file for each part of the data: {{{names}}}"


def _note_floor(teacher: GivenProbabilities, reader: InputReader) -> None:
    """Note how many probabilities are raised to the floor."""
    n_raised = n_entries = 0
    for array in teacher.arrays.values():
        values = open_array(array)
        n_entries += values.size
        for start, stop in iterate_chunks(values):
            n_raised += int((np.asarray(values[start:stop]) < teacher.floor).sum())
    if n_raised:
        reader.add_note(
            f"{n_raised:,} of {n_entries:,} probabilities are below {teacher.floor:g} and are raised to it, since T "
            f"acts on logarithms (`floor` in the teacher block)."
        )
