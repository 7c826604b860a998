"""A cluster that Ray's launcher brings up on hosts, from ``clusters/local.yaml``, and a laptop that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
from ruamel.yaml import YAML

from tests.several_hosts.network_hosts import CHECKOUT, Host

BIN = Path(sys.executable).parent
ENVIRONMENT = Path(sys.prefix)
ANSWER_SECONDS = 60.0


@dataclass
class LaunchedCluster:
    """A head and workers, and this machine as the laptop from which they are used.

    Parameters
    ----------
    folder : for the laptop's files.
    head, workers : the hosts, which run.
    private_key : opens each host.
    variables : what the machines and the laptop need to know: the token, and how the store is reached.
    cpus : how many CPUs each worker tells Ray of.
    """

    folder: Path
    head: Host
    workers: list[Host]
    private_key: Path
    variables: dict[str, str]
    cpus: int = 1
    port: int = 8265
    _tunnel: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_path = self.folder / "local.yaml"
        self.environment_path = self.folder / "local.env"
        self.variables = {"PYTHONPATH": str(CHECKOUT)} | self.variables  # this checkout, whichever is installed
        self.environment_path.write_text("".join(f"{name}={value}\n" for name, value in self.variables.items()))
        yaml = YAML(typ="safe", pure=True)
        config = yaml.load(CHECKOUT / "clusters" / "local.yaml")
        config["provider"] |= {"head_ip": self.head.address, "worker_ips": [each.address for each in self.workers]}
        config["auth"] = {"ssh_user": "root", "ssh_private_key": str(self.private_key)}
        config["file_mounts"] = {"~/kdtune.env": str(self.environment_path)}
        # The machines have no network to install from: they get this environment.
        *_, find_ray = config["setup_commands"]
        config["setup_commands"] = [f"mkdir -p ~/kdtune-env && ln -sfn {ENVIRONMENT}/* ~/kdtune-env/", find_ray]
        start = config["worker_start_ray_commands"]
        config["worker_start_ray_commands"] = [
            each.replace("--address=", f"--num-cpus={self.cpus} --address=") for each in start
        ]
        yaml.dump(config, self.config_path)

    @property
    def address(self) -> str:
        """The address of the dashboard, as the laptop reaches it through ssh."""
        return f"http://127.0.0.1:{self.port}"

    def launch(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run ``ray up`` or ``ray down`` on the laptop."""
        return self.run(str(BIN / "ray"), command, "--yes", str(self.config_path), timeout=600)

    def run(self, *command: str, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the laptop; an empty variable is left out."""
        return subprocess.run(
            command, env=self.make_environment(**variables), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def kdtune(self, *arguments: str, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of kdtune on the laptop."""
        return self.run(str(BIN / "kdtune"), *arguments, timeout=timeout, **variables)

    def follow(self, job: str, log: Path) -> subprocess.Popen[bytes]:
        """Begin to follow what a job prints, into a file."""
        with log.open("wb") as file:
            return subprocess.Popen(
                [str(BIN / "kdtune"), "logs", job, "--follow"],
                env=self.make_environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )  # fmt: skip

    def make_environment(self, **variables: str) -> dict[str, str]:
        """Return the laptop's environment variables."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
        laptop = {
            "HOME": str(self.folder),
            "RAY_TMPDIR": str(self.folder),
            "KDTUNE_CACHE": str(self.folder / "cache"),
            "COLUMNS": "200",
        }
        path = {"PATH": f"{BIN}:{os.environ['PATH']}", "RAY_API_SERVER_ADDRESS": self.address}
        return {name: value for name, value in (mine | self.variables | laptop | path | variables).items() if value}

    def open_tunnel(self) -> None:
        """Reach the dashboard through ssh, as ``ray dashboard`` does, and wait until it answers."""
        self.close_tunnel()
        self._tunnel = subprocess.Popen(
            [str(BIN / "ray"), "dashboard", str(self.config_path), "--port", str(self.port)],
            env=self.make_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        ends_at = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < ends_at:
            with suppress(requests.RequestException):
                requests.get(f"{self.address}/api/version", timeout=2)
                return
            time.sleep(0.5)
        raise RuntimeError("the dashboard does not answer")

    def close_tunnel(self) -> None:
        """End the ssh connection."""
        if self._tunnel is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._tunnel.pid, 9)
            self._tunnel.wait()
            self._tunnel = None

    def wait_for_nodes(self, n_nodes: int, seconds: float = 180.0) -> None:
        """Wait until Ray knows so many machines alive, the head included."""
        ends_at = time.monotonic() + seconds
        while (found := self.count_nodes()) != n_nodes:
            if time.monotonic() > ends_at:
                raise RuntimeError(f"Ray knows {found} machines, not {n_nodes}")
            time.sleep(1)

    def count_nodes(self) -> int:
        """Return how many machines Ray knows alive, the head included; 0 if it does not answer."""
        code = "import ray; ray.init(address='auto', log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
        run = self.head.run(f'set -a; . ~/kdtune.env; ~/kdtune-env/bin/python -c "{code}" 2>/dev/null')
        return int(run.stdout.strip() or 0)

    def join(self, host: Host) -> None:
        """Let a host that the launcher does not know join by hand."""
        environment = "".join(f"export {name}={value}; " for name, value in self.variables.items())
        setup = f"mkdir -p ~/kdtune-env && ln -sfn {ENVIRONMENT}/* ~/kdtune-env/; {environment}"
        start = f"ray start --address={self.head.address}:6379 --num-cpus={self.cpus} --disable-usage-stats"
        run = host.run(f"{setup} PATH=$HOME/kdtune-env/bin:$PATH; {start}")
        if run.returncode:
            raise RuntimeError(f"{host.name} cannot join: {run.stderr}")
