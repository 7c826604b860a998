"""Jobs of Slurm to test with: the batch script, a stand-in for srun, and network namespaces for machines."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "clusters/slurm.sh"
STAND_IN = Path(__file__).parent / "slurm_stand_in"
# A command in a PID namespace sees only processes that it started.
OWN_PROCESSES = ["unshare", "--user", "--map-current-user", "--pid", "--mount-proc", "--fork", "--kill-child"]


def has_own_processes() -> bool:
    """Whether PID namespaces can be made here."""
    return _runs([*OWN_PROCESSES, "true"])


class SlurmJob:
    """The batch script as sbatch starts it, in a folder that all machines see.

    Parameters
    ----------
    folder : where it is submitted.
    arguments : those of the script.
    number : the job's number.
    networks : a network namespace for each machine; without any there is one machine, this one.
    cpus : the CPUs of the job on each machine.
    """

    def __init__(
        self, folder: Path, arguments: list[str | Path], number: int, networks: list[str], cpus: str = "1"
    ) -> None:
        self.folder = folder
        self.number = number
        self.ray_folder = Path(f"/tmp/kdtune-{number}")
        self.token = folder / f".kdtune-job-{number}/token"
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))}
        variables |= {
            "PATH": f"{STAND_IN}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SLURM_JOB_ID": str(number),
            "SLURM_CPUS_PER_TASK": cpus,
            "SLURM_NNODES": str(max(1, len(networks))),
            "STAND_IN_NETWORKS": " ".join(networks),
        }
        # The script itself runs on the first machine.
        enter = ["nsenter", f"--net=/run/netns/{networks[0]}"] if networks else []
        self.process = subprocess.Popen(
            [*enter, "bash", str(SCRIPT), *map(str, arguments)],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def is_over(self) -> bool:
        """Whether the script has ended."""
        return self.process.poll() is not None

    def terminate(self) -> None:
        """Tell the script alone, as `--signal=B:TERM@120` does."""
        self.process.send_signal(signal.SIGTERM)

    def finish(self) -> tuple[int, str]:
        """Wait for its end, check that it leaves nothing behind, and return its exit code and what it printed."""
        output, _ = self.process.communicate(timeout=300)
        command_lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert not [line for line in command_lines if str(self.ray_folder) in line], output
        assert not self.ray_folder.exists(), output
        assert not self.token.parent.exists(), output
        return self.process.returncode, output

    def check_token(self) -> None:
        """Check that only this user can read the token, and that the job's Ray wants it."""
        assert re.fullmatch("[0-9a-f]{64}", self.token.read_text())
        assert [path.stat().st_mode & 0o777 for path in (self.token, self.token.parent)] == [0o600, 0o700]
        processes = psutil.Process(self.process.pid).children(recursive=True)
        variables = [process.environ() for process in processes if process.name() in ("raylet", "gcs_server")]
        assert len(variables) == 2
        assert all(each["RAY_AUTH_MODE"] == "token" for each in variables)
        assert all(each["RAY_AUTH_TOKEN_PATH"] == str(self.token) for each in variables)

    def kill(self) -> None:
        """End all of it at once, where a test has failed."""
        if not self.is_over:
            for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            shutil.rmtree(self.ray_folder, ignore_errors=True)


@contextmanager
def make_networks() -> Iterator[list[str] | None]:
    """Make two network namespaces that reach each other, and give their names; None where that is not allowed.

    Ray knows machines by their addresses, and takes two Rays of one address for one machine.
    """
    number = os.getpid()
    bridge, subnet = f"kdtb{number}", f"10.213.{number % 250}"
    names = [f"kdt{number}-{count}" for count in (1, 2)]
    if os.geteuid() != 0 or not _runs(f"ip link add {bridge} type bridge".split()):
        yield None
        return
    try:
        commands = [f"ip address add {subnet}.254/24 dev {bridge}", f"ip link set {bridge} up"]
        for count, name in enumerate(names, start=1):
            commands += [
                f"ip netns add {name}",
                f"ip link add kdtv{count}-{number} type veth peer name eth0 netns {name}",
                f"ip link set kdtv{count}-{number} master {bridge} up",
                f"ip -n {name} address add {subnet}.{count}/24 dev eth0",
                f"ip -n {name} link set lo up",
                f"ip -n {name} link set eth0 up",
                # Without a route to elsewhere Ray takes 127.0.0.1 for the machine's address.
                f"ip -n {name} route add default via {subnet}.254",
            ]
        yield names if all(_runs(command.split()) for command in commands) else None
    finally:
        for name in names:
            _runs(f"ip netns delete {name}".split())
        _runs(f"ip link delete {bridge}".split())


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
