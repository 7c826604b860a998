"""Run packs in this process, one after the other, without Ray: where the work is small, Ray takes longer to start."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kdtune.errors import SweepError
from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import Store
from kdtune.run.listener import Listener, PackInTraining
from kdtune.run.pack_training import TrainFunction, train_and_save, train_or_write_failed_rows
from kdtune.run.row_collector import RowCollector
from kdtune.run.worker_options import WorkerOptions


def run_packs_in_process(
    packs: Sequence[Pack],
    store: Store,
    options: WorkerOptions,
    listener: Listener,
    train: TrainFunction = train_and_save,
) -> None:
    """Train packs, each after its teachers; return when all are done.

    An error that training raises makes failed rows, as in a worker. There is no worker that could crash, so nothing
    is retried: if this process ends, the next run trains the pack that it was at.

    Parameters
    ----------
    packs : the packs of a plan, in its order.
    store : the results folder.
    options : on how many threads a pack trains, and whether on a GPU.
    listener : receives the events of the run.
    train : trains a pack; it must write a row for each of the pack's networks.

    Raises
    ------
    StorageError
        If the results folder takes no more rows. What was finished is there.
    SweepError
        If the rows of a finished pack are not in the results folder.
    KeyboardInterrupt
        If the user interrupts it. What was finished is there.
    """
    ready_queue = ReadyQueue(packs)
    collector = RowCollector(store, ready_queue, listener)
    with _preserve_threads():
        while (pack := ready_queue.pop()) is not None:
            listener.on_training_changed((PackInTraining(pack, worker=1, since=time.time()),))
            train_or_write_failed_rows(train, pack, store, options)
            listener.on_training_changed(())
            collector.collect(pack)
            listener.on_tick()
    if not ready_queue.is_empty:
        raise SweepError("packs are left that wait for a teacher which is in none of them")


@contextmanager
def _preserve_threads() -> Iterator[None]:
    """Restore the number of torch's threads, which training sets, for the caller's own work afterwards."""
    import torch

    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
