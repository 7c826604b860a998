"""Decompress files, and take the table out of archives. Both are known by their content, not by their names."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa

from kdtune.analysis.file_problems import make_compression_error, make_decompression_error
from kdtune.errors import RequestError
from kdtune.foreign.file_kinds import refuse_archive_kind
from kdtune.text import join_names

_MAX_LAYERS = 4  # as in a .csv.gz in a .tar in a .zip
_ERRORS = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
_TABLE_ENDINGS = {".csv", ".tsv", ".tab", ".parquet", ".feather", ".arrow", ".json", ".jsonl", ".ndjson"}
_TAR_MAGIC, _TAR_POSITION = b"ustar", 257  # POSIX.1-1988, "ustar interchange format"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


class Content(NamedTuple):
    """The content of a file without its compression."""

    content: bytes
    notes: list[str]  # which file of an archive it is: a sentence


def _read_arrow_stream(codec: str) -> Callable[[bytes], bytes]:
    def decompress(content: bytes) -> bytes:
        stream = pa.input_stream(pa.py_buffer(content), compression=codec)
        return bytes(stream.read())

    return decompress


# What each kind of compressed file starts with: the formats' specifications.
_DECOMPRESSORS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
    b"\x5d\x00\x00": lzma.decompress,
    b"\x28\xb5\x2f\xfd": _read_arrow_stream("zstd"),
    b"\x04\x22\x4d\x18": _read_arrow_stream("lz4"),
}


def decompress(path: Path, content: bytes) -> Content:
    """Return a file's content without compression; of an archive, its only table.

    Parameters
    ----------
    path : The file, for messages.
    content : The bytes of the file.

    Raises
    ------
    RequestError
        If it is damaged, needs a package that is not installed, is an archive of several files, or a document or
        model in the form of an archive.
    """
    notes: list[str] = []
    for _ in range(_MAX_LAYERS):
        try:
            layer = _open_layer(path, content)
        except RequestError:
            raise
        except (ImportError, pa.ArrowNotImplementedError):
            raise make_compression_error(path) from None
        except _ERRORS:
            raise make_decompression_error(path) from None
        if layer is None:
            break
        content = layer.content
        notes += layer.notes
    return Content(content, notes)


def _open_layer(path: Path, content: bytes) -> Content | None:
    """Return what one layer of compression holds; None if there is none."""
    for magic, read in _DECOMPRESSORS.items():
        if content.startswith(magic):
            return Content(read(content), [])
    if content.startswith(_ZIP_MAGICS):
        return _open_zip(path, content)
    if content[_TAR_POSITION : _TAR_POSITION + len(_TAR_MAGIC)] == _TAR_MAGIC:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = {member.name: member for member in archive.getmembers() if member.isfile()}
            name, notes = _choose_member(path, list(members))
            file = archive.extractfile(members[name])
            assert file is not None
            return Content(file.read(), notes)
    return None


def _open_zip(path: Path, content: bytes) -> Content:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        refuse_archive_kind(path, names, archive.read("mimetype") if "mimetype" in names else b"")
        name, notes = _choose_member(path, names)
        if archive.getinfo(name).flag_bits & 1:
            raise RequestError(f"{path}: the archive is encrypted; unpack it and name the table in it")
        return Content(archive.read(name), notes)


def _choose_member(path: Path, names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the only table of an archive, with a note if there are other files.

    Raises
    ------
    RequestError
        If there is none, or several may be.
    """
    names = [name for name in names if not PurePosixPath(name).name.startswith(".")]  # macOS adds such files.
    tables = [name for name in names if not _TABLE_ENDINGS.isdisjoint(PurePosixPath(name.lower()).suffixes)]
    candidates = names if len(names) == 1 else tables
    if len(candidates) != 1:
        contents = f"it holds {join_names(candidates or names, max_names=3)}" if names else "it holds no file"
        raise RequestError(f"{path}: this is an archive, and {contents}; unpack it and name one table")
    return candidates[0], [] if len(names) == 1 else [f"Of the files in the archive {candidates[0]} was read."]
