"""The whole way of a sweep in one place: spec -> plan -> schedule -> table."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from ruamel.yaml import YAML

from kdtune.columns import BASELINE, DONE, ERROR, ID, LEARNING_CURVE, MODEL, STATUS, STUDENT, TEACHER
from kdtune.errors import Mistake, SweepFileError
from kdtune.files.atomic import write_atomically
from kdtune.plan.network import Network, Pack
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import Plan, enumerate_networks, make_plan
from kdtune.results.store import Store
from kdtune.results.students import keep_students
from kdtune.run.progress import Progress
from kdtune.run.request import Request
from kdtune.run.resources import cluster_for
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.spec import SweepSpec, load_spec
from kdtune.table import (
    final_ids,
    merge_tables,
    order_by_ids,
    read_versions,
    rows_to_arrow,
    select_networks,
    stamp_versions,
    write_table,
)
from kdtune.text import plural
from kdtune.train.rows import make_skipped_row
from kdtune.versions import list_versions

REFRESH_SECONDS = 5.0  # how often table.parquet is brought up to date while a sweep runs


@dataclass(frozen=True)
class Outcome:
    """A sweep's rows as far as they got, in the plan's order."""

    rows: pa.Table
    plan: Plan
    store: Store
    interrupted: bool = False


def sweep(request: Request, progress: Progress) -> Outcome:
    """Run a sweep, or what is missing of it.

    Raises
    ------
    RequestError
        If the request is wrong or refused; nothing was written.
    SweepError
        If the run broke off; what was finished is on disk.
    """
    spec = load_spec(request.file, request.all_overrides, request.max_networks, request.data_root)
    with _no_garbage():
        networks = list_sweep_networks(spec, request)
    store = Store(request.results, spec.name)
    with store.opened():
        with _no_garbage():
            rows = read_known_rows(networks, request, store)
            plan = plan_missing(networks, request, store, rows)
            rows = add_skipped_rows(plan, rows)
        progress.begin(plan, store)
        if not plan.packs:
            return _finish(spec, request, store, plan, rows, progress)
        progress.say(f"Starting Ray{' on this machine' if request.address is None else ''}.")
        with cluster_for(spec, request) as options:
            if request.fresh:
                store.clear()
            if request.fresh_teachers:
                store.remove_teachers(network.id for network in networks if network.model == TEACHER)
            plan = plan_missing(networks, request, store, rows, options)
            rows, interrupted = _train(spec, store, plan, rows, options, progress)
        if interrupted:  # the workers are gone by now: what they finished last is there too
            rows = merge_tables([rows, store.rows()])
        return _finish(spec, request, store, plan, rows, progress, interrupted)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """While a million objects are made that all stay, the collector looks for garbage among them again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _train(
    spec: SweepSpec, store: Store, plan: Plan, rows: pa.Table, options: WorkerOptions, progress: Progress
) -> tuple[pa.Table, bool]:
    """Run the plan's packs, keeping the table up to date whatever happens; all rows, and whether it was interrupted."""
    from kdtune.run import schedule  # Ray: seconds to import, and not needed without packs

    store.fold()
    _write_spec(spec, store)
    table = _Table(store, plan, rows)
    interrupted = False
    try:
        with progress.running(plan, options.workers):
            schedule.run(plan.packs, store, options, _Both(table, progress))
    except KeyboardInterrupt:
        interrupted = True
    except BaseException:
        table.write()
        raise
    return table.merged(), interrupted


def _finish(
    spec: SweepSpec,
    request: Request,
    store: Store,
    plan: Plan,
    rows: pa.Table,
    progress: Progress,
    interrupted: bool = False,
) -> Outcome:
    """Leave the folder in order: the resolved file, the table of exactly what it asks for, few parts."""
    _write_spec(spec, store)
    selected = select_networks(rows, [network.id for network in plan.networks])
    made_with = list_versions() if plan.packs else read_versions(store.table)
    write_table(stamp_versions(selected, made_with), store.table)
    store.write_details(order_by_ids(rows, selected[ID]))
    store.fold()
    if not interrupted and (silent := _without_curve(plan, rows)):
        words = {TEACHER: "--fresh-teachers", BASELINE: "--fresh", STUDENT: "--fresh"}
        how = " and ".join(dict.fromkeys(words[model] for model in sorted(silent)))
        progress.say(f"{plural(len(silent), 'network')} recorded no learning curve, from an earlier run; "
                     f"{how} trains anew.")  # fmt: skip
    if request.keep_students != "none" and not interrupted:
        without = keep_students(store, selected, best_only=request.keep_students == "best")
        if without:
            progress.say(f"{without} students were trained without keeping their weights; --fresh trains them again.")
    return Outcome(selected, plan, store, interrupted)


