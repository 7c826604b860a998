"""How much memory is in use, on a machine and in a container, and what is said of it."""

from __future__ import annotations

import psutil
import pytest
import ray

from kdtune.run import memory
from kdtune.run.lost_workers import convert_to_death
from kdtune.run.memory import MemoryWatch, measure_memory, read_full_memory

GIB = 2**30


@pytest.fixture
def cgroup(tmp_path):
    """A container of 2 GiB, of which 1.5 GiB are in use, 1 GiB of it for copies of files."""
    (tmp_path / "memory.max").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{3 * GIB // 2}\n")
    (tmp_path / "memory.stat").write_text(f"anon {GIB // 2}\nfile {GIB}\ninactive_file {GIB}\n")
    return tmp_path


def test_copies_of_files_are_not_in_use(cgroup):
    assert measure_memory(cgroup) == (GIB / 2, 2 * GIB)


@pytest.mark.parametrize("limit", ["max", str(2**60)])
def test_a_container_without_a_limit_of_its_own_has_what_the_machine_has(cgroup, limit):
    (cgroup / "memory.max").write_text(limit)
    used, total = measure_memory(cgroup)
    assert total == psutil.virtual_memory().total
    assert 0 < used < total


@pytest.mark.parametrize("name", ["memory.max", "memory.current", "memory.stat"])
def test_a_container_that_cannot_be_read_counts_as_none(cgroup, name):
    (cgroup / name).unlink()
    assert measure_memory(cgroup)[1] == psutil.virtual_memory().total


def test_the_highest_use_of_the_last_seconds_is_told(monkeypatch):
    now, used = [0.0], [23.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(memory, "measure_memory", lambda: (used[0] * GIB, 24.0 * GIB))
    watch = MemoryWatch()
    assert watch.describe() == ""
    watch.look()
    now[0], used[0] = 9.0, 1.0  # What took the memory is dead.
    watch.look()
    assert watch.describe().startswith(", at 23.0 of 24.0 GiB of memory: give packs fewer networks (--pack)")
    now[0] = 11.0
    watch.look()
    assert watch.describe() == ""


# As Ray 2.60 puts it: its first lines.
KILLED_BY_RAY = """1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, \
ID: f970cdb20c0d633502fa81ed6d7beb410c69f9f0916990220462fbeb) was 22.74GB used / 23.54GB limit (0.965843)
OOM kill reason: Memory usage 24079540224B exceeded threshold of 24012677120B (95.0% of 25276502016B limit)
"""


def test_what_ray_says_of_a_worker_that_it_killed_is_read():
    assert read_full_memory(KILLED_BY_RAY).startswith(", at 22.7 of 23.5 GiB of memory of 192.0.2.2: give packs fewer")
    assert read_full_memory("The actor died unexpectedly before finishing this task.") == ""


def test_tune_takes_a_worker_that_was_killed_for_its_memory_for_one_that_died():
    errors = ray.exceptions
    death = convert_to_death(errors.OutOfMemoryError(KILLED_BY_RAY))
    assert isinstance(death, errors.RayActorError)
    assert str(death) == KILLED_BY_RAY
    for known in (errors.ActorUnavailableError("away", None), errors.RayTaskError("train", "traceback", ValueError())):
        assert convert_to_death(known) is known
    other = ValueError("no error of Ray's")
    assert convert_to_death(other) is other
