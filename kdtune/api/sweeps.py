"""Make the table of a sweep, and load what the sweep kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kdtune.api.arguments import to_path
from kdtune.errors import RequestError
from kdtune.text import describe_value, pluralize

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from kdtune.data.splits import Data


def sweep(
    file: str | Path | Mapping[str, Any],
    *,
    set: Sequence[str] = (),
    results: str | Path = "results",
    data_root: str | Path | None = None,
    workers: int | None = None,
    cpus_per_worker: int | None = None,
    gpus_per_worker: float | None = None,
    cpu_only_workers: int | None = None,
    pack: int | None = None,
    precision: Literal["float32", "bf16"] | None = None,
    address: str | None = None,
    retries: int = 3,
    restarts: int = 3,
    cluster_minutes: float = 10.0,
    keep_students: Literal["auto", "none", "best", "all"] = "auto",
    fresh: bool = False,
    fresh_teachers: bool = False,
    wait: bool = False,
    max_networks: int = 100_000,
    progress: bool = True,
    verbose: bool = False,
) -> pd.DataFrame:
    """Train every network that a sweep file asks for and that has no result yet.

    Parameters
    ----------
    file : a sweep file, or the name of a bundled one; or a mapping with the blocks of one, in which arrays, frames,
        tensors, data sets, estimators, modules and functions may stand wherever a file would name one.
    set : values that replace those of the file, as in ``["distill.T=[2, 4]"]``.
    results : the folder under which results lie, or the URL of a place in an object store: ``"s3://bucket/prefix"``.
    data_root : the folder of the data sets' files, as in ``data_root/MNIST/raw``; by default the file's ``root``,
        then ``$KDTUNE_DATA``, then a cache folder.
    workers, cpus_per_worker, gpus_per_worker, cpu_only_workers : see ``kdtune sweep --help-all``; ``workers=0`` trains
        in this process, without Ray, which is faster for small sweeps.
    pack : the largest number of networks that train together; 1 trains each network alone.
    precision : the precision of the matrix products, as ``train.precision`` in the file; ``kdtune plan`` says what it
        does to the time.
    address : the Ray cluster to run on; by default a new one starts on this machine for the length of the sweep.
    retries : how often a pack is tried again after its worker crashed.
    restarts : how often Ray is started again after it died, without a pack finished in between.
    cluster_minutes : how long a cluster that no longer answers is waited for.
    keep_students : which weights are kept for ``load``: ``"none"``, ``"best"`` (students at the best T of each setting)
        or ``"all"``; ``"auto"`` keeps all while they take less than 200 MB together, else the best.
    fresh, fresh_teachers : remove first what this sweep, or its teachers, left. No question is asked.
    wait : if another process runs this sweep, wait until it has ended.
    max_networks : the largest sweep that is accepted.
    progress : show a progress bar in a terminal or a notebook, plain lines elsewhere, and notes on what was assumed;
        False prints neither.

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

    from kdtune.objects.places import find_root
    from kdtune.run.patience import Patience
    from kdtune.run.progress import Progress
    from kdtune.run.request import Request
    from kdtune.run.sweep import sweep as run_sweep
    from kdtune.settings import Resources
    from kdtune.spec.bundled_sweeps import find_sweep_file
    from kdtune.spec.messages import describe_error
    from kdtune.table import to_frame

    _check_overrides(set)
    try:
        resources = Resources(
            workers=workers,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
            cpu_only_workers=cpu_only_workers,
        )
    except ValidationError as error:
        problems = [f"{problem['loc'][0]}: {describe_error(problem, ())}" for problem in error.errors()]
        raise RequestError("; ".join(problems)) from None
    results_path = to_path("results", results)
    notes: list[str] = []
    if isinstance(file, Mapping):
        from kdtune.api.mapping_trees import make_tree

        source: Any = make_tree(file, find_root(results_path) / "inputs", notes)
    else:
        source = find_sweep_file(str(to_path("file", file)))[0]
    request = Request(
        file=source,
        overrides=tuple(set),
        results=results_path,
        data_root=None if data_root is None else to_path("data_root", data_root),
        resources=resources,
        pack=pack,
        precision=precision,
        address=address,
        retries=retries,
        patience=Patience(restarts, cluster_minutes),
        keep_students=keep_students,
        fresh=fresh,
        fresh_teachers=fresh_teachers,
        waits=wait,
        max_networks=max_networks,
        verbose=verbose,
        notes=tuple(notes),
    )
    outcome = run_sweep(request, Progress(Console(stderr=True) if progress else None))
    if outcome.interrupted:
        raise KeyboardInterrupt("finished networks are kept; run the same call again to go on")
    table = to_frame(outcome.rows)
    failures = table[table["status"] == "failed"]
    if len(failures):
        warnings.warn(f"{pluralize(len(failures), 'network')} failed: {failures['error'].iloc[0]}", stacklevel=2)
    return table


