"""Refuse a sweep in which a value of ``eval_every`` would be lost, since it is not part of a network's id."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from kdtune.errors import Mistake
from kdtune.settings import Settings, Train
from kdtune.spec.grid import has_grid
from kdtune.spec.schema import BLOCKS_WITH_TRAIN
from kdtune.spec.sweep_spec import Case
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.yaml_tree import YamlNode

_MESSAGE = "cannot be swept, since it changes no network; give one value"
_TRAIN_BLOCKS = ("train", *(f"{block_name}.train" for block_name in BLOCKS_WITH_TRAIN))  # The strongest last.


def find_swept_eval_every(tree: YamlNode) -> Iterator[Mistake]:
    """Find grids in the value of ``eval_every`` itself, whatever networks they give."""
    for block_name in _TRAIN_BLOCKS:
        node = tree.find((*block_name.split("."), "eval_every"))
        if node is not None and has_grid(node):
            yield Mistake(node.location, f"{block_name}.eval_every", _MESSAGE)


def find_lost_eval_every(cases: Sequence[Case], train_merger: TrainMerger) -> Iterator[Mistake]:
    """Find networks that differ in ``eval_every`` alone, so that only one of them would be trained.

    They come from a grid of blocks that set ``eval_every``. Different networks may have different values.
    """
    if len({train.eval_every for train in train_merger.merged_settings}) < 2:
        return  # This is so in most sweeps, and saves a look at each case.
    conflicts = itertools.chain(
        _find_conflicts(
            [case.teacher_train for case in cases],
            ((case.dataset, case.teacher) for case in cases),
        ),
        _find_conflicts(
            [case.student_train for case in cases],
            ((case.dataset, case.transfer, case.student) for case in cases),
        ),
        _find_conflicts(
            [case.distill_train for case in cases],
            (
                (case.dataset, case.transfer, case.teacher, case.teacher_train, case.student, case.distill)
                for case in cases
            ),
        ),
    )
    for first_train, second_train in conflicts:
        second_block = train_merger.get_source_block(second_train, "eval_every")
        first_block = train_merger.get_source_block(first_train, "eval_every")
        # The weaker block may be one that both networks share, and that holds one value.
        source_block = max(second_block, first_block, key=lambda block: _TRAIN_BLOCKS.index(block.name))
        location = source_block.node.descendant(("eval_every",)).location
        yield Mistake(location, f"{source_block.name}.eval_every", _MESSAGE)


def _find_conflicts(
    trains: Sequence[Train], remaining_settings: Iterable[tuple[Settings, ...]]
) -> Iterator[tuple[Train, Train]]:
    """Find the ``train`` settings of two networks that differ in ``eval_every`` alone.

    Parameters
    ----------
    trains : The ``train`` settings of each network.
    remaining_settings : The other settings of each network.
    """
    if len({train.eval_every for train in trains}) < 2:
        return
    settings_numbers = _SettingsNumbers()
    trains_by_numbers: dict[tuple[int, ...], Train] = {}
    for train, network_settings in zip(trains, remaining_settings, strict=True):
        numbers = tuple(settings_numbers.get_number(settings) for settings in (train, *network_settings))
        first_train = trains_by_numbers.setdefault(numbers, train)
        if first_train.eval_every != train.eval_every:
            yield first_train, train


class _SettingsNumbers:
    """Gives settings that are equal, apart from ``eval_every``, the same number."""

    def __init__(self) -> None:
        self._numbers_by_id: dict[int, int] = {}  # The cases keep the settings, and so their identities, alive.
        self._numbers_by_text: dict[str, int] = {}

    def get_number(self, settings: Settings) -> int:
        """Return the number of these settings."""
        number = self._numbers_by_id.get(id(settings))
        if number is None:
            text = settings.model_dump_json(exclude={"eval_every"})
            number = self._numbers_by_text.setdefault(text, len(self._numbers_by_text))
            self._numbers_by_id[id(settings)] = number
        return number
