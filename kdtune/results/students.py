"""Trained networks back from the results folder, as ordinary modules."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from kdtune.columns import DONE, ID, MODEL, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.plan.network import make_data_draw
from kdtune.results.store import Store
from kdtune.results.weights import load_weights
from kdtune.settings import Dataset
from kdtune.table import read_table, to_frame

if TYPE_CHECKING:
    from torch import nn

    from kdtune.data.splits import Data


def load_network(results: str | Path, id: str) -> nn.Sequential:
    """A trained teacher or a student whose weights were kept, in evaluation mode.

    Parameters
    ----------
    results : the sweep's folder, such as ``results/fakeset``.
    id : the network's, from the table's column ``id``; its first digits are enough if they are unique.

    Returns
    -------
    A module that maps features (batch, n_features), scaled as the sweep's data are, to logits
    (batch, n_classes).

    Raises
    ------
    RequestError
        If there is no such network, or its weights were not kept.
    """
    return load_weights(_weights(Path(results), id))


def load_data(results: str | Path, id: str, data_root: str | Path | None = None) -> Data:
    """The data that a network saw: splits and scaling as in the sweep. Arguments and errors as in ``load``.

    ``data_root`` is where the files of given data lie now, if no longer where they lay.
    """
    from safetensors import safe_open

    from kdtune.data.load import load_data

    with safe_open(_weights(Path(results), id), framework="np") as file:
        about = file.metadata()
    try:
        context = {"data_root": data_root and str(data_root)}
        settings = TypeAdapter[Any](Dataset).validate_json(about["data"], context=context)
    except ValidationError as error:
        raise RequestError(f"the data of network {id}: {error.errors()[0]['msg']}") from None
    draw, seed = json.loads(about["data_draw"])
    drawn = make_data_draw(settings, draw, seed)
    if about.get("data_id", drawn.id) != drawn.id:  # earlier versions did not note it
        where = f" in {settings.root}" if hasattr(settings, "root") else ""
        raise RequestError(f"the data of network {id} are not those that it saw{where}: their content differs")
    return load_data(drawn)


def _weights(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise RequestError(f"{folder}: there is no such results folder")
    students = {path.stem: path for path in (folder / "students").glob("*.safetensors")}
    teachers = {path.parent.name: path for path in (folder.parent / "teachers").glob("*/weights.safetensors")}
    found = [path for key, path in (students | teachers).items() if key.startswith(name)] if name else []
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(f"{name!r} begins the ids of {len(found)} networks; give more digits")
    known = read_table(folder / "table.parquet")[ID].to_pylist() if (folder / "table.parquet").is_file() else []
    if name and any(key.startswith(name) for key in known):
        raise RequestError(
            f"{folder}: no weights are kept of network {name}; sweep with --keep-students best or all, "
            f"and with --fresh if it was trained without"
        )
    near = difflib.get_close_matches(name, [*students, *teachers, *known], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise RequestError(f"{folder}: there is no network {name!r}{hint}")


def keep_students(store: Store, rows: pa.Table, best_only: bool) -> int:
    """Leave the students whose weights are wanted; how many of them have none.

    The best are those at each cell's chosen T, in every replicate. Weights are written when a student
    is trained: one that was trained without keeping them has none.
    """
    table = to_frame(rows)
    students = table[(table[STATUS] == DONE) & (table[MODEL] != TEACHER)]
    if best_only:
        students = students[students[MODEL] == STUDENT]
    if best_only and len(students):
        from kdtune.analysis.answer import analyze_table  # a second to import

        found = analyze_table(table)
        chosen = found.t_opt[[*found.columns, "T_opt"]].rename(columns={"T_opt": TEMP})
        students = students.merge(chosen, on=[*found.columns, TEMP])
    wanted = set(students[ID])
    for name in table[ID]:
        if name not in wanted:
            (store.students / f"{name}.safetensors").unlink(missing_ok=True)
    return sum(not (store.students / f"{name}.safetensors").exists() for name in wanted)
