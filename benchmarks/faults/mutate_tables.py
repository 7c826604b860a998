"""Damage a table: its columns, cells and rows, the kind of its file, its lines, its bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pandas as pd

from benchmarks.faults.mutate_bytes import BYTE_MUTATORS, TEXT_MUTATORS

ODD_CELLS: tuple[Any, ...] = (
    None, math.nan, math.inf, -math.inf, 0, -1, -0.0, 1e-320, 1e308, 2**53 + 1, 2**62, 0.1, True, False, "", " ", "abc",
    "NaN", "nan", "inf", "1e999", "-", "?", "n/a", "1,5", "1.234,5", "10 %", "1 000", "$5", "0x10", "1e3", "T=4", "4.0",
    "2001-12-14", "12:30", "[1, 2]", '{"a": 1}', "teacher", "student", "failed", "running", "é", "名前", "\U0001f600",
    "a,b", "a;b", "a\tb", 'a"b', "a\nb", "x" * 10_000, "=1+1",
)  # fmt: skip
ODD_NAMES = (
    "", " ", "temp", "T", "temperature", "num_error", "error", "accuracy", "acc", "loss", "seed", "replicate", "model",
    "status", "id", "width", "a b", "a.b", "a/b", "é", "名前", "x" * 3000, "1", "0.5", "nan", "Unnamed: 0", "index",
    "a\nb", "__index_level_0__", "level_0", "val_num_error", "n_test", "teacher_id", "lr", "alpha", "epoch", "'", '"',
)  # fmt: skip

ENDINGS = (".csv", ".csv", ".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".parquet", ".feather", ".csv.gz")


def mutate_table(frame: pd.DataFrame, random: Random) -> tuple[str, bytes]:
    """Return the ending of a file's name, and a damaged table as its bytes."""
    ending = random.choice(ENDINGS)
    way = random.random()
    if way < 0.75:
        for _ in range(random.choice((1, 1, 2, 3, 5))):
            frame = random.choice(FRAME_MUTATORS)(frame.copy(), random)
    data = _encode(frame, ending, random)
    is_text = ending in (".csv", ".tsv", ".txt", ".json", ".jsonl")
    if way > 0.65:
        mutators: tuple[Callable[[bytes, Random], bytes], ...] = BYTE_MUTATORS
        if is_text:
            mutators = (*BYTE_MUTATORS, *TEXT_MUTATORS, *TEXT_MUTATORS, *ROW_MUTATORS, *ROW_MUTATORS)
        data = random.choice(mutators)(data, random)
    if random.random() < 0.05:
        ending = random.choice((*ENDINGS, "", ".xlsx", ".pkl", ".npz", ".db", ".YAML"))
    return ending, data


def _encode(frame: pd.DataFrame, ending: str, random: Random) -> bytes:
    """Write a table in the kind of file that a name's ending stands for."""
    stream = io.BytesIO()
    if ending in (".parquet", ".feather"):
        try:
            frame.to_parquet(stream) if ending == ".parquet" else frame.reset_index(drop=True).to_feather(stream)
            return stream.getvalue()
        except Exception:  # These kinds cannot hold every table: columns of mixed types, doubled names.
            texts = frame.set_axis([f"{name} {i}" for i, name in enumerate(frame.columns)], axis=1).astype(str)
            return bytes(texts.to_parquet())
    if ending in (".json", ".jsonl"):
        orient = "records" if ending == ".jsonl" else random.choice(("records", "columns", "split", "index", "values"))
        frame = frame.reset_index(drop=True)
        frame.columns = [f"{name} {i}" if list(frame.columns).count(name) > 1 else name for i, name in enumerate(frame)]
        return frame.to_json(orient=orient, lines=ending == ".jsonl").encode("utf-8", errors="replace")
    separator = "\t" if ending == ".tsv" else random.choice((",", ",", ",", ";", "\t", "|", " "))
    frame.to_csv(stream, sep=separator, index=random.random() < 0.2, decimal=random.choice((".", ".", ".", ",")),
                 compression="gzip" if ending.endswith(".gz") else None)  # fmt: skip
    return stream.getvalue()


# --- columns, cells, rows -----------------------------------------------------------------------


def _choose_column(frame: pd.DataFrame, random: Random) -> int:
    return random.randrange(max(len(frame.columns), 1))


