"""Run packs as trials of one ``Tuner.fit``.

How packs become trials:

- Each pack is one trial. Ray Tune places the trials on the cluster and starts the next ones; a worker, once
  started, serves trial after trial (``trainable.PackTrainable``).
- Tune knows no dependencies between trials. ``dispatcher.Dispatcher`` adds them, as a search algorithm that
  suggests a student's pack once its teacher is trained. It also decides what follows from a crash, from a failed
  teacher and from a full disk.
- A trial's configuration is only a pack's id. The pack itself travels through Ray's object store, its results
  through the results folder, which driver and workers share.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

import logging
import tempfile

import ray
from ray import tune

from kdtune.errors import SweepError
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.dispatcher import Dispatcher, DispatcherCallback, StopOnFatalError
from kdtune.run.listener import Listener
from kdtune.run.pack_training import TrainFunction, train_and_save
from kdtune.run.trainable import PackTrainable
from kdtune.run.worker_options import WorkerOptions


def run_packs(
    packs: list[Pack],
    store: Store,
    options: WorkerOptions,
    listener: Listener,
    train: TrainFunction = train_and_save,
) -> None:
    """Train packs, each as soon as its teachers are trained; return when all are done.

    Ray must be connected: see ``cluster.connect_to_ray``.

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
        If Ray breaks off, or the rows of a finished pack are not in the results folder.

    An error that the listener raises ends the sweep, and is raised here.
    """
    if not packs:
        return
    logging.getLogger("ray").setLevel(logging.INFO if options.verbose else logging.CRITICAL)
    dispatcher = Dispatcher(packs, store, options, listener)
    with tempfile.TemporaryDirectory(prefix="kdtune-tune-", ignore_cleanup_errors=True) as scratch_folder:
        tuner = _make_tuner(packs, store, options, dispatcher, train, scratch_folder)
        try:
            tuner.fit()
        except (tune.TuneError, ray.exceptions.RayError) as error:
            if dispatcher.fatal_error is None:
                raise SweepError(f"Ray Tune broke off: {error}") from error
    if dispatcher.fatal_error is not None:
        raise dispatcher.fatal_error
    if not dispatcher.is_finished:
        raise SweepError("Ray Tune ended before all packs were trained")


def _make_tuner(
    packs: list[Pack],
    store: Store,
    options: WorkerOptions,
    dispatcher: Dispatcher,
    train: TrainFunction,
    scratch_folder: str,
) -> tune.Tuner:
    """Set up Ray Tune so that the dispatcher decides which trials there are."""
    pack_references = {pack.id: ray.put(pack) for pack in packs}
    trainable = tune.with_resources(
        tune.with_parameters(PackTrainable, packs=pack_references, store=store, options=options, train=train),
        {"CPU": options.cpus_per_worker, "GPU": options.gpus_per_worker},
    )
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=dispatcher,
            num_samples=-1,  # until the dispatcher says that it has finished
            reuse_actors=True,  # a worker takes seconds to start
        ),
        run_config=tune.RunConfig(
            name="packs",
            storage_path=scratch_folder,
            verbose=2 if options.verbose else 0,
            stop=StopOnFatalError(dispatcher),
            callbacks=[DispatcherCallback(dispatcher)],
            failure_config=tune.FailureConfig(max_failures=0),  # the dispatcher retries, and counts crashes by pack
        ),
    )
