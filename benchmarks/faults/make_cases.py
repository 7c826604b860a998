"""Make cases: a seed and a number give the same damaged files and the same command on any machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pandas as pd

from benchmarks.faults.case_runner import Case
from benchmarks.faults.mutate_bytes import BYTE_MUTATORS
from benchmarks.faults.mutate_folders import mutate_folder
from benchmarks.faults.mutate_sweeps import mutate_sweep
from benchmarks.faults.mutate_tables import mutate_table
from benchmarks.faults.seed_files import SWEEP_FILE, SeedFiles

KINDS = {"sweep file": 40, "table": 30, "results folder": 25, "data": 5}  # and how many of a hundred cases are of each

PLAN = ["plan", SWEEP_FILE, "--workers", "1"]
TABLE_COMMANDS = (
    (["analyze", "TABLE", "-o", "out"], 70),
    (["show", "TABLE"], 10),
    (["power", "TABLE"], 8),
    (["compare", "TABLE"], 8),
    (["report", "TABLE", "-o", "page.html"], 4),
)
RESULTS_COMMANDS = (
    (["sweep", SWEEP_FILE, "--workers", "0"], 40),
    (["plan", SWEEP_FILE, "--workers", "0"], 10),
    (["analyze", "RESULTS"], 15),
    (["show", "RESULTS"], 8),
    (["show", "RESULTS", "--per-class"], 7),
    (["load", "RESULTS", "ID"], 12),
    (["export", "RESULTS", "--id", "ID", "-o", "out"], 4),
    (["report", "RESULTS", "-o", "page.html"], 2),
    (["plot", "RESULTS", "-f", "per_class", "-o", "out"], 2),
)


WARM_UPS = ("plan", "analyze", "sweep")  # the commands whose imports take longest, but for rare ones


class CaseMaker:
    """Makes cases from undamaged files."""

    def __init__(self, seed_files: SeedFiles, seed: int, folder: Path) -> None:
        self.seed_files, self.seed, self.folder = seed_files, seed, folder

    def make_warm_ups(self) -> Iterator[Case]:
        """Make an undamaged case of each of the commands that are run most."""
        commands = set(WARM_UPS)
        for number in range(1000):
            random = self._start(number)
            if commands and (case := self._make(number, random, self._choose_kind(random), False)).command in commands:
                commands.remove(case.command)
                yield case

    def make(self, number: int, is_damaged: bool = True) -> Case:
        """Make a case; the folder of an earlier one of that number is replaced."""
        random = self._start(number)
        return self._make(number, random, self._choose_kind(random), is_damaged)

    def _start(self, number: int) -> Random:
        return Random(f"{self.seed} {number}")

    def _choose_kind(self, random: Random) -> str:
        kinds = {kind: weight for kind, weight in KINDS.items() if self.seed_files.has(kind)}
        return random.choices(list(kinds), list(kinds.values()))[0]

    def _make(self, number: int, random: Random, kind: str, is_damaged: bool) -> Case:
        folder = self.folder / f"{number:06d}"
        remove_folder(folder)
        if kind == "table":
            arguments = self._write_table(folder, random, is_damaged)
        elif kind == "results folder":
            arguments = self._copy_results(folder, random, is_damaged)
        else:
            sweeps = self.seed_files.sweeps_with_data if kind == "data" else self.seed_files.sweeps
            shutil.copytree(random.choice(sweeps), folder)
            arguments = PLAN
            if is_damaged:
                damage = _damage_data if kind == "data" else _damage_sweep_file
                damage(folder, random)
        return Case(kind, folder, arguments)

    def _write_table(self, folder: Path, random: Random, is_damaged: bool) -> list[str]:
        table = random.choice(self.seed_files.tables)
        arguments = _choose_command(TABLE_COMMANDS, random)
        ending, data = mutate_table(table, random) if is_damaged else (".parquet", table.to_parquet())
        folder.mkdir(parents=True)
        (folder / f"table{ending}").write_bytes(data)
        return [f"table{ending}" if word == "TABLE" else word for word in arguments]

    def _copy_results(self, folder: Path, random: Random, is_damaged: bool) -> list[str]:
        source = random.choice(self.seed_files.results)
        name = next(path.parent.name for path in source.glob("results/*/table.parquet"))
        arguments = _choose_command(RESULTS_COMMANDS, random)
        network_id = random.choice(sorted(pd.read_parquet(source / "results" / name / "table.parquet")["id"]))
        shutil.copytree(source, folder)
        if is_damaged:
            mutate_folder(folder / "results", random)
        words = {"RESULTS": f"results/{name}", "ID": network_id}
        return [words.get(word, word) for word in arguments]


def _choose_command(commands: tuple[tuple[list[str], int], ...], random: Random) -> list[str]:
    return random.choices([words for words, _ in commands], [weight for _, weight in commands])[0]


def _damage_sweep_file(folder: Path, random: Random) -> None:
    """Damage a sweep file's text; of a hundred files two are no file any more."""
    path = folder / SWEEP_FILE
    text = path.read_text(encoding="utf-8")
    if random.random() > 0.02:
        path.write_bytes(mutate_sweep(text, random))
        return
    path.unlink()
    match random.randrange(4):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to(path.name)
        case 2:
            path.symlink_to("nowhere")
        case 3:
            path.write_text(text, encoding="utf-8")
            path.chmod(0)


def _damage_data(folder: Path, random: Random) -> None:
    """Damage data that the sweep file names; not the user's code, which may do what it likes."""
    text = (folder / SWEEP_FILE).read_text(encoding="utf-8")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.relative_to(folder).parts[0] in text]
    for path in random.sample(files, min(len(files), random.choice((1, 3, 10)))):
        path.write_bytes(random.choice(BYTE_MUTATORS)(path.read_bytes(), random))


def remove_folder(folder: Path) -> None:
    """Remove a folder, whatever the modes in it."""
    if folder.exists():
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)
