"""Write the report: a self-contained page with the whole answer. Its fixed sentences are in the template."""

from __future__ import annotations

import base64
import datetime
import math
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from kdtune.analysis import printed_tables
from kdtune.analysis.answer import Answer
from kdtune.analysis.error_units import are_percents, name_difference_unit, name_unit
from kdtune.analysis.headline import write_opening
from kdtune.analysis.optimum import LARGER_THAN_TEACHER
from kdtune.analysis.overall_frames import format_overall
from kdtune.analysis.printed_effects import format_effects, format_set_effects
from kdtune.analysis.selection_measure import MEASURE_DEFINITIONS, MEASURE_NAMES, MEASURE_TITLES
from kdtune.analysis.table_terms import (
    describe_pairing,
    explain_optima,
    explain_test_errors,
    has_several_runs,
    judge_test_errors,
)
from kdtune.analysis.teacher_softness import describe_softness
from kdtune.analysis.weight_pairs import explain_pairs, format_pairs
from kdtune.columns import (
    ACCURACY,
    BALANCED_ERROR,
    BASELINE,
    DONE,
    ERROR,
    MODEL,
    NLL,
    NUM_ERROR,
    STATUS,
    STUDENT,
    TEACHER,
)
from kdtune.files.atomic import write_atomically
from kdtune.plots.drawing import ChosenNetworks, list_figures, save_figure
from kdtune.text import format_number, join_names, pluralize
from kdtune.versions import list_versions

MAX_ROWS = 1000  # of a table on the page
NO_VALUE = "none"
FIRM_REPLICATES = 3  # With fewer replicates the page has a warning.
FIGURES = ("overall", "t_opt", "t_opt_map", "excess", "regret", "gain", NLL, BALANCED_ERROR, NUM_ERROR, ACCURACY,
           "networks", "per_class", "confusion", "learning")  # fmt: skip