def load(results: str | Path, id: str) -> nn.Module:
    """Load a trained teacher, or a student whose weights were kept, in evaluation mode.

    It maps a batch of examples, scaled and encoded as in training, to logits, (batch, n_classes). ``load_data``
    returns such examples. For a network that takes examples as they are, use ``export``.

    Parameters
    ----------
    results : a sweep's folder, or its name under results/.
    id : the network's id, from the table's column ``id``; its first digits are enough if they are unique.

    Raises
    ------
    RequestError
        If there is no such network, or its weights were not kept or are damaged.
    """
    from kdtune.results.students import load_network

    return load_network(_find_folder(results), _check_id(id))


def load_data(results: str | Path, id: str, data_root: str | Path | None = None) -> Data:
    """Load the data set of a network, with splits, scaling and encoding as in the sweep.

    Parameters
    ----------
    results, id : as for ``load``.
    data_root : the folder where the files of torchvision's data sets lie now, if it has changed.

    Returns
    -------
    NumPy arrays ``x_train``, ``x_val`` and ``x_test`` of examples, and ``y_train``, ``y_val`` and ``y_test`` of the
    numbers of their classes.

    Raises
    ------
    RequestError
        If there is no such network, its weights were not kept, or its data are not there or differ.
    """
    from kdtune.results.students import load_data as load_data_of_network

    return load_data_of_network(_find_folder(results), _check_id(id), data_root)


def read_table(results: str | Path, per_class: bool = False) -> pd.DataFrame:
    """Read the table of a sweep's folder, or a Parquet file of rows, as a DataFrame.

    With ``per_class`` there is one row per network and class (``label``) of the test set instead, with the number
    ``n`` of its examples, ``num_error``, ``accuracy``, and whether the network was trained on that class (``seen``).
    Where the classes of your data have names, ``class_name`` has them.
    """
    from kdtune.analysis.table_files import read_sweep_table
    from kdtune.analysis.table_queries import join_classes

    name = str(to_path("results", results))
    table = read_sweep_table(name)
    return join_classes(name, table) if per_class else table


def _find_folder(results: Any) -> Path:
    """Return the folder of a sweep that a caller gave as a path or by its name under results/.

    A sweep that has no table yet is found by its path alone.
    """
    from kdtune.analysis.table_files import locate_table

    path = to_path("results", results)
    try:
        return locate_table(path).parent
    except RequestError:
        return path


def _check_id(id: Any) -> str:
    """Return a network's id that a caller gave; raise RequestError if it is no text."""
    if not isinstance(id, str) or not id:
        raise RequestError(f"id: must be the id of a network, from the table's column 'id', not {describe_value(id)}")
    return id


def _check_overrides(overrides: Any) -> None:
    """Raise RequestError if ``set`` is not a list of texts such as ``"distill.T=[2, 4]"``."""
    if isinstance(overrides, Mapping):
        examples = [f"{path}={value}" for path, value in overrides.items()]
        raise RequestError(f"set: must be a list of texts 'PATH=VALUE', not a mapping; write set={examples!r}")
    if isinstance(overrides, str):
        raise RequestError(f"set: must be a list of texts; write set={[overrides]!r}, not {overrides!r}")
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str | bytes)
    if not is_list or not all(isinstance(text, str) for text in overrides):
        raise RequestError(
            f"set: must be a list of texts, as in set=['distill.T=[2, 4]'], not {describe_value(overrides)}"
        )
