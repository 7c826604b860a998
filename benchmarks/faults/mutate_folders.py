"""Damage a results folder: files torn, foreign, renamed, missing, of other versions; folders in place of files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.faults.mutate_bytes import BYTE_MUTATORS, TEXT_MUTATORS
from benchmarks.faults.mutate_sweeps import mutate_sweep

# These decide what a row is: they are chosen as often as all others together.
VITAL_COLUMNS = ("id", "model", "status", "error", "confusion", "temp", "replicate")
ODD_STRINGS = ("", "a", "failed", "skipped", "done", "teacher", "nothing", "nan", "../..", "é\0", "diverged: nan")


def mutate_folder(folder: Path, random: Random, count: int | None = None) -> list[str]:
    """Damage files under a folder in one to four ways, and return what was done, in words."""
    done = []
    for _ in range(count or random.choice((1, 1, 2, 4))):
        paths = [path for path in sorted(folder.rglob("*")) if _is_damageable(path)]
        if not paths:
            break
        path = random.choice(_favour_rare(paths, random))
        choices = FOLDER_MUTATORS if path.is_dir() else (*FILE_MUTATORS, *_choose_by_ending(path))
        mutate = random.choice(choices)
        done.append(f"{mutate.__name__.strip('_')} {path.relative_to(folder)}")
        mutate(path, random)
    return done


def _is_damageable(path: Path) -> bool:
    return not path.is_symlink() and (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)


def _favour_rare(paths: list[Path], random: Random) -> list[Path]:
    """Return the files of one folder: else those of many files would be hit most of the time."""
    parent = random.choice(sorted({path.parent for path in paths}))
    return [path for path in paths if path.parent == parent]


def _choose_by_ending(path: Path) -> tuple[Callable[[Path, Random], None], ...]:
    """Return the mutators that know what is in a file, twice: they find more than noise does."""
    if path.suffix == ".parquet":
        return (_edit_table,) * 12
    if path.suffix == ".json":
        return (_edit_json,) * 8
    return (_edit_yaml,) * 8 if path.suffix == ".yaml" else ()


# --- files --------------------------------------------------------------------------------------


def _damage_bytes(path: Path, random: Random) -> None:
    path.write_bytes(random.choice(BYTE_MUTATORS + TEXT_MUTATORS)(path.read_bytes(), random))


def _tear(path: Path, random: Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data) + 1)])


def _delete(path: Path, random: Random) -> None:
    path.unlink()


def _make_folder(path: Path, random: Random) -> None:
    path.unlink()
    path.mkdir()
    if random.random() < 0.5:
        (path / "file").write_text("in a folder in place of a file")


def _make_link(path: Path, random: Random) -> None:
    """Put a link to nothing, to itself, or to another file in its place."""
    path.unlink()
    path.symlink_to(random.choice(("nowhere", path.name, "..", os.devnull, "../table.parquet")))


def _make_pipe(path: Path, random: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _forbid(path: Path, random: Random) -> None:
    path.chmod(random.choice((0o000, 0o200, 0o400)))


def _rename(path: Path, random: Random) -> None:
    names = (f"{path.name}.bak", f".{path.name}", f".{path.name}.tmp", path.stem, f"copy of {path.name}", "é\n.parquet",
             f"{random.randbytes(10).hex()}{path.suffix}", f"{'x' * 200}{path.suffix}")  # fmt: skip
    path.rename(path.with_name(random.choice(names)))


def _copy(path: Path, random: Random) -> None:
    shutil.copy(
        path, path.with_name(random.choice((f"copy{path.suffix}", f"{random.randbytes(10).hex()}{path.suffix}")))
    )


def _exchange(path: Path, random: Random) -> None:
    """Put another file of the results in its place."""
    root = path.parents[1]
    others = [
        other for other in sorted(root.rglob("*")) if other.is_file() and os.access(other, os.R_OK) and other != path
    ]
    if others:
        path.write_bytes(random.choice(others).read_bytes())


FILE_MUTATORS = (
    _damage_bytes, _damage_bytes, _damage_bytes, _tear, _tear, _delete, _delete, _make_folder, _make_link, _make_pipe,
    _forbid, _rename, _copy, _exchange,
)  # fmt: skip


def _edit_yaml(path: Path, random: Random) -> None:
    try:
        path.write_bytes(mutate_sweep(path.read_text(encoding="utf-8"), random))
    except Exception:  # It was damaged before, so that nobody can read it.
        _damage_bytes(path, random)


def _edit_json(path: Path, random: Random) -> None:
    """Change a value in the file, or the whole of it."""
    odd_values: tuple[Any, ...] = (None, 0, -1, 1e400, "", "a", [], {}, [1], True, "é\0", "../..", 10**30)
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        tree = {}
    if isinstance(tree, dict) and tree and random.random() < 0.8:
        key = random.choice(sorted(tree))
        value = tree.pop(key)
        if random.random() < 0.7:
            tree[random.choice((key, f"{key}2"))] = random.choice((*odd_values, [value], {key: value}))
    else:
        tree = random.choice(odd_values)
    path.write_text(json.dumps(tree), encoding="utf-8")


# --- tables, as other versions write them -------------------------------------------------------


def _edit_table(path: Path, random: Random) -> None:
    """Change the columns or the values of a Parquet file."""
    try:
        table = pq.read_table(path)
    except Exception:  # It was damaged before.
        _damage_bytes(path, random)
        return
    for _ in range(random.choice((1, 1, 2))):
        try:
            table = _edit_columns(table, random)
        except pa.ArrowException:  # The values are no text any more.
            break
    pq.write_table(table, path, write_page_checksum=random.random() < 0.5)


def _edit_columns(table: pa.Table, random: Random) -> pa.Table:
    if not table.num_columns:
        return table
    i, n = random.randrange(table.num_columns), table.num_rows
    name = table.column_names[i]
    vital = [column for column in VITAL_COLUMNS if column in table.column_names]
    if vital and random.random() < 0.5:
        name = random.choice(vital)
        i = table.column_names.index(name)
    odd_arrays: tuple[pa.Array, ...] = (
        pa.nulls(n),
        pa.nulls(n, pa.string()),
        pa.array([random.choice(ODD_STRINGS) for _ in range(n)], pa.string()),
        pa.array([random.choice((0, -1, 2**62)) for _ in range(n)], pa.int64()),
        pa.array([random.choice((float("nan"), float("inf"), -1.5, 1e300)) for _ in range(n)], pa.float64()),
        pa.array([[1, 2]] * n, pa.list_(pa.int64())),
        pa.array([{"a": 1}] * n),
        pa.array([b"\xff\xfe"] * n, pa.binary()),
        pa.array([True] * n),
        pa.array([10**12] * n, pa.timestamp("us")),
        pa.array(["teacher"] * n).dictionary_encode(),
    )
    way = random.randrange(8)
    if way == 0:
        return table.drop_columns([name])
    if way == 1:
        return table.append_column(random.choice(("added", name, "", "é")), random.choice(odd_arrays))
    if way == 2:
        return table.rename_columns([f"{x}_old" if x == name else x for x in table.column_names])
    if way == 3:
        return pa.concat_tables([table, table.slice(0, random.randrange(n + 1))])
    if way == 4:
        return table.slice(0, random.choice((0, 1)))
    if way == 5 and not pa.types.is_nested(table[i].type):
        return table.set_column(i, name, table[i].cast(pa.string()))
    if way == 6:
        return table.append_column(f"added {random.randrange(9)}", random.choice(odd_arrays)).select(
            [*reversed(range(table.num_columns + 1))]
        )
    return table.set_column(i, name, random.choice(odd_arrays))


# --- folders ------------------------------------------------------------------------------------


def _add_foreign_file(path: Path, random: Random) -> None:
    name = random.choice(
        ("notes.txt", ".DS_Store", "data.parquet", "x.safetensors", "Thumbs.db", ".nfs0001", "a\nb", "x.tmp")
    )
    (path / name).write_bytes(random.choice((b"", b"hello\n", b"PAR1PAR1", random.randbytes(100))))


def _remove_folder(path: Path, random: Random) -> None:
    shutil.rmtree(path)


def _make_file(path: Path, random: Random) -> None:
    shutil.rmtree(path)
    path.write_text("a file in place of a folder")


def _link_folder(path: Path, random: Random) -> None:
    shutil.rmtree(path)
    # Never out of the case's folder: damaged files are moved aside, wherever a link leads.
    path.symlink_to(random.choice(("nowhere", path.name, "..")))


FOLDER_MUTATORS = (_add_foreign_file, _add_foreign_file, _remove_folder, _make_file, _link_folder, _forbid, _rename)
