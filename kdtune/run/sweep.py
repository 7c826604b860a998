"""Run a sweep from its file to its table: spec -> plan -> training -> table."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from ruamel.yaml import YAML

from kdtune.columns import ID
from kdtune.errors import StorageError
from kdtune.files.atomic import write_atomically
from kdtune.inputs.storage import write_inputs
from kdtune.objects.places import refuse_storage_errors
from kdtune.plan.network import Network, Pack
from kdtune.plan.plan import Plan
from kdtune.results.places import open_store
from kdtune.results.store import Store
from kdtune.run.changes import list_changes, write_record
from kdtune.run.kept_students import KeptStudents, StudentPruner, choose_kept_students, prune_at_end
from kdtune.run.listener import PackInTraining
from kdtune.run.live_table import LiveTable
from kdtune.run.missing_details import report_missing_details
from kdtune.run.pack_training import train_and_save
from kdtune.run.progress import Progress
from kdtune.run.publisher import Publisher
from kdtune.run.remaining_work import (
    add_skipped_rows,
    list_sweep_networks,
    list_teacher_ids,
    load_request_spec,
    plan_missing,
    read_known_rows,
)
from kdtune.run.request import Request
from kdtune.run.resources import RunPacks, merge_resources, open_workers
from kdtune.run.status_writer import StatusWriter
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.answer_facts import make_answer_facts
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.table import get_final_ids, merge_tables, order_by_ids, select_networks, write_table
from kdtune.table_facts import AnswerFacts, read_versions, stamp_facts, stamp_select, stamp_versions
from kdtune.versions import list_versions


@dataclass(frozen=True)
class Outcome:
    """The rows of a sweep, and whether it was interrupted."""

    rows: pa.Table
    """What ``sweep`` returns has the networks of the plan that have a row, in the plan's order."""
    plan: Plan
    store: Store
    interrupted: bool = False


