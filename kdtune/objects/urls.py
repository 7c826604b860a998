"""Tell the URL of a place in an object store from the path of a folder. This module does not import obstore."""

from __future__ import annotations

import os
import re

from kdtune.errors import RequestError

SCHEMES = {"s3": "S3", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>.*)", re.DOTALL)


def is_object_url(place: str | os.PathLike[str]) -> bool:
    """Return whether a place is given as a URL, as in ``s3://bucket/prefix``, of any scheme; otherwise it is a path.

    ``Path`` makes ``s3:/bucket`` of a URL, which counts as one.
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(place)) is not None


def parse_object_url(url: str | os.PathLike[str]) -> str:
    """Return the URL of a place in an object store without a slash at its end.

    Raises
    ------
    RequestError
        If it names no object store that kdtune knows, or no bucket.
    """
    text = re.sub(r":/(?!/)", "://", os.fspath(url), count=1)
    match = _URL.fullmatch(text)
    known = ", ".join(f"{scheme}:// ({name})" for scheme, name in SCHEMES.items())
    if match is None or match["scheme"].lower() not in SCHEMES:
        raise RequestError(f"{text}: results lie in a folder, or in an object store: {known}")
    place = match["place"].rstrip("/")
    bucket, *prefix = place.split("/")
    if not bucket:
        raise RequestError(f"{text}: the bucket is missing; write {match['scheme'].lower()}://BUCKET/PREFIX")
    if any(part in ("", ".", "..") for part in prefix) or re.search(r"[\\?#%\s\x00-\x1f]", place):
        raise RequestError(
            f"{text}: the names after the bucket may not be empty, '.' or '..', and hold no blank, no backslash and "
            f"none of ? # %"
        )
    return f"{match['scheme'].lower()}://{place}"
