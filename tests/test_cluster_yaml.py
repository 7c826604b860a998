"""cluster.yaml as a file: what Ray reads, copies and runs, and what it would start. Of AWS: test_cluster_aws.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.aws_account import CLUSTER_TEXT, PLACEHOLDER, ROOT, STACK_TEXT, list_commands, read_cluster
from tests.docs_pages import read_blocks

CLUSTER = read_cluster()
REGION = CLUSTER["provider"]["region"]
START_COMMANDS = [command for command in list_commands(CLUSTER) if "ray start" in command]
CPU_TYPES = [name for name, machine in CLUSTER["available_node_types"].items() if "GPU" not in machine["resources"]][1:]
GPU_TYPES = [name for name, machine in CLUSTER["available_node_types"].items() if "GPU" in machine["resources"]]
N_CPUS = sum(
    machine["resources"]["CPU"] * machine["max_workers"]
    for name, machine in CLUSTER["available_node_types"].items()
    if name in CPU_TYPES
)


def test_it_is_what_ray_expects() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(CLUSTER))


def test_it_scales_from_zero_and_a_head_trains_nothing() -> None:
    machines = CLUSTER["available_node_types"]
    assert machines[CLUSTER["head_node_type"]]["resources"] == {"CPU": 0}
    assert {machine["min_workers"] for machine in machines.values()} == {0}
    assert len(CPU_TYPES) >= 3
    assert len(GPU_TYPES) >= 2
    assert CLUSTER["provider"]["cache_stopped_nodes"] is False, "stopped machines keep their disks, which cost money"


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", list_commands(CLUSTER))
def test_a_command_is_valid_shell(command: str) -> None:
    run = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_ray_starts_with_a_token_and_the_region_and_is_closed() -> None:
    assert len(START_COMMANDS) == 2, "one of the head, one of workers"
    for command in START_COMMANDS:
        before_ray = command.partition("ray start")[0]
        assert "export RAY_AUTH_MODE=token " in before_ray
        assert f" AWS_REGION={REGION} " in before_ray
        assert "0.0.0.0" not in command
    assert " --dashboard-host=127.0.0.1 " in START_COMMANDS[0]


def test_the_shell_of_a_machine_is_set_up_once(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("case $- in *i*) ;; *) return;; esac\n")
    (command,) = [command for command in CLUSTER["setup_commands"] if ".bashrc" in command]
    for _ in range(2):
        subprocess.run(["bash", "-c", command], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
    assert (tmp_path / ".bashrc").read_text().count("RAY_AUTH_MODE") == 1
    run = subprocess.run(
        ["bash", "-c", ". ~/.bashrc; echo $PATH $RAY_AUTH_MODE $AWS_REGION"],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{tmp_path}/env/bin:/usr/bin:/bin token {REGION}\n"


# --- what is copied -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files to a folder as Ray copies them to a machine, by rsync and with its options."""
    from ray.autoscaler._private.command_runner import SSHCommandRunner

    if shutil.which("rsync") is None:
        pytest.skip("needs rsync")
    options = SSHCommandRunner._create_rsync_filter_args(None, {"rsync_exclude": CLUSTER["rsync_exclude"]})
    folder = tmp_path_factory.mktemp("machine")
    for remote, local in CLUSTER["file_mounts"].items():
        source = ROOT / local
        if local.startswith("~"):
            continue
        target = folder / remote.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        slash = "/" if source.is_dir() else ""
        subprocess.run(["rsync", "-az", *options, f"{source}{slash}", f"{target}{slash}"], check=True)
    return folder / "home/ubuntu/kdtune"


