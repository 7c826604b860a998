"""Keep the mirror of a sweep in an object store up to date while a page shows it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from kdtune.errors import KdtuneError
from kdtune.objects.places import find_root, refuse_storage_errors
from kdtune.objects.urls import parse_object_url
from kdtune.results.mirrored_store import MirroredStore
from kdtune.watch.watched_folders import WatchedFolders, watch_one

REFRESH_SECONDS = 5.0


def watch_url(url: str) -> WatchedFolders:
    """Return that a page shows a sweep in an object store, which need not exist yet; a thread copies what is new.

    Raises
    ------
    RequestError
        If the URL is none of an object store, or the store cannot be reached or refuses.
    """
    root, _, name = parse_object_url(url).removesuffix("/table.parquet").rpartition("/")
    with refuse_storage_errors():
        store = MirroredStore(parse_object_url(root), find_root(root), name, repair=False)
        store.refresh_mirror()
    threading.Thread(target=_refresh_until_end, args=(store,), name="mirror", daemon=True).start()
    return watch_one(Path(store.folder))


def _refresh_until_end(store: MirroredStore) -> None:
    is_over = threading.Event()
    while not is_over.wait(REFRESH_SECONDS):
        with suppress(KdtuneError, OSError):  # The page shows what was copied last, and how old that is.
            store.refresh_mirror()
