"""Write the command that makes a report once more."""

from __future__ import annotations

import shlex

from kdtune.analysis.margins import Margins
from kdtune.foreign.options import ReadingOptions


def write_report_command(source: str, options: ReadingOptions, margins: Margins) -> str:
    """Return the command, as a shell takes it; empty if a name has a comma, which separates names there.

    Parameters
    ----------
    source : A file, a sweep's folder, or its name under results/.
    options : What the user said about the table.
    margins : The differences that do not matter.
    """
    if any("," in name for name in [*options.column_map.values(), *(options.cell or [])]):
        return ""
    words = ["kdtune", "report", source]
    if options.column_map:
        words += ["--map", ",".join(f"{name}={own_name}" for name, own_name in options.column_map.items())]
    if options.cell is not None:
        words += ["--cell", ",".join(options.cell) or "none"]
    for option, value in (
        ("--where", options.where),
        ("--repeats", options.repeats),
        ("--measure", options.measure),
        ("--select", options.select),
    ):
        if value is not None:
            words += [option, value]
    if options.is_paired_by_order:
        words.append("--paired-by-order")
    if options.is_higher_better is not None:
        words.append("--higher-is-better" if options.is_higher_better else "--lower-is-better")
    default = Margins(error=None if options.measure is not None else Margins.error)
    for option, margin, default_margin in (
        ("--margin", margins.error, default.error),
        ("--effect-margin", margins.effect, default.effect),
    ):
        if margin is not None and margin != default_margin:
            words += [option, repr(float(margin))]
    return shlex.join(words)
