"""Run packs as trials of one ``Tuner.fit``.

How packs become trials:

- Each pack is one trial. Ray Tune places the trials on the cluster and starts the next ones; a worker, once
  started, serves trial after trial (``trainable.PackTrainable``).
- Tune knows no dependencies between trials. The supervisor orders a student's pack once its teacher is trained
  (``pack_runs.PackRuns``), and ``dispatcher.Dispatcher``, a search algorithm of Tune's, suggests what is ordered.
- A trial's configuration is only a pack's id. The pack itself travels through Ray's object store, its results
  through the results folder, which supervisor and workers share.

Importing this module takes seconds.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path

import ray
from ray import tune

from kdtune.run.connect_ray import measure_nodes
from kdtune.run.dispatcher import Dispatcher, DispatcherCallback
from kdtune.run.lost_workers import teach_tune_lost_workers
from kdtune.run.newest_first import NewestFirst
from kdtune.run.ray_messages import Broken, Finish, Finished, FromRay, Order, Work
from kdtune.run.trainable import IS_CPU_ONLY, PackTrainable
from kdtune.run.worker_options import WorkerOptions
from kdtune.text import format_on_one_line


def run_ordered_packs(
    work: Work, orders: deque[Order | Finish], report: Callable[[FromRay], None], scratch_folder: Path
) -> None:
    """Train packs as they are ordered, until ``Finish`` stands at the head of the orders; report what happens.

    Ray must be connected: see ``connect_ray.connect_to_ray``.

    Parameters
    ----------
    work : the packs that may be ordered, and how a worker trains one.
    orders : the supervisor's orders, to which another thread appends.
    report : tells the supervisor.
    scratch_folder : what Tune writes goes there.
    """
    logging.getLogger("ray").setLevel(logging.INFO if work.options.verbose else logging.ERROR)
    dispatcher = Dispatcher(work.options, orders, report, measure_nodes)
    teach_tune_lost_workers()
    try:
        _make_tuner(work, dispatcher, scratch_folder).fit()
    except (tune.TuneError, ray.exceptions.RayError) as error:
        report(Broken(f"Ray Tune broke off: {format_on_one_line(error)}"))
        return
    report(Finished())


def _make_tuner(work: Work, dispatcher: Dispatcher, scratch_folder: Path) -> tune.Tuner:
    """Set up Ray Tune so that the dispatcher decides which trials there are."""
    options = work.options  # not `work`, all of which would travel with the function below
    pack_references = {pack.id: ray.put(pack) for pack in work.packs}
    trainable = tune.with_resources(
        tune.with_parameters(
            PackTrainable,
            packs=pack_references,
            store=work.store,
            options=work.options,
            train=work.train,
            data_folder=work.data_folder or secrets.token_hex(8),
        ),
        lambda config: list_needs(options.for_kind(config[IS_CPU_ONLY])),
    )
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=dispatcher,
            scheduler=NewestFirst(dispatcher.is_stranded),
            num_samples=-1,  # until the dispatcher says that it has finished
            reuse_actors=True,  # a worker takes seconds to start
        ),
        run_config=tune.RunConfig(
            name="packs",
            storage_path=str(scratch_folder),
            verbose=2 if work.options.verbose else 0,
            callbacks=[DispatcherCallback(dispatcher)],
            # Workers on other machines do not see the scratch folder, into which Tune would let them save.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=0),  # the supervisor retries, and counts crashes by pack
        ),
    )


def list_needs(options: WorkerOptions) -> tune.PlacementGroupFactory:
    """Return what Ray reserves for one worker, on one machine. The autoscaler of a cluster sees it, too."""
    needs = {"CPU": float(options.cpus_per_worker), "GPU": options.gpus_per_worker}
    if options.memory_per_worker:
        needs["memory"] = float(options.memory_per_worker)
    return tune.PlacementGroupFactory([{name: amount for name, amount in needs.items() if amount}])
