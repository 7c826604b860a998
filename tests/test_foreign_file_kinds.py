"""Files are known by their content: those that kdtune reads, and those that are named as what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdtune.errors import RequestError
from kdtune.foreign.files import read_file
from kdtune.table import to_frame

FRAME = pd.DataFrame({"temp": [1, 2.5, 4], "width": [10, 10, 20], "name": ["a", None, "ü, b"], "e": [178, 149, 150]})
CSV = FRAME.to_csv(index=False).encode()
PUBLISHED = sorted((Path(__file__).parents[1] / "results/published").glob("*/table.parquet"))
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of any name."""

    def read_content(content, name="table"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_file(path)

    return read_content


def write_parquet():
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    return buffer.getvalue()


def write_feather():
    buffer = io.BytesIO()
    FRAME.to_feather(buffer)
    return buffer.getvalue()


def write_arrow_stream():
    table = pa.Table.from_pandas(FRAME)
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def write_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write_tar(files, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


COMPRESSORS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
    "zstd": lambda content: pa.compress(content, "zstd", asbytes=True),
    "lz4": lambda content: pa.compress(content, "lz4", asbytes=True),
    "zip": lambda content: write_zip({"folder/table": content}),
    "zip of macOS": lambda content: write_zip({"table": content, "__MACOSX/._table": b"x"}),
    "tar": lambda content: write_tar({"table": content}),
    "tar.gz": lambda content: write_tar({"folder/table": content}, "w:gz"),
    "nothing": lambda content: content,
}


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
@pytest.mark.parametrize(
    "content",
    [
        CSV,
        CSV.decode().encode("utf-16"),
        write_parquet(),
        write_feather(),
        write_arrow_stream(),
        FRAME.to_json().encode(),
    ],
    ids=["csv", "utf-16", "parquet", "feather", "stream", "json"],
)
@pytest.mark.parametrize("name", ["table", "table.xlsx"])
def test_a_table_is_known_by_its_content(read, compress, content, name):
    pd.testing.assert_frame_equal(read(compress(content), name).frame, FRAME)


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "zstd", "lz4", "zip", "tar.gz"])
def test_a_damaged_compressed_file_is_said_to_be(read, compression):
    content = COMPRESSORS[compression](CSV * 50)
    with pytest.raises(RequestError, match="table: the file cannot be decompressed"):
        read(content[: len(content) // 2])


@pytest.mark.parametrize("write", [write_parquet, write_feather, write_arrow_stream])
def test_a_damaged_file_of_columns_is_said_to_be(read, write):
    with pytest.raises(RequestError, match=r"table: this is not a readable (Parquet|Arrow .Feather.) file"):
        read(write()[:-60] if write is not write_arrow_stream else write()[:300])


def test_of_an_archive_with_other_files_the_table_is_read_and_said(read):
    table = read(write_zip({"readme": b"x", "results/table.csv": CSV}))
    pd.testing.assert_frame_equal(table.frame, FRAME)
    assert table.notes == ["Of the files in the archive results/table.csv was read."]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": CSV, "b.csv": CSV}, "it holds a.csv and b.csv"),
        ({}, "it holds no file"),
        ({"a": b"", "b": b""}, "a and b"),
    ],
)
def test_an_archive_without_one_table_is_refused(read, files, message):
    with pytest.raises(RequestError, match=f"table: this is an archive, and .*{message}; unpack it and name one table"):
        read(write_zip(files))


