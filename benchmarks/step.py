"""What a training step costs per network, beside four peers, and what part of the processor's peak it reaches.

    python -m benchmarks.step [--threads 1 2] [--widths 10 20 ...] [--packs 1 9 40 160] [--rounds 5] [--device cuda]

Students 100-width-width-10, batch 100, distilled at as many temperatures as there are members, Adam.
Every contender runs in a process of its own, bound to as many cores as it has threads. All measure one
after the other, round after round, so that a busy neighbour slows them alike; the best round counts.
A step of kdtune has everything in it: gathering the batch, soft targets, forward, backward, optimizer.
The peers find their batches laid out in memory. Peers that are not installed are left out:
`pip install jax keras` has them all. With `--device cuda` all compute on the first GPU. The last line is of a module
of the user's, stacked and alone, beside the written-out step with ReLU.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing as mp
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import contenders

WIDTHS, PACKS = [10, 20, 50, 100, 200, 400, 800], [1, 9, 40, 160]
MAX_PARAMETERS = 40_000_000  # of a pack: what is larger takes gigabytes for its moments and minutes to time
SECONDS = 0.5  # of each measurement
PEERS = ["eager", "vmap", "jax", "keras"]
MODULE_CONTENDERS = ["dropout_perceptrons", "modules", "modules_alone"]


def serve(pipe: Any, name: str, threads: int, device: str) -> None:
    """A contender: takes (width, pack), answers seconds per step, or None where it cannot."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ |= {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": device, "KERAS_BACKEND": "jax"}
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the contenders share the GPU's memory
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    ready: dict[Any, Callable[[], int]] = {}
    make = getattr(contenders, name)
    while (shape := pipe.recv()) is not None:
        try:
            if shape not in ready:
                ready.clear()
                ready[shape] = make(*shape, threads, device)
                ready[shape]()  # compiled and warm
            start, steps = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                steps += ready[shape]()
            pipe.send((time.perf_counter() - start) / steps)
        except (ImportError, MemoryError) as error:
            pipe.send(error)


class Contest:
    """The contenders, each in a process of its own on as many cores as there are threads."""

    def __init__(self, names: Sequence[str], threads: int, device: str = "cpu") -> None:
        self.workers = {}
        for name in names:
            ours, theirs = mp.get_context("spawn").Pipe()
            process = mp.get_context("spawn").Process(target=serve, args=(theirs, name, threads, device), daemon=True)
            process.start()
            self.workers[name] = ours, process

    def seconds(self, shape: tuple[Any, ...], rounds: int) -> dict[str, float]:
        """The best round's seconds a step of each contender; without those that cannot."""
        best: dict[str, float] = {}
        for _ in range(rounds):
            for name, (pipe, _) in self.workers.items():
                pipe.send(shape)
                found = pipe.recv()
                if isinstance(found, float):
                    best[name] = min(best.get(name, found), found)
        return best

    def end(self) -> None:
        for pipe, process in self.workers.values():
            pipe.send(None)
            process.join()


def flops(width: int, depth: int = 2, features: int = 100, classes: int = 10, batch: int = 100) -> float:
    """Of one network's step: two for each multiply-add of the products; forward, both gradients."""
    sizes = [features, *[width] * depth, classes]
    products = [a * b for a, b in itertools.pairwise(sizes)]
    return 2 * batch * (3 * sum(products) - products[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--packs", type=int, nargs="+", default=PACKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--no-teachers", action="store_true")
    parser.add_argument("--no-modules", action="store_true")
    arguments = parser.parse_args()
    peers = [f"{name}, us" for name in arguments.peers]
    _line("network", "threads", "pack", "kdtune, us", "of peak", *peers, "kdtune / jax")
    _line(*["---"] * (6 + len(peers)))
    for threads in arguments.threads:
        contest = Contest(["peak", "kdtune", *arguments.peers], threads, arguments.device)
        shapes: list[tuple[str, int, int, float]] = []
        if not arguments.no_teachers:
            shapes.append(("teacher", 0, 9, flops(100, depth=3)))
        shapes += [("student", width, pack, flops(width)) for width in arguments.widths for pack in arguments.packs]
        for kind, width, pack, work in shapes:
            if pack * (110 + width + 10) * width > MAX_PARAMETERS:
                continue
            found = contest.seconds((kind, width, pack), arguments.rounds)
            per_network = {name: 1e6 * seconds / pack for name, seconds in found.items()}
            peak = 1 / found["peak"]  # floating-point operations a second
            part = pack * work / found["kdtune"] / peak
            theirs = [f"{per_network[name]:.0f}" if name in per_network else "-" for name in arguments.peers]
            ratio = f"{per_network['kdtune'] / per_network['jax']:.2f}" if "jax" in per_network else "-"
            network = "teacher 100-100-100" if kind == "teacher" else f"student {width}"
            _line(network, threads, pack, f"{per_network['kdtune']:.0f}", f"{part:.0%}", *theirs, ratio)
        contest.end()
        if not arguments.no_modules:
            time_modules(threads, arguments)


def time_modules(threads: int, arguments: argparse.Namespace) -> None:
    """A module of the user's through torch.func, beside the written-out step of the same shape and itself alone."""
    width, pack = 50, 40
    contest = Contest(MODULE_CONTENDERS, threads, arguments.device)
    found = contest.seconds(("", width, pack), arguments.rounds)
    contest.end()
    written_out, stacked, alone = (1e6 * found[name] / pack for name in MODULE_CONTENDERS)
    print(
        f"\nA module with GELU and dropout, two hidden layers of {width}, pack of {pack}, {threads} threads: "
        f"{stacked:.0f} us a network and step, {stacked / written_out:.2f} times the written-out step with ReLU and "
        f"dropout ({written_out:.0f} us); alone {alone:.0f} us, {alone / stacked:.1f} times as long.\n",
        flush=True,
    )


def _line(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
