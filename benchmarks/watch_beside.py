"""What a page of `kdtune watch` costs the sweep that it shows: networks per second with the page and without it.

    python -m benchmarks.watch_beside [minutes]

A sweep trains on all cores, its page open in a headless Chromium on the same machine. In turns, the server, its
analysis and the browser run, and are stopped (SIGSTOP): so both rates come from the same sweep, and what other programs
do to the machine meets both alike. The rest that the analysis takes goes on while it is stopped, so that its share of
the turns with the page is up to twice its usual one.

Packs end in groups, so networks per second vary from turn to turn more than the page costs. The processor time that
the sweep gets in a turn varies less: where it uses all cores, it loses what the page takes.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from benchmarks.watch import start_server
from kdtune.results.live_status import read_status

TURN_SECONDS = 30.0
Watchers = dict[str, set[psutil.Process]]  # the processes of each program that is stopped, by what it is
REPLICATES = 2000  # more networks than are trained in the meantime
SWEEP = f"""
name: beside
replicates: {REPLICATES}
dataset: {{kind: make_classification, n_samples: 600, n_features: 20, n_classes: 4}}
teacher: {{hidden: [60, 60], dropout: 0.2, train: {{epochs: 10}}}}
student: {{depth: 2, width: 20}}
distill: {{T: {{grid_search: [1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20]}}}}
train: {{epochs: 200, batch_size: 50}}
"""


def main(minutes: float) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no Chromium: install it (apt-get install chromium) to measure this.")
    with tempfile.TemporaryDirectory(prefix="kdtune-beside-") as folder, sync_playwright() as playwright:
        root = Path(folder)
        (root / "beside.yaml").write_text(SWEEP)
        results = root / "results"
        results.mkdir()
        server, url = start_server(results)
        before = set(psutil.Process().children(recursive=True))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        browser.new_page().goto(url)
        watchers = {
            "the server and its analysis": {psutil.Process(server.pid)},
            "the browser": set(psutil.Process().children(recursive=True)) - before,
        }
        with (root / "sweep.log").open("w") as log:
            command = ["sweep", str(root / "beside.yaml"), "--results", str(results)]
            sweep = subprocess.Popen([sys.executable, "-m", "kdtune", *command], stdout=log, stderr=subprocess.STDOUT)
            try:
                measure(sweep, results / "beside", watchers, minutes)
            finally:
                signal_all(watchers, signal.SIGCONT)
                sweep.terminate()
                sweep.wait()
                browser.close()
                server.kill()
                server.wait()


def measure(sweep: subprocess.Popen[bytes], folder: Path, watchers: Watchers, minutes: float) -> None:
    """Print the rate of a sweep with its page and without it, their ratio, and the processor time of the page."""
    while count_done(folder) < 1.1 * REPLICATES:  # Teachers come first; all packs after them take as long.
        check_running(sweep)
        time.sleep(1)
    family = {"the sweep": {psutil.Process(sweep.pid)}} | watchers
    rates: dict[bool, list[float]] = {True: [], False: []}
    shares: dict[bool, list[dict[str, float]]] = {True: [], False: []}  # of all cores, by program
    for i in range(4 * max(2, round(minutes * 60 / TURN_SECONDS / 4))):
        is_watched = i % 4 in (0, 3)
        signal_all(watchers, signal.SIGCONT if is_watched else signal.SIGSTOP)
        start, first, used = time.monotonic(), count_done(folder), read_seconds(family)
        time.sleep(TURN_SECONDS)
        check_running(sweep)
        seconds = time.monotonic() - start
        rates[is_watched].append((count_done(folder) - first) / seconds)
        shares[is_watched].append(compute_shares(used, read_seconds(family), seconds))
        share = shares[is_watched][-1]["the sweep"]
        page = "with the page" if is_watched else "without it"
        print(f"{page}: {rates[is_watched][-1]:.1f} networks/s, {share:.3f} of all cores", flush=True)
    compare("networks per second", rates[True], rates[False])
    sweep_shares = {key: [share["the sweep"] for share in shares[key]] for key in shares}
    compare("share of all cores that the sweep gets", sweep_shares[True], sweep_shares[False])
    for name in watchers:
        print(f"share of all cores that {name} takes: {statistics.mean(share[name] for share in shares[True]):.4f}")


def compare(what: str, watched: list[float], alone: list[float]) -> None:
    """Print the means of turns with the page and without it, and their ratio with its standard error."""
    ratios = [first / second for first, second in zip(join_pairs(watched), join_pairs(alone), strict=True)]
    error = statistics.stdev(ratios) / math.sqrt(len(ratios))
    print(
        f"{what}: {statistics.mean(watched):.4g} with the page, {statistics.mean(alone):.4g} without it; "
        f"ratio {statistics.mean(ratios):.4f}, standard error {error:.4f}, median {statistics.median(ratios):.4f}"
    )


def check_running(sweep: subprocess.Popen[bytes]) -> None:
    if sweep.poll() is not None:
        sys.exit("The sweep ended before the time was over: give fewer minutes, or run it by hand to see why.")


def join_pairs(rates: list[float]) -> list[float]:
    """Add up two turns each: those with the page lie around those without it, so that a slow drift cancels out."""
    return [first + second for first, second in zip(rates[::2], rates[1::2], strict=True)]


def count_done(folder: Path) -> int:
    status = read_status(folder)
    return 0 if status is None else status.n_done


def list_family(processes: set[psutil.Process]) -> set[psutil.Process]:
    """List the processes that still live, with their children: the analysis starts when the first table is there."""
    family = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            family |= {process, *process.children(recursive=True)}
    return family


def signal_all(watchers: Watchers, number: int) -> None:
    for processes in watchers.values():
        for process in list_family(processes):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def read_seconds(programs: Watchers) -> dict[str, dict[psutil.Process, float]]:
    """Return the processor time of each process of each program so far, in seconds."""
    seconds: dict[str, dict[psutil.Process, float]] = {name: {} for name in programs}
    for name, processes in programs.items():
        for process in list_family(processes):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds[name][process] = times.user + times.system
    return seconds


def compute_shares(
    before: dict[str, dict[psutil.Process, float]], after: dict[str, dict[psutil.Process, float]], seconds: float
) -> dict[str, float]:
    """Return the share of all cores that each program had in a turn; what a process that ended used is left out."""
    return {
        name: sum(now - before[name].get(process, 0.0) for process, now in processes.items())
        / (seconds * (os.cpu_count() or 1))
        for name, processes in after.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=10.0)
    main(parser.parse_args().minutes)