def save(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def write_sqlite(tmp_path):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    FRAME.to_sql("runs", connection)
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "kind", "remedy"),
    [
        (write_zip({"[Content_Types].xml": "x", "xl/workbook.xml": "x"}), "an Excel workbook", "save the sheet as CSV"),
        (write_zip({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "an OpenDocument", "save the"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an old Excel workbook", "save the sheet as CSV"),
        (pickle.dumps(FRAME), "a pickle of Python", "kdtune.analyze(pandas.read_pickle('"),
        (gzip.compress(pickle.dumps(FRAME)), "a pickle of Python", "kdtune.analyze(pandas.read_pickle('"),
        (save(lambda file: torch.save({"a": torch.ones(2)}, file)), "a checkpoint of PyTorch", "one row per network"),
        (
            save(lambda file: torch.save({"a": 1}, file, _use_new_zipfile_serialization=False)),
            "a checkpoint of PyTorch",
            "one row per network",
        ),
        (save(lambda file: np.save(file, np.ones(3))), "an array of NumPy", "numpy.load('"),
        (save(lambda file: np.savez(file, a=np.ones(3))), "an archive of NumPy arrays", "numpy.load('"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", "pandas.read_hdf('"),
        (b"%PDF-1.4\n%\xe2\xe3", "a PDF document", "as CSV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "an image", "as CSV"),
        (b"<!DOCTYPE html>\n<html>", "an HTML page", "pandas.read_html('"),
        ("\ufeff<table><tr>".encode("utf-16-le"), "an HTML page", "pandas.read_html('"),
        (b"<?xml version='1.0'?>\n<a/>", "an XML file", "as CSV"),
        (b"# mine\nname: x\nstudent:\n  width: 3\n", "a YAML file", "kdtune sweep"),
        (b"[sweep]\nT = 4\n", "a file of settings", "as CSV"),
        (json.dumps({"cells": [], "nbformat": 4}).encode(), "a Jupyter notebook", "to_csv"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "a pointer of Git LFS", "git lfs pull"),
        (b"\\begin{tabular}{ll}\nT & e\\\\\n", "a LaTeX document", "as CSV"),
        (b"% made\n@relation runs\n@attribute T numeric\n", "an ARFF file", "as CSV"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_other_files_are_named_with_the_remedy(read, tmp_path, content, kind, remedy):
    with pytest.raises(RequestError) as error:
        read(content, "table.csv")
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/table.csv: this is {kind}")
    assert remedy in message
    assert "{" not in message


def test_a_database_is_named_as_one(read, tmp_path):
    with pytest.raises(RequestError, match=r"this is an SQLite database, .*read_sql"):
        read(write_sqlite(tmp_path))


def test_a_file_that_cannot_be_read_is_said_with_the_reason(tmp_path):
    with pytest.raises(RequestError, match=r"missing\.csv: cannot be read as a table: No such file"):
        read_file(tmp_path / "missing.csv")


@pytest.mark.skipif(not PUBLISHED, reason="no published results")
@pytest.mark.parametrize("path", PUBLISHED[:3], ids=lambda path: path.parent.name)
def test_tables_of_sweeps_are_read_as_before(path):
    table = read_file(path)
    pd.testing.assert_frame_equal(table.frame, to_frame(pq.read_table(path)), check_exact=True)
    assert table.notes == []


# JSON.


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
def test_json_of_pandas_is_read(read, orient):
    pd.testing.assert_frame_equal(read(FRAME.to_json(orient=orient).encode()).frame, FRAME)


def test_json_lines_are_read(read):
    content = FRAME.to_json(orient="records", lines=True).encode()
    pd.testing.assert_frame_equal(read(content).frame, FRAME)
    pd.testing.assert_frame_equal(read(b"\xef\xbb\xbf\n" + content + b"\n\n").frame, FRAME)
    with pytest.raises(RequestError, match=r"table:3: the line is not valid JSON: .*; complete or remove it"):
        read(content[:-9])


@pytest.mark.parametrize(
    ("value", "expected", "note"),
    [
        ([{"T": 1, "config": {"w": 3, "l": [1]}}, {"T": 2.5}],
         {"T": [1, 2.5], "config.w": [3, None], "config.l": ["[1]", None]}, ""),
        ({"T": [1, 2], "e": [3, 4.5]}, {"T": [1, 2], "e": [3, 4.5]}, ""),
        ([["T", "e"], [1, 3], [2, 4]], {"T": [1, 2], "e": [3, 4]}, "first list"),
        ({"name": "x", "runs": [{"T": 1}, {"T": 2}]}, {"T": [1, 2]}, 'list "runs" in the JSON. Not read: name.'),
        ({"r1": {"T": 1}, "r2": {"T": 2}}, {"key": ["r1", "r2"], "T": [1, 2]}, "its name the value of the column key"),
        ({"config": {"T": 1}, "summary": {"e": 3}}, {"config.T": [1], "summary.e": [3]}, ""),
        ({"T": 1, "e": 3}, {"T": [1], "e": [3]}, ""),
    ],
)  # fmt: skip
def test_json_of_other_forms_is_read(read, value, expected, note):
    table = read(json.dumps(value).encode())
    frame = table.frame.astype(object).where(table.frame.notna(), None)
    assert {name: frame[name].tolist() for name in frame.columns} == expected
    assert note in " ".join(table.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "table: this JSON is no table, but a list of numbers; kdtune reads a list of records"),
        (b"[]", "table: this JSON is no table"),
        (b"{}", "table: "),
        (b'{"a": [1, 2], "b": [1]}', "table: the columns in the JSON have different numbers of values: a has 2"),
        (b'{"a": [{"T": 1}], "b": [{"T": 2}]}', "table: the JSON holds several tables .a and b."),
        (b'{"a": 1,, "b": 2}', "table:1: this is not valid JSON"),
        (b'[{"a": 1},\n{"a": 2}', "table:2: this is not valid JSON"),
        (b'{"columns": ["a", "b"], "data": [[1, 2], [3]]}', "table: row 2 in the JSON does not have 2 values"),
        (b'{"columns": ["a", "a"], "data": [[1, 2], [3, 4]]}', "table: two columns in the JSON have one name"),
        (b'{"0": {"0": 1}, "1": {"0": 2}}', "table: the columns of the table in the JSON have no names"),
        (b"[" * 100_000, "table: this JSON is no table: its values lie too deep"),
        (b'[{"a": ' + b"1" * 5000 + b"}]", "table: this JSON cannot be read"),
    ],
)  # fmt: skip
def test_json_that_is_no_table_is_refused(read, content, message):
    with pytest.raises(RequestError, match=message):
        read(content)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab0.", max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON)
@settings(ANY_FOLDER, max_examples=100)
def test_any_json_is_read_or_refused(tmp_path, value):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(value))
    try:
        frame = read_file(path).frame
    except RequestError:
        return
    assert len(frame)
    assert frame.columns.is_unique
