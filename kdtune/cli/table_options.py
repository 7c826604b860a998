"""The options that the commands which read a table have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kdtune.cli.help_pages import RareOption
from kdtune.columns import VALIDATION_MEASURES

if TYPE_CHECKING:
    from kdtune.foreign.options import ReadingOptions


def add_table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument that names a table, and the options that say what its columns mean."""
    options = [
        click.argument("results"),
        click.option("--map", "column_map", callback=_parse_pairs, metavar="OURS=THEIRS,...",
                     help="How a table calls kdtune's columns: temp=tau,replicate=rep."),
        click.option("--cell", callback=_parse_names, metavar="NAMES",
                     help="The columns that name a setting: dataset,width. 'none' is for one setting. "
                     "[default: the settings that vary over the distilled students]"),
        click.option("-w", "--where", metavar="CONDITION",
                     help="The rows to read: \"state == 'finished'\". Names are the table's own."),
        click.option("--repeats", cls=RareOption, type=click.Choice(["once", "keep"]),
                     help="What rows are that are equal in all but an id or a time: count them once, or keep them as "
                     "replicates. [default: copies of whole rows count once; distilled students that differ in an "
                     "id or a time only are refused]"),
        click.option("--paired-by-order", "is_paired_by_order", cls=RareOption, is_flag=True,
                     help="Pair the runs of different T by their order, where no column names the replicate. "
                     "[default: such runs are not paired]"),
        click.option("--measure", metavar="NAME",
                     help="The column that T is chosen by, with one of the next two. [default: "
                     "errors, or accuracies, which are turned into errors]"),
        click.option("--higher-is-better/--lower-is-better", "is_higher_better", default=None,
                     help="The direction of the measure."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def add_margin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which differences do not matter."""
    options = [
        click.option("--margin", cls=RareOption, type=click.FloatRange(min=0), callback=check_finite,
                     help="Excess errors that do not matter, as a share of the best temperature's errors; for another "
                     "--measure, a difference in its own units. [default: 0.05; none for another measure]"),
        click.option("--effect-margin", cls=RareOption, type=click.FloatRange(min=0), default=0.1,
                     show_default=True, callback=check_finite,
                     help="A change of log2 T per doubling of a factor that does not matter."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def add_select_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says which of kdtune's measures T is chosen by."""
    return click.option(
        "--select", type=click.Choice(list(VALIDATION_MEASURES)), metavar="MEASURE",
        help=f"What chooses T: {', '.join(VALIDATION_MEASURES)}. It is taken on the validation split where the table "
        "has it. [default: what the sweep file says, else num_error]",
    )(command)  # fmt: skip


def take_reading_options(options: dict[str, Any]) -> ReadingOptions:
    """Remove what a user says about a table from the options of a command, and return it."""
    from kdtune.foreign.options import ReadingOptions

    names = ("column_map", "cell", "where", "repeats", "is_paired_by_order", "measure", "is_higher_better")
    select = options.pop("select", None)  # which some commands do not have
    return ReadingOptions(**{name: options.pop(name) for name in names}, select=select)


def check_finite(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Return a number, or a tuple of numbers, if all are finite; otherwise raise BadParameter."""
    for number in value if isinstance(value, tuple) else (value,):
        if number is not None and not math.isfinite(number):
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
            raise click.BadParameter(
                f"{pair!r} is not OURS=THEIRS; if the name of a column has a comma, rename the column first",
                param=parameter,
            )
        if our_name in column_map:
            raise click.BadParameter(f"{our_name} is named twice", param=parameter)
        column_map[our_name] = their_name
    return column_map


def _parse_names(_context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Return names that are separated by commas as a list; None if the option is not given."""
    if value is None:
        return None
    if value.strip().lower() == "none":
        return []
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter(f"{value!r} names no column; leave the option out for the default", param=parameter)
    return names
