"""kdtune as a library. Heavy imports wait until they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from kdtune.analysis.answer import Answer
    from kdtune.data.splits import Data


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
    """Train everything that a sweep file asks for and is not there yet.

    Parameters
    ----------
    file : a sweep file, or the name of a packaged one.
    set : values that replace those of the file, as in ``["distill.T=[2, 4]"]``.
    results : the folder under which results lie.
    data_root : where the files of data sets lie, as in ``data_root/MNIST/raw``; the file's ``root`` unless
        given, else ``$KDTUNE_DATA``, else a cache folder.
    workers, cpus_per_worker, gpus_per_worker : see ``kdtune sweep --help``.
    pack : largest pack; 1 trains each network alone.
    precision : of the matrix products, as ``train.precision`` in the file; see the README for its effect.
    address : a Ray cluster to run on; None starts an own one on this machine for the sweep.
    retries : how often a pack is tried again after a crash of its worker.
    keep_students : whose weights to keep for ``load``.
    fresh, fresh_teachers : remove first what this sweep, and its teachers, left. Nothing is asked.
    max_networks : refuse a larger sweep.
    progress : show a bar in a terminal or a notebook, plain lines elsewhere.

    Returns
    -------
    One row a network, failed ones included (column ``status``): the columns are those of
    ``table.parquet``.

    Raises
    ------
    RequestError
        If the request is wrong or refused; nothing was written.
    SweepError
        If the run broke off; what was finished is on disk.
    KeyboardInterrupt
        If it was interrupted; what was finished is on disk.
    """
    from pydantic import ValidationError
    from rich.console import Console

    from kdtune.errors import RequestError
    from kdtune.run.progress import Progress
    from kdtune.run.request import Request
    from kdtune.run.sweep import sweep as run
    from kdtune.settings import Resources
    from kdtune.spec.bundled_sweeps import find_sweep_file
    from kdtune.table import to_frame

    try:
        resources = Resources(workers=workers, cpus_per_worker=cpus_per_worker, gpus_per_worker=gpus_per_worker)
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise RequestError(wrong) from None
    request = Request(
        file=find_sweep_file(str(file))[0],
        overrides=set,
        results=Path(results),
        data_root=None if data_root is None else Path(data_root),
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
    outcome = run(request, Progress(Console(stderr=True) if progress else None))
    if outcome.interrupted:
        raise KeyboardInterrupt
    return to_frame(outcome.rows)


def analyze(
    results: str | Path | pd.DataFrame,
    *,
    cell: Sequence[str] | None = None,
    map: Mapping[str, str] | None = None,
    margin: float = 0.05,
    effect_margin: float = 0.1,
) -> Answer:
    """The best temperature of every cell with its uncertainty, and what it moves with.

    Parameters
    ----------
    results : a sweep's folder, its name under results/, a Parquet or CSV file, or a DataFrame.
    cell : the columns that name a cell; the settings that vary over the distilled students unless given.
    map : a table's own names of the columns that kdtune knows, as in ``{"temp": "tau"}``.
    margin : excess errors that do not matter, as a share of the best temperature's.
    effect_margin : change of log2 T per doubling of a factor that does not matter.

    Returns
    -------
    Its frames ``t_opt``, ``test``, ``curves`` and ``effects`` are those that ``kdtune analyze`` writes.

    Raises
    ------
    RequestError
        If there is no table, a column is not there, or no distilled student has figures.
    """
    import pandas as pd

    from kdtune.analysis import answer
    from kdtune.analysis import external_tables as foreign
    from kdtune.analysis.table_queries import locate_table

    table = results if isinstance(results, pd.DataFrame) else foreign.read_external_table(locate_table(str(results)))
    table, cell = foreign.standardize(table, map or {}, cell)
    return answer.analyze_table(table, cell, answer.Margins(margin, effect_margin))


def load(results: str | Path, id: str) -> nn.Sequential:
    """A trained network whose weights were kept, in evaluation mode: see ``students.load``."""
    from kdtune.results.students import load_network as load_network

    return load_network(results, id)


def load_data(results: str | Path, id: str, data_root: str | Path | None = None) -> Data:
    """The data that such a network saw, split and scaled as in the sweep: see ``students.load_data``."""
    from kdtune.results.students import load_data as load_its_data

    return load_its_data(results, id, data_root)


def read_table(results: str | Path, per_class: bool = False) -> pd.DataFrame:
    """The table of a sweep's folder, or a Parquet file of rows, as a DataFrame.

    ``per_class`` gives a row for each network and class (``label``) of the test set instead: its ``n`` examples,
    ``num_error``, ``accuracy``, and whether the network was trained on that class (``seen``).
    """
    from kdtune.analysis import table_queries as showing

    table = showing.read_sweep_table(str(results))
    return showing.join_classes(str(results), table) if per_class else table
