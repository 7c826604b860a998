"""The command that exports a network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from kdtune.cli.folding import print_folded
from kdtune.cli.group import main
from kdtune.cli.printing import warn_of_stale_table
from kdtune.text import format_number, pluralize


@main.command(
    short_help="Take a student home: weights, ONNX, a card, a script.", example="kdtune export mine -o student"
)
@click.argument("results")
@click.option("--cell", "pairs", multiple=True, metavar="NAME=VALUE",
              help="The setting whose student is taken, as in --cell width=16. May be repeated.")  # fmt: skip
@click.option("--id", "network_id", help="Take the network with this id instead, a baseline or a teacher too.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Folder for the files; it is created.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace the files of an earlier export in that folder.")
@click.option("--temperature-scaled", is_flag=True,
              help="Fit a temperature for honest probabilities on the validation split.")  # fmt: skip
@click.option("--measure", is_flag=True, help="Time the network and its teacher on this machine.")
@click.option("--data-root", type=click.Path(path_type=Path, file_okay=False),
              help="The folder of the data sets' files, if it has changed.")  # fmt: skip
def export(
    results: str,
    pairs: tuple[str, ...],
    network_id: str | None,
    output: Path,
    force: bool,
    temperature_scaled: bool,
    measure: bool,
    data_root: Path | None,
) -> None:
    """Take a student home: weights, ONNX, a model card, and a page of code that uses it without kdtune.

    RESULTS is a sweep's folder or its name under results/. The student is that of the answer's T; of its replicates
    the best on the validation split. Where a sweep has several settings, --cell says which.
    """
    from kdtune.take_home.export import ExportOptions, export_network

    warn_of_stale_table(results)
    options = ExportOptions(_parse_cell(pairs), network_id, force, temperature_scaled, measure, data_root)
    exported = export_network(results, output, options, _write_cell)
    figures = exported.figures
    temperature = "" if exported.temperature is None else f", distilled at T = {format_number(exported.temperature)}"
    print_folded(
        f"Network {exported.id}{temperature}: {pluralize(figures.errors, 'error')} in {figures.n_test:,} test examples "
        f"({figures.error:.2%}; 95 % interval {figures.error_low:.2%} to {figures.error_high:.2%})."
    )
    if exported.calibration:
        calibration = exported.calibration
        print_folded(
            f"Temperature for calibration: {calibration.temperature:.4g}. The expected calibration error on the test "
            f"split is {calibration.ece_before:.4f} without it and {calibration.ece_after:.4f} with it."
        )
    for batch in exported.timings or {}:
        assert exported.timings is not None
        teacher = (exported.teacher_timings or {}).get(batch)
        other = "" if teacher is None else f"; the teacher takes {teacher:.3g}"
        print_folded(f"In batches of {batch} an example takes {exported.timings[batch]:.3g} microseconds{other}.")
    for note in exported.notes:
        print_folded(note.replace("`", ""))
    click.echo(f"Wrote {', '.join(exported.files)} to {exported.folder}", err=True)


def _parse_cell(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return NAME=VALUE texts as a mapping."""
    settings = {}
    for pair in pairs:
        name, separator, value = (part.strip() for part in pair.partition("="))
        if not name or not separator:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE, as in width=16", param_hint="--cell")
        if name in settings:
            raise click.BadParameter(f"{name} is named twice", param_hint="--cell")
        settings[name] = value
    return settings


def _write_cell(settings: Mapping[str, Any]) -> str:
    """Write the settings of a cell as options."""
    texts = []
    for name, value in settings.items():
        is_null = value is None or value != value  # NaN differs from itself.
        text = "none" if is_null else format_number(value)
        texts.append(f"--cell {shlex.quote(f'{name}={text}')}")
    return " ".join(texts)
