"""What a sweep asks for, what of that is there already, and the plan for what is missing."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import DONE, ERROR, ID, STATUS, TEACHER
from kdtune.errors import Mistake, SweepFileError
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import Plan, make_plan
from kdtune.results.store import Store
from kdtune.run.request import Request
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.table import get_final_ids, merge_tables, rows_to_arrow
from kdtune.train.rows import make_skipped_row


def list_sweep_networks(spec: SweepSpec, request: Request) -> list[Network]:
    """Return every network of a sweep; SweepFileError if there are more than the request allows."""
    networks = list(enumerate_networks(spec))
    if len(networks) > request.max_networks:
        message = f"asks for {len(networks):,} networks, over the limit of {request.max_networks:,}"
        raise SweepFileError([Mistake(str(request.file), "", f"{message}; shrink the grid or raise --max-networks")])
    return networks


def list_teacher_ids(networks: list[Network]) -> list[str]:
    """Return the ids of a sweep's teachers."""
    return [network.id for network in networks if network.model == TEACHER]


def read_known_rows(networks: list[Network], request: Request, store: Store) -> pa.Table:
    """Read the rows of earlier runs, and of teachers that another sweep trained; none of what is to start over."""
    teacher_ids = list_teacher_ids(networks)
    rows = rows_to_arrow([]) if request.fresh else store.read_rows()
    if request.fresh_teachers:
        return rows.filter(pc.invert(pc.is_in(rows[ID], pa.array(teacher_ids, pa.string()))))
    return merge_tables([rows, store.teachers.read_rows(teacher_ids)])


def plan_missing(
    networks: list[Network], request: Request, store: Store, rows: pa.Table, options: WorkerOptions | None = None
) -> Plan:
    """Plan what is missing of a sweep.

    Parameters
    ----------
    networks : all networks of the sweep.
    rows : those that are known.
    options : the workers to plan for; None, as long as they are not known, plans for one without a GPU.
    """
    settled_ids = get_final_ids(rows)  # done, or failed in a way that comes again
    done_ids = set(rows[ID].filter(pc.equal(rows[STATUS], DONE)).to_pylist())
    missing_students = [network for network in networks if network.teacher and network.id not in settled_ids]
    workers, gpu_share = 1, 0.0
    if options is not None:
        workers, gpu_share = options.workers, options.gpus_per_worker
    limits = PackLimits.for_gpu(gpu_share) if gpu_share else PackLimits()
    if request.pack is not None:
        limits = replace(limits, max_networks=request.pack)
    fixed_packs = gpu_share > 0 or not all(map(_is_independent_of_pack, networks))
    # Only teachers that may be needed are verified: a sweep with nothing to train need not read their files. A fixed
    # pack is trained whole, so that those of its finished students may be needed as well.
    students = networks if fixed_packs and missing_students else missing_students
    needed_teachers = {network.teacher.id for network in students if network.teacher}
    return make_plan(
        networks,
        done_ids=settled_ids,
        ready_teacher_ids=store.teachers.select_usable(needed_teachers & done_ids),
        failed_teacher_ids=set(list_teacher_ids(networks)) & (settled_ids - done_ids),
        workers=workers,
        limits=limits,
        fixed_packs=fixed_packs,
    )


def _is_independent_of_pack(network: Network) -> bool:
    """Whether a network's last bits on a CPU are the same in every pack, or it is always trained alone.

    The written-out step in float32 treats each member alike; bf16 and modules of any kind may not.
    """
    return network.is_bitwise_reproducible or network.stack_size == 1


def add_skipped_rows(plan: Plan, rows: pa.Table) -> pa.Table:
    """Add rows for the students whose teacher diverged in an earlier run."""
    if not plan.skipped:
        return rows
    errors = dict(zip(rows[ID].to_pylist(), rows[ERROR].to_pylist(), strict=True))
    skipped_rows = [
        make_skipped_row(student, errors[student.teacher.id]) for student in plan.skipped if student.teacher
    ]
    return merge_tables([rows, rows_to_arrow(skipped_rows)])