def _set_column(frame: pd.DataFrame, i: int, values: list[Any]) -> pd.DataFrame:
    """Return the frame with other values in a column; its name may stand twice."""
    columns = [frame.iloc[:, j] for j in range(len(frame.columns))]
    if columns:
        columns[i] = pd.Series(values, index=frame.index, dtype=object, name=frame.columns[i]).infer_objects()
    return pd.concat(columns, axis=1) if columns else frame


def _drop_column(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    i = _choose_column(frame, random)
    return frame.iloc[:, [j for j in range(len(frame.columns)) if j != i]]


def _rename_column(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    names = list(frame.columns)
    i = _choose_column(frame, random)
    if names:
        names[i] = random.choice((*ODD_NAMES, str(names[i]).upper(), f"{names[i]} ", random.choice(names)))
    return frame.set_axis(names, axis=1)


def _double_column(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    i = _choose_column(frame, random)
    return pd.concat([frame, frame.iloc[:, [i]]], axis=1) if len(frame.columns) else frame


def _replace_cells(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    """Replace one cell, some or all of a column."""
    i = _choose_column(frame, random)
    values = list(frame.iloc[:, i]) if len(frame.columns) else []
    share, cell = random.choice((0.0, 0.1, 0.5, 1.0)), random.choice(ODD_CELLS)
    values = [cell if random.random() < share else value for value in values]
    if values:
        values[random.randrange(len(values))] = random.choice(ODD_CELLS)
    return _set_column(frame, i, values)


def _mix_cells(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    """Fill a column with odd cells of all kinds."""
    return _set_column(frame, _choose_column(frame, random), random.choices(ODD_CELLS, k=len(frame)))


def _shuffle_column(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    i = _choose_column(frame, random)
    values = list(frame.iloc[:, i]) if len(frame.columns) else []
    random.shuffle(values)
    return _set_column(frame, i, values)


def _make_text(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    i = _choose_column(frame, random)
    values = list(frame.iloc[:, i]) if len(frame.columns) else []
    return _set_column(
        frame, i, [random.choice(("{}", "{} ms", "T{}", '"{}"', " {}", "{}%")).format(x) for x in values]
    )


def _scale_column(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    i = _choose_column(frame, random)
    values = list(frame.iloc[:, i]) if len(frame.columns) else []
    factor = random.choice((-1, 0, 1e-300, 1e-9, 1e9, 1e300, math.inf))
    return _set_column(frame, i, [float(x) * factor if isinstance(x, int | float) else x for x in values])


def _change_rows(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    """Leave rows out, double or reorder them."""
    order = list(range(len(frame)))
    if not order:
        return frame
    random.shuffle(order)
    n_rows = random.choice((0, 1, 2, 3, len(order) // 2, len(order)))
    picked = random.choice(
        (order[:n_rows], sorted(order[:n_rows]), order + order[:n_rows], random.choices(order, k=n_rows))
    )
    return frame.iloc[picked]


FRAME_MUTATORS: tuple[Callable[[pd.DataFrame, Random], pd.DataFrame], ...] = (
    _drop_column, _drop_column, _rename_column, _double_column, _replace_cells, _replace_cells, _replace_cells,
    _mix_cells, _shuffle_column, _make_text, _scale_column, _change_rows,
)  # fmt: skip


# --- lines --------------------------------------------------------------------------------------


def _keep_header(data: bytes, random: Random) -> bytes:
    return b"".join(data.splitlines(keepends=True)[: random.choice((1, 1, 2))])


def _mix_separators(data: bytes, random: Random) -> bytes:
    """Separate some lines by another character."""
    lines = data.splitlines(keepends=True)
    return b"".join(
        line.replace(b",", random.choice((b";", b"\t", b"|"))) if random.random() < 0.3 else line for line in lines
    )


def _make_ragged(data: bytes, random: Random) -> bytes:
    """Cut off some lines, lengthen others."""
    lines = data.splitlines()
    for _ in range(random.randint(1, 5) if lines else 0):
        i = random.randrange(len(lines))
        lines[i] = random.choice(
            (lines[i][: random.randrange(len(lines[i]) + 1)], lines[i] + b",1,2,3", b"", b"# note", b'"')
        )
    return b"\n".join(lines)


def _add_preamble(data: bytes, random: Random) -> bytes:
    return random.choice((b"# made by a tool\n", b"sep=;\n", b"\n\n", b"Report of today\n\n", b"a,b\n1,2\n\n")) + data


ROW_MUTATORS = (_keep_header, _mix_separators, _make_ragged, _add_preamble)
