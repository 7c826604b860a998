"""Load trained networks from the results folder as ordinary modules, and remove weights that are not to be kept."""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from kdtune.columns import DONE, ID, MODEL, NUM_ERROR, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.files.storage_errors import convert_os_errors
from kdtune.inputs.given_data import GivenData
from kdtune.plan.network import DataDraw, make_data_draw
from kdtune.results.places import open_folder
from kdtune.results.store import Store
from kdtune.results.weights import (
    check_weights,
    load_weights,
    read_metadata,
    refuse_foreign_metadata,
    warn_of_changed_code,
)
from kdtune.settings import DatasetSetting
from kdtune.table import read_table, to_frame
from kdtune.table_facts import find_select

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from kdtune.data.splits import Data


def load_network(results: str | Path, id: str) -> nn.Module:
    """Load a trained teacher, or a student whose weights were kept, in evaluation mode.

    Parameters
    ----------
    results : the sweep's folder, such as ``results/fakeset``.
    id : the network's id, from the table's column ``id``; its first digits are enough if they are unique.

    Returns
    -------
    A module that maps features (batch, n_features), scaled as the sweep's data are, to logits
    (batch, n_classes).

    Raises
    ------
    RequestError
        If there is no such network, or its weights were not kept or are damaged.
    StorageError
        If the system cannot read the weights at the moment.
    """
    path = _find_weights(Path(results), id)
    network = load_weights(path)
    warn_of_changed_code(path)
    return network


def load_data(results: str | Path, id: str, data_root: str | Path | None = None) -> Data:
    """Load the data set of a network, with splits and scaling as in the sweep.

    The training part is complete, also for a student whose transfer set leaves out some classes.

    Parameters
    ----------
    results, id : as in ``load_network``.
    data_root : the folder where the files of given data lie now, if it has changed.

    Raises
    ------
    RequestError
        If there is no such network, its weights were not kept, or its data are not there or differ.
    """
    from kdtune.data.load import load_data

    return load_data(read_data_draw(Path(results), _find_weights(Path(results), id), id, data_root))


def read_data_draw(folder: Path, weights: Path, id: str, data_root: str | Path | None = None) -> DataDraw:
    """Read from a network's weights which draw of which data it belongs to.

    Parameters
    ----------
    folder : the sweep's folder.
    weights : the file of the network's weights.
    id, data_root : as in ``load_data``.

    Raises
    ------
    RequestError
        If its data are not there, or differ.
    """
    metadata = read_metadata(weights)
    with refuse_foreign_metadata(weights):
        draw = _make_draw(metadata, folder, data_root)
    # Files of earlier versions have no "data_id".
    if metadata.get("data_id", draw.id) != draw.id:
        location = f" in {draw.settings.root}" if hasattr(draw.settings, "root") else ""
        raise RequestError(f"the data of network {id} are not those that it saw{location}: their content differs")
    return draw


def _make_draw(metadata: Mapping[str, str], folder: Path, data_root: str | Path | None) -> DataDraw:
    try:
        context: dict[str, Any] = {"data_root": data_root and str(data_root)}
        if "given" in metadata:
            inputs_folder = folder.absolute().parent / "inputs"
            given = GivenData.model_validate_json(metadata["given"]).move_to(inputs_folder)
            open_folder(folder).fetch_inputs(given.list_stored_paths())
            context["given"] = given
        settings = TypeAdapter[Any](DatasetSetting).validate_json(metadata["data"], context=context)
    except ValidationError as error:
        raise RequestError(f"the data of network {metadata.get('id')}: {error.errors()[0]['msg']}") from None
    draw_index, sweep_seed = json.loads(metadata["data_draw"])
    is_test_kept = json.loads(metadata.get("is_test_kept", "false"))
    return make_data_draw(settings, draw_index, sweep_seed, is_test_kept)


def _find_weights(folder: Path, id_prefix: str) -> Path:
    """Return the weights file of the one network whose id begins so; RequestError if there is none or several."""
    if not folder.is_dir():
        raise RequestError(f"{folder}: there is no such results folder")
    store = open_folder(folder)
    with convert_os_errors(f"read the weights of {folder}"):
        student_ids, teacher_ids = store.list_students(), store.teachers.list_teachers()
    known_ids = sorted(student_ids | teacher_ids)
    matching_ids = [network_id for network_id in known_ids if id_prefix and network_id.startswith(id_prefix)]
    if len(matching_ids) == 1:
        fetch = store.fetch_student if matching_ids[0] in student_ids else store.teachers.fetch_weights
        path = fetch(matching_ids[0])
        try:
            check_weights(path)
        except ValueError:
            raise RequestError(
                f"{path} cannot be read: it is torn, or another sweep has removed it; sweep again"
            ) from None
        return path
    if matching_ids:
        raise RequestError(f"{id_prefix!r} begins the ids of {len(matching_ids)} networks; give more digits")
    table_ids = _read_table_ids(folder)
    if id_prefix and any(network_id.startswith(id_prefix) for network_id in table_ids):
        raise RequestError(
            f"{folder}: no weights are kept of network {id_prefix}; sweep with --keep-students all, "
            f"and with --fresh if it was trained without (a teacher that is given by its outputs, or is no module, "
            f"has none)"
        )
    similar_ids = difflib.get_close_matches(id_prefix, [*known_ids, *table_ids], n=1)
    hint = f"; did you mean {similar_ids[0]}?" if similar_ids else ""
    raise RequestError(f"{folder}: there is no network {id_prefix!r}{hint}")


def _read_table_ids(folder: Path) -> list[str]:
    """Return the ids in a sweep's table; none if there is no table or it is damaged."""
    try:
        ids: list[str] = read_table(folder / "table.parquet")[ID].to_pylist()
    except ValueError:
        return []
    return ids


def prune_students(store: Store, rows: pa.Table, best_only: bool, removable_ids: Container[str] | None = None) -> int:
    """Remove the weights of students that are not to be kept, and return how many of those to be kept have none.

    Weights are written when a student is trained: one that was trained without keeping them has none.

    Parameters
    ----------
    store : the sweep's folder.
    rows : the rows of the sweep.
    best_only : keep only the distilled students at each cell's chosen T, in every replicate; otherwise all students.
    removable_ids : the networks whose weights may be removed; None for all of the rows.

    Raises
    ------
    StorageError
        If a file cannot be removed.
    """
    table = to_frame(rows)
    students = table[(table[STATUS] == DONE) & (table[MODEL] != TEACHER)]
    if best_only:
        students = _select_best(table, students[students[MODEL] == STUDENT])
    kept_ids = set(students[ID])
    existing_ids = store.list_students()
    store.remove_students(
        network_id
        for network_id in table[ID]
        if network_id in existing_ids
        and network_id not in kept_ids
        and (removable_ids is None or network_id in removable_ids)
    )
    return len(kept_ids - existing_ids)


def _select_best(table: pd.DataFrame, students: pd.DataFrame) -> pd.DataFrame:
    """Return the distilled students at each cell's chosen T."""
    from kdtune.analysis.answer import analyze_table  # It takes a second to import.

    if students.empty:
        return students
    try:
        answer = analyze_table(table, select=find_select(table) or NUM_ERROR)
    except RequestError:  # Rows of earlier versions may lack the measure that T is chosen by.
        return students
    keys = [*answer.cell_columns, TEMP]
    return students.merge(answer.t_opt.rename(columns={"T_opt": TEMP})[keys], on=keys)
