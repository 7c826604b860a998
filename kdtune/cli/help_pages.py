"""How help is laid out: commands in sections, an example for each, rare options in a group of their own."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import click

START = """\
Find the best distillation temperature, with evidence.

  kdtune sweep quickstart.yaml   try it: half a minute, data of scikit-learn

Then, with data, a teacher and a student of your own:

  1. kdtune init mine.yaml       write a sweep file (--from table, images, ...)
  2. kdtune plan mine.yaml       see what it would train, and for how long
  3. kdtune sweep mine.yaml      train it; after an interruption, go on
  4. kdtune analyze mine         which temperature to use, and the evidence
  5. kdtune export mine -o best  take the best student home; of several settings
                                 it asks for one, as in --cell width=20

All commands: kdtune --help. What one does: kdtune sweep --help.
"""
SECTIONS = {
    "Train": ("init", "schema", "plan", "sweep", "watch"),
    "Read the results, or a table from elsewhere": ("analyze", "show", "plot", "report", "power", "compare"),
    "Take a student home": ("export",),
    "On a cluster": ("submit", "status", "logs", "stop", "fetch"),
}
SHOWS_ALL = "kdtune.shows_all_options"


class RareOption(click.Option):
    """An option that few users need: ``--help`` names it, ``--help-all`` explains it."""


class HelpfulCommand(click.Command):
    """A command whose help ends with an example, and sets rare options apart.

    Parameters
    ----------
    example : a command line and what it does, or several lines.
    """

    def __init__(self, *args: Any, example: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.example = inspect.cleandoc(example)
        if any(isinstance(parameter, RareOption) for parameter in self.params):
            self.params.append(
                click.Option(["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=_show_all,
                             hidden=True)
            )  # fmt: skip

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; an unknown option that is a setting of a sweep file is answered with `--set`."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not any(parameter.name == "overrides" for parameter in self.params):
                raise
            from kdtune.spec.schema import list_paths_elsewhere
            from kdtune.spec.suggestions import find_setting_paths

            name = error.option_name.lstrip("-").replace("-", "_")
            paths = find_setting_paths(name, list_paths_elsewhere(""))
            if not paths:
                raise
            ways = " or ".join(f"--set {path}=..." for path in paths)
            raise click.UsageError(
                f"{error.option_name} is a setting of the sweep file: change it there, or say {ways}", ctx
            ) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the common options, then the rare ones; of the common ones a sentence each, unless all is asked for.

        So the help of a command with rare options fits a terminal of 80 by 24.
        """
        common, rare, rare_names = [], [], []
        shows_all = ctx.meta.get(SHOWS_ALL) or not any(isinstance(each, RareOption) for each in self.params)
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None or isinstance(parameter, click.Argument):  # Arguments are explained in the text above.
                continue
            if isinstance(parameter, RareOption):
                rare.append(record)
                rare_names.append(parameter.opts[-1])
            else:
                sentence = f"{(parameter.help or '').partition('. ')[0].rstrip('.')}."
                common.append(record if shows_all else (record[0], sentence))
        with formatter.section("Options"):
            formatter.write_dl(common, col_max=26)
        if rare and shows_all:
            with formatter.section("Rare options"):
                formatter.write_dl(rare)
        elif rare:
            with formatter.section("Rare options (--help-all explains all options in full)"):
                width = formatter.width - formatter.current_indent
                for line in textwrap.wrap(", ".join(rare_names), width, break_on_hyphens=False):
                    formatter.write(f"{' ' * formatter.current_indent}{line}\n")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        if "\n" in self.example:
            with formatter.section("Examples"):
                for line in self.example.splitlines():
                    formatter.write(f"{' ' * formatter.current_indent}{line}\n")
        elif self.example:
            formatter.write(f"\nExample: {self.example}\n")


def _show_all(ctx: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        ctx.meta[SHOWS_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


def format_sections(group: click.Group, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the commands of a group in sections, each with its first sentence."""
    width = max(map(len, group.commands))
    for title, names in SECTIONS.items():
        with formatter.section(title):
            limit = formatter.width - width - 6
            formatter.write_dl([(name.ljust(width), group.commands[name].get_short_help_str(limit)) for name in names])
