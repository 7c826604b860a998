"""What a sweep would cost: `kdtune plan`. Measured on this machine, nothing is trained to an end."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.errors import RequestError
from kdtune.plan.identity import select_hashed_settings, to_canonical_json
from kdtune.plan.network import Network, Pack
from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.run.request import Request
from kdtune.run.resources import count_cores, merge_resources
from kdtune.run.sweep import list_sweep_networks, plan_missing, read_known_rows
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.spec import load_spec
from kdtune.text import plural

if TYPE_CHECKING:
    from torch import nn

TIMED_SHAPES = 12  # at most; the rest is scaled by its work
TIMED_SECONDS = 0.5  # for each
START_SECONDS = 12  # Ray and its workers, as seen on two cores
ROW_BYTES = 400


def estimate_cost(request: Request) -> Iterator[str]:
    """The lines that `kdtune plan` prints."""
    spec = load_spec(request.file, request.all_overrides, request.max_networks, request.data_root)
    networks = list_sweep_networks(spec, request)
    store = Store(request.results, spec.name)
    rows = read_known_rows(networks, request, store, repair=False)
    asked = merge_resources(spec, request)
    workers = asked.workers or max(1, count_cores() // (asked.cpus_per_worker or 1))
    per_worker = asked.cpus_per_worker or 1
    options = WorkerOptions(workers, per_worker, asked.gpus_per_worker or 0)
    plan = plan_missing(networks, request, store, rows, options)
    for warning in store.warnings:
        yield f"warning: {warning}"
    asked_for = f"{plural(len(plan.networks), 'network')}, {plural(spec.replicates.count, 'replicate')}"
    yield f"{spec.name}: {asked_for}, for {store.folder}"
    shares = Counter(n.teacher.id for n in plan.networks if n.teacher)
    yield f"  teachers            {plan.count_model(TEACHER):>9,}  each shared by {_range(shares)} students"
    yield f"  baselines           {plan.count_model(BASELINE):>9,}"
    yield f"  distilled students  {plan.count_model(STUDENT):>9,}"
    to_train = len({network.id for network in plan.missing_networks})
    yield f"  done already        {len(plan.networks) - to_train:>9,}"
    yield f"  to train            {to_train:>9,}  in {plural(len(plan.packs), 'pack')}{_sizes(plan)}"
    if not plan.packs:
        return
    yield f"  work                {plan.work:>9.3g}  multiply-adds"
    try:
        seconds, how = _seconds(plan, workers)
    except (MemoryError, RuntimeError) as error:  # torch says "not enough memory" as a RuntimeError
        raise RequestError(f"a pack cannot be built on this machine: {str(error).splitlines()[0]}") from None
    whole = timedelta(seconds=round(seconds))
    yield f"  time                {'about':>9}  {whole} on {plural(workers, 'worker')} {how}"
    yield f"  disk                {'about':>9}  {_bytes(_disk(plan, request))}"


def _range(counts: Counter[str]) -> str:
    values = sorted(set(counts.values()))
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _sizes(plan: Plan) -> str:
    sizes = Counter(len(pack.networks) for pack in plan.packs)
    parts = [f"{count} of {size}" for size, count in sorted(sizes.items(), reverse=True)]
    return f" ({', '.join(parts[:4])}{', ...' if len(parts) > 4 else ''})" if parts else ""


def _seconds(plan: Plan, workers: int) -> tuple[float, str]:
    """Time a few steps of each kind of pack on random data, then scale: nobody's guess."""
    groups: dict[tuple[object, ...], list[Pack]] = defaultdict(list)
    for pack in plan.packs:
        first = pack.networks[0]
        key = (
            to_canonical_json(select_hashed_settings(first.shape)),
            tuple(first.layers),
            first.train.batch_size,
            first.model,
            len(pack.networks),
        )
        groups[key].append(pack)
    ranked = sorted(groups.values(), key=lambda packs: -sum(pack.work for pack in packs))
    spent = {pack.id: _pack_seconds(packs[0]) for packs in ranked[:TIMED_SHAPES] for pack in packs[:1]}
    timed_work = sum(packs[0].work for packs in ranked[:TIMED_SHAPES])
    rate = sum(spent.values()) / timed_work
    total = 0.0
    for place, packs in enumerate(ranked):
        work = sum(pack.work for pack in packs)
        total += work * (spent[packs[0].id] / packs[0].work if place < TIMED_SHAPES else rate)
    longest = max(spent.values())
    how = f"(steps of {len(spent)} kinds of pack timed on one core of this machine)"
    return max(total / min(workers, len(plan.packs)), longest) + START_SECONDS, how


def _pack_seconds(pack: Pack) -> float:
    import torch

    from kdtune.data.splits import Data
    from kdtune.train.batches import Members
    from kdtune.train.fit import fit, split_into_stacks

    torch.set_num_threads(1)
    network = pack.networks[0]
    settings = network.data.settings
    n = min(network.n_train, 4 * network.train.batch_size)
    random = np.random.default_rng(0)
    x = random.standard_normal((n, settings.n_features), dtype=np.float32)
    y = random.integers(0, settings.n_classes, n)
    logits = random.standard_normal((n, settings.n_classes), dtype=np.float32)
    data = [Data(x, y, x, y, x, y, settings.n_classes)] * len(pack.networks)
    taught = [logits if network.teacher else None for network in pack.networks]
    nets = None
    if settings.jitter and pack.teacher_ids:  # whose targets are made anew in each step
        made = {n.teacher.id: _untrained(n.teacher) for n in pack.networks if n.teacher}
        nets = [made[n.teacher.id] if n.teacher else None for n in pack.networks]
    members = split_into_stacks(Members(list(pack.networks), data, taught, nets))[0]
    steps = network.train.epochs * math.ceil(network.n_train / network.train.batch_size)
    fit(members, "cpu", torch.float32, steps=3)  # warm
    start, taken, spent = time.perf_counter(), 0, 0.0
    while spent < TIMED_SECONDS and taken < steps:
        taken += min(25, steps)
        fit(members, "cpu", torch.float32, steps=min(25, steps))
        spent = time.perf_counter() - start
    return spent / taken * steps * len(pack.networks) / len(members.networks)


def _untrained(network: Network) -> nn.Module:
    from kdtune.stacked.architectures import build_module

    return build_module(network.shape, network.input_shape, network.data.settings.n_classes).eval()


def _disk(plan: Plan, request: Request) -> int:
    """Teachers' logits and weights, kept students, rows with their confusion matrices."""
    from kdtune.train.evaluate import MOST_CLASSES

    total = 0
    for network in plan.missing_networks:
        settings = network.data.settings
        total += ROW_BYTES + min(settings.n_classes, MOST_CLASSES) ** 2
        if network.model == TEACHER:
            examples = settings.n_train + int(settings.val_size or 0) + int(settings.test_size)
            total += 4 * (examples * settings.n_classes + network.n_params)
        elif request.keep_students == "all":
            total += 4 * network.n_params
    return total


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
