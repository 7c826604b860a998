"""Results folders as they are while a sweep runs, and the page's application over them, for tests of `kdtune watch`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from starlette.testclient import TestClient

from kdtune.results.live_status import LiveStatus, RunningPack, write_status
from kdtune.table import read_table, write_table
from kdtune.watch.analyst import analyze
from kdtune.watch.answer_cache import AnswerCache
from kdtune.watch.app import WatchPage, make_app
from kdtune.watch.guards import LOOPBACK_NAMES, TOKEN_HEADER
from kdtune.watch.watched_folders import WatchedFolders

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
TOKEN = "a-token-of-the-tests"


class AnalystHere:
    """Analyzes in this process, so that tests need not start another one."""

    def ask(self, folder: Path, is_ended: bool) -> dict[str, Any]:
        return analyze(folder, is_ended)

    def end(self) -> None:
        pass


def open_page(root: Path, sweep: str | None = None, token: str | None = TOKEN) -> TestClient:
    """Return a client of the page's application, which sends the token."""
    page = WatchPage(WatchedFolders(root, sweep), AnswerCache(AnalystHere()))  # type: ignore[arg-type]
    client = TestClient(make_app(page, token, LOOPBACK_NAMES), base_url="http://127.0.0.1:8700")
    client.headers[TOKEN_HEADER] = TOKEN
    return client


def get_json(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return the first true value of a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail(f"still not true after {seconds} s")


def wait_for_answer(client: TestClient, sweep: str) -> Any:
    """Return the status of a sweep once its answer, or why there is none, is there."""

    def find_status() -> Any:
        status = get_json(client, f"/api/status?sweep={sweep}")
        answer = status["answer"]
        is_there = not answer["is_computing"] and (answer["has_summary"] or answer["problem"])
        return status if is_there else None

    return wait_for(find_status)


def copy_table(source: str, folder: Path, share: float = 1.0, **columns: Any) -> None:
    """Write the first rows of a published table into a sweep's folder, some columns replaced by one value."""
    table = read_table(PUBLISHED / source / "table.parquet")
    metadata = table.schema.metadata
    for name, value in columns.items():
        column = pa.array([value] * len(table), table[name].type)
        table = table.set_column(table.column_names.index(name), name, column)
    n_rows = round(share * len(table))
    replicate_first = pc.sort_indices(table, [("replicate", "ascending")])
    folder.mkdir(parents=True, exist_ok=True)
    write_table(
        table.take(replicate_first).slice(0, n_rows).replace_schema_metadata(metadata), folder / "table.parquet"
    )
    shutil.copy(PUBLISHED / source / "sweep.yaml", folder)


def set_status(folder: Path, state: str = "running", age: float = 0.0, **values: Any) -> None:
    """Write a status file as a sweep would that was started a minute ago."""
    now = time.time() - age
    packs = (RunningPack(worker=2, n_networks=9, what="9 students: mlp 20-20", since=now - 30),)
    defaults: dict[str, Any] = {
        "state": state, "host": "node-7", "pid": 1, "started_at": now - 60, "updated_at": now, "n_networks": 270,
        "n_ready": 10, "n_done": 90, "n_failed": 2, "n_running": 9, "n_workers": 2, "seconds_left": 120.0,
        "running": packs if state == "running" else (),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_status(folder, LiveStatus(**(defaults | values)))


def fail_networks(folder: Path, count: int, reason: str) -> None:
    """Make the last distilled students of a table failed ones."""
    table = read_table(folder / "table.parquet")
    frame = table.to_pandas()
    failed = frame.index[frame["model"] == "distilled_student"][-count:]
    frame["status"] = frame["status"].mask(frame.index.isin(failed), "failed")
    frame["error"] = pd.Series([reason if i in failed else None for i in frame.index], dtype=object)
    frame.loc[failed, ["num_error", "val_num_error"]] = None
    write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), folder / "table.parquet")
