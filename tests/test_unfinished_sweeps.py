"""What an answer says of a sweep of which networks are missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import Result

import kdtune
from kdtune.columns import MODEL, STUDENT, TEACHER, WIDTH
from kdtune.errors import RequestError
from kdtune.table import write_table

SWEEP = {
    "replicates": 2,
    "dataset": {"kind": "digits"},
    "teacher": {"hidden": [8]},
    "student": {"depth": 1, "width": {"grid_search": [4, 8]}},
    "distill": {"T": {"grid_search": [1, 4]}},
    "train": {"epochs": 1},
}
N_NETWORKS = 2 + 2 * 2 + 2 * 2 * 2


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    kdtune.sweep({"name": "whole", **SWEEP}, results=folder, workers=0, progress=False)
    return folder / "whole"


def cut(results: Path, folder: Path, keep: pa.compute.Expression) -> Path:
    """Write the table of a sweep of which only these rows are done so far."""
    folder.mkdir()
    table = pq.read_table(results / "table.parquet")
    write_table(table.filter(keep), folder / "table.parquet")
    return folder


def test_a_whole_sweep_says_nothing(results: Path) -> None:
    answer = kdtune.analyze(results)
    assert len(kdtune.read_table(results)) == N_NETWORKS
    assert answer.unfinished == ""


def test_an_answer_begins_with_how_much_is_missing(results: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    part = cut(results, tmp_path / "part", (pc.field(WIDTH) == 4) | (pc.field(MODEL) == TEACHER))
    n_done = 2 + 2 + 4
    start = f"{n_done} of the sweep's {N_NETWORKS} networks are done, and this is the answer of these alone."
    assert kdtune.analyze(part).unfinished.startswith(start)
    output = call("analyze", part).output
    assert output.startswith(start)
    assert "there is nothing that the best T could depend on" not in output
    assert "No factor varies in the networks that are done." in output


def test_rows_that_the_user_leaves_out_are_not_missing(results: Path) -> None:
    assert kdtune.analyze(results, where="width == 4 or model == 'teacher'").unfinished == ""
    table = kdtune.read_table(results)
    assert kdtune.analyze(table[table[WIDTH] != 8]).unfinished == ""


def test_a_sweep_without_a_student_yet_says_so(results: Path, tmp_path: Path) -> None:
    part = cut(results, tmp_path / "teachers", pc.field(MODEL) == TEACHER)
    assert STUDENT not in set(kdtune.read_table(part)[MODEL])
    with pytest.raises(
        RequestError, match=rf"no distilled student is done yet: 2 of the sweep's {N_NETWORKS} networks"
    ):
        kdtune.analyze(part)
