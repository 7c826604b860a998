"""Peak memory of training one pack, per network: students of a width, packed as a worker packs them.

    python -m benchmarks.memory [--widths 50 200 800] [--packs 1 9 64]

Each pack trains for two epochs in a process of its own; the peak is that process's, less what it held
before training: the imports and the data, which all members share.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import resource
from typing import Any


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def train(pipe: Any, width: int, pack: int) -> None:
    import torch

    from benchmarks.contenders import students
    from kdtune.train.fit import fit
    from kdtune.train.members import split_into_stacks

    torch.set_num_threads(1)
    members = students("student", width, pack)
    before = peak_mb()
    kept = [
        fit(part, "cpu", torch.float32, should_stop=lambda steps: steps >= 800) for part in split_into_stacks(members)
    ]
    pipe.send((before, peak_mb(), len(kept)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--packs", type=int, nargs="+", default=[1, 9, 64])
    arguments = parser.parse_args()
    print("| width | pack | stacks | process before, MB | pack, MB | a network, MB |")
    print("|---|---|---|---|---|---|")
    for width in arguments.widths:
        for pack in arguments.packs:
            ours, theirs = mp.get_context("spawn").Pipe()
            process = mp.get_context("spawn").Process(target=train, args=(theirs, width, pack))
            process.start()
            before, after, stacks = ours.recv()
            process.join()
            print(
                f"| {width} | {pack} | {stacks} | {before:.0f} | {after - before:.0f} | {(after - before) / pack:.1f} |"
            )
