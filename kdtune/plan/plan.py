"""Plan a sweep: from its networks and what is done already to the packs that are still to train."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from kdtune.columns import TEACHER
from kdtune.plan.network import Network, Pack, make_pack
from kdtune.plan.packing import PackLimits, limit_loss, pack_students, pack_teachers


@dataclass(frozen=True)
class Plan:
    """The networks that a sweep asks for, and the packs that are still to train.

    Attributes
    ----------
    networks : all networks of the sweep, in the order of the table.
    packs : the packs to train, teachers first.
    skipped : students that cannot be trained, since their teacher diverged.
    """

    networks: list[Network]
    packs: list[Pack]
    skipped: list[Network]

    @cached_property
    def networks_to_train(self) -> list[Network]:
        """The networks of all packs; some of them may be done already (see ``make_plan``)."""
        return [network for pack in self.packs for network in pack.networks]

    @property
    def work(self) -> int:
        """Multiply-adds of training all packs."""
        return sum(pack.work for pack in self.packs)

    def count_model(self, model: str) -> int:
        """Return how many networks of the sweep are of a model, such as ``"teacher"``."""
        return sum(network.model == model for network in self.networks)


def make_plan(
    networks: list[Network],
    done_ids: Collection[str] = (),
    ready_teacher_ids: Collection[str] = (),
    failed_teacher_ids: Collection[str] = (),
    workers: int = 1,
    limits: PackLimits = PackLimits(),  # noqa: B008 - frozen
    fixed_packs: bool = False,
    module_limits: PackLimits | None = None,
) -> Plan:
    """Plan the training of what is missing of a sweep.

    Missing networks are trained, but for the students of a teacher that failed for good. A finished teacher
    is trained again if its logits are lost and a student in a pack still needs them.

    Parameters
    ----------
    networks : all networks of the sweep, from ``enumerate_networks``.
    done_ids : networks that have a final row: done, or diverged.
    ready_teacher_ids : teachers whose logits are stored.
    failed_teacher_ids : teachers that diverged. That is a result, so their students are skipped.
    workers : the number of workers that the packs are divided among.
    limits : how large a pack may be; ``PackLimits(max_networks=1)`` trains each network alone.
    fixed_packs : whether packs follow from the sweep alone, whatever is done and however many workers
        there are. A pack is then trained whole if any of its networks is missing. This is for networks
        and devices whose results depend, in their last bits, on the pack. Of a pack of the user's modules only
        the missing networks are trained: sweeps of them grow by temperatures, and what is trained stays.
    module_limits : how large a fixed pack of the user's modules may be; None for ``limits``.
    """
    done = set(done_ids)
    failed_teachers = set(failed_teacher_ids)

    missing: list[Network] = []
    skipped: list[Network] = []
    for network in networks:
        if network.id in done:
            continue
        if network.teacher and network.teacher.id in failed_teachers:
            skipped.append(network)
        else:
            missing.append(network)
    missing_ids = {network.id for network in missing}
    ready_teachers = set(ready_teacher_ids)
    lost_teachers = {network.teacher.id for network in missing if network.teacher} - ready_teachers

    groups: list[tuple[list[Network], PackLimits]]
    if fixed_packs:
        groups = [
            ([network for network in networks if network.facts is None], limits),
            ([network for network in networks if network.facts is not None], module_limits or limits),
        ]
    else:
        needed_ids = missing_ids | lost_teachers
        needed_networks = [network for network in networks if network.id in needed_ids]
        groups = [(needed_networks, limit_loss(limits, needed_networks))]
    pack_workers = 1 if fixed_packs else workers
    teacher_packs: list[Pack] = []
    student_packs: list[Pack] = []
    for members, group_limits in groups:
        teachers = [network for network in members if network.model == TEACHER]
        teacher_packs += pack_teachers(teachers, pack_workers, group_limits, limit_to_stack=not fixed_packs)
    for members, group_limits in groups:
        students_and_baselines = [network for network in members if network.model != TEACHER]
        student_packs += pack_students(students_and_baselines, teacher_packs, pack_workers, group_limits)
    # Students of failed teachers leave a fixed pack after packing, as they do when a teacher fails during the sweep.
    student_packs = [pack.without_teachers(failed_teachers) for pack in student_packs]
    student_packs = [_keep_modules(pack, missing_ids) for pack in _select_packs(student_packs, missing_ids)]
    # A fixed pack is trained whole, so that the teachers of its finished students are needed as well.
    for pack in student_packs:
        lost_teachers |= pack.teacher_ids - ready_teachers
    needed_teachers = missing_ids | lost_teachers
    teacher_packs = [_keep_modules(pack, needed_teachers) for pack in _select_packs(teacher_packs, needed_teachers)]
    return Plan(networks, teacher_packs + student_packs, skipped)


def _keep_modules(pack: Pack, ids: Collection[str]) -> Pack:
    """Return a pack of the user's modules with these of its networks alone, and any other pack as it is."""
    if pack.networks[0].facts is None:
        return pack
    return make_pack(network for network in pack.networks if network.id in ids)


def _select_packs(packs: list[Pack], network_ids: set[str]) -> list[Pack]:
    """Return the packs that hold at least one of these networks."""
    return [pack for pack in packs if any(network.id in network_ids for network in pack.networks)]
