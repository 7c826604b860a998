"""Frames on a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdtune.words import plural

SHOWN_CELLS = 40  # lines of the closing table


def print_summary(table: Any) -> None:
    """Per cell, errors of teacher, baseline and the student at the T chosen on validation."""
    from kdtune.analysis import summary

    frame = summary(table)
    if frame.empty:
        return
    replicates = int(frame.pop("replicates").max())
    for name in ("teacher", "baseline", "student"):
        frame[name] = frame[name].map(lambda errors: f"{errors:.1f}" if replicates > 1 else f"{errors:.0f}")
    means = f", means over {replicates} replicates" if replicates > 1 else ", one replicate"
    click.echo(f"Errors on the test split{means}; T chosen on the validation split:")
    print_table(frame.head(SHOWN_CELLS))
    if len(frame) > SHOWN_CELLS:
        click.echo(f"... and {len(frame) - SHOWN_CELLS} cells more.")


def print_table(frame: Any) -> None:
    """A frame as wide as the terminal; where there is none, as wide as it is."""
    console = Console() if sys.stdout.isatty() else Console(width=max(80, 40 * len(frame.columns)))
    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        text = frame[name].dtype.kind not in "iuf" and name not in ("teacher", "baseline", "student")
        table.add_column(escape(str(name)), justify="left" if text else "right", overflow="fold")
    for values in frame.itertuples(index=False):
        table.add_row(*(escape(_cell(value)) for value in values))
    console.print(table)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value) or value == "nan":
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def print_failures(table: Any, console: Console) -> None:
    """What failed or was skipped, and why; equal reasons once."""
    bad = table[table["status"] != "done"]
    if bad.empty:
        return
    counts = bad.groupby("status").size()
    said = " and ".join(f"{plural(count, 'network')} {status}" for status, count in counts.items())
    console.print(f"{said}:", highlight=False)
    for (status, error), group in bad.groupby(["status", "error"]):
        names = ", ".join(group["id"].head(3)) + (", ..." if len(group) > 3 else "")
        console.print(escape(f"  {status} {len(group)}: {error} ({names})"), soft_wrap=True, highlight=False)


def print_answer(answer: Any) -> None:
    """The best temperature of every cell, what it is worth on the test split, what it moves with."""
    import pandas as pd

    from kdtune.analysis.sentences import interval, temperatures

    best, names = answer.t_opt, answer.columns
    split = "validation" if answer.decide.startswith("val_") else "test"
    replicates = f"{best['replicates'].min()} to {best['replicates'].max()}"
    count = (
        plural(int(best["replicates"].max()), "replicate")
        if best["replicates"].nunique() == 1
        else f"{replicates} replicates"
    )
    click.echo(
        f"The temperature of the fewest errors on the {split} split, {count}; the interval is for the minimum of the mean curve:"
    )
    shown = best[names].copy()
    shown["T_opt"] = best["T_opt"]
    shown["95 % interval"] = [
        interval(low, high) for low, high in zip(best["T_opt_low"], best["T_opt_high"], strict=True)
    ]
    for name, title in (("tied", "not told apart"), ("good_enough", f"within {answer.margins.error:.0%}")):
        shown[title] = [
            temperatures(found, cell.temperatures) for found, cell in zip(best[name], answer.cells, strict=True)
        ]
    shown["flags"] = best["flags"].map(", ".join)
    print_table(shown.head(SHOWN_CELLS))
    if len(shown) > SHOWN_CELLS:
        click.echo(f"... and {len(shown) - SHOWN_CELLS} cells more.")
    test = answer.test
    if "student" in test:
        click.echo("\nErrors on the test split at that T, which the test split had no part in:"
                   if split == "validation" else "\nThe same split chose T: these errors are too low; cross_fitted is fair:")  # fmt: skip
        worth = test[[*names, "T", "student", "baseline", "teacher", "cross_fitted"]].copy()
        for name in ("student", "baseline", "teacher", "cross_fitted"):
            worth[name] = worth[name].map(lambda errors: "-" if pd.isna(errors) else f"{errors:.1f}")
        worth["gap closed"] = [
            "-" if pd.isna(share) else f"{share:.0%} ({low:.0%} to {high:.0%})"
            for share, low, high in zip(test["gap_closed"], test["gap_low"], test["gap_high"], strict=True)
        ]
        print_table(worth.head(SHOWN_CELLS))
    if len(answer.effects):
        click.echo("")
        for sentence in answer.effects["sentence"]:
            click.echo(sentence)


def print_power(frame: Any, answer: Any) -> None:
    """How many replicates what differences take."""
    import pandas as pd

    counts = answer.t_opt["replicates"]
    click.echo(
        f"Replicates to tell two temperatures apart that differ by a share of a cell's fewest errors, from the paired "
        f"differences of {plural(int((counts > 1).sum()), 'cell')} with up to {plural(int(counts.max()), 'replicate')}:"
    )
    shown = pd.DataFrame({"difference": frame["difference"].map("{:.3g}".format), "errors": frame["errors"].round(1)})
    titles = {
        "to_tell": "to find it in 4 of 5 sweeps", "to_tell_most": "in 9 of 10 cells",
        "to_bound": "to bound it by half itself", "to_bound_most": "in 9 of 10 cells ",
    }  # fmt: skip
    for name, title in titles.items():
        shown[title] = ["more than 10,000" if pd.isna(count) else f"{int(count)}" for count in frame[name]]
    print_table(shown)
    click.echo("Paired t-test, two-sided at 5 %. The noise is itself an estimate from these replicates.")
