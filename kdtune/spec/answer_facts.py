"""Say what an answer from a sweep's table must say that its rows do not tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from kdtune.inputs.arrays import iterate_chunks, open_array
from kdtune.inputs.given_data import PartName
from kdtune.settings import (
    Dataset,
    GivenDataset,
    GivenOutputs,
    GivenProbabilities,
    MakeClassification,
    Shape,
    SklearnTeacher,
    TeacherModule,
    list_classes,
)
from kdtune.spec.output_checks import count_agreeing, describe_unlike_agreements
from kdtune.spec.sweep_spec import Case
from kdtune.table_facts import GENERATED, SPLIT, VALIDATION, AnswerFacts, DataSource

# Networks of more classes record no errors by class: see ``train.evaluate.MAX_CONFUSION_CLASSES``.
MAX_NAMED_CLASSES = 256
# Soft targets that agree with so many labels, and give them so much probability on average, are nearly the labels.
MIN_AGREEMENT = 0.99
MIN_LABEL_PROBABILITY = 0.9


def make_answer_facts(cases: Sequence[Case]) -> AnswerFacts:
    """Return what each data set is and how replicates redraw it, warnings that these cases need, and class names."""
    pairs = {(id(case.dataset), id(case.teacher)): (case.dataset, case.teacher) for case in cases}
    redraws: dict[str, list[str]] = {}
    notes: dict[str, None] = {}
    for dataset, teacher in pairs.values():
        kind = _find_redraw(dataset, teacher)
        if kind is not None and dataset.dataset_name not in redraws.setdefault(kind, []):
            redraws[kind].append(dataset.dataset_name)
        notes |= dict.fromkeys(_list_warnings(dataset, teacher))
    datasets = [dataset for dataset, _ in pairs.values()]
    sources = dict.fromkeys(
        _describe_source(dataset) for dataset in datasets if not isinstance(dataset, MakeClassification)
    )
    return AnswerFacts(redraws, list(notes), _name_classes(datasets), list(sources))


def _describe_source(dataset: Dataset) -> DataSource:
    """Return what a data set is that exists once: jitter, scales and sizes of splits make no other one of it."""
    parts = dataset.list_part_sizes()
    if isinstance(dataset, GivenDataset):
        content = dataset.given.content
        unit = "rows" if dataset.kind == "table" else "examples"
    else:
        content, unit = dataset.dataset_name, "images"
    unit = "images" if dataset.image else unit
    return DataSource(dataset.dataset_name, content, parts.get("all") or parts["train"], unit)


def _name_classes(datasets: Iterable[Dataset]) -> dict[str, list[str]]:
    """Return what the classes of each data set are called, where that is not their numbers."""
    names = {dataset.dataset_name: _list_class_names(dataset) for dataset in datasets}
    return {name: class_names for name, class_names in names.items() if class_names}


def _list_class_names(dataset: Dataset) -> list[str]:
    """Return what the user calls the classes of a data set; nothing if these are their numbers, or too many."""
    classes = list_classes(dataset)
    if len(classes) > MAX_NAMED_CLASSES:
        return []
    if isinstance(dataset, GivenDataset) and dataset.given.class_names:
        return list(dataset.given.class_names)
    names = [str(label) for label in classes]
    return [] if names == [str(number) for number in range(len(names))] else names


def _find_redraw(dataset: Dataset, teacher: Shape) -> str | None:
    """Return how the draws of a data set differ: as ``AnswerFacts`` calls it; None if they do not."""
    if not dataset.is_redrawn:
        return None
    if isinstance(dataset, MakeClassification):
        return GENERATED
    # The test data of a set that is split here stay where the outputs of its teacher belong to them.
    return SPLIT if dataset.is_test_drawn and teacher.is_redrawn else VALIDATION


def _list_warnings(dataset: Dataset, teacher: Shape) -> Iterator[str]:
    """Yield what makes a teacher that was trained elsewhere look better, or teach worse, than it would."""
    if dataset.is_test_drawn and not teacher.is_redrawn:
        is_given = isinstance(teacher, GivenOutputs)
        subject = "The teacher's outputs are given for" if is_given else "The trained teacher runs on"
        yield (
            f"{subject} a whole data set, whose test data are split off here: if the teacher was fitted on rows that "
            f"are test data now, it looks too good on them, and its students may, too. Right would be to hold test "
            f"data back before a teacher is fitted, and to give them apart: `train:` and `test:`."
        )
    if isinstance(teacher, GivenOutputs):
        yield from describe_unlike_agreements(dataset, teacher)
    if isinstance(teacher, TeacherModule) and teacher.trained and dataset.is_redrawn:
        yield (
            "The validation split is cut from examples that the teacher may have been trained on; T that is chosen on "
            "it then tends to be too high: give `val` examples that the teacher has not seen."
        )
    if isinstance(teacher, GivenProbabilities):
        yield from _warn_of_hard_targets(dataset, teacher)
    if isinstance(teacher, SklearnTeacher) and teacher.has_class_weights:
        yield (
            "The teacher weighs the classes (`class_weight`), and the baseline does not: where balanced errors are "
            "compared, a part of the students' gain on their baselines is this weighting, which a threshold would give "
            "a baseline, too."
        )


def _warn_of_hard_targets(dataset: Dataset, teacher: GivenProbabilities) -> Iterator[str]:
    """Yield a warning if the soft targets of the training rows are nearly their labels."""
    part: PartName = "all" if "all" in teacher.arrays else "train"
    labels = dataset.read_part_labels(part)
    if labels is None:
        return
    probabilities = open_array(teacher.arrays[part])
    agreement = count_agreeing(teacher.arrays[part], labels) / len(labels)
    total = sum(
        float(np.asarray(probabilities[start:stop])[np.arange(stop - start), labels[start:stop]].sum(dtype=np.float64))
        for start, stop in iterate_chunks(probabilities)
    )
    mean_probability = total / len(labels)
    if agreement >= MIN_AGREEMENT and mean_probability >= MIN_LABEL_PROBABILITY:
        rows = "rows" if part == "all" else "training rows"
        yield (
            f"The teacher's probabilities on the {rows} are nearly the labels: they agree with {agreement:.1%} of "
            f"these and give them {mean_probability:.3f} on average, as an estimator does on the rows that it was "
            f"fitted on. Whether they teach more than the labels do shows in the students' difference from their "
            f"baselines, which learn from the labels alone."
        )
