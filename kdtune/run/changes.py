"""Say what has changed since a sweep ran the last time: the data, files of a teacher, or the user's own code."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from kdtune.columns import TEACHER
from kdtune.files.atomic import write_atomically
from kdtune.files.storage_errors import is_pipe
from kdtune.inputs.code_versions import hash_files
from kdtune.plan.network import Network
from kdtune.results.store import Store
from kdtune.settings import FactoryShape, GivenDataset, GivenOutputs, TeacherModule
from kdtune.text import join_names, pluralize

RECORD_FILE = "inputs.json"


class _FactoryRecord(BaseModel):
    """What was recorded of a factory: see ``make_record``."""

    versions: list[str | None] = Field(min_length=1)
    ids: list[str]
    files: dict[str, str] = {}


class _Record(BaseModel):
    """The content of the file."""

    data: dict[str, Any] = {}
    teachers: dict[str, Any] = {}
    code: dict[str, _FactoryRecord] = {}


def list_changes(store: Store, networks: Sequence[Network], trained_ids: Collection[str]) -> list[str]:
    """Return a sentence for each input whose content or version is another one than the last time.

    Parameters
    ----------
    store : the sweep's folder, with the record of the last time.
    networks : the networks of the sweep as it is now.
    trained_ids : the networks that are trained, whatever version of the sweep they belong to.
    """
    before, now, trained = _read_record(store), make_record(networks), set(trained_ids)
    sentences = list(_list_code_changes(before, now, trained))
    # Where data are as they were in a run before the last one, everything may be trained already.
    if any(network.id not in trained for network in networks):
        sentences += [
            f"The data of {name!r} have changed since the last time, so that networks are trained on them anew; "
            f"results on the earlier data come back if these do."
            for name in _list_changed_names(before["data"], now["data"])
        ]
        sentences += [
            f"The teacher in {name} has changed since the last time, so that its students are trained anew; the "
            f"earlier results come back if it does."
            for name in _list_changed_names(before["teachers"], now["teachers"])
        ]
    return sentences


def write_record(store: Store, networks: Sequence[Network]) -> None:
    """Write what the next run compares its inputs with.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    record = make_record(networks)
    if any(record.values()):
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(store.folder / RECORD_FILE, partial(_write_text, text))


def make_record(networks: Sequence[Network]) -> dict[str, dict[str, Any]]:
    """Return the content of the user's data sets and of teachers' files by their names, and the code of factories.

    Of each factory these are its versions, a hash of each of its files, and the networks that depend on it: those of
    a teacher are the teacher and its students.
    """
    data: dict[str, Any] = {}
    teachers: dict[str, Any] = {}
    code: dict[str, Any] = {}
    for network in networks:
        settings = network.data.settings
        if isinstance(settings, GivenDataset):
            data[settings.dataset_name] = settings.given.content
        match network.shape:
            case GivenOutputs():
                teachers[network.shape.outputs_name] = network.shape.list_file_hashes()
            case TeacherModule(weights=str(name)):
                teachers[name] = network.shape.list_file_hashes()
        makers = {"teacher": network.teacher or network, "student": network}
        for block, maker in makers.items():
            if (block == TEACHER) != (maker.model == TEACHER) or not isinstance(maker.shape, FactoryShape):
                continue
            shape = maker.shape
            key = f"{block} {shape.factory}"
            if key not in code:
                code[key] = {"versions": [], "ids": [], "files": hash_files(shape.factory, shape.search_folders)}
            if shape.version not in code[key]["versions"]:
                code[key]["versions"].append(shape.version)
            code[key]["ids"].append(network.id)
    return {"data": data, "teachers": teachers, "code": code}


def _list_changed_names(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """List the names that both records have with different contents."""
    return [name for name, content in now.items() if before.get(name, content) != content]


def _list_code_changes(before: dict[str, Any], now: dict[str, Any], trained_ids: set[str]) -> Iterator[str]:
    """Yield a sentence on code whose networks are trained again, and one on code whose version the user has fixed."""
    missing_ids = {id for entry in now["code"].values() for id in entry["ids"]} - trained_ids
    renewed_ids: set[str] = set()
    renewed_sources: dict[str, None] = {}
    remedies: list[str] = []
    for key, entry in now["code"].items():
        earlier = before["code"].get(key)
        if earlier is None or not trained_ids & set(earlier["ids"]):
            continue
        block, _, factory = key.partition(" ")
        version = earlier["versions"][0]
        sources = _list_changed_files(earlier, entry)
        if not set(earlier["versions"]) & set(entry["versions"]):
            if missing_ids.isdisjoint(entry["ids"]):
                continue  # The code is as it was in a run before the last one.
            renewed_ids |= trained_ids & set(earlier["ids"])
            # The version of a package has blanks and is no hash.
            renewed_sources |= dict.fromkeys([version] if " " in version else sources or [factory.partition(":")[0]])
            remedies.append(f"`version: {version}` in the {block} block")
        elif sources and earlier["files"]:  # Earlier versions of kdtune kept no hashes of files.
            yield (
                f"{join_names(sources)} {_have(sources)} changed, and `version: {version}` in the {block} block keeps "
                f"what was trained with the earlier code; what is trained from now on uses the code as it is."
            )
    if renewed_ids:
        were = "was" if len(renewed_ids) == 1 else "were"
        sources = list(renewed_sources)
        yield (
            f"{join_names(sources)} {_have(sources)} changed since {pluralize(len(renewed_ids), 'network')} {were} "
            f"trained; they are trained again. If the change does not matter, keep them: {join_names(remedies)}."
        )


def _list_changed_files(earlier: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    """List the files of a factory's code that differ, are new or are gone."""
    before, now = earlier["files"], entry["files"]
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _read_record(store: Store) -> dict[str, Any]:
    """Return the record of the last time; an empty one if there is none or it is damaged."""
    path = store.folder / RECORD_FILE
    try:
        return _Record.model_validate_json("" if is_pipe(path) else path.read_bytes()).model_dump()
    except (OSError, ValidationError):
        return _Record().model_dump()


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
