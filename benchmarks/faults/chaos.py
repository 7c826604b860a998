"""Kill processes of a sweep at random moments, go on with the same command until it is done, and compare its table.

    python -m benchmarks.faults.chaos [--minutes 20] [--seed 1] [--rounds N] [--victim worker ...]

A round is a sweep of 66 networks. Its driver, its Ray, a worker, an agent, the raylet, the GCS, or everything is
killed (SIGKILL), Ctrl-C is pressed, or its disk fills up (a small tmpfs, which takes root to mount). Where the command
does not end with exit code 0, the same command is run again. Then the tables must be those of an undisturbed run, to
the bit. Exit code 1 if a table is wrong, the command hangs, prints a traceback or leaves processes, or needs help after
the kill of a worker or of a part of Ray.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from benchmarks.faults.chaos_sweep import EPOCHS, compare_results, write_sweep
from benchmarks.faults.disturbed_run import DisturbedRun, Kill
from benchmarks.faults.small_disk import SmallDisk, mount_small_disk
from benchmarks.faults.victims import DISK, NEED_HELP, RAY_VICTIMS, VICTIMS

LOGS = Path("build/chaos")
MAX_RUNS = 20  # of one sweep: a command that never ends well is not run for ever
KILLS_PER_RUN = (1, 1, 2, 3)


class Chaos:
    """Rounds of a disturbed sweep."""

    def __init__(self, folder: Path, disk: SmallDisk, seed: int, victims: list[str], epochs: int) -> None:
        self.disk, self.victims = disk, victims
        self.random = Random(seed)
        self.sweep_file = write_sweep(folder, epochs)
        self.reference = folder / "reference"
        self.kills: list[Kill] = []
        self.n_rounds = 0
        LOGS.mkdir(parents=True, exist_ok=True)

    def train_reference(self) -> float:
        """Run the sweep undisturbed, keep its results, and return how long it took."""
        start = time.monotonic()
        run = self._run([], "reference", 0.0)
        if run[0].exit_code != 0 or run[0].problems:
            raise RuntimeError(f"the undisturbed sweep failed: {run[0]}; see {LOGS}")
        shutil.copytree(self.disk.path / "results", self.reference)
        return time.monotonic() - start

    def run_round(self, max_seconds: float) -> None:
        """Run the sweep until it is done, disturbed at random moments, and compare its tables."""
        self.n_rounds += 1
        shutil.rmtree(self.disk.path / "results")
        for n_runs in range(1, MAX_RUNS + 1):
            victims = self.random.choices(self.victims, k=self.random.choice(KILLS_PER_RUN))
            kills = self._run(victims, f"round-{self.n_rounds}-run-{n_runs}", max_seconds)
            self.kills += kills
            for kill in kills:
                _print_kill(self.n_rounds, kill)
            if kills[-1].exit_code == 0:
                break
        problems = [f"wrong: {problem}" for problem in compare_results(self.disk.path / "results", self.reference)]
        kills[-1].problems += problems
        print(f"round {self.n_rounds}: {n_runs} runs; {'; '.join(problems) or 'the tables are right'}", flush=True)

    def _run(self, victims: list[str], name: str, max_seconds: float) -> list[Kill]:
        run = DisturbedRun(self.sweep_file, self.disk, LOGS / f"{name}.txt")
        run.disturb(victims, self.random, max_seconds)
        return run.kills


def _print_kill(number: int, kill: Kill) -> None:
    recovery = "" if kill.recovery_seconds is None else f"packs ran again after {kill.recovery_seconds:.1f} s"
    end = "" if kill.exit_code is None else f"exit code {kill.exit_code}"
    print("; ".join(filter(None, [f"round {number}: {kill.victim}", recovery, end, *kill.problems])), flush=True)


def print_results(kills: list[Kill]) -> None:
    """Print what came of the kills, by victim."""
    titles = "victim|kills|exit codes of commands that ended|needed help|wrong tables|hangs|tracebacks|processes left"
    titles += "|seconds until packs ran again: median, most"
    print(f"\n| {titles.replace('|', ' | ')} |\n|{'---|' * (titles.count('|') + 1)}")
    for victim in (*VICTIMS, "nothing"):
        of_victim = [kill for kill in kills if kill.victim == victim]
        if not of_victim:
            continue
        codes = Counter(kill.exit_code for kill in of_victim if kill.exit_code is not None)
        seconds = [kill.recovery_seconds for kill in of_victim if kill.recovery_seconds is not None]
        cells = [
            victim,
            len(of_victim),
            ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
            sum(kill.needed_help for kill in of_victim),
            *(count_problems(of_victim, word) for word in ("wrong", "hang", "traceback", "left")),
            f"{statistics.median(seconds):.1f}, {max(seconds):.1f}" if seconds else "",
        ]
        print(f"| {' | '.join(map(str, cells))} |")


def count_problems(kills: list[Kill], word: str) -> int:
    """Return how many kills had a problem of a kind."""
    return sum(any(problem.startswith(word) for problem in kill.problems) for kill in kills)


def is_as_promised(kill: Kill) -> bool:
    """Return whether a kill had no problem, and the sweep went on by itself where it must."""
    return not kill.problems and (kill.victim in NEED_HELP or not kill.needed_help)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="rounds begin for so long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of victims and moments (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="end after so many rounds")
    parser.add_argument("--victim", nargs="+", choices=VICTIMS, help="kill only these (default: all)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="the length of training (default: %(default)s)")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    end = time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory(prefix="kdtune-chaos-") as name, mount_small_disk(Path(name, "disk")) as disk:
        victims = [victim for victim in arguments.victim or VICTIMS if disk.is_own or victim != DISK]
        if not disk.is_own:
            print("The full disk is left out: it takes a small tmpfs, which only root can mount, and not everywhere.")
        chaos = Chaos(Path(name), disk, arguments.seed, victims, arguments.epochs)
        seconds = chaos.train_reference()
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        while time.monotonic() < end and chaos.n_rounds != arguments.rounds:
            chaos.run_round(seconds / 2)
    kills = [kill for kill in chaos.kills if kill.victim != "nothing"]
    print_results(chaos.kills)
    recoveries = [kill.recovery_seconds for kill in kills if kill.victim in RAY_VICTIMS and kill.recovery_seconds]
    if recoveries:
        print(f"\nafter a part of Ray was killed, packs ran again after {statistics.median(recoveries):.1f} s (median)")
    failures = [kill for kill in chaos.kills if not is_as_promised(kill)]
    print(f"{len(kills)} kills in {chaos.n_rounds} rounds, seed {arguments.seed}: {len(failures)} not as promised")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
