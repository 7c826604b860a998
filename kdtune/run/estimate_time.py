"""Estimate how long packs train: some are timed for a moment on this machine, the others follow by their work."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import torch

from kdtune.plan.identity import select_hashed_settings, to_canonical_json
from kdtune.plan.network import Network, Pack, make_pack
from kdtune.run.cost import TimeEstimate
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.timing import measure_pack_seconds

MAX_TIMED_KINDS = 12  # Kinds with less work are assumed to take as long per multiply-add as these.
COMPARISONS = 2  # Two precisions are timed in turns so often: other processes may disturb one measurement.
START_SECONDS = 12  # until Ray and its workers train, as seen on two cores
START_SECONDS_IN_PROCESS = 2  # until torch is imported


@dataclass(frozen=True)
class _PackKind:
    """Packs whose steps take equally long, so that one of them is timed for all."""

    packs: list[Pack]
    work: int
    """Multiply-adds of training all packs."""
    seconds_per_work: float | None = None
    """None if the kind is not timed."""

    @property
    def precision(self) -> str:
        """The precision of the matrix products."""
        return self.packs[0].networks[0].train.precision


def estimate_time(packs: list[Pack], options: WorkerOptions) -> TimeEstimate:
    """Estimate how long packs train, by timing one of each kind as a worker would train it."""
    device = "cuda" if options.gpus_per_worker > 0 and torch.cuda.is_available() else "cpu"
    threads = options.cpus_per_worker

    def time_first_pack(kind: _PackKind) -> _PackKind:
        first_pack = kind.packs[0]
        return replace(kind, seconds_per_work=measure_pack_seconds(first_pack, device, threads) / first_pack.work)

    kinds = _group_by_kind(packs)
    kinds = [time_first_pack(kind) for kind in kinds[:MAX_TIMED_KINDS]] + kinds[MAX_TIMED_KINDS:]
    return TimeEstimate(
        seconds=_estimate_seconds(kinds, options),
        workers=options.total_workers,
        threads=threads,
        is_in_process=options.is_in_process,
        device=device,
        lacks_gpu=options.gpus_per_worker > 0 and device == "cpu",
        precisions=tuple(sorted({kind.precision for kind in kinds})),
        timed_kinds=min(len(kinds), MAX_TIMED_KINDS),
        float32_seconds=_estimate_float32_seconds(kinds, options, device),
    )


def _group_by_kind(packs: list[Pack]) -> list[_PackKind]:
    """Return packs grouped by what decides how long a step takes, the kind with the most work first."""
    groups: dict[tuple[object, ...], list[Pack]] = defaultdict(list)
    for pack in packs:
        network = pack.networks[0]
        key = (
            network.model,
            to_canonical_json(select_hashed_settings(network.shape)),
            tuple(network.layers),
            network.train.batch_size,
            network.train.optimizer,
            network.train.precision,
            network.data.settings.jitter > 0,
            len(pack.networks),
        )
        groups[key].append(pack)
    kinds = [_PackKind(group, work=sum(pack.work for pack in group)) for group in groups.values()]
    return sorted(kinds, key=lambda kind: -kind.work)


def _estimate_seconds(kinds: list[_PackKind], options: WorkerOptions) -> float:
    """Return the seconds until all packs are trained, by all workers, from the start of the sweep."""
    timed_seconds = longest_pack_seconds = 0.0
    timed_work = total_work = 0
    for kind in kinds:
        total_work += kind.work
        if kind.seconds_per_work is not None:
            timed_work += kind.work
            timed_seconds += kind.work * kind.seconds_per_work
            max_pack_work = max(pack.work for pack in kind.packs)
            longest_pack_seconds = max(longest_pack_seconds, max_pack_work * kind.seconds_per_work)
    total_seconds = timed_seconds * total_work / timed_work
    n_packs = sum(len(kind.packs) for kind in kinds)
    start_seconds = START_SECONDS_IN_PROCESS if options.is_in_process else START_SECONDS
    return start_seconds + max(total_seconds / min(options.total_workers, n_packs), longest_pack_seconds)


def _estimate_float32_seconds(kinds: list[_PackKind], options: WorkerOptions, device: str) -> float | None:
    """Return the seconds with float32 in place of bf16; None if no timed kind has bf16.

    The bf16 kind with the most work is timed in both.
    """
    timed_bf16_kinds = [kind for kind in kinds if kind.precision == "bf16" and kind.seconds_per_work is not None]
    if not timed_bf16_kinds:
        return None
    bf16_pack = timed_bf16_kinds[0].packs[0]
    float32_pack = make_pack(_set_float32(network) for network in bf16_pack.networks)
    bf16_seconds, float32_seconds = [], []
    for _ in range(COMPARISONS):
        bf16_seconds.append(measure_pack_seconds(bf16_pack, device, options.cpus_per_worker))
        float32_seconds.append(measure_pack_seconds(float32_pack, device, options.cpus_per_worker))
    ratio = min(float32_seconds) / min(bf16_seconds)
    float32_kinds = [
        replace(kind, seconds_per_work=ratio * kind.seconds_per_work)
        if kind.precision == "bf16" and kind.seconds_per_work is not None
        else kind
        for kind in kinds
    ]
    return _estimate_seconds(float32_kinds, options)


def _set_float32(network: Network) -> Network:
    return replace(network, train=network.train.model_copy(update={"precision": "float32"}))
