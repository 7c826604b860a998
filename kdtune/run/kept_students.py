"""Decide which students' weights a sweep keeps, and remove the others while it runs and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from kdtune.columns import ID, TEACHER
from kdtune.plan.cells import group_into_cells
from kdtune.plan.network import Network
from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.results.students import prune_students
from kdtune.run.cost import format_bytes
from kdtune.run.progress import Progress
from kdtune.run.request import Keep
from kdtune.table import select_networks
from kdtune.text import pluralize

# By default all students are kept while their weights take less than this together.
MAX_KEPT_BYTES = 200_000_000
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class KeptStudents:
    """Which students' weights a sweep keeps."""

    keep: Keep
    """``"none"``, ``"best"`` or ``"all"``."""
    is_automatic: bool
    """Whether the user left the choice to kdtune: then nothing is removed that earlier runs have kept."""
    all_bytes: int
    """What the weights of all students take."""

    @property
    def description(self) -> str:
        """The students whose weights are kept, in words; empty if there are none."""
        return {"none": "", "best": "the students at the best T of each setting", "all": "all students"}[self.keep]


def choose_kept_students(keep: Keep, networks: Iterable[Network]) -> KeptStudents:
    """Choose for ``"auto"``: all students where they take little, else the best of each cell."""
    all_bytes = measure_weights(network for network in networks if network.model != TEACHER)
    if keep != "auto":
        return KeptStudents(keep, is_automatic=False, all_bytes=all_bytes)
    return KeptStudents("all" if all_bytes < MAX_KEPT_BYTES else "best", is_automatic=True, all_bytes=all_bytes)


def measure_weights(networks: Iterable[Network]) -> int:
    """Return the bytes of the weights of networks, without the few hundred with which each file begins."""
    bytes_by_settings: dict[tuple[int, int], int] = {}  # of shape and data, objects that the networks of a sweep share
    total = 0
    for network in networks:
        key = id(network.shape), id(network.data.settings)
        if key not in bytes_by_settings:
            bytes_by_settings[key] = FLOAT32_BYTES * (network.n_params or 0)
        total += bytes_by_settings[key]
    return total


def estimate_kept_bytes(kept: KeptStudents, plan: Plan) -> int:
    """Estimate the bytes of the weights that stay of the students that a plan trains."""
    students = [network for network in plan.networks_to_train if network.model != TEACHER]
    if kept.keep == "all":
        return measure_weights(students)
    if kept.keep == "none":
        return 0
    cells = group_into_cells(students)
    return sum(
        measure_weights(cell) // len({network.distill.T for network in cell if network.distill}) for cell in cells
    )


class StudentPruner:
    """Removes weights that are not to stay while a sweep runs, so that they never take much more than those that do.

    The best T of a cell is known once all its students have ended: the others are removed then, as soon as the weights
    that came since the last time take more than ``MAX_KEPT_BYTES``.
    """

    def __init__(self, store: Store, plan: Plan, kept: KeptStudents) -> None:
        self.store = store
        self.networks_to_train = {network.id: network for network in plan.networks_to_train}
        self.cell_of_student: dict[str, list[str]] = {}  # ids of all students of its cell
        self.n_running: Counter[int] = Counter()  # students of a cell that have not ended, by the id() of its list
        self.complete_cells: list[list[str]] = []  # since the last time
        self.new_bytes = 0  # since the last time
        if kept.keep == "best":
            for students in group_into_cells(plan.networks):
                cell = [student.id for student in students]
                self.cell_of_student |= dict.fromkeys(cell, cell)
                self.n_running[id(cell)] = sum(student_id in self.networks_to_train for student_id in cell)

    def add(self, rows: pa.Table) -> None:
        """Note which students have ended."""
        if not self.cell_of_student:
            return
        network_ids = rows[ID].to_pylist()
        self.new_bytes += measure_weights(self.networks_to_train[network_id] for network_id in network_ids)
        for network_id in network_ids:
            cell = self.cell_of_student.get(network_id)
            if cell is None:
                continue
            self.n_running[id(cell)] -= 1
            if self.n_running[id(cell)] == 0:
                self.complete_cells.append(cell)

    @property
    def is_due(self) -> bool:
        """Whether new weights take much, and some of them are not to stay."""
        return bool(self.complete_cells) and self.new_bytes > MAX_KEPT_BYTES

    def prune(self, rows: pa.Table) -> None:
        """Remove what is not to stay of the cells that are complete.

        Parameters
        ----------
        rows : all rows of the sweep so far, with the measure that T is chosen by.
        """
        student_ids = [student_id for cell in self.complete_cells for student_id in cell]
        students = select_networks(rows, student_ids)
        prune_students(self.store, students, best_only=True, removable_ids=self.networks_to_train)
        self.complete_cells = []
        self.new_bytes = 0


def prune_at_end(kept: KeptStudents, store: Store, plan: Plan, rows: pa.Table, progress: Progress) -> None:
    """Remove the weights that are not to stay, and say which of those that are were not kept."""
    if kept.keep == "none" or (kept.is_automatic and not plan.packs):
        return
    removable_ids = {network.id for network in plan.networks_to_train} if kept.is_automatic else None
    missing = prune_students(store, rows, best_only=kept.keep == "best", removable_ids=removable_ids)
    if missing:
        progress.say(
            f"The weights of {pluralize(missing, 'student')} were not kept when they were trained; "
            f"--fresh trains them again."
        )
    if kept.is_automatic and kept.keep == "best":
        progress.say(
            f"Weights are kept of {kept.description}; those of all students would take "
            f"{format_bytes(kept.all_bytes)}, and --keep-students all keeps them."
        )
