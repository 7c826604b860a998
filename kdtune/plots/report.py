"""One page with the whole answer: nothing is loaded from anywhere. No statistics here; its texts are the template's."""

from __future__ import annotations

import base64
import datetime
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from kdtune.analysis import printed_tables as tables
from kdtune.analysis.answer import Answer
from kdtune.analysis.headline import write_headline
from kdtune.analysis.optimum import LARGE
from kdtune.columns import ACCURACY, BASELINE, DONE, ERROR, MODEL, NUM_ERROR, STATUS, STUDENT, TEACHER
from kdtune.files.atomic import write_atomically
from kdtune.plots import drawing
from kdtune.text import NOTHING, plural
from kdtune.versions import list_versions

MOST_ROWS = 1000  # of a table in the page
FIGURES = ("t_opt", "t_opt_map", "excess", "regret", "gain", NUM_ERROR, ACCURACY, "networks", "per_class",
           "confusion", "learning")  # fmt: skip
_NUMBER = re.compile(r"(?:at (?:most|least) )?([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def write_report(
    table: pd.DataFrame, answer: Answer, path: Path, name: str, settings: str | None = None,
    trained: dict[str, str] | None = None, commands: Iterable[str] = (), networks: drawing.Networks | None = None,
) -> None:  # fmt: skip
    """Write the page.

    Parameters
    ----------
    settings : the resolved sweep file's text.
    trained : versions of what the table was made with.
    commands : that make the table again.
    networks : single networks of the table and their details.
    """
    environment = Environment(
        loader=PackageLoader("kdtune.plots"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        name=name,
        written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=write_headline(answer),
        warnings=list(_warnings(table, answer)),
        findings=tables.list_findings(answer),
        figures=_figures(answer, networks),
        frames={title: _frame(frame) for title, frame in _frames(table, answer).items()},
        split=answer.split,
        redrawn=answer.redrawn,
        margin=f"{answer.margins.error:.0%}",
        networks=_networks(table),
        commands=list(commands),
        settings=settings,
        trained=trained or {},
        analyzed=list_versions(),
    )
    write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def _frames(table: pd.DataFrame, answer: Answer) -> dict[str, pd.DataFrame]:
    found = {
        "effects": tables.format_effects(answer),
        "cells": tables.format_optima(answer),
        "failures": _failures(table),
    }
    if "student" in answer.test:
        found |= {"test": tables.format_test_errors(answer), "differences": tables.format_differences(answer)}
        found["fixed"] = tables.format_fixed_temperatures(answer)
        found["calibration"] = tables.format_calibration(answer)
    return found


def _frame(frame: pd.DataFrame) -> dict[str, Any]:
    more = "" if len(frame) <= MOST_ROWS else f"The first {MOST_ROWS:,} of {len(frame):,} rows; the files have all."
    rows = [[_cell(value) for value in row] for row in frame.head(MOST_ROWS).itertuples(index=False)]
    return {"columns": [str(name) for name in frame.columns], "rows": rows, "more": more}


def _cell(value: Any) -> dict[str, Any]:
    """Its text, and the number that it sorts by, if it starts with one."""
    if value is None or pd.isna(value):
        return {"text": NOTHING, "sort": None}
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    number = _NUMBER.match(text)
    return {"text": text, "sort": float(number[1]) if number else None}


def _figures(answer: Answer, networks: drawing.Networks | None) -> dict[str, str]:
    """As images: two figures in one page would share the names of their parts."""
    made, found = drawing.list_figures(answer, networks), {}
    with tempfile.TemporaryDirectory(prefix="kdtune-report-") as folder:
        for name in FIGURES:
            if name in made:
                (path,) = drawing.save_figure(made[name](), Path(folder) / name, ["svg"])
                found[name] = "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
    return found


def _networks(table: pd.DataFrame) -> str:
    kinds = {TEACHER: "teacher", BASELINE: "baseline", STUDENT: "distilled student"}
    models, ends = table[MODEL].value_counts(), table[STATUS].value_counts()
    which = ", ".join(plural(int(models[name]), word) for name, word in kinds.items() if name in models)
    return f"{plural(len(table), 'network')}: {which}. " + ", ".join(f"{n:,} {end}" for end, n in ends.items()) + "."


def _failures(table: pd.DataFrame) -> pd.DataFrame:
    bad = table[table[STATUS] != DONE]
    if bad.empty or ERROR not in bad:
        return pd.DataFrame()
    return bad.groupby([STATUS, ERROR], dropna=False).agg(networks=(MODEL, "size")).reset_index()


def _warnings(table: pd.DataFrame, answer: Answer) -> Iterable[str]:
    bad = int((table[STATUS] != DONE).sum())
    if bad:
        yield f"{plural(bad, 'network')} of {len(table):,} failed or were skipped; what lacks them is left out."
    few = int(answer.t_opt["replicates"].min())
    if few < 3:
        yield f"Cells with {plural(few, 'replicate')}: nothing firm can be said of them."
    large = answer.t_opt["flags"].map(lambda flags: LARGE in flags)
    if large.any():
        yield f"In {plural(int(large.sum()), 'cell')} the student has more parameters than its teacher."
