"""Hosts on this machine: each a network namespace with an address of its own, in which an ssh server runs.

A host has its own processes, name, temporary folder, home folder and shared memory, because ``ray stop`` ends every
Ray process that it can see, and because two machines share none of these. It sees the rest of the file system: the
programs are those of this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BRIDGE = "kdtune0"
NETWORK = "10.87.0"  # of 256 addresses
GATEWAY = f"{NETWORK}.1"  # this machine's, as the hosts see it
PROGRAMS = ("ip", "unshare", "nsenter", "ssh", "ssh-keygen", "rsync", "/usr/sbin/sshd")
CHECKOUT = Path(__file__).resolve().parents[2]
HOME = "/tmp/home"  # the home folder on each host, which is its own as all of /tmp
SSH_SECONDS = 20.0


def find_missing_means() -> str:
    """Return what this machine lacks to have hosts, as a clause; empty if nothing."""
    if os.geteuid() != 0:
        return "only root can make hosts"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} not found: install iproute2, util-linux, openssh-server and rsync"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "network namespaces are not allowed here"
    return ""


@dataclass
class Host:
    """A host. It runs once it was started."""

    name: str
    address: str
    folder: Path  # for the keys of its ssh server
    authorized_key: str
    _leader: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether the host was started, and not killed since."""
        return self._leader is not None and self._leader.poll() is None

    def start(self) -> None:
        """Switch the host on, and wait until it can be reached by ssh."""
        self.folder.mkdir(exist_ok=True)
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _run("ip", "link", "set", self.name, "master", BRIDGE, "up")
        last = self.address.rpartition(".")[2]
        for command in (
            # The same after each start, as of a real machine: others remember it for a minute.
            f"ip link set eth0 address 02:00:00:00:00:{int(last):02x}",
            f"ip addr add {self.address}/24 dev eth0",
            "ip link set eth0 up",
            "ip link set lo up",
            f"ip route add default via {GATEWAY}",  # Without one, Ray takes 127.0.0.1 for the host's address.
        ):
            _run("ip", "netns", "exec", self.name, *command.split())
        separate = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--mount-proc"]
        with (self.folder / "console.log").open("ab") as log:
            self._leader = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *separate, "sh", "-c", self._write_start_script()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ends_at = time.monotonic() + SSH_SECONDS
        while subprocess.run(self.make_ssh_command("true"), capture_output=True, check=False).returncode:
            if time.monotonic() > ends_at or not self.is_running:
                raise RuntimeError(f"{self.name} cannot be reached: {(self.folder / 'console.log').read_text()}")
            time.sleep(0.2)

    def run(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command on the host, through ssh."""
        return subprocess.run(
            self.make_ssh_command(command), capture_output=True, text=True, check=False, timeout=timeout
        )

    def make_ssh_command(self, command: str) -> list[str]:
        """Return the command that runs a shell command on the host."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        key = str(self.folder.parent / "key")
        return ["ssh", *options, "-o", "ConnectTimeout=3", "-i", key, f"root@{self.address}", command]

    def list_processes(self, part: str) -> list[str]:
        """Return the command lines of the host's living processes that contain a text.

        The first process of a host is its ssh server, which does not collect those that have ended.
        """
        lines = self.run("ps -eo args=").stdout.splitlines()
        return [line for line in lines if part in line and "ps -eo" not in line and "<defunct>" not in line]

    def cut_off(self) -> None:
        """Unplug the network: the host goes on, and nobody hears of it."""
        _run("ip", "link", "set", self.name, "down")

    def reconnect(self) -> None:
        """Plug the network in again."""
        _run("ip", "link", "set", self.name, "up")

    def kill(self) -> None:
        """Switch the host off: all of its processes end at once; its home folder stays, its temporary files do not."""
        if self._leader is not None:
            self._leader.kill()  # unshare, with which its child ends, and with that the whole process namespace
            self._leader.wait()
            self._leader = None
        subprocess.run(["ip", "link", "del", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def _write_start_script(self) -> str:
        """Return the shell script that the first process of the host runs."""
        host_key, authorized_keys = self.folder / "host_key", self.folder / "authorized_keys"
        if not host_key.exists():
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key))
        authorized_keys.write_text(f"{self.authorized_key}\n")
        home = self.folder / "home"  # the host's disk, which is there again after it was switched off
        home.mkdir(exist_ok=True)
        users = self.folder / "passwd"  # says where the home folder is
        lines = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        fields = next(line for line in lines if line.startswith("root:")).split(":")
        lines = [line for line in lines if not line.startswith("root:")]
        users.write_text("\n".join([":".join([*fields[:5], HOME, "/bin/bash"]), *lines, ""]), encoding="utf-8")
        options = {
            "HostKey": host_key, "AuthorizedKeysFile": authorized_keys, "StrictModes": "no", "PidFile": "none",
            "UsePAM": "no", "PermitRootLogin": "yes", "LogLevel": "ERROR",
        }  # fmt: skip
        server = " ".join(f"-o {name}={value}" for name, value in options.items())
        return " && ".join(
            [
                f"hostname {self.name}",
                "mkdir -p /run/sshd",
                # The checkout may lie below /tmp, which is another one from here on.
                f"mount -t tmpfs none /mnt && mkdir /mnt/checkout && mount --bind {CHECKOUT} /mnt/checkout",
                "mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm",
                f"mkdir -p {CHECKOUT} && mount --bind /mnt/checkout {CHECKOUT}",
                f"mount --bind {users} /etc/passwd",
                f"mkdir {HOME} && mount --bind {home} {HOME} && touch {HOME}/.bashrc && cd {HOME}",
                f"exec /usr/sbin/sshd -D -e -f /dev/null {server}",
            ]
        )


@contextmanager
def open_hosts(folder: Path, n_hosts: int) -> Iterator[list[Host]]:
    """Provide hosts, which are not started yet, on one network with this machine; remove them at the end.

    Parameters
    ----------
    folder : for keys, below the checkout, which the hosts see. ``key`` there is the private key that opens every host.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    if not key.exists():
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    public_key = key.with_suffix(".pub").read_text().strip()
    hosts = [
        Host(f"kdtune-host-{number}"[:15], f"{NETWORK}.{10 + number}", folder / f"host-{number}", public_key)
        for number in range(n_hosts)
    ]
    remove_all(hosts)
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    try:
        yield hosts
    finally:
        remove_all(hosts)


def remove_all(hosts: list[Host]) -> None:
    """Remove the hosts and their network, also those that an earlier run has left."""
    for host in hosts:
        host.kill()
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)


def _run(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr.strip()}")
