"""Run kdtune's commands on damaged files: mutated sweep files, tables, results folders and data.

    python -m benchmarks.faults.fuzz [--number 2000] [--seed 1] [--case N ...]

Only kdtune's own errors may come out: one message, exit code 1 or 2, no traceback, no raw exception, none later than
2 s beyond what the command takes for the undamaged file (waits for a processor do not count), none with more than
500 MB beyond what Python and its libraries take. ``plan``, ``sweep``, ``plot`` and ``report`` may work longer on what
they accept, for 30 s.
Whatever else comes out is a finding: its files and its command are kept under build/fuzz. Exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults.case_runner import Case, CaseServer, Verdict, judge_case
from benchmarks.faults.make_cases import CaseMaker, remove_folder
from benchmarks.faults.seed_files import SWEEP_FILE, write_seed_files

FINDINGS = Path("build/fuzz")
PROGRESS_SECONDS = 60.0
MEASURED_PROBLEMS = ("slow", "memory", "hang")  # These are measured again, and beside the undamaged files.


class Fuzzer:
    """Runs cases in some server processes at a time.

    Parameters
    ----------
    folder : where the cases' files lie while they run.
    more_tables : a folder of tables to damage, beside kdtune's own.
    """

    def __init__(self, folder: Path, seed: int, processes: int, more_tables: Path | None) -> None:
        modules = folder / "modules.txt"
        first_server = CaseServer(modules)
        seed_files = write_seed_files(folder / "undamaged", more_tables, lambda path: _train(first_server, path))
        self.maker = CaseMaker(seed_files, seed, folder)
        for case in self.maker.make_warm_ups():
            first_server.run(case, is_warm_up=True)
        self.n_servers = processes
        self.servers: queue.SimpleQueue[CaseServer] = queue.SimpleQueue()
        for server in [first_server, *(CaseServer(modules) for _ in range(1, processes))]:
            self.servers.put(server)

    def run(self, numbers: Iterable[int]) -> dict[int, tuple[Case, Verdict]]:
        """Run cases, keep the files of findings, and return what came of all."""
        results: dict[int, tuple[Case, Verdict]] = {}
        shown_at = time.monotonic()
        with ThreadPoolExecutor(self.n_servers) as threads:
            for number, result in threads.map(lambda number: (number, self._run_case(number)), numbers):
                results[number] = result
                for problem in result[1].problems:
                    print(f"case {number}: {shlex.join(result[0].arguments)}: {problem}", flush=True)
                if time.monotonic() > shown_at + PROGRESS_SECONDS:
                    shown_at = time.monotonic()
                    print(f"{len(results):,} cases", file=sys.stderr, flush=True)
        return results

    def _run_case(self, number: int) -> tuple[Case, Verdict]:
        server = self.servers.get()
        try:
            case = self.maker.make(number)
            verdict = judge_case(case, server.run(case))
            if any(problem.startswith(MEASURED_PROBLEMS) for problem in verdict.problems):
                undamaged = server.run(self.maker.make(number, is_damaged=False))
                case = self.maker.make(number)
                verdict = judge_case(case, server.run(case), undamaged)
            if verdict.problems:
                self._keep(number, verdict)
            remove_folder(case.folder)
            return case, verdict
        finally:
            self.servers.put(server)

    def _keep(self, number: int, verdict: Verdict) -> None:
        """Keep a finding's files as they were before the command ran, what it printed, and how to repeat it."""
        folder = FINDINGS / f"seed-{self.maker.seed}-case-{number}"
        remove_folder(folder)
        case = self.maker.make(number)
        folder.parent.mkdir(parents=True, exist_ok=True)
        case.folder.rename(folder)
        command = shlex.join([sys.executable, "-m", "benchmarks.faults.commands", *case.arguments])
        notes = [
            *verdict.problems,
            "",
            f"cd {folder.absolute()}",
            f"PYTHONPATH={Path.cwd()} {command}",
            "",
            verdict.printed,
        ]
        (folder / "finding.txt").write_text("\n".join(notes), encoding="utf-8")

    def close(self) -> None:
        """End the servers."""
        for _ in range(self.n_servers):
            self.servers.get().close()


def _train(server: CaseServer, folder: Path) -> None:
    """Train the sweep whose results are damaged later."""
    case = Case("results folder", folder, ["sweep", SWEEP_FILE, "--workers", "0"])
    if server.run(case).exit_code:
        raise RuntimeError(f"the undamaged sweep in {folder} failed: {judge_case(case, server.run(case)).printed}")


def print_results(results: dict[int, tuple[Case, Verdict]]) -> None:
    """Print the outcomes by kind, the findings, and the slowest and largest cases."""
    outcomes = sorted({verdict.outcome for _, verdict in results.values()})
    print(f"\n| kind | command | cases | {' | '.join(outcomes)} | findings | mean seconds |")
    print(f"|---|---|{'---|' * (len(outcomes) + 3)}")
    groups = sorted({(case.kind, case.command) for case, _ in results.values()})
    for kind, command in groups:
        verdicts = [verdict for case, verdict in results.values() if (case.kind, case.command) == (kind, command)]
        counts = Counter(verdict.outcome for verdict in verdicts)
        findings = sum(bool(verdict.problems) for verdict in verdicts)
        seconds = f"{sum(verdict.measured.seconds for verdict in verdicts) / len(verdicts):.2f}"
        cells = (
            kind,
            command,
            f"{len(verdicts):,}",
            *(f"{counts[outcome]:,}" for outcome in outcomes),
            findings,
            seconds,
        )
        print(f"| {' | '.join(map(str, cells))} |")
    for title, unit, measure in (("slowest", "s", "seconds"), ("largest", "MB", "megabytes")):
        number, (case, verdict) = max(results.items(), key=lambda item: getattr(item[1][1].measured, measure))
        value = getattr(verdict.measured, measure)
        print(f"{title}: {value:.1f} {unit}, case {number}, {shlex.join(case.arguments)}: {verdict.outcome}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=2000, help="how many cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same cases (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (default: %(default)s)")
    parser.add_argument("--case", type=int, nargs="+", help="run only the cases of these numbers")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="cases at a time (default: %(default)s)")
    parser.add_argument("--tables", type=Path, help="a folder of tables to damage beside kdtune's own")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kdtune-fuzz-", ignore_cleanup_errors=True) as folder:
        fuzzer = Fuzzer(Path(folder), arguments.seed, arguments.processes, arguments.tables)
        start = time.monotonic()
        try:
            results = fuzzer.run(arguments.case or range(arguments.first, arguments.first + arguments.number))
        finally:
            fuzzer.close()
    print_results(results)
    findings = sum(bool(verdict.problems) for _, verdict in results.values())
    print(
        f"{len(results):,} cases in {time.monotonic() - start:.0f} s, seed {arguments.seed}: {findings} findings",
        end="",
    )
    print(f", kept in {FINDINGS}" if findings else "")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
