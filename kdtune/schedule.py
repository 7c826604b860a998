"""Run a plan's packs as trials of one ``Tuner.fit``. The only module of the making wing with Ray.

Ray Tune places the trials, retries those whose worker died and starts the next ones. It knows no
dependencies between trials; ``Dispatcher`` gives them, as a search algorithm that suggests a
student's pack once its teacher is there, and nothing before. A trial's configuration is a pack's
name: the pack itself travels through Ray's object store, its results through the results folder.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

# Ray reads these when it is imported. Tune keeps no state for us: ids make a run resumable.
for _name, _value in {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # With a search algorithm Tune lets one trial wait at a time; the dispatcher bounds them already.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}.items():
    os.environ.setdefault(_name, _value)

import pyarrow as pa
import ray
from ray import tune
from ray.tune.search import Searcher

from kdtune import table as t
from kdtune.agenda import Agenda
from kdtune.errors import RequestError, StorageError, SweepError
from kdtune.identity import digest
from kdtune.plan import Pack
from kdtune.rows import failed_row
from kdtune.store import Store

OBJECT_STORE_BYTES = 256 << 20  # packs are small: what is large lies in the results folder


@dataclass(frozen=True)
class Options:
    """How to run: what a worker takes, where, how often a crash is retried."""

    workers: int  # 0: as many as fit
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    keep_weights: bool = False
    address: str | None = None
    retries: int = 3
    verbose: bool = False


class Listener(Protocol):
    """Who is told what happens, as it happens."""

    def started(self, pack: Pack) -> None: ...

    def finished(self, rows: pa.Table) -> None:
        """Rows that are on disk already."""

    def crashed(self, pack: Pack, times: int) -> None:
        """Its worker died; it is tried again."""


Work = Callable[[Pack, Store, Options], None]


def train_and_save(pack: Pack, store: Store, options: Options) -> None:
    """What a worker does with a pack: train it, then put it into the results folder."""
    import torch

    from kdtune.train import train_pack

    torch.set_num_threads(options.cpus_per_worker)
    device = "cuda" if options.gpus_per_worker > 0 else "cpu"
    store.save(pack.id, train_pack(pack, store.teacher_logits, options.keep_weights, device))


@contextmanager
def cluster(options: Options, cores: int) -> Iterator[tuple[int, float]]:
    """Ray for the length of a sweep: an own one on this machine, or the one that is named.

    Gives the CPUs and GPUs that there are.

    Raises
    ------
    RequestError
        If the named cluster does not answer or cannot be joined.
    """
    quiet: dict[str, Any] = {
        "log_to_driver": options.verbose,
        "logging_level": logging.INFO if options.verbose else logging.ERROR,
    }
    if not options.verbose:
        # Ray prints what it has to say of dead workers past every setting; the listener hears of them.
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
    with _own_token() if options.address is None else nullcontext():
        if options.address is None:
            ray.init(
                address="local",  # never one that an environment variable or a file happens to name
                num_cpus=max(cores, options.workers * options.cpus_per_worker),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
        else:
            _join(options.address, quiet)
        try:
            there = ray.cluster_resources()
            yield int(there.get("CPU", 0)), float(there.get("GPU", 0))
        finally:
            ray.shutdown()


@contextmanager
def _own_token() -> Iterator[None]:
    """A token for the length of one cluster, where the user has chosen none.

    Ray turns authentication on for a cluster of its own and would otherwise leave a token in the
    home folder, which changes how every later cluster starts.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_AUTH_")}
    if not before:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("RAY_AUTH_") and name not in before]:
            del os.environ[name]


def _join(address: str, quiet: dict[str, Any]) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise RequestError(
                f"--address {address}: no Ray cluster answers there ({error}); "
                f"give HOST:PORT of `ray start --head`, or auto on one of its machines"
            ) from None
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.AuthenticationError) as error:
        token = "" if "RAY_AUTH_MODE" in os.environ else "; if it wants a token, set RAY_AUTH_MODE=token"
        reason = str(error).strip().splitlines()[0]
        raise RequestError(f"--address {address}: cannot join the Ray cluster: {reason}{token}") from None


