"""Train one pack and write its results, whichever process does it. This module does not import Ray."""

from __future__ import annotations

from collections.abc import Callable

from kdtune.errors import StorageError
from kdtune.inputs.user_code import describe_failure, is_raised_by_user
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_failed_row

TrainFunction = Callable[[Pack, Store, WorkerOptions], None]


def train_and_save(pack: Pack, store: Store, options: WorkerOptions) -> None:
    """Train a pack, then write its rows, logits and weights into the results folder."""
    import torch

    from kdtune.train.train_pack import train_pack

    # Only the stacks train on `threads`. Everything else, such as making the data, keeps to one thread: torch
    # would start one per core of the machine in every worker.
    torch.set_num_threads(1)
    store.fetch_inputs(pack.list_stored_paths())
    results = train_pack(
        pack,
        store.teachers.load_logits,
        store.teachers.load_network,
        keep_weights=options.keep_weights,
        device="cuda" if options.gpus_per_worker > 0 else "cpu",
        threads=options.cpus_per_worker,
    )
    store.save_pack(pack.id, results)


def train_or_write_failed_rows(train: TrainFunction, pack: Pack, store: Store, options: WorkerOptions) -> None:
    """Train a pack; if that raises an error, write a failed row for each of its networks instead.

    The same error would be raised again, so it is not retried: only crashes of a worker's process are.

    Raises
    ------
    StorageError
        If the results folder can take neither rows nor failed rows.
    """
    try:
        train(pack, store, options)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and not is_raised_by_user(error):
            raise  # Ray ends a worker by it.
        reason = describe_failure(error)  # It names the line if the user's own code has raised it.
        store.write_part(pack.id, [make_failed_row(network, reason) for network in pack.networks])
