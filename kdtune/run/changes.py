"""Say what has changed since a sweep ran the last time: the data, or the user's own code."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kdtune.files.atomic import write_atomically
from kdtune.plan.network import Network
from kdtune.results.store import Store
from kdtune.settings import FactoryShape, GivenDataset
from kdtune.text import pluralize

RECORD_FILE = "inputs.json"


def list_changes(store: Store, networks: Sequence[Network], trained_ids: Collection[str]) -> list[str]:
    """Return a sentence for each input whose content or version is another one than the last time.

    Parameters
    ----------
    store : the sweep's folder, with the record of the last time.
    networks : the networks of the sweep as it is now.
    trained_ids : the networks that have a row, whatever version of the sweep they belong to.
    """
    before, now = _read_record(store), make_record(networks)
    return [
        *_list_data_changes(before, now),
        *_list_code_changes(before, now, set(trained_ids)),
    ]


def write_record(store: Store, networks: Sequence[Network]) -> None:
    """Write what the next run compares its inputs with.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    record = make_record(networks)
    if record != {"data": {}, "code": {}}:
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(store.folder / RECORD_FILE, partial(_write_text, text))


def make_record(networks: Sequence[Network]) -> dict[str, dict[str, Any]]:
    """Return the content of the user's data sets by their names, and the versions and networks of factories."""
    data: dict[str, Any] = {}
    code: dict[str, Any] = {}
    for network in networks:
        settings, shape = network.data.settings, network.shape
        if isinstance(settings, GivenDataset):
            data[settings.dataset_name] = settings.given.content
        if isinstance(shape, FactoryShape):
            block = "teacher" if network.model == "teacher" else "student"
            entry = code.setdefault(f"{block} {shape.factory}", {"versions": [], "ids": []})
            if shape.version not in entry["versions"]:
                entry["versions"].append(shape.version)
            entry["ids"].append(network.id)
    return {"data": data, "code": code}


def _list_data_changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name, content in now["data"].items():
        if before["data"].get(name, content) != content:
            yield (
                f"The data of {name!r} have changed since the last time, so that networks are trained on them anew; "
                f"results on the earlier data come back if these do."
            )


def _list_code_changes(before: dict[str, Any], now: dict[str, Any], trained_ids: set[str]) -> Iterator[str]:
    for key, entry in now["code"].items():
        earlier = before["code"].get(key)
        if earlier is None or set(earlier["versions"]) & set(entry["versions"]):
            continue
        block, _, factory = key.partition(" ")
        n_trained = len(trained_ids & set(earlier["ids"]))
        if not n_trained:
            continue
        version = earlier["versions"][0]
        # The version of a package has blanks and is no hash.
        source = f"{factory.partition(':')[0].replace('.', '/')}.py" if " " not in version else version
        were = "was" if n_trained == 1 else "were"
        yield (
            f"{source} has changed since {pluralize(n_trained, 'network')} {were} trained; they are trained again. If "
            f"the change does not matter, keep them: `version: {version}` in the {block} block."
        )


def _read_record(store: Store) -> dict[str, Any]:
    """Return the record of the last time; an empty one if there is none or it is damaged."""
    try:
        record: dict[str, Any] = json.loads((store.folder / RECORD_FILE).read_text(encoding="utf-8"))
        return {"data": record["data"], "code": record["code"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {"data": {}, "code": {}}


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
