"""The group of commands, and how it ends on errors."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from kdtune.cli.folding import print_folded
from kdtune.cli.help_pages import START, HelpfulCommand, format_sections
from kdtune.errors import KdtuneError, StorageError
from kdtune.objects.places import name_urls
from kdtune.versions import __version__

# The exit code of a shell for Ctrl-C: 128 + SIGINT.
INTERRUPTED = 130


class _Group(click.Group):
    """The commands, whose errors become one message and an exit code."""

    command_class = HelpfulCommand

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in sections."""
        format_sections(self, ctx, formatter)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; say in one line when standard output takes no more, as when its disk is full."""
        _print_all_characters()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.filename is not None:  # It comes from a file of ours, not from what is printed.
                raise
            _discard_standard_output()
            click.echo(f"standard output: cannot be written: {error.strerror or error}", err=True)
            raise SystemExit(StorageError.exit_code) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn the errors that are meant for users into one message and an exit code."""
        try:
            return super().invoke(ctx)
        except KdtuneError as error:
            message = name_urls(str(error))
            is_list = "\n" in message  # of mistakes, of which each begins at the margin
            print_folded(message, hanging_indent="  " if is_list else "", err=True)
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:  # The reader of `kdtune show ... | head` has seen enough.
            _discard_standard_output()
            raise SystemExit(0) from None
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"{error.filename}: {error.strerror or error}", err=True)
            raise SystemExit(StorageError.exit_code) from None


def _print_all_characters() -> None:
    r"""Let names in any script be printed instead of failing on a terminal that lacks their characters.

    An encoding of ASCII mostly means that no locale is set: UTF-8 is printed then, as click does. What another encoding
    lacks is printed as an escape (``\u03c4``).
    """
    if sys.stdout is None:  # It was closed, as by `kdtune ... >&-`: nobody reads what is printed.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="backslashreplace")


def _discard_standard_output() -> None:
    """Point standard output at the null device, so that Python's own flush at exit does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="kdtune")
@click.pass_context
def main(context: click.Context) -> None:
    """Find the best distillation temperature, with evidence."""
    if context.invoked_subcommand is None:
        click.echo(START, nl=False)
