"""The commands with which a user starts: a sweep file, and what editors need to complete and check it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdtune.cli.group import main
from kdtune.errors import RequestError

if TYPE_CHECKING:
    from kdtune.spec.starting_file import StartingPoint


@main.command(example="kdtune init mine.yaml --from table")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "start", type=click.Choice(["logits", "table", "images", "sklearn", "modules"]),
              help="What you have: a teacher's logits, a table, folders of images, a scikit-learn estimator, or "
              "PyTorch modules. [default: nothing; data are generated]")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(file: Path, start: StartingPoint | None, force: bool) -> None:
    """Write a commented sweep file to start from.

    Beside it, kdtune.schema.json is written. With it, editors complete and check the file: the first line names it for
    yaml-language-server, which the YAML extensions of editors use.
    """
    from kdtune.spec.starting_file import SCHEMA_FILE, make_starting_file

    if file.suffix not in (".yaml", ".yml"):
        raise RequestError(f"{file}: the name of a sweep file must end in .yaml")
    text = make_starting_file(file, start or "generated")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as sweep_file:
            sweep_file.write(text)
        _write_schema(file.with_name(SCHEMA_FILE))
    except FileExistsError:
        raise RequestError(f"{file} exists already; --force overwrites it") from None
    except OSError as error:
        raise RequestError(f"{error.filename or file}: cannot be written: {error.strerror}") from None
    next_step = "" if start is None else "fill in its paths, then run "
    click.echo(f"Wrote {SCHEMA_FILE} beside it, with which editors complete and check the file.", err=True)
    click.echo(f"Wrote {file}. Next: {next_step}{shlex.join(['kdtune', 'plan', str(file)])}")


@main.command(
    short_help="Print the JSON Schema of a sweep file, for editors.", example="kdtune schema -o kdtune.schema.json"
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write it to this file. [default: the terminal]")  # fmt: skip
def schema(output: Path | None) -> None:
    """Print the JSON Schema of a sweep file, with which editors complete and check one.

    It knows all settings, their types, ranges and meanings, and that any of them may be a grid. What depends on several
    settings, or on your files, `kdtune plan` checks.
    """
    if output is None:
        click.echo(_make_schema_text(), nl=False)
        return
    try:
        _write_schema(output)
    except OSError as error:
        raise RequestError(f"{output}: cannot be written: {error.strerror}") from None


def _write_schema(path: Path) -> None:
    path.write_text(_make_schema_text(), encoding="utf-8")


def _make_schema_text() -> str:
    from kdtune.spec.json_schema import make_json_schema

    return json.dumps(make_json_schema(), indent=1) + "\n"
