"""Combine the variants of the blocks into cases."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from kdtune.spec.schema import BLOCKS
from kdtune.spec.sweep_spec import Case
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.variants import BlockVariant


def build_cases(variants: Mapping[str, Sequence[BlockVariant]], train_merger: TrainMerger) -> list[Case]:
    """Combine the variants of all blocks; a combination with a mistake gives no case.

    Raises
    ------
    SweepFileError
        If there are too many mistakes in the merged ``train`` blocks, or too many values in all of them.
    """
    cases = []
    for combination in itertools.product(*(variants[block_name] for block_name in BLOCKS)):
        case = _build_case(dict(zip(BLOCKS, combination, strict=True)), train_merger)
        if case is not None:
            cases.append(case)
    return cases


def _build_case(variants: Mapping[str, BlockVariant], train_merger: TrainMerger) -> Case | None:
    """Make the case of one variant of each block; None if there is a mistake in one of them."""
    train_block = variants["train"].train
    teacher, student, distill = variants["teacher"], variants["student"], variants["distill"]
    # The ``train`` blocks are merged first, so that mistakes in them are reported even if another block is wrong.
    teacher_train = train_merger.merge(train_block, teacher.train)
    student_train = train_merger.merge(train_block, student.train)
    distill_train = train_merger.merge(train_block, student.train, distill.train)
    if teacher_train is None or student_train is None or distill_train is None:
        return None
    if any(variant.settings is None for variant in variants.values()):
        return None
    return Case(
        dataset=variants["dataset"].settings,
        transfer=variants["transfer"].settings,
        teacher=teacher.settings,
        teacher_train=teacher_train,
        student=student.settings,
        student_train=student_train,
        distill=distill.settings,
        distill_train=distill_train,
    )
