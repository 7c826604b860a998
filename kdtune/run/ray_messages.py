"""What the process that runs a sweep and the process that holds Ray say to each other, as pickles through pipes.

The supervisor sends one ``Connect``, then one ``Work``, then an ``Order`` for each pack, and ``Finish`` at the end.
Ray's process answers ``Connect`` with ``Connected`` or ``Refused``, and then reports what happens to the packs.

This module does not import Ray.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdtune.errors import KdtuneError
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.pack_training import TrainFunction
from kdtune.run.shares import NodeSize
from kdtune.run.worker_options import WorkerOptions

# --- from the supervisor ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Connect:
    """Start a Ray on this machine, or join a cluster."""

    address: str | None  # of the cluster to join; None starts a Ray on this machine
    cpus: int  # how many CPUs a Ray on this machine is told of
    verbose: bool
    code_folder: Path | None  # the user's own modules, which the workers of a cluster get
    shared_file: Path | None = None  # in the results folder, which every machine of a cluster must see


@dataclass(frozen=True)
class Work:
    """The packs that may be ordered, and how a worker trains one."""

    packs: tuple[Pack, ...]
    store: Store
    options: WorkerOptions
    train: TrainFunction
    data_folder: Path | None = None  # where workers share data; None for one on each machine of a cluster


@dataclass(frozen=True)
class Order:
    """Train a pack now, without the students of teachers that failed."""

    pack_id: str
    failed_teachers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finish:
    """End: there are no more packs."""


# --- from Ray's process -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    """Ray runs."""

    nodes: tuple[NodeSize, ...]  # the machines that it has now
    session_folder: str  # where a Ray that was started here keeps its logs; empty for a cluster


@dataclass(frozen=True)
class Refused:
    """There is no Ray to work with."""

    error: KdtuneError


@dataclass(frozen=True)
class Started:
    """A worker begins with a pack."""

    pack_id: str


@dataclass(frozen=True)
class Ended:
    """A worker has ended a pack, whose rows are in the results folder unless that took no more."""

    pack_id: str
    storage_error: str | None = None


@dataclass(frozen=True)
class Crashed:
    """The worker of a pack died."""

    pack_id: str
    reason: str  # empty if Ray does not say why


@dataclass(frozen=True)
class Resized:
    """The cluster has room for so many workers now."""

    workers: int


@dataclass(frozen=True)
class Tick:
    """Ray's process is alive; it says so each second."""


@dataclass(frozen=True)
class Finished:
    """Every order is done."""


@dataclass(frozen=True)
class Broken:
    """Ray broke off."""

    reason: str


ToRay = Connect | Work | Order | Finish
FromRay = Connected | Refused | Started | Ended | Crashed | Resized | Tick | Finished | Broken
