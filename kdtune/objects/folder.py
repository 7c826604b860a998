"""A folder in an object store: named objects that are read, created once, replaced and listed.

Object stores know neither folders nor renaming. An object is written whole or not at all, and whoever reads it after it
was written sees it. Its *ETag* changes with its content: a write may be made conditional on it, so that of two writers
one is told that it was too late (RFC 9110, section 8.8.3).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import from_url

from kdtune.files.atomic import write_atomically
from kdtune.objects.object_errors import convert_object_errors
from kdtune.objects.urls import parse_object_url

# A request is tried again as long as this, through a hiccup of the network; a wrong address is told within 15 s.
RETRY_SECONDS = 10.0
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 300.0  # of one request with its content: a gigabyte over a slow line
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class StoredObject(NamedTuple):
    """An object as it was read."""

    content: bytes
    etag: str


class ObjectEntry(NamedTuple):
    """An object as it is listed."""

    name: str  # relative to the folder
    n_bytes: int
    etag: str


class ObjectFolder:
    """The objects whose names begin with the path of a URL. Its pickle, for the workers, is the URL.

    Credentials are those that the store's own tools use: environment variables, an instance role, or a profile of the
    AWS tools where boto3 is installed. Each method raises StorageError if the store cannot be reached or refuses.

    Parameters
    ----------
    url : as in ``s3://bucket/prefix``.

    Raises
    ------
    RequestError
        If the URL is none of an object store.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = parse_object_url(url)
        with convert_object_errors("open the store", self.url):
            self._store: Any = from_url(self.url, **_make_options(self.url, os.environ))

    def __reduce__(self) -> tuple[type[ObjectFolder], tuple[str]]:
        return ObjectFolder, (self.url,)

    def open_below(self, name: str) -> ObjectFolder:
        """Return the folder of this name below this one."""
        return ObjectFolder(f"{self.url}/{name}")

    # --- reading --------------------------------------------------------------------------------

    def read(self, name: str) -> StoredObject | None:
        """Read an object; None if there is none."""
        with convert_object_errors(f"read {name}", self.url):
            try:
                answer = obstore.get(self._store, name)
                return StoredObject(bytes(answer.bytes()), _get_etag(answer.meta))
            except FileNotFoundError as error:
                _raise_if_no_bucket(error)
                return None

    def download(self, name: str, path: Path) -> str | None:
        """Write an object to a file, which is replaced in one step, and return its ETag; None if there is none."""
        with convert_object_errors(f"read {name}", self.url):
            try:
                answer = obstore.get(self._store, name)
            except FileNotFoundError as error:
                _raise_if_no_bucket(error)
                return None

            def write(temporary: Path) -> None:
                with temporary.open("wb") as file:
                    for chunk in answer.stream():
                        file.write(chunk)

            write_atomically(path, write)
            return _get_etag(answer.meta)

    def find_etag(self, name: str) -> str | None:
        """Return the ETag of an object; None if there is none."""
        with convert_object_errors(f"read {name}", self.url):
            try:
                return _get_etag(obstore.head(self._store, name))
            except FileNotFoundError as error:
                _raise_if_no_bucket(error)
                return None

    def list_objects(self, prefix: str = "") -> list[ObjectEntry]:
        """List the objects below a folder of this one, or all, sorted by name."""
        with convert_object_errors("list the objects", self.url):
            entries = [
                ObjectEntry(_get_name(meta, self._store), meta["size"], _get_etag(meta))
                for batch in obstore.list(self._store, prefix or None)
                for meta in batch
            ]
        return sorted(entries)

    # --- writing --------------------------------------------------------------------------------

    def create(self, name: str, content: bytes | Path) -> str | None:
        """Create an object and return its ETag; None if there is one already, which stays as it is.

        Where an answer is lost and the request is repeated, the object that exists may be the one that was written
        here.
        """
        with convert_object_errors(f"write {name}", self.url):
            try:
                return _get_etag(obstore.put(self._store, name, content, mode="create"))
            except AlreadyExistsError:
                return None

    def write(self, name: str, content: bytes | Path) -> str:
        """Create or replace an object, and return its ETag."""
        with convert_object_errors(f"write {name}", self.url):
            return _get_etag(obstore.put(self._store, name, content))

    def update(self, name: str, content: bytes, etag: str) -> str | None:
        """Replace an object that still has this ETag, and return the new one; None if it has not, or is gone."""
        with convert_object_errors(f"write {name}", self.url):
            try:
                return _get_etag(obstore.put(self._store, name, content, mode={"e_tag": etag}))
            except (PreconditionError, AlreadyExistsError):
                return None
            except FileNotFoundError as error:
                _raise_if_no_bucket(error)
                return None

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; one that does not exist is no error."""
        names = list(names)
        if not names:
            return
        with convert_object_errors(f"delete {names[0]}", self.url):
            try:
                obstore.delete(self._store, names)
            except FileNotFoundError as error:  # Google's store says so.
                _raise_if_no_bucket(error)


def _make_options(url: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return how a store is opened: time limits, and for S3 whether its endpoint is reached without encryption."""
    is_plain = any(environment.get(name, "").startswith("http://") for name in _ENDPOINT_VARIABLES)
    options: dict[str, Any] = {
        "client_options": {
            "allow_http": is_plain,
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        },
        "retry_config": {"max_retries": 5, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    }
    provider = _find_profile(url, environment)
    if provider is not None:
        options["credential_provider"] = provider
    return options


def _find_profile(url: str, environment: Mapping[str, str]) -> Any:
    """Return what provides the credentials of a profile of the AWS tools; None if there is none, or no boto3.

    obstore itself knows environment variables and roles, not the files of profiles.
    """
    if not url.startswith("s3://") or "AWS_ACCESS_KEY_ID" in environment:
        return None
    folder = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    has_profile = "AWS_PROFILE" in environment or any((folder / name).exists() for name in ("credentials", "config"))
    if not has_profile:
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    return Boto3CredentialProvider()


def _raise_if_no_bucket(error: FileNotFoundError) -> None:
    """Raise the error of a missing object again if its whole bucket is missing."""
    if "NoSuchBucket" in str(error):
        raise error


def _get_etag(meta: Mapping[str, Any]) -> str:
    return str(meta["e_tag"] or meta.get("version") or "")


def _get_name(meta: Mapping[str, Any], store: Any) -> str:
    """Return an object's name relative to the folder."""
    path = str(meta["path"])
    prefix = f"{store.prefix}/" if getattr(store, "prefix", None) else ""
    return path.removeprefix(prefix)