MODEL_NAMES = {TEACHER: "teacher", BASELINE: "baseline", STUDENT: "distilled student"}
_LEADING_NUMBER = re.compile(r"(?:at (?:most|least) )?([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


@dataclass(frozen=True)
class PageValue:
    """A value of a table on the page."""

    text: str
    sort_key: float | None  # the number that the text begins with


@dataclass(frozen=True)
class PageTable:
    """A table on the page."""

    columns: list[str]
    rows: list[list[PageValue]]
    note: str  # about rows that are left out; may be empty


def write_report(
    table: pd.DataFrame,
    answer: Answer,
    path: Path,
    name: str,
    settings: str | None = None,
    trained: dict[str, str] | None = None,
    commands: Iterable[str] = (),
    networks: ChosenNetworks | None = None,
) -> None:
    """Write the page atomically.

    Parameters
    ----------
    table : One row per network.
    answer : The answer that comes from this table.
    path : The path of the page.
    name : The title of the page.
    settings : The text of the resolved sweep file.
    trained : The versions of the software that made the table.
    commands : The shell commands that make the table again.
    networks : Single networks of the table and their details.
    """
    environment = Environment(
        loader=PackageLoader("kdtune.plots"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    frames = _collect_frames(table, answer)
    is_percent = are_percents(table, NUM_ERROR)
    page = environment.get_template("report.html").render(
        name=name,
        written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        opening=write_opening(answer),
        warnings=_list_warnings(table, answer),
        findings=printed_tables.list_findings(answer),
        pair_sentences=list(explain_pairs(answer.pairs)) if len(answer.pairs) else [],
        figures=_embed_figures(answer, networks),
        tables={title: _make_page_table(frame) for title, frame in frames.items()},
        terms={
            "settings": explain_optima(answer),
            "test": explain_test_errors(answer) if "test" in frames else [],
            "selected": explain_test_errors(answer, answer.test_measure) if "selected" in frames else [],
        },
        choice=judge_test_errors(answer) if "test" in frames else "",
        selected=_describe_selected(answer) if "selected" in frames else {},
        measure=answer.measure_name if answer.measure is None else MEASURE_NAMES[NUM_ERROR],
        is_paired=answer.is_paired,
        pairing=describe_pairing(answer),
        units={"errors": name_unit(is_percent), "differences": name_difference_unit(is_percent)},
        redraws=answer.redraws,
        criterion=answer.criterion,
        extremum=answer.extremum,
        notes=[*answer.reading_notes, *answer.matching_notes],
        network_counts=_count_networks(table),
        commands=list(commands),
        settings=settings,
        trained=trained or {},
        analyzed=list_versions(),
    )
    write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def _collect_frames(table: pd.DataFrame, answer: Answer) -> dict[str, pd.DataFrame]:
    """Return the frames that the page shows as tables, by the names in the template."""
    frames = {
        "effects": format_effects(answer),
        "settings": printed_tables.format_optima(answer),
        "failures": _count_failures(table),
    }
    overall = format_overall(answer.students, answer.measured, answer.margin_text)
    if len(overall):
        frames["overall"] = overall
    effects_by_set = format_set_effects(answer)
    if len(effects_by_set):
        frames["effects_by_set"] = effects_by_set
    softness = describe_softness(table)
    if len(softness):
        frames["softness"] = softness
    optional_frames = {}
    if not answer.selected_test.empty:
        frames["selected"] = printed_tables.format_test_errors(answer, answer.test_measure)
        if has_several_runs(answer):
            optional_frames["selected_differences"] = printed_tables.format_differences(answer, answer.test_measure)
    if len(answer.fixed):
        frames["fixed"] = printed_tables.format_fixed_temperatures(answer)
    if len(answer.pairs):
        frames["pairs"] = format_pairs(answer.pairs, answer.cells)
    if "student" in answer.test:
        frames["test"] = printed_tables.format_test_errors(answer)
        optional_frames["calibration"] = printed_tables.format_calibration(answer)
        if has_several_runs(answer):  # Differences of single runs have no intervals.
            optional_frames["differences"] = printed_tables.format_differences(answer)
    n_keys = len(answer.cell_columns) + 1  # with T
    return frames | {name: frame for name, frame in optional_frames.items() if len(frame.columns) > n_keys}


def _describe_selected(answer: Answer) -> dict[str, str]:
    """Return what the page says about the measure that T was chosen by, where that is not errors."""
    return {
        "title": MEASURE_TITLES[answer.test_measure],
        "definition": MEASURE_DEFINITIONS[answer.test_measure],
        "choice": judge_test_errors(answer, answer.test_measure),
    }


def _make_page_table(frame: pd.DataFrame) -> PageTable:
    note = ""
    if len(frame) > MAX_ROWS:
        note = f"The first {MAX_ROWS:,} of {len(frame):,} rows; the files of kdtune analyze have all."
    rows = [[_make_page_value(value) for value in row] for row in frame.head(MAX_ROWS).itertuples(index=False)]
    return PageTable(columns=[str(column) for column in frame.columns], rows=rows, note=note)


def _make_page_value(value: Any) -> PageValue:
    if pd.api.types.is_list_like(value):
        return PageValue(join_names([format_number(item) for item in value]) or NO_VALUE, None)
    if value is None or pd.isna(value) or value in (-math.inf, math.inf):
        return PageValue(NO_VALUE, None)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    number = _LEADING_NUMBER.match(text)
    return PageValue(text, float(number[1]) if number else None)


def _embed_figures(answer: Answer, networks: ChosenNetworks | None) -> dict[str, str]:
    """Return the figures as data URLs of SVG images, by name.

    They are images because two SVG elements in one page would share the names of their parts.
    """
    plots = list_figures(answer, networks)
    urls = {}
    with tempfile.TemporaryDirectory(prefix="kdtune-report-") as folder:
        for name in FIGURES:
            if name in plots:
                file = save_figure(plots[name](), Path(folder) / name, ["svg"])[0]
                urls[name] = "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()
    return urls


def _count_networks(table: pd.DataFrame) -> str:
    """Write how many networks the table has of each kind, and how they ended."""
    model_counts, status_counts = table[MODEL].value_counts(), table[STATUS].value_counts()
    models = [pluralize(int(model_counts[model]), name) for model, name in MODEL_NAMES.items() if model in model_counts]
    statuses = [f"{count:,} {status}" for status, count in status_counts.items()]
    return f"{pluralize(len(table), 'network')}: {', '.join(models)}. {', '.join(statuses)}."


def _count_failures(table: pd.DataFrame) -> pd.DataFrame:
    """Count the networks that are not done by status and error."""
    unfinished = table[table[STATUS] != DONE]
    if unfinished.empty or ERROR not in unfinished:
        return pd.DataFrame()
    counts = unfinished.groupby([STATUS, ERROR], dropna=False).agg(networks=(MODEL, "size")).reset_index()
    return counts.rename(columns={STATUS: "outcome", ERROR: "reason"})


def _list_warnings(table: pd.DataFrame, answer: Answer) -> list[str]:
    texts = []
    n_unfinished = int((table[STATUS] != DONE).sum())
    if n_unfinished:
        texts.append(
            f"{pluralize(n_unfinished, 'network')} of {len(table):,} failed or were skipped; "
            "results that need them are left out."
        )
    n_replicates = int(answer.t_opt["replicates"].min())
    if n_replicates < FIRM_REPLICATES:
        subject, word = ("settings", "replicate") if answer.is_paired else ("temperatures", "run")
        texts.append(f"Some {subject} have only {pluralize(n_replicates, word)}, too few for firm conclusions.")
    n_larger = int(answer.t_opt["flags"].map(lambda flags: LARGER_THAN_TEACHER in flags).sum())
    if n_larger:
        texts.append(f"In {pluralize(n_larger, 'setting')} the student has more parameters than its teacher.")
    return texts
