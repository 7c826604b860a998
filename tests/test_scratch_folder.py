"""The temporary folder of a sweep, and what killed ones have left there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from kdtune.run.scratch_folder import note_ray_folder, open_scratch_folder

LEAVE_A_FOLDER = """
import os, sys
from pathlib import Path
from kdtune.run.scratch_folder import note_ray_folder, open_scratch_folder
with open_scratch_folder() as folder:
    session = Path(sys.argv[1]) / "session_of_a_killed_one"
    session.mkdir()
    note_ray_folder(folder, str(session))
    print(folder, flush=True)
    if len(sys.argv) > 2:
        os._exit(1)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_goes_with_what_ray_kept_for_it(temporary):
    session = temporary / "session_1"
    with open_scratch_folder() as folder:
        session.mkdir()
        note_ray_folder(folder, str(session))
        (folder / "file").write_text("x")
        assert folder.parent == temporary
    assert not list(temporary.iterdir())


def test_what_killed_sweeps_have_left_is_removed_and_what_others_use_is_not(temporary):
    living = subprocess.Popen(
        [sys.executable, "-c", LEAVE_A_FOLDER, str(temporary / "..")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    used = Path(living.stdout.readline().decode().strip())
    dying = subprocess.run(
        [sys.executable, "-c", LEAVE_A_FOLDER, str(temporary), "die"], capture_output=True, text=True, check=False
    )
    killed = Path(dying.stdout.strip())
    old, recent, foreign = (temporary / name for name in ("kdtune-tune-abc", "kdtune-tune-def", "kdtunes"))
    for folder in (old, recent, foreign):
        folder.mkdir()
        if folder is not recent:
            os.utime(folder, (time.time() - 2 * 24 * 3600,) * 2)
    try:
        assert used.is_dir()
        assert killed.is_dir()
        with open_scratch_folder():
            assert used.is_dir(), "its sweep runs"
            assert not killed.exists()
            assert not (temporary / "session_of_a_killed_one").exists()
            assert not old.exists(), "of an older kdtune, and a day old"
            assert recent.exists()
            assert foreign.exists()
    finally:
        living.communicate(timeout=20)
    assert not used.exists()


def test_only_folders_that_ray_names_so_are_removed_with_it(temporary):
    precious = temporary / "precious"
    precious.mkdir()
    with open_scratch_folder() as folder:
        note_ray_folder(folder, str(precious))
    assert precious.exists()
