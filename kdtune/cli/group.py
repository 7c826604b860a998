"""The group of commands, and how it ends on errors."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from kdtune.errors import KdtuneError
from kdtune.versions import __version__

# Ctrl-C in a shell: 128 + SIGINT.
INTERRUPTED = 130


class _Group(click.Group):
    """Turns kdtune's errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KdtuneError as error:
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:  # `kdtune show ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kdtune")
def main() -> None:
    """Find the best distillation temperature, with evidence."""
