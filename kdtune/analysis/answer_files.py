"""Write an answer beside the table that it comes from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from kdtune.analysis.answer import Answer
from kdtune.columns import VALIDATION_MEASURES
from kdtune.files.atomic import write_atomically
from kdtune.table import write_table
from kdtune.versions import __version__


def write_answer(answer: Answer, folder: Path) -> list[Path]:
    """Write each frame as a Parquet file, and all but the curves as ``analysis.json``; return the files.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = {
        "t_opt": answer.t_opt,
        "test": answer.test,
        **({} if answer.selected_test.empty else {f"test_{answer.test_measure}": answer.selected_test}),
        "curves": answer.curves,
        "fixed": answer.fixed,
        "effects": answer.effects,
        "effects_by_set": answer.effects_by_set,
        "overall": answer.overall,
        "overall_curves": answer.overall_curves,
    }
    if len(answer.pairs):
        # A file of columns has no mappings from numbers.
        tied = answer.pairs["tied"].map(lambda tied: {f"{weight:g}": values for weight, values in tied.items()})
        frames["pairs"] = answer.pairs.assign(tied=tied.map(json.dumps))
    else:
        (folder / "pairs.parquet").unlink(missing_ok=True)
    files = []
    for measure in VALIDATION_MEASURES:
        if f"test_{measure}" not in frames:  # of an earlier answer, by another measure
            (folder / f"test_{measure}.parquet").unlink(missing_ok=True)
    for name, frame in frames.items():
        file = folder / f"{name}.parquet"
        write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
        files.append(file)
    text = _format_json(answer, frames)
    file = folder / "analysis.json"
    write_atomically(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return [*files, file]


def _format_json(answer: Answer, frames: dict[str, pd.DataFrame]) -> str:
    content: dict[str, Any] = {
        "kdtune": __version__,
        "cell": answer.cell_columns,
        "T_opt_is_the_minimum_of": answer.selection_measure if answer.measure is None else answer.measure.name,
        "error_margin": answer.margins.error,
        "effect_margin": answer.margins.effect,
    }
    if answer.measure is not None and answer.measure.is_higher_better:
        content["T_opt_is_the_maximum_of"] = content.pop("T_opt_is_the_minimum_of")
    if not answer.is_paired:
        content["paired"] = False
    content["advice"] = [each.text for each in answer.advice]
    for name in ("unfinished", "reserve", "reading_notes", "matching_notes"):
        if getattr(answer, name):
            content[name] = getattr(answer, name)
    for name, frame in frames.items():
        if name not in ("curves", "overall_curves"):
            content[name] = to_json_rows(frame)
    entries = [f"{json.dumps(name)}: {_format_value(value)}" for name, value in content.items()]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _format_value(value: Any) -> str:
    """Return a value as JSON with one row per line, so that a changed row changes one line of the file."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def to_json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON objects; infinite, undefined and missing values are null."""
    return [{str(key): _to_json(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value is pd.NA else value