def sweep(
    request: Request,
    progress: Progress,
    accompany: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> Outcome:
    """Train the networks of a sweep that have no result yet, and write its table.

    Parameters
    ----------
    request : what the user asks for.
    progress : where progress is shown.
    accompany : is entered with the sweep's folder while the sweep runs, as by a page that shows it.

    Raises
    ------
    RequestError
        If the request is wrong or refused; nothing was written.
    SweepError
        If the run broke off; what was finished is on disk.
    """
    if isinstance(request.results, Path):
        request = replace(request, results=request.root)  # The user's code may change the working folder.
    spec = load_request_spec(request)
    resources = merge_resources(spec, request)
    with _pause_garbage_collection():
        networks = list_sweep_networks(spec, request)
        kept = choose_kept_students(request.keep_students, networks)
    with refuse_storage_errors():
        store = open_store(request.results, spec.name)
    with store.lock(request.waits, progress.say), accompany(store.folder):
        with _pause_garbage_collection():
            rows = read_known_rows(networks, request, store)
            # Packs depend on the workers, which are known once Ray is connected. This plan says what is missing,
            # and whether Ray, which takes seconds to start, is needed at all.
            preliminary_plan = plan_missing(networks, request, store, rows)
            rows = add_skipped_rows(preliminary_plan, rows)
        facts = replace(make_answer_facts(spec.cases), n_networks=len(networks))
        changes = list_changes(store, networks, get_final_ids(rows))
        for note in (*request.notes, *spec.notes, *facts.notes, *changes):
            progress.say(f"note: {note}")
        progress.describe_plan(preliminary_plan, store.warnings)
        if not preliminary_plan.packs:
            _write_inputs(spec, store)  # Even so: results of an earlier version lack inputs that ``sweep.yaml`` names.
            _write_spec(spec, store)
            write_record(store, networks)
            return _finish(kept, Outcome(rows, preliminary_plan, store), progress, spec.select, facts)
        if request.address is not None:
            progress.say(f"Joining Ray at {request.address}.")
        elif resources.workers != 0:
            progress.say("Starting Ray on this machine.")
        with open_workers(spec, resources, request, store.ray_log_path, progress.say) as (options, run_packs):
            _remove_results(networks, request, store)
            plan = plan_missing(networks, request, store, rows, options)
            pruner = StudentPruner(store, plan, kept)
            outcome = _train(spec, facts, store, plan, rows, options, run_packs, pruner, progress)
        if outcome.interrupted:
            # Packs that finished after the interrupt have rows on disk that the dispatcher did not collect.
            rows = merge_tables([outcome.rows, store.read_rows()])
            outcome = Outcome(rows, plan, store, interrupted=True)
        return _finish(kept, outcome, progress, spec.select, facts)


def _remove_results(networks: list[Network], request: Request, store: Store) -> None:
    """Remove the results that the request asks to train again."""
    if request.fresh:
        store.clear()
    if request.fresh_teachers:
        # The rows go first. If the process ends in between, the teachers are still whole; the other way round,
        # their rows would say that they are done, and they would not be trained again.
        teacher_ids = list_teacher_ids(networks)
        store.remove_rows(teacher_ids)
        store.teachers.remove(teacher_ids)


def _train(
    spec: SweepSpec,
    facts: AnswerFacts,
    store: Store,
    plan: Plan,
    rows: pa.Table,
    options: WorkerOptions,
    run_packs: RunPacks,
    pruner: StudentPruner,
    progress: Progress,
) -> Outcome:
    """Run the plan's packs, and write an up-to-date table however that ends."""
    store.compact_parts()
    _write_inputs(spec, store)
    write_record(store, plan.networks)
    _write_spec(spec, store)  # Not at the end: a killed sweep can be analyzed as well.
    table = LiveTable(store, plan, rows, spec.select, facts)
    n_ready = len(plan.networks) - len(plan.networks_to_train)
    status = StatusWriter(store.folder, progress, len(plan.networks), n_ready, options.total_workers)
    interrupted = False
    try:
        with progress.show_training(plan, options.total_workers, options.is_in_process):
            status.write("running")
            run_packs(
                plan.packs,
                store,
                options,
                SweepListener(table, pruner, progress, status, Publisher(store)),
                train_and_save,
            )
    except KeyboardInterrupt:
        interrupted = True
    except BaseException as error:
        status.write("failed", str(error))
        with suppress(StorageError):  # On a full disk, the first error is the one to report.
            table.write()
            store.publish()
        raise
    status.write("interrupted" if interrupted else "finished")
    return Outcome(table.merge(), plan, store, interrupted)


@dataclass(frozen=True)
class SweepListener:
    """Receives the events of a run, keeps the table up to date, removes weights and shows the progress."""

    table: LiveTable
    pruner: StudentPruner
    progress: Progress
    status: StatusWriter
    publisher: Publisher

    def on_training_changed(self, in_training: tuple[PackInTraining, ...]) -> None:
        """Show which packs are trained now."""
        self.progress.set_running([each.pack for each in in_training])
        self.status.in_training = in_training

    def on_workers_changed(self, workers: int) -> None:
        """Say how many workers there are now."""
        self.progress.set_workers(workers)
        self.status.n_workers = workers

    def on_ray_died(self, reason: str) -> None:
        """Note that Ray is started again."""
        self.status.add_restart(reason)

    def on_pack_crashed(self, pack: Pack, crashes: int, memory: str) -> None:
        """Print that the pack is tried again."""
        self.progress.report_crash(pack, crashes, memory)

    def on_rows_finished(self, rows: pa.Table) -> None:
        """Add the rows to the table, and count their networks as done or failed."""
        self.table.add(rows)
        self.progress.add_finished(rows)
        self.pruner.add(rows)
        if self.pruner.is_due:
            self.pruner.prune(stamp_select(self.table.merge(), self.table.select))
        self.table.write_if_due()

    def on_tick(self) -> None:
        """Write rows that came too soon after the last write, and what the sweep is doing; let others see it."""
        self.table.write_if_due()
        self.status.write_if_due()
        self.publisher.publish_if_due()


def _finish(kept: KeptStudents, outcome: Outcome, progress: Progress, select: str, facts: AnswerFacts) -> Outcome:
    """Write the table of exactly the sweep's networks and what lies beside it, and remove what was not asked for."""
    plan, store = outcome.plan, outcome.store
    selected = select_networks(outcome.rows, [network.id for network in plan.networks])
    versions = list_versions() if plan.packs else read_versions(store.table_path)
    selected = stamp_facts(stamp_select(stamp_versions(selected, versions), select), facts)
    write_table(selected, store.table_path)
    store.write_details(order_by_ids(outcome.rows, selected[ID]))
    store.compact_parts()
    if not outcome.interrupted:
        report_missing_details(plan.networks, outcome.rows, progress)
        prune_at_end(kept, store, plan, selected, progress)
    store.publish()
    return Outcome(selected, plan, store, outcome.interrupted)


def _write_inputs(spec: SweepSpec, store: Store) -> None:
    """Write the inputs that training or ``sweep.yaml`` names and that no file of the user's holds, and send them."""
    write_inputs(spec.list_stored_paths())
    store.send_inputs(spec.list_stored_paths())


def _write_spec(spec: SweepSpec, store: Store) -> None:
    """Write the sweep file as it was resolved, with all overrides, to ``sweep.yaml``."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 110
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]

    def dump(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(spec.filled_sweep, file)

    write_atomically(store.folder / "sweep.yaml", dump)


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector: while a million lasting objects are made, it would search them in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
