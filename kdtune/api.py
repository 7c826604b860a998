"""kdtune as a library. Heavy imports wait until they are needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from kdtune.analysis.answer import Answer
    from kdtune.answers import AnsweredTable
    from kdtune.data.splits import Data
    from kdtune.foreign.options import ReadingOptions


class ReadingArguments(TypedDict, total=False):
    """What a caller says about a table: see ``analyze``."""

    cell: Sequence[str] | None
    map: Mapping[str, str] | None
    where: str | None
    repeats: Literal["once", "keep"] | None
    paired_by_order: bool
    measure: str | None
    higher_is_better: bool | None


def sweep(
    file: str | Path,
    *,
    set: Sequence[str] = (),
    results: str | Path = "results",
    data_root: str | Path | None = None,
    workers: int | None = None,
    cpus_per_worker: int | None = None,
    gpus_per_worker: float | None = None,
    pack: int | None = None,
    precision: Literal["float32", "bf16"] | None = None,
    address: str | None = None,
    retries: int = 3,
    keep_students: Literal["none", "best", "all"] = "none",
    fresh: bool = False,
    fresh_teachers: bool = False,
    max_networks: int = 100_000,
    progress: bool = True,
    verbose: bool = False,
) -> pd.DataFrame:
    """Train every network that a sweep file asks for and that has no result yet.

    Parameters
    ----------
    file : a sweep file, or the name of a bundled one.
    set : values that replace those of the file, as in ``["distill.T=[2, 4]"]``.
    results : the folder under which results lie.
    data_root : the folder of the data sets' files, as in ``data_root/MNIST/raw``; by default the file's ``root``,
        then ``$KDTUNE_DATA``, then a cache folder.
    workers, cpus_per_worker, gpus_per_worker : see ``kdtune sweep --help``.
    pack : the largest number of networks that train together; 1 trains each network alone.
    precision : the precision of the matrix products, as ``train.precision`` in the file; see the README for its effect.
    address : the Ray cluster to run on; by default a new one starts on this machine for the length of the sweep.
    retries : how often a pack is tried again after its worker crashed.
    keep_students : which students' weights are kept for ``load``.
    fresh, fresh_teachers : remove first what this sweep, or its teachers, left. No question is asked.
    max_networks : the largest sweep that is accepted.
    progress : show a progress bar in a terminal or a notebook, plain lines elsewhere.

    Returns
    -------
    One row per network, failed ones included (column ``status``); the columns are those of ``table.parquet``.

    Raises
    ------
    RequestError
        If the request is wrong or refused; nothing was written.
    SweepError
        If the run broke off; finished networks are on disk.
    KeyboardInterrupt
        If it was interrupted; finished networks are on disk.
    """
    from pydantic import ValidationError
    from rich.console import Console

    from kdtune.errors import RequestError
    from kdtune.run.progress import Progress
    from kdtune.run.request import Request
    from kdtune.run.sweep import sweep as run_sweep
    from kdtune.settings import Resources
    from kdtune.spec.bundled_sweeps import find_sweep_file
    from kdtune.spec.messages import describe_error
    from kdtune.table import to_frame

    _check_overrides(set)
    try:
        resources = Resources(workers=workers, cpus_per_worker=cpus_per_worker, gpus_per_worker=gpus_per_worker)
    except ValidationError as error:
        problems = [f"{problem['loc'][0]}: {describe_error(problem, ())}" for problem in error.errors()]
        raise RequestError("; ".join(problems)) from None
    request = Request(
        file=find_sweep_file(str(_to_path("file", file)))[0],
        overrides=tuple(set),
        results=_to_path("results", results),
        data_root=None if data_root is None else _to_path("data_root", data_root),
        resources=resources,
        pack=pack,
        precision=precision,
        address=address,
        retries=retries,
        keep_students=keep_students,
        fresh=fresh,
        fresh_teachers=fresh_teachers,
        max_networks=max_networks,
        verbose=verbose,
    )
    outcome = run_sweep(request, Progress(Console(stderr=True) if progress else None))
    if outcome.interrupted:
        raise KeyboardInterrupt
    return to_frame(outcome.rows)


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
    margin : excess errors that do not matter, as a share of the best temperature's errors, 0.05 by default; for
        another measure a difference in its own units, unknown by default.
    effect_margin : a change of log2 T per doubling of a factor that does not matter.

    Returns
    -------
    An ``Answer``; its frames ``t_opt``, ``test``, ``curves`` and ``effects`` are those that ``kdtune analyze`` writes;
    ``reading_notes`` and ``matching_notes`` say how the table was understood.

    Raises
    ------
    RequestError
        If an argument is wrong, the table cannot be understood, or no distilled student has results.
    """
    options = _make_reading_options(cell, map, where, repeats, paired_by_order, measure, higher_is_better)
    answer = _answer(results, options, margin, effect_margin).answer
    assert answer is not None
    return answer


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
        ``higher_is_better``.

    Raises
    ------
    RequestError
        As for ``analyze``, and if the table lacks what a figure shows.
    """
    from kdtune.answers import choose_shown_networks, draw_chosen_figures
    from kdtune.errors import RequestError
    from kdtune.plots.figure_names import FIGURES
    from kdtune.text import suggest_nearest

    figures = _check_names("figures", figures) or []
    for name in figures:
        if name not in FIGURES:
            raise RequestError(f"figures: there is no figure {name!r}; {suggest_nearest(str(name), FIGURES)}")
    options = _make_reading_options(**reading)
    answered = _answer(results, options, margin, effect_margin, needs_students=False)
    folder = answered.name_output("figures") if output is None else _to_path("output", output)
    return list(draw_chosen_figures(answered, choose_shown_networks(answered), folder, figures))


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
        ``higher_is_better``.

    Raises
    ------
    RequestError
        As for ``analyze``.
    """
    from kdtune.answers import write_page

    options = _make_reading_options(**reading)
    answered = _answer(results, options, margin, effect_margin)
    page = answered.name_output("report.html") if output is None else _to_path("output", output)
    write_page(answered, page)
    return page


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
    from kdtune.analysis.table_queries import query_table
    from kdtune.foreign.door import is_sweep_table, read_plain_table

    frame, _ = read_plain_table(_to_table_source(results))
    names = _check_names("columns", columns)
    chosen = ",".join(names) if names else None if is_sweep_table(frame) else "all"
    return query_table(frame, chosen, where, ",".join(_check_names("sort", sort) or []))


