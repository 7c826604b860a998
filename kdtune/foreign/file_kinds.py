"""Recognize kinds of files by their content, and say what to do with those that kdtune does not read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kdtune.errors import RequestError
from kdtune.foreign.records import SPACE, Dialect, iterate_records

PARQUET_MAGIC = b"PAR1"  # the format's specification, "File format"
ARROW_MAGIC = b"ARROW1"  # Arrow's columnar format, "IPC file format", which Feather is
STREAM_MAGIC = b"\xff\xff\xff\xff"  # Arrow's columnar format, "Encapsulated message format": the continuation marker
HEAD_SIZE = 4096

_SHEET = "save the sheet as CSV (in its program: Save As, CSV UTF-8), and name that file"
_PACKAGE = "convert it with the program or package that wrote it to CSV or Parquet, and name that file"
_MODEL = "kdtune reads tables with one row per network; write one as CSV, and name that file"
_TABLE = "save the table as CSV, with one row per network and the names of the columns first, and name that file"
_HTML = (
    "copy the table into a spreadsheet and save that as CSV, "
    "or read it in Python: kdtune.analyze(pandas.read_html({path!r})[0])"
)
_TORCH = "kdtune reads tables with one row per network; in Python, give it a DataFrame: kdtune.analyze(frame)"


def _suggest_pandas(call: str) -> str:
    return f"read it in Python: kdtune.analyze({call})"


# Where the magic number stands, what it is, the kind of file, and the remedy; "{path!r}" is the file's name.
_BINARY_KINDS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or other Office document", _SHEET),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _suggest_pandas("pandas.read_hdf({path!r})")),
    (0, b"SQLite format 3\0", "an SQLite database",
     _suggest_pandas("pandas.read_sql('SELECT * FROM table', sqlite3.connect({path!r}))")),
    (8, b"DUCK", "a DuckDB database", _suggest_pandas("duckdb.connect({path!r}).table('NAME').df()")),
    (0, b"\x93NUMPY", "an array of NumPy", _suggest_pandas("pandas.DataFrame(numpy.load({path!r}), columns=[...])")),
    (0, b"FEA1", "a Feather file of version 1", _suggest_pandas("pandas.read_feather({path!r})")),
    (0, b"ORC", "an ORC file", _suggest_pandas("pandas.read_orc({path!r})")),
    (0, b"Obj\x01", "an Avro file", _PACKAGE),
    (0, b"$FL2", "a table of SPSS", _suggest_pandas("pandas.read_spss({path!r})")),
    (0, b"<stata_dta>", "a table of Stata", _suggest_pandas("pandas.read_stata({path!r})")),
    (0, b"MATLAB 5.0", "a file of MATLAB", _TABLE),
    (0, b"RDX", "a file of R", "save the table in R: write.csv(table, 'table.csv', row.names = FALSE)"),
    (0, b"X\n\0\0\0", "a file of R", "save the table in R: write.csv(table, 'table.csv', row.names = FALSE)"),
    (0, b"%PDF-", "a PDF document", _TABLE),
    (0, b"\x89PNG\r\n\x1a\n", "an image", _TABLE),
    (0, b"\xff\xd8\xff", "an image", _TABLE),
    (0, b"GIF8", "an image", _TABLE),
    (0, b"{\\rtf", "a document of a word processor", _TABLE),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z)", "unpack it and name the table in it"),
    (0, b"Rar!\x1a\x07", "an archive (RAR)", "unpack it and name the table in it"),
    (0, b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself",
     "get the file with `git lfs pull`"),
)  # fmt: skip
# What PyTorch before 1.6 begins a checkpoint with: torch/serialization.py, MAGIC_NUMBER, in a pickle.
_OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TENSORBOARD = b"brain.Event:"  # the version that each event file of TensorBoard begins with
_SAFETENSORS = re.compile(rb"^.{5}\0\0\0\{", re.DOTALL)  # the length of the header, less than 1 GiB, and the header

_ARCHIVE_KINDS = (
    (re.compile(r"^xl/workbook"), "an Excel workbook", _SHEET),
    (re.compile(r"^word/"), "a Word document", _TABLE),
    (re.compile(r"^ppt/"), "a PowerPoint document", _TABLE),
    (re.compile(r"^Index/.*\.iwa$|^Index\.zip$"), "a document of Apple Numbers or Pages", _SHEET),
    (re.compile(r"(^|/)data\.pkl$"), "a checkpoint of PyTorch", _TORCH),
    (re.compile(r"\.keras$|^model\.weights\.h5$"), "a model of Keras", _MODEL),
)
_TEXT_KINDS = (
    (r"\s*(<!doctype html|<html|<head|<body|<table|<div)", "an HTML page", _HTML),
    (r"\s*<", "an XML file", _TABLE),
    (r"(\s*%[^\n]*\n)*\s*\\(documentclass|begin|usepackage)\b", "a LaTeX document", _TABLE),
    (r"(\s*%[^\n]*\n)*\s*@relation\b", "an ARFF file of Weka", _TABLE),
    (
        r"(\s*#[^\n]*\n)*\s*\[+(?!(true|false|null|nan|infinity)\])[\w.-]*[a-z][\w.-]*\]+\s*\n",
        "a file of settings (TOML or INI)",
        _TABLE,
    ),
)
# Lines of logs: of Python's logging and others (a time or a level before words), of glog, and of training loops.
_LOG_LINE = re.compile(
    r"\s*(\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d(:\d\d)?([.,]\d+)?Z?\]?[\s:-]+[^\s\d,;|:-]"
    r"|\[?(debug|info|warning|warn|error|critical)\b[\]:\s]|[IWEF]\d{4} \d\d:\d\d:\d\d"
    r"|(epoch|step|iter|iteration|batch|trial)s?\s*[:#\[]?\s*\[?\d+(\s*[/:\]]|,? *[a-z]))",
    re.IGNORECASE,
)
_NAMED_NUMBER = re.compile(r"[A-Za-z_][\w./-]* *[ =:] *[-+]?\d")  # "acc=0.9", "loss: 0.5", "seed 3"
_LOG_REMEDY = (
    "write a table as CSV, with the names of the columns first (temp,seed,num_error) and one row at the end of each "
    "run, and name that file"
)
_SEPARATORS = (",", ";", "\t", "|", SPACE)
_YAML_LINE = re.compile(r"^\s*(- +)?[\w./\"'-]+ ?:( |$)|^\s*-( |$)|^---|^\s*#|^\s*$")
_YAML_SAMPLE = 20  # lines
_YAML_REMEDY = (
    "a sweep file is run by `kdtune sweep`, and its table then lies under results/; "
    "save another table as CSV, with one row per network"
)


def refuse_kind(path: Path, kind: str, remedy: str) -> NoReturn:
    """Raise RequestError for a file of a kind that kdtune does not read; "{path!r}" in the remedy is its name."""
    remedy = remedy.replace("{path!r}", repr(str(path)))
    raise RequestError(f"{path}: this is {kind}, which kdtune does not read; {remedy}")


def refuse_binary_kind(path: Path, head: bytes) -> None:
    """Raise RequestError if a file is of a kind that is known by its first bytes and that kdtune does not read."""
    for position, magic, kind, remedy in _BINARY_KINDS:
        if head[position : position + len(magic)] == magic:
            refuse_kind(path, kind, remedy)
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        if _OLD_TORCH in head[:32]:
            refuse_kind(path, "a checkpoint of PyTorch", _TORCH)
        refuse_kind(path, "a pickle of Python", _suggest_pandas("pandas.read_pickle({path!r})"))
    if _TENSORBOARD in head[:64]:
        refuse_kind(path, "an event file of TensorBoard", _MODEL)
    if _SAFETENSORS.match(head):
        refuse_kind(path, "a file of weights (safetensors)", _MODEL)


def refuse_archive_kind(path: Path, names: Sequence[str], mimetype: bytes) -> None:
    """Raise RequestError if a zip archive is a document or a model.

    Parameters
    ----------
    path : The file, for messages.
    names : The files in the archive.
    mimetype : What its file "mimetype" holds, by which OpenDocument files are known.
    """
    if b"opendocument" in mimetype:
        refuse_kind(path, "an OpenDocument spreadsheet or text", _SHEET)
    if names and all(name.endswith(".npy") for name in names):
        refuse_kind(path, "an archive of NumPy arrays", _suggest_pandas("pandas.DataFrame(dict(numpy.load({path!r})))"))
    for pattern, kind, remedy in _ARCHIVE_KINDS:
        if any(pattern.search(name) for name in names):
            refuse_kind(path, kind, remedy)


def refuse_text_kind(path: Path, head: str) -> None:
    """Raise RequestError if a text is of a kind that is no table: a page, a document, settings.

    Parameters
    ----------
    path : The file, for messages.
    head : The first lines of the text.
    """
    for pattern, kind, remedy in _TEXT_KINDS:
        if re.match(pattern, head, re.IGNORECASE):
            refuse_kind(path, kind, remedy)
    lines = [line for line in head.split("\n")[:_YAML_SAMPLE] if line.strip() and not line.lstrip().startswith("#")]
    has_names = any(":" in line for line in lines)
    if has_names and all(_YAML_LINE.match(line.rstrip("\r")) for line in lines):
        has_results = Path("results", path.stem).is_dir()
        remedy = (
            f"if you mean the results of this sweep, name them: kdtune analyze {path.stem}"
            if has_results
            else _YAML_REMEDY
        )
        refuse_kind(path, "a YAML file", remedy)
    if _is_log(lines):
        refuse_kind(path, "a log, lines of text without a table", _LOG_REMEDY)
    if len(lines) > 1 and not re.search(r"[\d,;\t|]", head):
        refuse_kind(path, "a text without numbers", _LOG_REMEDY)


def _is_log(lines: Sequence[str]) -> bool:
    """Return whether most lines are those of a log, and no line above them names columns of theirs."""
    is_log_line = [bool(_LOG_LINE.match(line)) or len(_NAMED_NUMBER.findall(line)) > 1 for line in lines]
    if 2 * sum(is_log_line) <= len(lines):
        return False
    first = is_log_line.index(True)
    return not any(_has_names(lines, first, separator) for separator in _SEPARATORS if separator in lines[first])


def _has_names(lines: Sequence[str], position: int, separator: str) -> bool:
    """Return whether a row above a line has as many values as the row in which this line stands, at least two.

    Quoted values hold separators, and look like lines of a log: Ray writes "T=1,seed=0" into ``experiment_tag``.
    """
    sizes: set[int] = set()
    try:
        for record in iterate_records(Path(), lines, Dialect(separator, '"')):
            if record.line + len(record.lines) - 1 > position:
                return len(record.fields) > 1 and len(record.fields) in sizes
            sizes.add(len(record.fields))
    except RequestError:
        pass  # This separator makes no rows of the text.
    return False
