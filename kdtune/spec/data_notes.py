"""Say what the data of the user's are, and where they, or the training on them, are small for an answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kdtune.errors_by_example import MAX_TEST_EXAMPLES
from kdtune.settings import GivenDataset, list_classes
from kdtune.spec.sweep_spec import Case
from kdtune.text import join_names

MIN_VALIDATION = 200  # With fewer examples one error more or less is half a point and more.
# Students that learn for fewer steps mostly gain more from further steps than from any T.
MIN_STEPS = 1_000
_MAX_CLASSES = 12  # that are named


def describe_data(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the sizes and classes of the user's data sets, and sentences where sizes are short or too large."""
    yield from dict.fromkeys(
        f"Errors by example are not kept of {case.dataset.dataset_name}: it has more than {MAX_TEST_EXAMPLES:,} test "
        f"examples."
        for case in cases
        if int(case.dataset.test_size or 0) > MAX_TEST_EXAMPLES
    )
    datasets = {id(case.dataset): case.dataset for case in cases if isinstance(case.dataset, GivenDataset)}
    for dataset in datasets.values():
        name, n_train, n_val = dataset.dataset_name, dataset.n_train, int(dataset.val_size or 0)
        classes = list(dataset.given.class_names) or list(map(str, list_classes(dataset)))
        yield (
            f"{name} has {n_train:,} training, {n_val:,} validation and {int(dataset.test_size or 0):,} test examples "
            f"of {len(classes):,} classes, in this order: {join_names(classes, max_names=_MAX_CLASSES)}."
        )
        if n_val < MIN_VALIDATION:
            yield (
                f"T is chosen on {n_val:,} validation examples of {name}, so chance has a large part in it; more of "
                f"them (`val_size`, or `val` of your own) or more replicates make the answer surer."
            )
        trainings = {id(case.distill_train): case.distill_train for case in cases if case.dataset is dataset}
        n_steps = min(train.epochs * math.ceil(n_train / train.batch_size) for train in trainings.values())
        if n_steps < MIN_STEPS:
            yield (
                f"On {name} students train for {n_steps:,} steps (epochs x training examples / batch size), which is "
                f"short: try more epochs until the baselines' errors no longer fall."
            )
