"""Answer from a table: what the commands and the library do alike, from any source to frames, figures and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.error_units import are_percents
from kdtune.analysis.file_problems import SWEEP_FILE, TABLE_FILE
from kdtune.analysis.margins import Margins
from kdtune.analysis.power import count_replicates
from kdtune.analysis.representatives import choose_networks
from kdtune.analysis.selection_measure import has_students
from kdtune.analysis.table_files import locate_table, read_details
from kdtune.columns import (
    ID,
    N_TRAIN,
    NUM_ERROR,
    RESULT_COLUMNS,
    TEACHER_ID,
    VAL_NUM_ERROR,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError
from kdtune.errors_by_example import read_errors_by_example
from kdtune.foreign.door import read_table
from kdtune.foreign.options import ReadingOptions
from kdtune.objects.places import find_url
from kdtune.plots.figure_names import FIGURES
from kdtune.table_facts import find_facts, read_versions

if TYPE_CHECKING:
    from kdtune.plots.drawing import ChosenNetworks

ERROR_MARGIN, EFFECT_MARGIN = 0.05, 0.1
DIFFERENCES = (0.01, 0.02, 0.05, 0.1, 0.2)  # shares of the fewest errors, for which replicates are counted


@dataclass(frozen=True)
class AnsweredTable:
    """A table that was read, and its answer."""

    path: Path | None  # None for a frame
    table: pd.DataFrame
    answer: Answer | None  # None if no distilled student is done
    notes: list[str]  # how the table was understood
    options: ReadingOptions = field(default_factory=ReadingOptions)  # what the user said about it

    @property
    def is_sweep(self) -> bool:
        """Whether the table lies in the folder of a sweep."""
        return self.path is not None and self.path.name == TABLE_FILE and (self.path.parent / SWEEP_FILE).is_file()

    def are_percents(self, measure: str) -> bool:
        """Return whether a measure of errors is in percent of the examples."""
        return are_percents(self.table, measure)

    def name_output(self, name: str, argument: str = "output") -> Path:
        """Return where an output lies by default: in the sweep's folder, else beside the table and named after it.

        What is made from a sweep in an object store lies in the working folder, and is named after the sweep.

        Raises
        ------
        RequestError
            If the table is a frame, which lies nowhere.
        """
        if self.path is None:
            raise RequestError(f"{argument}: a frame lies in no folder; say where to write, as in {argument}={name!r}")
        if find_url(self.path) is not None:
            return Path(f"{self.path.parent.name}-{name}")
        return self.path.with_name(name if self.path.name == TABLE_FILE else f"{self.path.name}-{name}")


def read_and_answer(
    source: Any,
    options: ReadingOptions,
    error_margin: float | None = None,
    effect_margin: float = EFFECT_MARGIN,
    needs_students: bool = True,
    has_margin: bool = True,
) -> AnsweredTable:
    """Read a table and analyze it.

    Parameters
    ----------
    source : A sweep's folder, its name under results/, a file, or a frame.
    options : What the user says about the table.
    error_margin : Excess errors that do not matter, as a share of the best temperature's errors, ``ERROR_MARGIN`` by
        default; of a measure that the user names in its own units, unknown by default.
    effect_margin : A change of log2 T per doubling of a factor that does not matter.
    needs_students : Whether a table of which no distilled student is done is an error. Otherwise it has no answer.
    has_margin : Whether the user can give a margin: then a note says what is left out without one.

    Raises
    ------
    RequestError
        If the table cannot be read or understood, or has no results.
    """
    path = Path(locate_table(str(source))) if isinstance(source, (str, Path)) else None
    read = read_table(source if path is None else path, options)
    table, cell_columns, notes, measure, reserve, select, facts = read
    has_results = not set(RESULT_COLUMNS).isdisjoint(table.columns)
    if not needs_students and has_results and not has_students(table):
        return AnsweredTable(path, table, None, notes, options)
    if error_margin is None and measure is None:
        error_margin = ERROR_MARGIN
    if measure is not None and error_margin is None and has_margin:
        notes = [
            *notes,
            f"No --margin was given, so it is not said which T are within a margin of the best. For that, add --margin "
            f"with the difference of {measure.name} that does not matter, such as 0.01.",
        ]
    margins = Margins(error_margin, effect_margin)
    errors_by_example = _read_errors_by_example(path) if facts is not None else None
    answer = analyze_table(table, cell_columns, margins, measure, notes, select, facts, errors_by_example)
    if reserve:
        answer = replace(answer, reserve=f"{reserve} {answer.reserve}".strip())
    return AnsweredTable(path, table, answer, notes, options)


def _read_errors_by_example(path: Path | None) -> pd.DataFrame | None:
    """Return the errors by example that lie beside the table of a sweep; None if there are none."""
    if path is None or path.name != TABLE_FILE:
        return None
    try:
        return read_errors_by_example(path)
    except ValueError:  # A torn file: intervals then say that they do not cover other test examples.
        return None


def choose_shown_networks(answered: AnsweredTable) -> ChosenNetworks | None:
    """Return a few networks of a sweep's own table with their details; None for a table from elsewhere."""
    from kdtune.plots.drawing import ChosenNetworks

    path, table = answered.path, answered.table
    is_own = path is not None and path.name == TABLE_FILE
    if not is_own or not {ID, TEACHER_ID, VAL_NUM_ERROR, N_TRAIN} <= set(table.columns):
        return None
    measure = VAL_NUM_ERROR if answered.answer is None else answered.answer.selection_measure
    networks, n_left_out = choose_networks(table, measure)
    if networks.empty:
        return None
    details = {}
    for figure, file in (("per_class", "per_class"), ("confusion", "confusion"), ("learning", "learning_curves")):
        frame = read_details(str(path), f"{file}.parquet")
        if frame is not None and frame[ID].isin(networks[ID]).any():
            details[figure] = frame
    facts = find_facts(path)
    return ChosenNetworks(networks, details, n_left_out, facts.class_names if facts is not None else {})


