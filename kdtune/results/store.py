"""The results folder: where rows, teachers and students lie, who may write, what to do with torn files.

    <root>/teachers/<id>/      train.npy, val.npy, test.npy (logits), weights.safetensors, row.parquet
    <root>/<name>/             sweep.yaml, table.parquet, parts/, students/<id>.safetensors, figures/,
                               per_class.parquet, confusion.parquet, learning_curves.parquet

Workers write packs, the driver everything else. Nothing is overwritten in place, so that a process
killed at any moment leaves whole files or temporary ones, which begin with a dot.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from kdtune.columns import ID
from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import write_atomically
from kdtune.results import detail_tables as details
from kdtune.results.weights import is_whole, load_weights, save_weights
from kdtune.table import merge_tables, read_table, rows_to_arrow, write_chunks, write_table

if TYPE_CHECKING:
    from torch import nn

    from kdtune.train.train_pack import Trained

LEFTOVER_SECONDS = 3600  # no write takes that long
DETAILS_AT = 500  # networks whose details are laid out at once: each may have thousands
FOLD_AT = 256  # part files: reading many small ones costs more than their rows


class Store:
    """One sweep's folder under a root, and the teachers beside it."""

    def __init__(self, root: Path | str, name: str) -> None:
        self.root = Path(root).absolute()
        self.name = name
        self.folder = self.root / name
        self.parts = self.folder / "parts"
        self.teachers = self.root / "teachers"
        self.students = self.folder / "students"
        self.table = self.folder / "table.parquet"
        self.warnings: list[str] = []

    # --- one driver at a time -------------------------------------------------------------------

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folders and hold them. A request that is refused after all leaves no new folder."""
        made = self.prepare()
        with self.locked():  # who is refused here removes nothing: it is another's
            self._remove_leftovers()
            try:
                yield
            except RequestError:
                _remove_new(made, whole=self.folder)
                raise

    def prepare(self) -> list[Path]:
        """Make the folders; RequestError if they cannot be made or written. Gives the new ones."""
        made: list[Path] = []
        try:
            for folder in (self.parts, self.teachers):
                made += [path for path in (folder, *folder.parents) if not path.exists() and path not in made]
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".{uuid.uuid4().hex[:8]}.tmp"
                probe.touch()
                probe.unlink()
        except OSError as error:
            _remove_new(made)
            raise RequestError(f"{self.folder}: the results folder cannot be written: {error.strerror}") from error
        return made

    def _remove_leftovers(self) -> None:
        """Temporary files of writers that were killed; of teachers, which other sweeps may be writing, old ones."""
        for folder in (self.folder, self.parts, self.students):
            for path in folder.glob(".*.tmp"):
                path.unlink(missing_ok=True)
        for path in self.teachers.glob(".*.tmp"):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: the kernel frees the lock of a process that died.

        Raises
        ------
        RequestError
            If another driver holds it; the message names that one.
        """
        lock = FileLock(self.folder / ".lock")
        holder = self.folder / ".lock.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RequestError(f"{self.folder} is in use by another sweep{_holder(holder)}; wait or stop it") from None
        try:
            me = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now().isoformat(" ", "seconds")}
            write_atomically(holder, lambda path: path.write_text(json.dumps(me)))
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    # --- rows -----------------------------------------------------------------------------------

    def rows(self, repair: bool = True) -> pa.Table:
        """Every row in ``parts/``. Torn and foreign files are set aside with a warning, if ``repair``."""
        found = []
        for path in self._part_files():
            try:
                found.append(read_table(path))
            except ValueError as error:
                done = f"set aside as {self._set_aside(path)}, its" if repair else "its"
                self.warnings.append(f"parts/{error}; {done} networks are trained again")
        return merge_tables(found)

    def _part_files(self) -> list[Path]:
        """Oldest first."""
        there = self.parts.iterdir() if self.parts.is_dir() else ()
        whole = [path for path in there if not (path.name.startswith(".") and path.suffix == ".tmp")]
        return sorted(whole, key=lambda path: path.lstat().st_mtime_ns)

    def _set_aside(self, path: Path) -> Path:
        aside = self.folder / "set-aside" / f"{path.name}.{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(exist_ok=True)
        path.rename(aside)
        return aside

    def read_part(self, pack: str) -> pa.Table:
        return read_table(self.parts / f"{pack}.parquet")

    def write_rows(self, pack: str, rows: Sequence[dict[str, Any]]) -> None:
        write_table(rows_to_arrow(rows), self.parts / f"{pack}.parquet")

    def fold(self, at_least: int = FOLD_AT) -> None:
        """Put all rows into one file, where there are many. Not while a sweep runs: its driver reads single parts."""
        files = self._part_files()
        if len(files) >= at_least:
            self._fold(files)

    def fold_parts(self, packs: Sequence[str]) -> None:
        """Put the rows of these packs into one file: of those whose part nobody reads again."""
        self._fold([path for pack in packs if (path := self.parts / f"{pack}.parquet").exists()])

    def _fold(self, files: Sequence[Path]) -> None:
        """A kill in between leaves rows twice, never none. Only files that were read are removed."""
        read = {}
        for path in files:
            with suppress(ValueError):
                read[path] = read_table(path)
        write_table(merge_tables(read.values()), self.parts / f"folded-{uuid.uuid4().hex[:12]}.parquet")
        for path in read:
            path.unlink(missing_ok=True)

    def write_details(self, rows: pa.Table) -> None:
        """What is too long for the table, in files beside it; none for what no network recorded."""
        for name, make in details.FILES.items():
            starts = range(0, len(rows), DETAILS_AT)
            write_chunks((make(rows.slice(start, DETAILS_AT)) for start in starts), self.folder / name)

    # --- what workers write ---------------------------------------------------------------------

    def save(self, pack: str, results: Sequence[Trained]) -> None:
        """A finished pack: first what its rows promise, then the rows."""
        try:
            for result in results:
                if result.logits is not None and result.weights is not None:
                    self._save_teacher(result)
                elif result.weights is not None:
                    self.students.mkdir(exist_ok=True)
                    save_weights(self.students / f"{result.network.id}.safetensors", result)
        except OSError as error:
            raise StorageError(f"cannot write below {self.root}: {error.strerror or error}") from error
        self.write_rows(pack, [result.row for result in results])

    def _save_teacher(self, result: Trained) -> None:
        folder = self.teachers / result.network.id
        temporary = self.teachers / f".{result.network.id}.{uuid.uuid4().hex[:8]}.tmp"
        temporary.mkdir()
        try:
            for split, logits in (result.logits or {}).items():
                with (temporary / f"{split}.npy").open("wb") as file:
                    np.save(file, logits, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
            save_weights(temporary / "weights.safetensors", result)
            write_table(rows_to_arrow([result.row]), temporary / "row.parquet")
            if folder.exists() and not self._teacher_row(result.network.id):
                self._set_teacher_aside(result.network.id)
            temporary.rename(folder)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            if not folder.exists():  # otherwise another sweep was faster: the same numbers
                raise

    # --- teachers -------------------------------------------------------------------------------

    def teacher_logits(self, name: str) -> Any:
        """A teacher's logits on the training part, (examples, classes), as a memory map."""
        return np.load(self.teachers / name / "train.npy", mmap_mode="r", allow_pickle=False)

    def teacher_net(self, name: str) -> nn.Module:
        """A teacher itself, in evaluation mode."""
        return load_weights(self.teachers / name / "weights.safetensors")

    def known_teachers(self, names: Iterable[str], repair: bool = True) -> pa.Table:
        """The rows of those teachers that are there and whole; torn ones are set aside, if ``repair``."""
        found = []
        for name in names:
            if (self.teachers / name).is_dir():
                row = self._teacher_row(name)
                if row is not None:
                    found.append(row)
                else:
                    if repair:
                        self._set_teacher_aside(name)
                    self.warnings.append(f"teachers/{name} is torn; it is trained again when it is needed")
        return merge_tables(found)

    def _teacher_row(self, name: str) -> pa.Table | None:
        folder = self.teachers / name
        try:
            row = read_table(folder / "row.parquet")
            sizes = {split: row[f"n_{split}"][0].as_py() for split in ("train", "val", "test")}
            whole = all(
                len(np.load(folder / f"{split}.npy", mmap_mode="r", allow_pickle=False)) == size
                for split, size in sizes.items()
            )
            return row if whole and row[ID].to_pylist() == [name] and is_whole(folder / "weights.safetensors") else None
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def _set_teacher_aside(self, name: str) -> None:
        (self.teachers / name).rename(self.teachers / f".torn-{name}.{uuid.uuid4().hex[:8]}")

    # --- starting over --------------------------------------------------------------------------

    def clear(self) -> None:
        """Remove what this sweep left, but for its lock. Shared teachers stay."""
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path.name.startswith(".lock"):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.parts.mkdir(parents=True, exist_ok=True)

    def remove_teachers(self, names: Iterable[str]) -> None:
        for name in names:
            shutil.rmtree(self.teachers / name, ignore_errors=True)


def _remove_new(made: Iterable[Path], whole: Path | None = None) -> None:
    """Remove folders that were made for nothing: ``whole`` with what is in it, others if they are empty."""
    for path in sorted(made, key=lambda path: -len(path.parts)):
        if path == whole:
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.rmdir()


def _holder(path: Path) -> str:
    try:
        me = json.loads(path.read_text())
        return f" (host {me['host']}, pid {me['pid']}, since {me['since']})"
    except (OSError, ValueError, KeyError):
        return ""
