"""Type what messages suggest: the commands of pandas, and options, as a shell would split them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_COMMAND = re.compile(r"""python -c ('[^']*'(?:"'"'[^']*')*)""")
_WRITTEN = re.compile(r"\(it writes (.+?); analyze that\)")


def run_command(message: str) -> Path:
    """Run the command of pandas in a message, and return the file that it writes."""
    command = _COMMAND.search(message)
    written = _WRITTEN.search(message)
    assert command is not None, message
    assert written is not None, message
    exec("".join(shlex.split(command[1])), {})
    return Path(written[1])


def read_options(message: str, option: str) -> list[str]:
    """Return the values of an option that a message suggests."""
    found = re.findall(rf"""{option} ('[^']*'|"[^"]*"|[^\s'"]*[^\s'",.:;()])""", message)
    return ["".join(shlex.split(value)) for value in found]