def test_all_that_kdtune_is_installed_from_is_copied_and_nothing_else(machine: Path) -> None:
    setup = ConfigParser()
    setup.read(machine / "setup.cfg")
    for package in setup["options"]["packages"].split():
        folder = "sweeps" if package == "kdtune.sweeps" else package.replace(".", "/")
        for path in (ROOT / folder).glob("*.*"):
            assert (machine / folder / path.name).read_bytes() == path.read_bytes()
    copied = {path.name for path in machine.iterdir()}
    assert copied == {"kdtune", "sweeps", "setup.cfg", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert not list(machine.rglob("__pycache__"))


def test_the_token_is_copied_and_no_secret_stands_in_the_file() -> None:
    assert CLUSTER["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert re.findall(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|BEGIN [A-Z ]*PRIVATE KEY|[0-9a-f]{32,}", CLUSTER_TEXT) == []
    assert re.findall(r"(?i)secret_access_key|access_key_id|RAY_AUTH_TOKEN\b|\.aws/|\.pem", CLUSTER_TEXT) == []
    assert "aws_credentials" not in CLUSTER["provider"]


# --- what a sweep starts --------------------------------------------------------------------------


def list_started(workers: int, **resources: float) -> dict[str, int]:
    """Ask Ray's autoscaler what it would start for workers that each take these resources, as a sweep asks for them.

    Ray Tune reserves each worker's resources by a placement group of its own, which Ray places one after the other.
    """
    from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
    from ray.autoscaler.v2.utils import ResourceRequestUtil
    from ray.core.generated.autoscaler_pb2 import BundleSelector, GangResourceRequest

    config = AutoscalingConfig(read_cluster(), skip_content_hash=True)
    bundle = BundleSelector(resource_requests=[ResourceRequestUtil.make(resources)])
    reply = ResourceDemandScheduler(Mock()).schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=config.get_node_type_configs(),
            max_num_nodes=config.get_max_num_worker_nodes(),
            gang_resource_requests=[GangResourceRequest(bundle_selectors=[bundle]) for _ in range(workers)],
        )
    )
    return {request.instance_type: request.count for request in reply.to_launch}


def test_a_sweep_of_128_workers_asks_for_every_type_of_cpu_machine() -> None:
    assert set(list_started(128, CPU=1)) == set(CPU_TYPES)


def test_a_sweep_for_cpus_starts_no_gpu_machine_however_many_workers_it_asks_for() -> None:
    assert set(list_started(2 * N_CPUS, CPU=1)) == set(CPU_TYPES)


def test_a_sweep_of_4_workers_for_gpus_asks_for_every_type_of_gpu_machine() -> None:
    assert set(list_started(4, CPU=8, GPU=1)) == set(GPU_TYPES)


# --- the page -------------------------------------------------------------------------------------

PAGE = [line for block in read_blocks("aws.md") for line in block.text.replace("\\\n", "").splitlines()]


@pytest.mark.parametrize("line", PAGE)
def test_a_command_of_the_page_is_valid_shell(line: str) -> None:
    run = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_page_gives_the_stack_its_parameters() -> None:
    (deploy,) = [line for line in PAGE if line.startswith("aws cloudformation deploy")]
    overrides = deploy.partition("--parameter-overrides")[2]
    parameters = STACK_TEXT.partition("Parameters:\n")[2].partition("\nResources:")[0]
    assert set(re.findall(r"(\w+)=", overrides)) == set(re.findall(r"^  (\w+):", parameters, re.M))


def test_the_page_fills_the_file_in(tmp_path: Path) -> None:
    (command,) = [line for line in PAGE if line.startswith("perl")]
    (tmp_path / "cluster.yaml").write_text(CLUSTER_TEXT)
    variables = {"PATH": "/usr/bin:/bin", "GROUP": "sg-0123456789", "AWS_REGION": "eu-central-1"}
    subprocess.run(["bash", "-c", command], env=variables, cwd=tmp_path, check=True)
    text = (tmp_path / "cluster.yaml").read_text()
    assert CLUSTER_TEXT.count(PLACEHOLDER) == text.count("sg-0123456789") == 1
    assert "us-west-2" not in text.replace("s/us-west-2/", "")