def draw_chosen_figures(
    answered: AnsweredTable, networks: ChosenNetworks | None, folder: Path, names: Sequence[str]
) -> Iterator[Path]:
    """Draw figures of an answer as PNG and SVG, and yield the files.

    Parameters
    ----------
    answered : The table and its answer.
    networks : The single networks that figures show.
    folder : Where the files lie.
    names : The figures to draw; none of them for all that the table has.

    Raises
    ------
    RequestError
        If the table lacks what a named figure shows.
    """
    from kdtune.plots.drawing import draw_figures, list_figures

    available = list_figures(answered.answer, networks)
    for name in names:
        if name not in available:
            remedy = ""
            if name == "learning":
                remedy = "; `train: {eval_every: 1}` in the sweep file records learning curves"
            elif name in VALIDATION_MEASURES and name != NUM_ERROR:
                remedy = f"; it is drawn where T is chosen by it: --select {name}"
            subject = f"{answered.path}: the table" if answered.path else "the table"
            raise RequestError(f"{subject} lacks what the figure {name} shows{remedy}")
    return draw_figures(answered.answer, networks, folder, names or FIGURES)


def count_needed_replicates(
    answered: AnsweredTable, differences: Sequence[float] = (), errors: Sequence[float] = ()
) -> pd.DataFrame:
    """Count the replicates that differences take to be found, ``DIFFERENCES`` by default: see ``count_replicates``.

    Raises
    ------
    RequestError
        If no setting has two replicates of two temperatures, or shares of a measure are asked for that has none.
    """
    answer = answered.answer
    assert answer is not None
    if answer.measure is not None and (differences or not errors):
        raise RequestError(
            f"{answer.measure.name} is no number of errors, so a difference cannot be a share of them. "
            f"Say the difference in units of {answer.measure.name}: --errors 0.01"
        )
    if not differences and not errors:
        differences = DIFFERENCES
    return count_replicates(answer.cells, answer.selection_measure, differences, errors, answered.is_sweep)


def write_page(answered: AnsweredTable, page: Path, name: str | None = None) -> None:
    """Write the whole answer as one page.

    Raises
    ------
    RequestError
        If the page exists and is not an ordinary file.
    """
    from kdtune.plots.report import write_report

    path, answer = answered.path, answered.answer
    assert answer is not None
    is_sweep = answered.is_sweep
    if name is None:
        name = "table" if path is None else path.parent.resolve().name if is_sweep else path.stem
    if path is not None and page.exists() and page.samefile(path):
        raise RequestError(f"{page}: this is the table itself; choose another name for the page")
    if page.exists() and not page.is_file():
        raise RequestError(f"{page}: exists and is not an ordinary file; choose another name with -o")
    page.parent.mkdir(parents=True, exist_ok=True)
    settings = None
    if path is not None and is_sweep:
        settings = path.with_name(SWEEP_FILE).read_text(encoding="utf-8", errors="replace")
    write_report(
        answered.table,
        answer,
        page,
        name,
        settings=settings,
        trained=read_versions(path) if path is not None and path.suffix == ".parquet" else None,
        commands=_list_commands(answered, name),
        networks=choose_shown_networks(answered),
    )


def _list_commands(answered: AnsweredTable, name: str) -> list[str]:
    """Return the commands that make the answer again; none for a frame, which no command reads."""
    from kdtune.plots.report_command import write_report_command

    assert answered.answer is not None
    if answered.path is None:
        return []
    source = name if answered.is_sweep else str(answered.path)
    command = write_report_command(source, answered.options, answered.answer.margins)
    return [*(["kdtune sweep sweep.yaml"] if answered.is_sweep else []), *([command] if command else [])]