def _without_curve(plan: Plan, rows: pa.Table) -> list[str]:
    """The models of networks that are done and should have recorded one: by an earlier run, which recorded none."""
    wanted = pa.array([network.id for network in plan.networks if network.train.eval_every], pa.string())
    done = rows.filter(pc.and_(pc.equal(rows[STATUS], DONE), pc.is_in(rows[ID], wanted)))
    without = done.filter(pc.is_null(done[LEARNING_CURVE])) if LEARNING_CURVE in done.column_names else done
    return without[MODEL].to_pylist()  # type: ignore[no-any-return]


def list_sweep_networks(spec: SweepSpec, request: Request) -> list[Network]:
    """Every network of a sweep; SweepFileError if there are more than the request allows."""
    networks = list(enumerate_networks(spec))
    if len(networks) > request.max_networks:
        message = f"asks for {len(networks):,} networks, over the limit of {request.max_networks:,}"
        raise SweepFileError([Mistake(str(request.file), "", f"{message}; shrink the grid or raise --max-networks")])
    return networks


def plan_missing(
    networks: list[Network], request: Request, store: Store, rows: pa.Table, options: WorkerOptions | None = None
) -> Plan:
    """The plan for what is missing."""
    done = final_ids(rows)
    with_figures = set(rows[ID].filter(pc.equal(rows[STATUS], DONE)).to_pylist())
    without = done - with_figures
    teachers = [network.id for network in networks if network.model == TEACHER]
    gpus = options.gpus_per_worker if options else 0.0
    limits = PackLimits.of_gpu(gpus) if gpus else PackLimits()
    return make_plan(
        networks,
        done,
        ready_teachers={name for name in teachers if name in with_figures and (store.teachers / name).is_dir()},
        lost_teachers={name for name in teachers if name in without},
        workers=options.workers if options else 1,
        limits=replace(limits, networks=request.pack) if request.pack else limits,
        # The written-out step in float32 treats each member alike; a GPU, bf16 and modules of any kind may not,
        # unless each is trained alone.
        whole_packs=bool(gpus)
        or not all(network.is_bitwise_reproducible or network.stack_size == 1 for network in networks),
    )


def add_skipped_rows(plan: Plan, rows: pa.Table) -> pa.Table:
    """The rows, and those of students whose teacher diverged in an earlier run."""
    if not plan.skipped:
        return rows
    errors = dict(zip(rows[ID].to_pylist(), rows[ERROR].to_pylist(), strict=True))
    return merge_tables(
        [rows, rows_to_arrow([make_skipped_row(n, errors[n.teacher.id]) for n in plan.skipped if n.teacher])]
    )


def read_known_rows(networks: list[Network], request: Request, store: Store, repair: bool = True) -> pa.Table:
    """Rows of earlier runs, and of teachers that another sweep trained; none of what is to start over."""
    teachers = [network.id for network in networks if network.model == TEACHER]
    own = rows_to_arrow([]) if request.fresh else store.rows(repair)
    if request.fresh_teachers:
        return own.filter(pc.invert(pc.is_in(own[ID], pa.array(teachers, pa.string()))))
    return merge_tables([own, store.known_teachers(teachers, repair)])


def _write_spec(spec: SweepSpec, store: Store) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 110
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]

    def dump(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(spec.source, file)

    write_atomically(store.folder / "sweep.yaml", dump)


@dataclass(frozen=True)
class _Both:
    """A listener that keeps the table and shows the progress."""

    table: _Table
    progress: Progress

    def started(self, pack: Pack) -> None:
        self.progress.started(pack)

    def crashed(self, pack: Pack, times: int) -> None:
        self.progress.crashed(pack, times)

    def finished(self, rows: pa.Table) -> None:
        self.table.add(rows)
        self.progress.finished(rows)


class _Table:
    """Rows as they come, and ``table.parquet`` kept up to date with them."""

    def __init__(self, store: Store, plan: Plan, rows: pa.Table) -> None:
        self.store, self.rows, self.made_with = store, [rows], list_versions()
        self.ids = [network.id for network in plan.networks]
        self.next_write = 0.0
        self.write()

    def add(self, rows: pa.Table) -> None:
        self.rows.append(rows)
        if time.monotonic() >= self.next_write:
            self.write()

    def merged(self) -> pa.Table:
        self.rows = [merge_tables(self.rows)]
        return self.rows[0]

    def selected(self) -> pa.Table:
        return select_networks(self.merged(), self.ids)

    def write(self) -> None:
        start = time.monotonic()
        write_table(stamp_versions(self.selected(), self.made_with), self.store.table)
        # A large table takes long to write: it is written more rarely then, a twentieth of the time at most.
        self.next_write = time.monotonic() + max(REFRESH_SECONDS, 20 * (time.monotonic() - start))
