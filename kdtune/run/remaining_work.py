"""Find what is done of a sweep, and plan what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import DONE, ERROR, ID, STATUS, TEACHER
from kdtune.errors import Mistake, SweepFileError
from kdtune.objects.urls import is_object_url
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network
from kdtune.plan.packing import PackLimits, limit_loss
from kdtune.plan.plan import Plan, make_plan
from kdtune.results.store import Store
from kdtune.run.request import Request
from kdtune.run.sent_files import find_sent_files
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import ModuleFacts, ModuleShape, TeacherModule
from kdtune.spec.load import load_spec
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.table import get_final_ids, merge_tables, rows_to_arrow
from kdtune.train.rows import make_skipped_row


def load_request_spec(request: Request, allow_download: bool = True) -> SweepSpec:
    """Read and validate the sweep file of a request; errors and ``allow_download`` are those of ``load_spec``."""
    return load_spec(
        request.file,
        request.all_overrides,
        request.max_networks,
        request.data_root,
        allow_download,
        inputs_folder=request.root / "inputs",
        probe=_probe_module,
        sent_paths=_find_sent_files(request),
    )


def _find_sent_files(request: Request) -> dict[str, Path]:
    """Return where files lie that came with a submitted sweep, by their paths in the sweep file."""
    if not isinstance(request.file, Path):
        return {}
    inputs_url = f"{request.results}/inputs" if is_object_url(request.results) else None
    return find_sent_files(request.file.parent, request.root / "inputs", inputs_url)


def _probe_module(
    shape: ModuleShape, input_shape: tuple[int, ...], n_classes: int, examples: npt.NDArray[Any] | None
) -> ModuleFacts:
    """Try a module of the user's on a few examples; ValueError says why it cannot be used."""
    from kdtune.stacked.probe import measure_trained_module, probe_module  # torch: seconds to import

    factory = shape.load_factory()
    if isinstance(shape, TeacherModule) and shape.trained:
        weights = None if shape.weights_path is None else Path(shape.weights_path)
        return measure_trained_module(factory, shape.args, input_shape, n_classes, weights, examples)
    return probe_module(factory, shape.args, input_shape, n_classes, examples)


def list_sweep_networks(spec: SweepSpec, request: Request) -> list[Network]:
    """Return every network of a sweep; SweepFileError if there are more than the request allows."""
    networks = list(enumerate_networks(spec))
    if len(networks) > request.max_networks:
        message = f"asks for {len(networks):,} networks, over the limit of {request.max_networks:,}"
        raise SweepFileError([Mistake(request.file_name, "", f"{message}; shrink the grid or raise --max-networks")])
    return networks


def list_teacher_ids(networks: list[Network]) -> list[str]:
    """Return the ids of a sweep's teachers."""
    return [network.id for network in networks if network.model == TEACHER]


def read_known_rows(networks: list[Network], request: Request, store: Store) -> pa.Table:
    """Read the rows of earlier runs, and of teachers that another sweep trained, except those to train again."""
    teacher_ids = list_teacher_ids(networks)
    rows = rows_to_arrow([]) if request.fresh else store.read_rows()
    if request.fresh_teachers:
        return rows.filter(pc.invert(pc.is_in(rows[ID], pa.array(teacher_ids, pa.string()))))
    return merge_tables([rows, store.teachers.read_rows(teacher_ids)])


def plan_missing(
    networks: list[Network], request: Request, store: Store, rows: pa.Table, options: WorkerOptions | None = None
) -> Plan:
    """Plan the training of what is missing of a sweep.

    Parameters
    ----------
    networks : all networks of the sweep.
    request, store : what the user asked for, and the sweep's folder.
    rows : the rows of earlier runs.
    options : the workers to plan for; None, while they are not known, plans for one worker without a GPU.
    """
    final_ids = get_final_ids(rows)  # done or diverged
    done_ids = set(rows[ID].filter(pc.equal(rows[STATUS], DONE)).to_pylist())
    missing_students = [network for network in networks if network.teacher and network.id not in final_ids]
    if options is None:
        options = WorkerOptions(workers=1)
    trains_on_gpu = options.gpus_per_worker > 0
    # Where some workers have a GPU and some have none, either may get any pack: it must not be too large for a core.
    is_for_gpu = trains_on_gpu and not options.cpu_only_workers
    limits = PackLimits.for_gpu(options.gpus_per_worker) if is_for_gpu else PackLimits()
    if request.pack is not None:
        limits = replace(limits, max_networks=request.pack)
    # Where a result may depend on its pack, packs must follow from the sweep alone: see `make_plan`.
    fixed_packs = trains_on_gpu or not all(_is_independent_of_pack(network) for network in networks)
    # Only teachers that may be needed are verified: a sweep with nothing to train need not read their files. A fixed
    # pack is trained whole, so that the teachers of its finished students may be needed as well.
    students = networks if fixed_packs and missing_students else missing_students
    needed_teachers = {network.teacher.id for network in students if network.teacher}
    return make_plan(
        networks,
        done_ids=final_ids,
        ready_teacher_ids=store.teachers.select_usable(needed_teachers & done_ids),
        failed_teacher_ids=set(list_teacher_ids(networks)) & (final_ids - done_ids),
        workers=options.total_workers,
        limits=limits,
        fixed_packs=fixed_packs,
        module_limits=None if is_for_gpu else limit_loss(limits, networks),
    )


def _is_independent_of_pack(network: Network) -> bool:
    """Return whether a network's result on a CPU cannot depend on its pack.

    That is so if its training is bitwise reproducible, or if it trains in a stack of one.
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
