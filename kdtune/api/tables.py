"""Answer from any table: a sweep's folder, a file or a frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from kdtune.api.arguments import to_path
from kdtune.api.option_names import name_arguments, rename_options
from kdtune.columns import NUM_ERROR
from kdtune.errors import RequestError
from kdtune.text import describe_value, suggest_nearest

if TYPE_CHECKING:
    import pandas as pd

    from kdtune.analysis.answer import Answer
    from kdtune.answers import AnsweredTable
    from kdtune.foreign.options import ReadingOptions


Select = Literal["num_error", "nll", "balanced_error"]


class ReadingArguments(TypedDict, total=False):
    """What a caller says about a table: see ``analyze``."""

    cell: Sequence[str] | None
    map: Mapping[str, str] | None
    where: str | None
    repeats: Literal["once", "keep"] | None
    paired_by_order: bool
    measure: str | None
    higher_is_better: bool | None
    select: Select | None


@name_arguments()
def analyze(
    results: Any,
    *,
    cell: Sequence[str] | None = None,
    map: Mapping[str, str] | None = None,
    where: str | None = None,
    repeats: Literal["once", "keep"] | None = None,
    paired_by_order: bool = False,
    measure: str | None = None,
    higher_is_better: bool | None = None,
    select: Select | None = None,
    margin: float | None = None,
    effect_margin: float = 0.1,
) -> Answer:
    """Find the best temperature of every setting with its uncertainty, and which factors it depends on.

    Parameters
    ----------
    results : a sweep's folder, its name under results/, a file (CSV or other text, Parquet, Feather, JSON), or a frame
        of pandas, polars, Arrow or DuckDB, with one row per network.
    cell : the columns that name a setting; by default those that vary over the distilled students.
    map : the table's own names of columns that kdtune knows, as in ``{"temp": "tau"}``.
    where : the rows to read, as in ``"state == 'finished'"``, by the table's own names.
    repeats : what rows are that are equal in all but an id or a time: counted ``"once"``, or replicates (``"keep"``).
    paired_by_order : pair the runs of different T by their order where no column names the replicate.
    measure : the column that T is chosen by; by default errors, or accuracies, which are turned into errors.
    higher_is_better : the direction of the measure.
    select : one of kdtune's own measures, on the validation split where the table has it: by default what the sweep
        file says, else ``"num_error"``.
    margin : excess errors that do not matter, as a share of the best temperature's errors, 0.05 by default; for
        another measure a difference in its own units, unknown by default.
    effect_margin : a change of log2 T per doubling of a factor that does not matter.

    Returns
    -------
    An ``Answer``, which prints its advice and tables. Its frames ``t_opt``, ``test``, ``curves``, ``effects`` and
    ``pairs`` are those that ``kdtune analyze`` writes; ``reading_notes`` and ``matching_notes`` say how the table was
    understood.

    Raises
    ------
    RequestError
        If an argument is wrong, the table cannot be understood, or no distilled student has results.
    """
    options = _make_reading_options(cell, map, where, repeats, paired_by_order, measure, higher_is_better, select)
    answer = _answer(results, options, margin, effect_margin).answer
    assert answer is not None
    from kdtune.api.printed_answer import PrintedAnswer

    return PrintedAnswer.take(answer)


@name_arguments()
def plot(
    results: Any,
    *,
    output: str | Path | None = None,
    figures: Sequence[str] = (),
    margin: float | None = None,
    effect_margin: float = 0.1,
    **reading: Unpack[ReadingArguments],
) -> list[Path]:
    """Draw the figures of a table as PNG and SVG, and return the files.

    Parameters
    ----------
    output : the folder for the files; by default figures/ of the sweep, or beside another table and named after it.
        It must be given for a frame.
    figures : the figures to draw, as in ``["t_opt"]``; by default all that the table has.
    results, margin, effect_margin, reading : as for ``analyze``; ``reading`` is its arguments ``cell`` to
        ``select``.

    Raises
    ------
    RequestError
        As for ``analyze``, and if the table lacks what a figure shows.
    """
    from kdtune.answers import choose_shown_networks, draw_chosen_figures
    from kdtune.plots.figure_names import FIGURES

    figures = _check_names("figures", figures) or []
    for name in figures:
        if name not in FIGURES:
            raise RequestError(f"figures: there is no figure {name!r}; {suggest_nearest(str(name), FIGURES)}")
    options = _make_reading_options(**reading)
    answered = _answer(results, options, margin, effect_margin, needs_students=False)
    folder = answered.name_output("figures") if output is None else to_path("output", output)
    return list(draw_chosen_figures(answered, choose_shown_networks(answered), folder, figures))


@name_arguments()
def report(
    results: Any,
    *,
    output: str | Path | None = None,
    margin: float | None = None,
    effect_margin: float = 0.1,
    **reading: Unpack[ReadingArguments],
) -> Path:
    """Write the whole answer as one page, and return its file.

    Parameters
    ----------
    output : the page; by default report.html of the sweep, or beside another table and named after it. It must be
        given for a frame.
    results, margin, effect_margin, reading : as for ``analyze``; ``reading`` is its arguments ``cell`` to
        ``select``.

    Raises
    ------
    RequestError
        As for ``analyze``.
    """
    from kdtune.answers import write_page

    options = _make_reading_options(**reading)
    answered = _answer(results, options, margin, effect_margin)
    page = answered.name_output("report.html") if output is None else to_path("output", output)
    write_page(answered, page)
    return page


@name_arguments()
def power(
    results: Any,
    *,
    differences: Sequence[float] = (),
    errors: Sequence[float] = (),
    **reading: Unpack[ReadingArguments],
) -> pd.DataFrame:
    """Count the replicates that it takes to find a difference between two temperatures, from the noise in a table.

    Parameters
    ----------
    differences : differences as shares of the best temperature's errors; by default 0.01, 0.02, 0.05, 0.1 and 0.2.
    errors : differences as numbers of errors, or in the units of ``measure``.
    results, reading : as for ``plot``.

    Returns
    -------
    One row per difference; the columns are those of ``analysis.power.ReplicateCounts``.

    Raises
    ------
    RequestError
        As for ``analyze``, and if no setting has two replicates of two temperatures.
    """
    from kdtune.answers import count_needed_replicates

    for argument, numbers in (("differences", differences), ("errors", errors)):
        _check_differences(argument, numbers)
    options = _make_reading_options(**reading)
    return count_needed_replicates(_answer(results, options), differences, errors)


@name_arguments()
def show(
    results: Any, *, columns: Sequence[str] | None = None, where: str | None = None, sort: Sequence[str] = ()
) -> pd.DataFrame:
    """Return rows and columns of a table as they are.

    Parameters
    ----------
    results : as for ``analyze``.
    columns : the columns to return; by default the main settings and results of a sweep, all of another table.
    where : the rows to return, as in ``"width > 20"``.
    sort : the columns to sort by; "-NAME" sorts in descending order.

    Raises
    ------
    RequestError
        If the table cannot be read, or a column does not exist.
    """
    from kdtune.analysis.table_files import locate_table
    from kdtune.analysis.table_queries import query_table
    from kdtune.foreign.door import is_sweep_table, read_plain_table
    from kdtune.table_facts import find_select, list_attributes

    condition = _make_reading_options(where=where).where
    source = _to_table_source(results)
    frame, _ = read_plain_table(source)
    described = locate_table(source) if isinstance(source, str | Path) else source
    select = find_select(described) or NUM_ERROR
    names = _check_names("columns", columns)
    chosen = ",".join(names) if names else None if is_sweep_table(frame) else "all"
    rows = query_table(frame, chosen, condition, ",".join(_check_names("sort", sort) or []), select)
    rows.attrs |= list_attributes(described)
    return rows


def _check_names(argument: str, names: Any) -> list[str] | None:
    """Return a list of names that a caller gave, or None for None; raise RequestError if it is neither."""
    from kdtune.foreign.options import list_names

    return list_names(argument, names)


def _check_differences(argument: str, numbers: Any) -> None:
    """Raise RequestError if differences are no list of finite numbers above 0."""
    is_list = isinstance(numbers, Sequence) and not isinstance(numbers, str | bytes)
    if not is_list or not all(isinstance(x, int | float) and math.isfinite(x) and x > 0 for x in numbers):
        raise RequestError(
            f"{argument}: must be a list of numbers above 0, as in {argument}=[0.05], not {describe_value(numbers)}"
        )


def _make_reading_options(
    cell: Any = None,
    map: Any = None,
    where: Any = None,
    repeats: Any = None,
    paired_by_order: bool = False,
    measure: Any = None,
    higher_is_better: bool | None = None,
    select: Any = None,
) -> ReadingOptions:
    """Return what a caller says about a table."""
    from kdtune.foreign.options import ReadingOptions

    column_map = {} if map is None else map
    return ReadingOptions(column_map, cell, where, repeats, paired_by_order, measure, higher_is_better, select)


def _answer(
    results: Any,
    options: ReadingOptions,
    margin: float | None = None,
    effect_margin: float = 0.1,
    needs_students: bool = True,
) -> AnsweredTable:
    """Read a table that a caller named or gave, and analyze it; notes speak of arguments, not of options."""
    from kdtune.answers import read_and_answer

    answered = read_and_answer(_to_table_source(results), options, margin, effect_margin, needs_students)
    notes, answer = [rename_options(note) for note in answered.notes], answered.answer
    if answer is not None:
        answer = replace(
            answer,
            reserve=rename_options(answer.reserve),
            reading_notes=[rename_options(note) for note in answer.reading_notes],
            matching_notes=[rename_options(note) for note in answer.matching_notes],
        )
    return replace(answered, answer=answer, notes=notes)


def _to_table_source(results: Any) -> Any:
    """Return a path or a table that a caller gave; raise RequestError if it is neither."""
    from kdtune.foreign.plain_tables import is_table, make_kind_error

    if isinstance(results, str | Path):
        return to_path("results", results)
    if not is_table(results) or (isinstance(results, list) and not results):
        raise make_kind_error(results)
    return results
