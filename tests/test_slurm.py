"""The batch script for Slurm, run whole."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kdtune as package
from tests.conftest import find_free_port
from tests.slurm_jobs import SCRIPT, STAND_IN, SlurmJob, has_own_processes, make_networks

pytestmark = pytest.mark.xdist_group("slurm")

# Long enough to be stopped in the middle of its students.
LONG = {"student": {"depth": 2, "width": {"grid_search": [3, 5, 7, 9]}}, "train": {"epochs": 150, "batch_size": 37}}


@pytest.fixture
def submit(tmp_path: Path) -> Iterator[Callable[..., SlurmJob]]:
    """Submit the script with these arguments."""
    if not has_own_processes():  # The script then asks for whole machines.
        pytest.skip("no PID namespaces here: `ray symmetric-run` would end the Rays of other tests")
    jobs = []

    def submit_job(*arguments: str | Path, networks: tuple[str, ...] = (), **options: int | str) -> SlurmJob:
        number = int(options.pop("number", find_free_port()))  # any number
        jobs.append(SlurmJob(tmp_path, list(arguments), number, list(networks), **options))
        return jobs[-1]

    yield submit_job
    for job in jobs:
        job.kill()


@pytest.fixture(scope="module")
def networks() -> Iterator[list[str]]:
    """The networks of two machines."""
    with make_networks() as names:
        if names is None:
            pytest.skip("only root can make the networks of two machines, and not everywhere")
        yield names


@pytest.mark.slow
def test_a_sweep_trains_on_two_machines_and_the_same_command_again_trains_nothing(submit, write, networks, tmp_path):
    file = write()
    code, output = submit(file, networks=networks).finish()
    assert code == 0, output
    assert "on 2 workers" in output
    table = package.read_table(tmp_path / "results/small")
    assert len(table) == 18
    assert (table["status"] == "done").all()
    code, output = submit(file).finish()
    assert code == 0, output
    assert "Training " not in output
    assert package.read_table(tmp_path / "results/small").equals(table)


@pytest.mark.slow
def test_two_jobs_run_on_one_machine_at_a_time(submit, write):
    jobs = [submit(write(), "--results", name) for name in ("one", "two")]
    for code, output in [job.finish() for job in jobs]:
        assert code == 0, output


@pytest.mark.slow
def test_the_exit_code_is_that_of_the_sweep(submit, write):
    code, output = submit(write("name: wrong\nstudent: {widht: 3}\n")).finish()
    assert code == 2, output
    assert "did you mean 'width'?" in output


@pytest.mark.slow
def test_a_ray_that_does_not_start_is_a_failure(submit, write):
    """The exit code of symmetric-run is 0 then."""
    code, output = submit(write(), cpus="none").finish()
    assert code == 1, output
    assert "Failed to start Ray" in output


@pytest.mark.slow
def test_before_the_time_limit_the_sweep_stops_as_with_ctrl_c_and_goes_on_when_submitted_again(submit, write, tmp_path):
    file = write(**LONG)
    job = submit(file)
    while not (job.is_over or list(tmp_path.glob("results/teachers/*/*.safetensors"))):
        time.sleep(0.2)
    job.check_token()
    job.terminate()
    code, output = job.finish()
    assert code == 130, output
    assert "Interrupted." in output
    teachers = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/teachers/*/*.safetensors")}
    code, output = submit(file, number=job.number).finish()  # A job that Slurm starts again keeps its number.
    assert code == 0, output
    assert all(path.stat().st_mtime_ns == changed_at for path, changed_at in teachers.items())
    assert (package.read_table(tmp_path / "results/small")["status"] == "done").all()


def test_where_sbatch_did_not_start_it_it_says_so(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
    run = subprocess.run(
        ["bash", SCRIPT, "mine.yaml"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "submit this script with sbatch" in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", [SCRIPT, STAND_IN / "srun"], ids=lambda path: path.name)
def test_scripts_are_valid_bash(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
