"""Find out whether a Ray cluster answers at an address, and whether it accepts our token.

``ray.init`` tries for up to a minute and lets Ray's C++ code print a line at each try before it fails. A
separate process therefore tries to connect first: its output can be hidden and its time limited.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from enum import IntEnum
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 15.0  # a cluster that runs answers in milliseconds


class Answer(IntEnum):
    """How the cluster answered, as the exit code of the probing process."""

    OTHER_ERROR = 1  # also the exit code of a Python process that fails: `ray.init` will say why
    ACCEPTED = 10
    TOKEN_REFUSED = 11
    SILENCE = 12


def probe_cluster(address: str, verbose: bool = False) -> Answer:
    """Probe the cluster at HOST:PORT, or the one that ``auto`` finds, from a separate process.

    ``verbose`` lets that process print Ray's messages.
    """
    output = None if verbose else subprocess.DEVNULL
    # -P keeps this folder, whose modules have common names, out of the module search path.
    command = [sys.executable, "-P", str(Path(__file__)), address, str(ANSWER_SECONDS)]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    try:
        return Answer(code)
    except ValueError:  # ended by a signal, for example
        return Answer.OTHER_ERROR


def _ask(address: str) -> Answer:
    """Connect to the head of the cluster as ``ray.init`` does first, and return how it answers."""
    import ray

    raylet: Any = ray._raylet
    try:
        if address == "auto":
            from ray._private.authentication import authentication_token_setup
            from ray._private.services import canonicalize_bootstrap_address

            address = canonicalize_bootstrap_address(address) or address
            authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        raylet.GcsClient(address=address)
    except ray.exceptions.RayError as error:
        # Versions of Ray that know no tokens lack the class.
        if type(error).__name__ == "AuthenticationError":
            return Answer.TOKEN_REFUSED
        return Answer.OTHER_ERROR
    return Answer.ACCEPTED


def _ask_and_exit(address: str, seconds: float) -> None:
    """Ask in a thread, as Ray's client cannot be interrupted, and end the process after at most so many seconds."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(_ask(address)), daemon=True)
    import ray  # noqa: F401 - its import, which may be slow, is not the cluster's silence

    thread.start()
    thread.join(seconds)
    if answers:
        os._exit(answers[0])
    os._exit(Answer.SILENCE if thread.is_alive() else Answer.OTHER_ERROR)


if __name__ == "__main__":
    _ask_and_exit(sys.argv[1], float(sys.argv[2]))
