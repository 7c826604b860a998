"""What a worker does: train one pack in each trial, and write its results into the results folder.

A worker is a Ray actor that Tune reuses: its process, its imports and its data sets serve one pack after the other.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.result import DONE as TRIAL_DONE

from kdtune.data.load import share_data
from kdtune.errors import StorageError
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.machine_folder import MachineFolder
from kdtune.run.pack_training import TrainFunction, train_or_write_failed_rows
from kdtune.run.worker_options import WorkerOptions

# Keys of a trial's configuration. It is small, as Tune copies, flattens and logs it.
PACK_ID = "pack_id"
FAILED_TEACHERS = "failed_teachers"  # ids; their students are left out of the pack
IS_CPU_ONLY = "is_cpu_only"  # whether the worker has no GPU where others have one

# A key of a trial's result, beside Tune's own keys.
STORAGE_ERROR = "storage_error"  # the message if results could not be saved; otherwise absent


class PackTrainable(tune.Trainable):
    """A worker for Ray Tune: each of its trials is one step long and trains one pack."""

    def setup(  # type: ignore[override]
        self,
        config: dict[str, Any],
        packs: dict[str, Any],
        store: Store,
        options: WorkerOptions,
        train: TrainFunction,
        data_folder: Path | str,
    ) -> None:
        """Keep what all packs have in common; ``packs`` are references to Ray's object store by pack id.

        ``data_folder`` is where the workers share data: a folder of this machine, or the name of one on each machine.
        """
        self.folder = _share_data(data_folder)
        self.packs = packs
        self.store = store
        self.options = options
        self.train_function = train  # `train` is a method of Tune's.

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Tell Tune that this actor can run another trial."""
        return True

    def step(self) -> dict[str, Any]:
        """Train the pack that the configuration names; end the trial."""
        planned_pack: Pack = ray.get(self.packs[self.config[PACK_ID]])
        pack = planned_pack.without_teachers(self.config[FAILED_TEACHERS])
        try:
            options = self.options.for_kind(self.config[IS_CPU_ONLY])
            train_or_write_failed_rows(self.train_function, pack, self.store, options)
        except StorageError as error:
            return {TRIAL_DONE: True, STORAGE_ERROR: str(error)}
        return {TRIAL_DONE: True}

    def cleanup(self) -> None:
        """Let go of what the workers of this machine share."""
        if self.folder is not None:
            self.folder.close()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: a pack that breaks off starts again."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Load nothing, as nothing was saved."""


def _share_data(folder: Path | str) -> MachineFolder | None:
    """Let the workers of this machine share their data sets, if there is a place; return it if it is to be closed."""
    # Data that another process has made are mapped read-only, and no training writes to them.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    try:
        if isinstance(folder, Path):
            folder.mkdir(exist_ok=True)
            share_data(folder)
            return None
        machine_folder = MachineFolder(folder)
    except (OSError, ImportError):
        return None
    share_data(machine_folder.path)
    return machine_folder