def run(packs: list[Pack], store: Store, options: Options, listener: Listener, work: Work = train_and_save) -> None:
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


class PackTrainable(tune.Trainable):  # type: ignore[misc]
    """A trial: one step is one pack. The process, its imports and its data sets serve the next pack too."""

    def setup(self, config: dict[str, Any], packs: dict[str, Any], store: Store, options: Options, work: Work) -> None:
        self.packs, self.store, self.options, self.work = packs, store, options, work

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        pack: Pack = ray.get(self.packs[self.config["pack"]]).without(self.config["without"])
        answer: dict[str, Any] = {"done": True, "pack": pack.id}
        try:
            try:
                self.work(pack, self.store, self.options)
            except StorageError:
                raise
            except Exception as error:  # it would come again: only crashes are retried
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self.store.write_rows(pack.id, [failed_row(network, reason) for network in pack.networks])
        except StorageError as error:
            answer["storage"] = str(error)
        return answer

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        return None  # a pack that breaks off starts again

    def load_checkpoint(self, checkpoint: Any) -> None:
        return None


class Dispatcher(Searcher):  # type: ignore[misc]
    """Suggests packs in the agenda's order, never more than there are workers."""

    def __init__(self, packs: list[Pack], store: Store, options: Options, listener: Listener) -> None:
        super().__init__()
        self.whole = {network.id: pack for pack in packs for network in pack.networks}
        self.store, self.options, self.listener = store, options, listener
        self.agenda = Agenda(packs)
        self.in_flight: dict[str, Pack] = {}
        self.crashes: Counter[str] = Counter()
        self.broken: SweepError | None = None

    def suggest(self, trial_id: str) -> Any:
        if self.broken or (self.agenda.empty and not self.in_flight):
            return Searcher.FINISHED
        if len(self.in_flight) >= self.options.workers or (pack := self.agenda.next()) is None:
            return None
        self.in_flight[trial_id] = pack
        self.listener.started(pack)
        whole = self.whole[pack.networks[0].id]  # of which ``pack`` may be what a lost teacher left
        return {"pack": whole.id, "without": sorted(whole.teachers - pack.teachers)}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        pack = self.in_flight.pop(trial_id)
        try:
            if error or not result:
                if self.crashed(pack):
                    self.agenda.again(pack)  # Tune gives a trial up that dies between two packs: it is not its fault
                    return
                reason = f"its worker crashed {self.crashes[pack.id]} times"
                self.store.write_rows(pack.id, [failed_row(network, reason) for network in pack.networks])
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
        found = {row[t.ID]: row for row in rows.select([t.ID, t.STATUS, t.ERROR]).to_pylist()}
        for network in pack.networks:
            if network.model == t.TEACHER:
                row = found[network.id]
                if row[t.STATUS] == t.DONE:
                    self.agenda.taught([network.id])
                else:
                    self._skip(network.id, row[t.ERROR])

    def _skip(self, teacher: str, reason: str) -> None:
        """Rows for the students of a teacher that failed for good."""
        skipped = self.agenda.lost([teacher])
        if skipped:
            why = f"its teacher {teacher} failed: {reason}"
            part = digest(f"skipped|{teacher}")
            self.store.write_rows(part, [failed_row(network, why, t.SKIPPED) for network in skipped])
            self.listener.finished(self.store.read_part(part))

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore that ids make needless

    def save(self, checkpoint_path: str) -> None:
        return None

    def restore(self, checkpoint_path: str) -> None:
        return None


class CountCrashes(tune.Callback):  # type: ignore[misc]
    """Tells of the retries that are Tune's own."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if pack := self.dispatcher.in_flight.get(trial.trial_id):
            self.dispatcher.crashed(pack)


class StopWhenBroken(tune.Stopper):  # type: ignore[misc]
    """Ends all trials once nothing more can be stored."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def __call__(self, trial_id: str, result: Any) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.dispatcher.broken is not None
