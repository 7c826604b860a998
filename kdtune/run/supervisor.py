"""Train packs on Ray's workers, and mend what breaks: start Ray again when it dies, and go on with what is missing.

This module does not import Ray, which lives in a process of its own (``ray_session``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from kdtune.errors import RequestError, StorageError, SweepError
from kdtune.files.storage_errors import convert_os_errors
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.listener import Listener
from kdtune.run.memory import MemoryWatch, read_full_memory
from kdtune.run.pack_runs import PackRuns
from kdtune.run.pack_training import TrainFunction
from kdtune.run.patience import Patience
from kdtune.run.ray_messages import Connect, Connected, Crashed, Ended, Finish, Finished, Resized, Started, Work
from kdtune.run.ray_session import RayDiedError, RaySession
from kdtune.run.scratch_folder import note_ray_folder
from kdtune.run.shares import NodeSize, ask_for_memory
from kdtune.run.worker_options import WorkerOptions
from kdtune.text import pluralize

PAUSES = (0.0, 2.0, 10.0, 30.0)  # seconds before the first, second ... restart without a pack finished in between
CLUSTER_SECONDS = 5.0  # from one attempt to join a cluster to the next


class RayWorkers:
    """Workers of Ray, which train packs.

    Parameters
    ----------
    request : the Ray to start or to join.
    scratch_folder : where Ray Tune writes.
    log_path : the file that Ray's messages are written to; None shows them.
    patience : how much is borne.
    say : prints a line.
    """

    def __init__(
        self,
        request: Connect,
        scratch_folder: Path,
        log_path: Path | None,
        patience: Patience,
        say: Callable[[str], None],
    ) -> None:
        self.request = request
        self.scratch_folder = scratch_folder
        self.log_path = log_path
        self.patience = patience
        self.say = say
        self.memory = MemoryWatch()
        self.n_deaths = 0  # of Ray, in all
        self._n_fruitless = 0  # deaths since a pack was finished
        self._n_workers = 0  # that the listener knows of
        self._nodes: tuple[NodeSize, ...] = ()
        # A Ray of the sweep's own ends with this machine's scratch folder, which holds its workers' data.
        self.data_folder = scratch_folder / "data" if request.address is None else None
        if log_path is not None:
            with convert_os_errors(f"write {log_path}"):
                log_path.write_bytes(b"")
        self.session = RaySession(request, log_path, scratch_folder)

    def connect(self) -> Connected:
        """Start or join Ray for the first time.

        Raises
        ------
        RequestError
            If the named cluster does not answer or cannot be joined.
        SweepError
            If Ray does not start, or dies again and again.
        """
        while True:
            try:
                return self._connect()
            except RayDiedError as death:
                self.session.kill()
                self._count_death(str(death))
                self.session = RaySession(self.request, self.log_path, self.scratch_folder)

    def run_packs(
        self, packs: Sequence[Pack], store: Store, options: WorkerOptions, listener: Listener, train: TrainFunction
    ) -> None:
        """Train packs, each as soon as its teachers are trained; return when all are done.

        Parameters
        ----------
        packs : the packs of a plan, in its order.
        store : the results folder, which every worker must see.
        options : how many workers there are, and what each of them takes.
        listener : receives the events of the run, in the calling thread.
        train : trains a pack in a worker; it must write a row for each of the pack's networks.

        Raises
        ------
        StorageError
            If the results folder takes no more rows. What was finished is there.
        SweepError
            If Ray dies again and again, or the rows of a finished pack are not in the results folder.

        An error that the listener raises ends the sweep, and is raised here.
        """
        if not packs:
            return
        self._n_workers = options.total_workers
        if self.request.address is not None:
            options = ask_for_memory(options, self._nodes, packs)
        runs = PackRuns(packs, store, options.total_workers, options.retries, listener)
        while True:
            n_finished = runs.n_finished
            try:
                self._serve(runs, options, listener, train)
                return
            except RayDiedError as death:
                self.session.kill()
                if runs.n_finished > n_finished:
                    self._n_fruitless = 0
                n_finished = runs.n_finished
                is_last_restart = self._n_fruitless == self.patience.restarts
                runs.mark_all_crashed(self.memory.describe(), is_last_restart)
                if runs.n_finished > n_finished:  # One failed.
                    self._n_fruitless = 0
                self._restart(str(death), listener)

    def close(self) -> None:
        """End Ray if it was started here, and leave a cluster that was joined; remove a log of nothing but success."""
        if self.request.address is None:
            self.session.kill()
        else:
            self.session.close()
        if self.log_path is not None and self.n_deaths == 0:
            with suppress(OSError):
                self.log_path.unlink()

    def kill(self) -> None:
        """End everything at once."""
        self.session.kill()

    def _connect(self) -> Connected:
        connected = self.session.connect()
        self._nodes = connected.nodes
        if connected.session_folder:
            note_ray_folder(self.scratch_folder, connected.session_folder)
        return connected

    def _serve(self, runs: PackRuns, options: WorkerOptions, listener: Listener, train: TrainFunction) -> None:
        """Order packs and record what happens to them until all have ended; RayDiedError if Ray dies before."""
        session = self.session
        session.send(Work(runs.list_remaining_packs(), runs.store, options, train, self.data_folder))
        self._set_workers(runs, options.total_workers, listener)
        while not runs.is_finished:
            while (order := runs.order_next()) is not None:
                session.send(order)
            message = session.receive()
            self.memory.look()
            if isinstance(message, Started):
                runs.mark_started(message.pack_id)
            elif isinstance(message, Ended):
                if message.storage_error is not None:
                    raise StorageError(message.storage_error)
                runs.mark_ended(message.pack_id)
            elif isinstance(message, Resized):
                self._set_workers(runs, message.workers, listener)
            elif isinstance(message, Crashed):
                memory = read_full_memory(message.reason) or self.memory.describe()
                runs.mark_crashed(message.pack_id, message.reason, memory)
            listener.on_tick()
        if self.request.address is None:
            return  # All rows are on disk, and nobody else needs this Ray: it takes seconds to end by itself.
        session.send(Finish())
        with suppress(RayDiedError):  # There is nothing left to do for it.
            while not isinstance(session.receive(), Finished):
                listener.on_tick()

    def _set_workers(self, runs: PackRuns, workers: int, listener: Listener) -> None:
        """Note how many workers there are; one pack stays on order, so that a cluster sees that it should grow."""
        if workers != self._n_workers:
            listener.on_workers_changed(workers)
        self._n_workers = workers
        runs.workers = max(1, workers)

    def _restart(self, reason: str, listener: Listener) -> None:
        """Start or join Ray again, after a pause that grows; SweepError if that was in vain too often."""
        while True:
            listener.on_ray_died(reason)
            self._count_death(reason)
            try:
                self._reconnect()
                return
            except RayDiedError as death:
                reason = str(death)
            except SweepError as error:
                if self.request.address is not None:
                    raise  # The cluster was waited for.
                reason = str(error)
            self.session.kill()

    def _count_death(self, reason: str) -> None:
        """Say that Ray died and is started again, and pause; SweepError if that was in vain too often."""
        self.n_deaths += 1
        self._n_fruitless += 1
        if self._n_fruitless > self.patience.restarts:
            times = pluralize(self._n_fruitless, "time")
            raise SweepError(
                f"Ray died {times} without a pack finished in between, the last time because {reason}."
                f"{self._name_log()} Run the same command to continue."
            )
        verb = "Starting" if self.request.address is None else "Joining"
        restart = f"restart {self._n_fruitless} of {self.patience.restarts}"
        self.say(f"Ray died: {reason}. {verb} it again ({restart}).{self._name_log()}")
        time.sleep(PAUSES[min(self._n_fruitless, len(PAUSES)) - 1])

    def _reconnect(self) -> None:
        """Connect in a new process; wait for a cluster that does not answer, and say so each minute.

        Raises
        ------
        SweepError
            If Ray does not start, or the cluster has not come back in time.
        RayDiedError
            If the process dies or does not answer.
        """
        started_at = time.monotonic()
        n_minutes = 0
        while True:
            self.session = RaySession(self.request, self.log_path, self.scratch_folder)
            try:
                self._connect()
                return
            except RequestError as error:
                self.session.close()
                seconds = time.monotonic() - started_at
                if seconds > 60 * self.patience.cluster_minutes:
                    raise SweepError(
                        f"the cluster has not come back: {error}. Run the same command to continue."
                    ) from None
                if seconds >= 60 * n_minutes:
                    waited = f" for {n_minutes} min" if n_minutes else ""
                    self.say(
                        f"Waiting{waited} for the Ray cluster at {self.request.address}; giving up after "
                        f"{self.patience.cluster_minutes:g} min."
                    )
                    n_minutes += 1
                time.sleep(CLUSTER_SECONDS)

    def _name_log(self) -> str:
        """Say where Ray's messages are."""
        return f" What it printed is in {self.log_path}." if self.log_path is not None else ""
