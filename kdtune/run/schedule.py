"""Run a plan's packs as trials of one ``Tuner.fit``. With ``cluster`` the only module that imports Ray.

Ray Tune places the trials, retries those whose worker died and starts the next ones. It knows no
dependencies between trials; ``Dispatcher`` gives them, as a search algorithm that suggests a
student's pack once its teacher is there, and nothing before. A trial's configuration is a pack's
name: the pack itself travels through Ray's object store, its results through the results folder.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

import kdtune.run.cluster  # before Ray: it sets Ray's environment  # noqa: F401

# isort: split
import ray
from ray import tune
from ray.tune.search import Searcher

from kdtune.columns import DONE, ERROR, ID, STATUS, TEACHER
from kdtune.errors import StorageError, SweepError
from kdtune.plan.identity import hash_text
from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import FOLD_AT, Store
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_failed_row, make_skipped_row


class Listener(Protocol):
    """Who is told what happens, as it happens."""

    def started(self, pack: Pack) -> None: ...

    def finished(self, rows: pa.Table) -> None:
        """Rows that are on disk already."""

    def crashed(self, pack: Pack, times: int) -> None:
        """Its worker died; it is tried again."""


Work = Callable[[Pack, Store, WorkerOptions], None]


def train_and_save(pack: Pack, store: Store, options: WorkerOptions) -> None:
    """What a worker does with a pack: train it, then put it into the results folder."""
    import torch

    from kdtune.train.train_pack import train_pack

    torch.set_num_threads(1)
    device = "cuda" if options.gpus_per_worker > 0 else "cpu"
    threads = options.cpus_per_worker
    trained = train_pack(pack, store.teacher_logits, store.teacher_net, options.keep_weights, device, threads=threads)
    store.save(pack.id, trained)


def run(
    packs: list[Pack], store: Store, options: WorkerOptions, listener: Listener, work: Work = train_and_save
) -> None:
    """Train packs, each as soon as its teachers are there. Blocks until all are done.

    Raises
    ------
    StorageError
        If the results folder takes no more. What was finished is there.
    SweepError
        If Ray breaks off.
    """
    if not packs:
        return
    logging.getLogger("ray").setLevel(logging.INFO if options.verbose else logging.CRITICAL)
    dispatcher = Dispatcher(packs, store, options, listener)
    in_object_store = {pack.id: ray.put(pack) for pack in packs}
    trainable = tune.with_resources(
        tune.with_parameters(PackTrainable, packs=in_object_store, store=store, options=options, work=work),
        {"CPU": options.cpus_per_worker, "GPU": options.gpus_per_worker},
    )
    with tempfile.TemporaryDirectory(prefix="kdtune-tune-", ignore_cleanup_errors=True) as scratch:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(search_alg=dispatcher, num_samples=-1, reuse_actors=True),
            run_config=tune.RunConfig(
                name="packs",
                storage_path=scratch,
                verbose=2 if options.verbose else 0,
                stop=StopWhenBroken(dispatcher),
                callbacks=[CountCrashes(dispatcher)],
                failure_config=tune.FailureConfig(max_failures=options.retries),
            ),
        )
        try:
            tuner.fit()
        except tune.TuneError as error:
            raise dispatcher.broken or SweepError(f"Ray Tune broke off: {error}") from error
    if dispatcher.broken:
        raise dispatcher.broken


class PackTrainable(tune.Trainable):
    """A trial: one step is one pack. The process, its imports and its data sets serve the next pack too."""

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], packs: dict[str, Any], store: Store, options: WorkerOptions, work: Work
    ) -> None:
        self.packs, self.store, self.options, self.work = packs, store, options, work

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        pack: Pack = ray.get(self.packs[self.config["pack"]]).without_teachers(self.config["without"])
        answer: dict[str, Any] = {"done": True, "pack": pack.id}
        try:
            try:
                self.work(pack, self.store, self.options)
            except StorageError:
                raise
            except Exception as error:  # it would come again: only crashes are retried
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self.store.write_rows(pack.id, [make_failed_row(network, reason) for network in pack.networks])
        except StorageError as error:
            answer["storage"] = str(error)
        return answer

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        return None  # a pack that breaks off starts again

    def load_checkpoint(self, checkpoint: Any) -> None:
        return None


class Dispatcher(Searcher):
    """Suggests packs in the ready_queue's order, never more than there are workers."""

    def __init__(self, packs: list[Pack], store: Store, options: WorkerOptions, listener: Listener) -> None:
        super().__init__()
        self.whole = {network.id: pack for pack in packs for network in pack.networks}
        self.store, self.options, self.listener = store, options, listener
        self.ready_queue = ReadyQueue(packs)
        self.in_flight: dict[str, Pack] = {}
        self.crashes: Counter[str] = Counter()
        self.taken: list[str] = []  # parts whose rows are known, since they were folded last
        self.broken: SweepError | None = None

    def suggest(self, trial_id: str) -> Any:
        if self.broken or (self.ready_queue.is_empty and not self.in_flight):
            return Searcher.FINISHED
        if len(self.in_flight) >= self.options.workers or (pack := self.ready_queue.pop()) is None:
            return None
        self.in_flight[trial_id] = pack
        if pack.id not in self.crashes:
            self.listener.started(pack)
        whole = self.whole[pack.networks[0].id]  # of which ``pack`` may be what a lost teacher left
        return {"pack": whole.id, "without": sorted(whole.teacher_ids - pack.teacher_ids)}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        pack = self.in_flight.pop(trial_id)
        if self.broken:
            return  # it was stopped, not finished
        try:
            if error or not result:
                if self.crashed(pack):
                    self.ready_queue.requeue(
                        pack
                    )  # Tune gives a trial up that dies between two packs: it is not its fault
                    return
                reason = f"its worker crashed {self.crashes[pack.id]} times"
                self.store.write_rows(pack.id, [make_failed_row(network, reason) for network in pack.networks])
            elif "storage" in result:
                raise StorageError(result["storage"])
            self._take(pack, self.store.read_part(pack.id))
        except SweepError as problem:
            self.broken = problem
        except ValueError as problem:
            where = f"every worker must see the folder {self.store.root}"
            self.broken = SweepError(f"a worker's rows cannot be read: {problem}; {where}")

    def crashed(self, pack: Pack) -> bool:
        """Count a crash; whether the pack may be tried again."""
        self.crashes[pack.id] += 1
        if again := self.crashes[pack.id] <= self.options.retries:
            self.listener.crashed(pack, self.crashes[pack.id])
        return again

    def _take(self, pack: Pack, rows: pa.Table) -> None:
        self.listener.finished(rows)
        self.taken.append(pack.id)
        if len(self.taken) >= FOLD_AT:
            self.store.fold_parts(self.taken)
            self.taken = []
        found = {row[ID]: row for row in rows.select([ID, STATUS, ERROR]).to_pylist()}
        for network in pack.networks:
            if network.model == TEACHER:
                row = found[network.id]
                if row[STATUS] == DONE:
                    self.ready_queue.mark_trained([network.id])
                else:
                    self._skip(network.id, row[ERROR])

    def _skip(self, teacher: str, reason: str) -> None:
        """Rows for the students of a teacher that failed for good."""
        skipped = self.ready_queue.mark_failed([teacher])
        if skipped:
            part = hash_text(f"skipped|{teacher}")
            self.store.write_rows(part, [make_skipped_row(network, reason) for network in skipped])
            self.listener.finished(self.store.read_part(part))

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore that ids make needless

    def save(self, checkpoint_path: str) -> None:
        return None

    def restore(self, checkpoint_path: str) -> None:
        return None


class CountCrashes(tune.Callback):
    """Tells of the retries that are Tune's own."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if pack := self.dispatcher.in_flight.get(trial.trial_id):
            self.dispatcher.crashed(pack)


class StopWhenBroken(tune.Stopper):
    """Ends all trials once nothing more can be stored."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def __call__(self, trial_id: str, result: Any) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.dispatcher.broken is not None
