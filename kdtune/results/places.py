"""Open the results of a sweep, which lie in a folder or in an object store."""

from __future__ import annotations

from pathlib import Path

from kdtune.objects.places import find_root, find_url
from kdtune.objects.urls import is_object_url, parse_object_url
from kdtune.results.store import Store


def open_store(results: Path | str, name: str, repair: bool = True) -> Store:
    """Return the results of a sweep, in a folder or in an object store.

    Parameters
    ----------
    results : the folder or the URL under which results lie.
    name, repair : as of ``Store``.
    """
    if not is_object_url(results):
        return Store(results, name, repair)
    from kdtune.results.mirrored_store import MirroredStore  # obstore, which is needed only here

    return MirroredStore(parse_object_url(results), find_root(results), name, repair)


def open_folder(folder: Path) -> Store:
    """Return the results of a sweep for reading, by its folder; for a mirror's folder those in the object store."""
    url = find_url(folder.absolute())
    if url is None:
        return Store(folder.absolute().parent, folder.name, repair=False)
    root, _, name = url.rpartition("/")
    return open_store(root, name, repair=False)