def _check_names(argument: str, names: Any) -> list[str] | None:
    """Return a list of names that a caller gave, or None for None; raise RequestError if it is neither."""
    from kdtune.foreign.options import list_names

    return list_names(argument, names)


def _check_differences(argument: str, numbers: Any) -> None:
    """Raise RequestError if differences are no list of finite numbers above 0."""
    from kdtune.errors import RequestError

    is_list = isinstance(numbers, Sequence) and not isinstance(numbers, str | bytes)
    if not is_list or not all(isinstance(x, int | float) and math.isfinite(x) and x > 0 for x in numbers):
        raise RequestError(f"{argument}: must be a list of numbers above 0, as in {argument}=[0.05], not {numbers!r}")


def _make_reading_options(
    cell: Any = None,
    map: Any = None,
    where: Any = None,
    repeats: Any = None,
    paired_by_order: bool = False,
    measure: Any = None,
    higher_is_better: bool | None = None,
) -> ReadingOptions:
    """Return what a caller says about a table."""
    from kdtune.foreign.options import ReadingOptions

    return ReadingOptions({} if map is None else map, cell, where, repeats, paired_by_order, measure, higher_is_better)


def _answer(
    results: Any,
    options: ReadingOptions,
    margin: float | None = None,
    effect_margin: float = 0.1,
    needs_students: bool = True,
) -> AnsweredTable:
    """Read a table that a caller named or gave, and analyze it."""
    from kdtune.answers import read_and_answer

    return read_and_answer(_to_table_source(results), options, margin, effect_margin, needs_students)


def _to_table_source(results: Any) -> Any:
    """Return a path or a table that a caller gave; raise RequestError if it is neither."""
    from kdtune.errors import RequestError
    from kdtune.foreign.plain_tables import is_table

    if isinstance(results, str | Path):
        return _to_path("results", results)
    if not is_table(results) or (isinstance(results, list) and not results):
        raise RequestError(
            f"results: must be a path, as in results='results/fakeset', or a table (a frame of pandas, polars, Arrow "
            f"or DuckDB, a dict of columns, a list of rows), not {results!r}"
        )
    return results


def load(results: str | Path, id: str) -> nn.Sequential:
    """Load a trained network whose weights were kept, in evaluation mode: see ``students.load_network``."""
    from kdtune.results.students import load_network

    return load_network(_to_path("results", results), _check_id(id))


def load_data(results: str | Path, id: str, data_root: str | Path | None = None) -> Data:
    """Load the data set of such a network, split and scaled as in the sweep: see ``students.load_data``."""
    from kdtune.results.students import load_data as load_data_of_network

    return load_data_of_network(_to_path("results", results), _check_id(id), data_root)


def read_table(results: str | Path, per_class: bool = False) -> pd.DataFrame:
    """Read the table of a sweep's folder, or a Parquet file of rows, as a DataFrame.

    With ``per_class`` there is one row per network and class (``label``) of the test set instead, with the number
    ``n`` of its examples, ``num_error``, ``accuracy``, and whether the network was trained on that class (``seen``).
    """
    from kdtune.analysis.table_files import read_sweep_table
    from kdtune.analysis.table_queries import join_classes

    name = str(_to_path("results", results))
    table = read_sweep_table(name)
    return join_classes(name, table) if per_class else table


def _to_path(argument: str, value: Any) -> Path:
    """Return a path that a caller gave; raise RequestError, naming the argument, if it is no path."""
    from kdtune.errors import RequestError

    if not isinstance(value, str | Path) or not str(value):
        example = {"file": "fakeset.yaml", "data_root": "data"}.get(argument, "results")
        raise RequestError(f"{argument}: must be a path, as in {argument}={example!r}, not {value!r}")
    return Path(value)


def _check_id(id: Any) -> str:
    """Return a network's id that a caller gave; raise RequestError if it is no text."""
    from kdtune.errors import RequestError

    if not isinstance(id, str) or not id:
        raise RequestError(f"id: must be the id of a network, from the table's column 'id', not {id!r}")
    return id


def _check_overrides(overrides: Any) -> None:
    """Raise RequestError if ``set`` is not a list of texts such as ``"distill.T=[2, 4]"``."""
    from kdtune.errors import RequestError

    if isinstance(overrides, Mapping):
        examples = [f"{path}={value}" for path, value in overrides.items()]
        raise RequestError(f"set: must be a list of texts 'PATH=VALUE', not a mapping; write set={examples!r}")
    if isinstance(overrides, str):
        raise RequestError(f"set: must be a list of texts; write set={[overrides]!r}, not {overrides!r}")
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str | bytes)
    if not is_list or not all(isinstance(text, str) for text in overrides):
        raise RequestError(f"set: must be a list of texts, as in set=['distill.T=[2, 4]'], not {overrides!r}")
