"""Tables whose columns hold objects: runs as trackers give them, with their configuration and summary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdtune
from kdtune.foreign.nested_columns import flatten_records, read_objects
from tests.planted_tables import BEST, find_best, make_runs


def make_records() -> list[dict[str, object]]:
    return [
        {
            "summary": {"acc": 1 - row.num_error / 10_000, "_wandb": {"runtime": 50 + index}, "_step": 100},
            "config": {"T": row.temp, "width": int(row.width), "seed": int(row.replicate), "optimizer": {"lr": 0.1}},
            "name": f"run-{index}",
        }
        for index, row in enumerate(make_runs().itertuples())
    ]


def save_csv(folder: Path, write: object) -> Path:
    rows = [{name: write(value) if isinstance(value, dict) else value for name, value in row.items()}  # type: ignore[operator]
            for row in make_records()]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "runs.csv")
    return folder / "runs.csv"


def save_json(folder: Path, value: object) -> Path:
    (folder / "runs.json").write_text(json.dumps(value))
    return folder / "runs.json"


def save_parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(make_records()), folder / "runs.parquet")
    return folder / "runs.parquet"


def to_wandb_values(value: dict[str, object]) -> dict[str, object]:
    return {name: {"value": item, "desc": None} for name, item in value.items()}


RECORDS = make_records()
FRAME = pd.DataFrame(RECORDS)
COLUMNS = {name: FRAME[name].tolist() for name in FRAME.columns}
SOURCES = {
    "frame of dicts": lambda folder: FRAME,
    "W&B's snippet": lambda folder: pd.DataFrame(
        {"summary": [row["summary"] for row in RECORDS], "config": [row["config"] for row in RECORDS], "name": "x"}
    ),
    "list of nested dicts": lambda folder: RECORDS,
    "dict of lists of dicts": lambda folder: COLUMNS,
    "frame with a gap": lambda folder: pd.concat([FRAME, pd.DataFrame({"name": ["crashed"]})]),
    "CSV of dicts": lambda folder: save_csv(folder, str),
    "CSV of dicts with nan": lambda folder: save_csv(folder, lambda value: str({**value, "x": np.nan, "y": -np.inf})),
    "CSV of dicts with numpy": lambda folder: save_csv(folder, lambda value: str({**value, "x": np.float64(0.5)})),
    "CSV of JSON": lambda folder: save_csv(folder, json.dumps),
    "frame of that CSV": lambda folder: pd.read_csv(save_csv(folder, str)),
    "JSON of W&B's values": lambda folder: FRAME.assign(config=[json.dumps(to_wandb_values(c)) for c in FRAME.config]),
    "JSON records": lambda folder: save_json(folder, RECORDS),
    "JSON columns": lambda folder: save_json(folder, COLUMNS),
    "JSON of pandas": lambda folder: save_json(folder, json.loads(FRAME.to_json())),
    "Arrow": lambda folder: pa.Table.from_pylist(RECORDS),
    "ArrowDtype": lambda folder: pa.Table.from_pylist(RECORDS).to_pandas(types_mapper=pd.ArrowDtype),
    "Parquet": save_parquet,
    "polars": lambda folder: pytest.importorskip("polars").DataFrame(RECORDS),
    "DuckDB": lambda folder: pytest.importorskip("duckdb").sql(f"select * from '{save_parquet(folder)}'"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_columns_of_objects_are_flattened(kind, tmp_path):
    source = SOURCES[kind](tmp_path)
    answer = kdtune.analyze(source)
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert set(answer.t_opt["replicates"]) == {5}
    notes = " ".join(answer.reading_notes)
    assert "The temperature is the column config.T." in notes
    if kind != "JSON records":
        assert "is read as a column of its own" in notes
    assert find_best(source, where="`config.width` > 0", map={"temp": "config.T"}) == BEST


def test_a_column_of_which_one_text_is_no_object_stays_text():
    texts = pd.Series(['{"a": 1}', "{a}", None])
    assert read_objects(texts) is None
    assert read_objects(texts[:1]) == [{"a": 1}]
    assert read_objects(pa.array(["{1, 2}"])) is None
    assert read_objects(pd.Series([{"a": 1}, 3])) is None
    assert read_objects(pd.Series([None, np.nan])) is None
    frame = make_runs().assign(note="{best}", tag="{'a': open('x')}")
    assert find_best(frame) == BEST


@given(
    st.recursive(
        st.dictionaries(st.text("abc", min_size=1), st.integers() | st.none() | st.text() | st.floats(allow_nan=False)),
        lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1),
        max_leaves=6,
    ).filter(bool)
)
def test_python_and_json_texts_are_the_objects_that_they_were_written_from(record):
    (flat,) = flatten_records([record])
    for text in (json.dumps(record), str(record)):
        read = read_objects(pd.Series([text, None], dtype=object))
        assert read is not None
        assert flatten_records([read[0] or {}]) == [flat]
