"""Combine the variants of the blocks into cases, and check what two blocks say together."""

from __future__ import annotations

import itertools

from kdtune.errors import Mistake
from kdtune.settings import Train
from kdtune.spec.block_validation import NamedBlock
from kdtune.spec.cross_checks import find_batch_size_mistake, find_mismatches
from kdtune.spec.size_limits import SizeLimit
from kdtune.spec.sweep_spec import Case
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.variants import BlockVariant, SweepVariants


class CaseBuilder:
    """Makes the cases of a sweep. Each pair of blocks is checked once, however many cases share it."""

    def __init__(self, trains: TrainMerger, size_limit: SizeLimit, mistakes: list[Mistake]) -> None:
        self._trains = trains
        self._size_limit = size_limit
        self._mistakes = mistakes
        # Pairs of identities of variants or settings, which the sweep keeps alive.
        self._checked_pairs: set[tuple[int, int]] = set()

    def build_cases(self, variants: SweepVariants) -> list[Case]:
        """Combine the variants; a combination with a mistake gives no case.

        Raises
        ------
        SweepFileError
            If the transfer sets of all students have too many classes in all.
        """
        cases = []
        for dataset, transfer, train, teacher, student, distill in itertools.product(
            variants.dataset, variants.transfer, variants.train, variants.teacher, variants.student, variants.distill
        ):
            teacher_train = self._merge_train(dataset, train, teacher.train)
            student_train = self._merge_train(dataset, train, student.train)
            distill_train = self._merge_train(dataset, train, student.train, distill.train)
            self._check_against_data(dataset, "transfer", transfer)
            self._check_against_data(dataset, "teacher", teacher)
            self._check_against_data(dataset, "student", student)
            self._check_against_data(dataset, "distill", distill)
            blocks = (dataset, transfer, teacher, student, distill)
            if any(block.settings is None for block in blocks):
                continue
            if teacher_train is None or student_train is None or distill_train is None:
                continue
            cases.append(
                Case(
                    dataset.settings,
                    transfer.settings,
                    teacher.settings,
                    teacher_train,
                    student.settings,
                    student_train,
                    distill.settings,
                    distill_train,
                )
            )
        return cases

    def _merge_train(self, dataset: BlockVariant, base: BlockVariant, *overriding: NamedBlock) -> Train | None:
        """Merge the ``train`` blocks, and check that the batches fit the data."""
        train = self._trains.merge(base.node, overriding)
        if dataset.settings is not None and train is not None and self._is_new_pair(dataset.settings, train):
            blocks = [NamedBlock("train", base.node), *overriding]
            self._mistakes += find_batch_size_mistake(dataset.settings, train, blocks)
        return train

    def _check_against_data(self, dataset: BlockVariant, block: str, variant: BlockVariant) -> None:
        if dataset.settings is None or variant.settings is None or not self._is_new_pair(dataset, variant):
            return
        if block == "transfer" and variant.settings.written_classes:
            n_students = self._size_limit.count_students_of_variant("dataset", "transfer")
            self._size_limit.add("classes of transfer sets", dataset.settings.n_classes * n_students)
        self._mistakes += find_mismatches(dataset.settings, block, variant.settings, variant.node)

    def _is_new_pair(self, first: object, second: object) -> bool:
        pair = id(first), id(second)
        is_new = pair not in self._checked_pairs
        self._checked_pairs.add(pair)
        return is_new
