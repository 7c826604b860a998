"""Write an answer beside the table that it comes from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from kdtune.analysis.answer import Answer
from kdtune.files.atomic import write_atomically
from kdtune.table import write_table
from kdtune.versions import __version__


def write_answer(answer: Answer, folder: Path) -> list[Path]:
    """Parquet files, and all but the curves in ``analysis.json`` too; the files written.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("t_opt", "test", "curves", "fixed", "effects")
    frames: dict[str, pd.DataFrame] = {name: getattr(answer, name) for name in names}
    about = {
        "kdtune": __version__,
        "cell": answer.columns,
        "T_opt_is_the_minimum_of": answer.decide,
        "error_margin": answer.margins.error,
        "effect_margin": answer.margins.effect,
    }
    content = about | {name: plain(frame) for name, frame in frames.items() if name != "curves"}
    parts = (f"{json.dumps(name)}: {_text(value)}" for name, value in content.items())
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    for name, frame in frames.items():
        write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet")
    write_atomically(folder / "analysis.json", lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return [*(folder / f"{name}.parquet" for name in frames), folder / "analysis.json"]


def _text(value: Any) -> str:
    """JSON, of many rows each on a line: written at once, and a difference between two files is one of rows."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON knows them: what is unbounded, undefined or absent is null."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value is pd.NA else value
