"""Data sets that the workers of one machine share: made once, equal to the bit, and gone at the end."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kdtune.data.load import load_data
from kdtune.data.machine_files import load_once
from kdtune.plan.network import make_data_draw
from kdtune.run.machine_folder import MachineFolder
from kdtune.spec.load import load_spec


@pytest.fixture
def draw(write):
    return make_data_draw(load_spec(write()).cases[0].dataset, 0, 0)


def test_shared_data_are_those_that_each_process_would_make(draw, tmp_path):
    made = load_data(draw)
    first, second = (load_once(tmp_path, "set", lambda: made) for _ in range(2))
    for data in (first, second):
        for field in dataclasses.fields(made):
            np.testing.assert_array_equal(getattr(data, field.name), getattr(made, field.name))
    assert not second.x_train.flags.writeable


def _load(folder, draw):
    def make():
        time.sleep(0.2)
        (folder / f"made-by-{os.getpid()}").touch()
        return load_data(draw)

    return load_once(folder, "set", make).x_train.sum()


def test_of_many_processes_one_makes_the_data(draw, tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        sums = pool.starmap(_load, [(tmp_path, draw)] * 4, chunksize=1)
    assert len(set(sums)) == 1
    assert len(list(tmp_path.glob("made-by-*"))) == 1


@pytest.mark.parametrize("failing", ["folder", "arrays", "pickle"])
def test_where_no_file_can_be_written_each_makes_its_own(failing, draw, tmp_path, monkeypatch):
    made, calls = load_data(draw), []
    folder = tmp_path
    if failing == "folder":
        folder = tmp_path / "file"
        folder.touch()
    else:
        (tmp_path / f"set.{failing}").mkdir()

    def make():
        calls.append(1)
        return made

    for _ in range(2):
        assert load_once(folder, "set", make) is made
    assert len(calls) == 2


def test_data_that_would_fill_the_disk_are_not_shared(draw, tmp_path, monkeypatch):
    monkeypatch.setattr("kdtune.data.machine_files.FREE_SHARE", 0.0)
    made = load_data(draw)
    assert load_once(tmp_path, "set", lambda: made) is made
    assert not list(tmp_path.glob("set.arrays"))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_last_one_that_closes_a_folder_removes_it(temporary: Path):
    first, second = MachineFolder("sweep"), MachineFolder("sweep")
    first.close()
    assert second.path.exists()
    second.close()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_a_killed_process_has_left_is_removed_by_the_next_sweep(temporary: Path):
    module = "kdtune.run.machine_folder"
    code = f"import os; from {module} import MachineFolder; MachineFolder('killed'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(temporary)}, check=False)
    assert (temporary / "kdtune-data-killed").exists()
    used = MachineFolder("used")
    other = MachineFolder("other")
    assert {path.name for path in temporary.iterdir()} == {"kdtune-data-used", "kdtune-data-other"}
    used.close()
    other.close()


def test_a_folder_is_for_its_owner_only(temporary: Path):
    folder = MachineFolder("sweep")
    assert folder.path.stat().st_mode & 0o077 == 0
    folder.close()
