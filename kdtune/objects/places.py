"""Where the mirrors of this machine lie: folders whose files are copies of objects.

A URL such as ``s3://bucket/prefix`` stands for a *mirror*: a folder in the user's cache on each machine, into which
objects are copied when they are read, and from which new files are sent to the store. What counts is in the store: a
mirror may be removed whenever no sweep runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from kdtune.errors import RequestError, StorageError
from kdtune.objects.urls import is_object_url, parse_object_url

CACHE_VARIABLE = "KDTUNE_CACHE"
_urls_by_folder: dict[str, str] = {}  # of the mirrors that this process has used


def find_root(results: Path | str) -> Path:
    """Return the folder of results on this machine: for a URL, the folder of its mirror."""
    if not is_object_url(results):
        return Path(results).absolute()
    url = parse_object_url(results)
    cache = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("kdtune")
    bucket = url.partition("://")[2].partition("/")[0]
    folder = Path(cache).absolute() / "mirrors" / f"{bucket}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    _urls_by_folder[str(folder)] = url
    return folder


def name_urls(text: str) -> str:
    """Return a message with URLs in place of the folders of their mirrors."""
    for folder, url in _urls_by_folder.items():
        text = text.replace(folder, url)
    return text


def find_url(path: Path) -> str | None:
    """Return the URL of what a file or folder is a copy of; None if it lies in no mirror that this process has used."""
    for folder, url in _urls_by_folder.items():
        if path.is_relative_to(folder):
            return f"{url}/{path.relative_to(folder)}".removesuffix("/.")
    return None


@contextmanager
def refuse_storage_errors() -> Iterator[None]:
    """Raise RequestError in place of StorageError: at the start of a command the place is what is wrong."""
    try:
        yield
    except StorageError as error:
        raise RequestError(str(error)) from None


def mirror_sweep(url: Path | str) -> Path:
    """Bring the mirror of a sweep's folder up to date, and return it. Its parts, students and teachers stay away.

    Parameters
    ----------
    url : the URL of a sweep's results, or of its table.

    Raises
    ------
    RequestError
        If the store cannot be reached or refuses, or there is no sweep.
    """
    from kdtune.objects.folder import ObjectFolder  # obstore, which is needed only here
    from kdtune.objects.mirror import Mirror

    place = parse_object_url(url).removesuffix("/table.parquet")
    root_url, _, name = place.rpartition("/")
    if root_url.endswith("/"):  # only a bucket
        raise RequestError(f"{place}: name the folder of a sweep in the bucket, as in {place}/results/fakeset")
    folder = find_root(root_url) / name
    with refuse_storage_errors():
        mirror = Mirror(ObjectFolder(place), folder)
        if not mirror.refresh():
            raise RequestError(f"{place}: there is no sweep; name the folder that holds its table.parquet")
    return folder
