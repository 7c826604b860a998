"""The options that the commands which read a table have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click


def add_table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument that names a table, and the options that say what its columns mean."""
    options = [
        click.argument("results"),
        click.option("--map", "column_map", callback=_parse_pairs, metavar="OURS=THEIRS,...",
                     help="How a table from elsewhere calls kdtune's columns, as in temp=tau,replicate=rep."),
        click.option("--cell", callback=_parse_names, metavar="NAMES",
                     help="The columns that name a setting, separated by commas. "
                     "[default: the settings that vary over the distilled students]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def add_margin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which differences do not matter."""
    options = [
        click.option("--margin", type=click.FloatRange(min=0), default=0.05, show_default=True, callback=check_finite,
                     help="Excess errors that do not matter, as a share of the best temperature's errors."),
        click.option("--effect-margin", type=click.FloatRange(min=0), default=0.1, show_default=True,
                     callback=check_finite,
                     help="A change of log2 T per doubling of a factor that does not matter."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def check_finite(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Return a number, or a tuple of numbers, if all are finite; otherwise raise BadParameter."""
    for number in value if isinstance(value, tuple) else (value,):
        if not math.isfinite(number):
            raise click.BadParameter(f"{number} is not a finite number", param=parameter)
    return value


def _parse_pairs(_context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, str]:
    """Return OURS=THEIRS,... as a mapping."""
    column_map = {}
    for pair in (value or "").split(","):
        if not pair.strip():
            continue
        our_name, _, their_name = (part.strip() for part in pair.partition("="))
        if not our_name or not their_name:
            raise click.BadParameter(f"{pair!r} is not OURS=THEIRS", param=parameter)
        column_map[our_name] = their_name
    return column_map


def _parse_names(_context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Return names that are separated by commas as a list; None if the option is not given."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter(f"{value!r} names no column; leave the option out for the default", param=parameter)
    return names
