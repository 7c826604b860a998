"""Where the seconds of a sweep went: the command's own parts, the workers' time, and the parts of a pack.

    python -m benchmarks.where [sweep file] [overrides ...]

Runs the sweep in a temporary folder as the command does, then trains its first student pack once more
under cProfile.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

START = time.perf_counter()

from kdtune.columns import ID, MODEL, SECONDS, TEACHER  # noqa: E402
from kdtune.plan.network import Pack  # noqa: E402
from kdtune.plan.plan import Plan  # noqa: E402
from kdtune.run.progress import Progress  # noqa: E402
from kdtune.run.request import Request  # noqa: E402
from kdtune.run.sweep import sweep  # noqa: E402
from kdtune.spec.bundled_sweeps import find_sweep_file  # noqa: E402


class Watch(Progress):
    """Notes when things happen."""

    def __init__(self) -> None:
        super().__init__(Console(stderr=True))
        self.times: dict[str, float] = {}
        self.begun: dict[str, float] = {}
        self.spans: list[tuple[str, float, float, float]] = []  # kind, begin, end, the worker's own seconds
        self.workers = 0
        self.packs: dict[str, Pack] = {}

    def note(self, what: str) -> None:
        self.times.setdefault(what, time.perf_counter())

    def describe_plan(self, plan: Plan, warnings: Any) -> None:
        self.note("planned")
        super().describe_plan(plan, warnings)

    def show_training(self, plan: Plan, workers: int) -> Any:
        self.note("Ray is up")
        self.workers = workers
        return super().show_training(plan, workers)

    def add_started(self, pack: Pack) -> None:
        for network in pack.networks:
            self.begun[network.id] = time.perf_counter()
        super().add_started(pack)

    def add_finished(self, rows: pa.Table) -> None:
        now = time.perf_counter()
        kind = "teachers" if TEACHER in rows[MODEL].to_pylist() else "students"
        own = sum(second or 0 for second in rows[SECONDS].to_pylist())
        self.spans.append((kind, self.begun[rows[ID][0].as_py()], now, own))
        self.times["last pack"] = now
        super().add_finished(rows)


def main(file: str, overrides: list[str]) -> None:
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        outcome = sweep(Request(find_sweep_file(file)[0], overrides, results=Path(folder)), watch)
        watch.note("end")
        print_parts(watch)
        one = next(pack for pack in outcome.plan.packs if pack.teacher_ids)
        profile(one, outcome.store)


def print_parts(watch: Watch) -> None:
    at = {"start": START, **watch.times}
    first, last = min(begin for _, begin, _, _ in watch.spans), at["last pack"]
    whole = at["end"] - START
    print(f"whole command {whole:.1f} s")
    for what, begin, end in (
        ("reading and planning", START, at["planned"]),
        ("starting Ray", at["planned"], at["Ray is up"]),
        ("starting Tune, to the first pack", at["Ray is up"], first),
        ("packs", first, last),
        ("stopping Ray, last table", last, at["end"]),
    ):
        print(f"  {what:<36} {end - begin:7.1f} s  {(end - begin) / whole:4.0%}")
    time_of_workers = watch.workers * (last - first)
    used: dict[str, float] = defaultdict(float)
    for kind, begin, end, own in watch.spans:
        used[f"training {kind}"] += own
        used["placing packs, starting workers, writing rows"] += end - begin - own
    used["idle"] = time_of_workers - sum(used.values())
    print(f"{watch.workers} workers, {time_of_workers:.1f} s of theirs while packs ran")
    for what, seconds in used.items():
        print(f"  {what:<46} {seconds:7.1f} s  {seconds / time_of_workers:4.0%}")


def profile(one: Pack, store: Any) -> None:
    import torch

    from kdtune.train.train_pack import train_pack

    torch.set_num_threads(1)
    watch = cProfile.Profile()
    watch.enable()
    train_pack(one, store.teachers.load_logits)
    watch.disable()
    stats = pstats.Stats(watch)
    total = stats.total_tt  # type: ignore[attr-defined]
    print(f"one pack of {len(one.networks)} students, {total:.1f} s under the profiler; own time of")
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:14]  # type: ignore[attr-defined]
    for (path, _, name), (_, calls, own, _, _) in rows:
        where = name if path == "~" else f"{Path(path).stem}.{name}"
        print(f"  {where:<60} {calls:>9,} calls {own:7.2f} s  {own / total:4.0%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default="fakeset", help="a sweep file (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE", help="as in student.width=50")
    arguments = parser.parse_args()
    main(arguments.file, arguments.overrides)
