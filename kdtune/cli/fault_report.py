"""Report a fault of kdtune itself: one line for the user, and the details in a file to send."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

import click

from kdtune.cli.folding import print_folded
from kdtune.text import format_on_one_line
from kdtune.versions import list_versions


def report_fault(error: Exception) -> None:
    """Print what went wrong and where its details are; a traceback helps whoever mends kdtune, not its users."""
    details = "\n".join(
        [
            shlex.join(["kdtune", *sys.argv[1:]]),
            *(f"{name} {version}" for name, version in list_versions().items()),
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    message = (
        f"This is a fault of kdtune, not of yours: {type(error).__name__}: {format_on_one_line(error)}. What was "
        f"finished is kept."
    )
    try:
        descriptor, name = tempfile.mkstemp(prefix="kdtune-fault-", suffix=".txt")
        os.close(descriptor)
        Path(name).write_text(details, encoding="utf-8", errors="backslashreplace")
    except OSError:  # The disk may be what is wrong.
        click.echo(f"{details}\n{message}", err=True)
        return
    print_folded(f"{message} Please report it with the file {name}, which has the details.", err=True)
