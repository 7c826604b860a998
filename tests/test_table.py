"""Rows on disk, and what the reading wing makes of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from kdtune.analysis.answer import analyze_table, has_students
from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.printed_tables import summarize_errors
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    CLASS_SEP,
    DIVERGED,
    DONE,
    ERROR,
    FAILED,
    HARD_WEIGHT,
    ID,
    MODEL,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    SKIPPED,
    STATUS,
    STUDENT,
    STUDENT_SEED,
    TEACHER,
    TEACHER_ID,
    TEACHER_SEED,
    TEMP,
    VAL_NLL,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.files.atomic import write_atomically
from kdtune.plan.plan import enumerate_networks
from kdtune.results.store import Store
from kdtune.table import final_ids, merge_tables, rows_to_arrow, select_networks, to_frame, write_table
from kdtune.train import metrics
from kdtune.train.rows import make_row

STATUSES = [
    (DONE, None),
    (FAILED, "diverged: it did"),
    (FAILED, "its worker crashed"),
    (SKIPPED, "its teacher"),
]


def rows_of(pairs):
    return rows_to_arrow([{ID: name, MODEL: STUDENT, STATUS: s, ERROR: e} for name, (s, e) in pairs])


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(STATUSES)), max_size=4), max_size=4))
def test_merging_keeps_one_row_each_and_never_loses_a_result(parts):
    merged = merge_tables([rows_of(part) for part in parts])
    names = merged[ID].to_pylist()
    assert sorted(names) == sorted({name for part in parts for name, _ in part})
    results = {name for part in parts for name, (s, e) in part if s == DONE or (e or "").startswith(DIVERGED)}
    assert final_ids(merged) == results
    again = merge_tables([merged, merged])
    assert again.equals(merged)


def test_columns_of_the_contract_are_always_there():
    contract = [
        "model",
        "temp",
        "num_error",
        "loss",
        "accuracy",
        "class_sep",
        "p_informative",
        "id",
        "teacher_id",
        "replicate",
        "data_seed",
        "teacher_seed",
        "student_seed",
        "dataset",
        "width",
        "hard_weight",
        "epochs",
        "n_params",
        "n_val",
        "val_accuracy",
        "val_num_error",
        "val_nll",
        "nll",
        "ece",
        "seconds",
        "status",
        "error",
        "device",
        "host",
    ]
    assert set(contract) <= set(rows_to_arrow([]).column_names)


def test_what_does_not_apply_is_null(spec):
    by_model = {n.model: make_row(n) for n in enumerate_networks(spec())}
    teacher, baseline, student = by_model[TEACHER], by_model[BASELINE], by_model[STUDENT]
    assert teacher[TEMP] == baseline[TEMP] == 1
    assert teacher[HARD_WEIGHT] is None
    assert baseline[HARD_WEIGHT] is None
    assert baseline[TEACHER_ID] is None
    assert student[TEACHER_ID]
    assert student["teacher_hidden"] == teacher["hidden"] == "12-12"
    assert teacher[STUDENT_SEED] is None
    assert student[STUDENT_SEED] is not None
    assert student[TEACHER_SEED] is not None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_part_is_set_aside(tmp_path, damage):
    store = Store(tmp_path, "x")
    store.prepare()
    store.write_rows("good", [{ID: "a", MODEL: STUDENT, STATUS: DONE}])
    store.write_rows(
        "bad",
        [{ID: f"b{i}", MODEL: STUDENT, STATUS: DONE, "x": i * 1.7} for i in range(500)],
    )
    path = store.parts / "bad.parquet"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF
    path.write_bytes({"cut": whole[:-7], "flip": bytes(flipped), "empty": b"", "text": b"hello"}[damage])
    (store.parts / ".half.parquet.tmp").write_bytes(b"half")
    assert final_ids(store.rows(repair=False)) == {"a"}
    assert path.exists()
    assert final_ids(store.rows()) == {"a"}
    assert len(store.warnings) == 2
    assert sorted(p.name for p in store.parts.iterdir()) == [".half.parquet.tmp", "good.parquet"]
    with store.opened():  # what a killed writer left goes once the folder is held
        assert [p.name for p in store.parts.iterdir()] == ["good.parquet"]


def test_folding_keeps_every_row(tmp_path):
    store = Store(tmp_path, "x")
    store.prepare()
    for i in range(10):
        store.write_rows(f"p{i}", [{ID: f"n{i}", MODEL: STUDENT, STATUS: DONE}])
    before = final_ids(store.rows())
    store.fold(at_least=20)
    assert len(list(store.parts.iterdir())) == 10
    (store.parts / "torn.parquet").write_bytes(b"PAR1")
    store.fold(at_least=5)
    assert sorted(p.name[:6] for p in store.parts.iterdir()) == ["folded", "torn.p"]
    assert final_ids(store.rows()) == before


@pytest.mark.parametrize("removed", range(5))
def test_a_kill_while_folding_loses_and_doubles_nothing(tmp_path, monkeypatch, removed):
    """Before the first part is removed, and after each; the next fold tidies up."""
    store = Store(tmp_path, "x")
    store.prepare()
    for i in range(4):
        store.write_rows(f"p{i}", [{ID: f"n{i}", MODEL: STUDENT, STATUS: DONE}])
    unlink, count = Path.unlink, iter(range(10))

    def die(path, missing_ok=False):
        if path.parent == store.parts and not path.name.startswith(".") and next(count) == removed:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", die)
    with contextlib.suppress(KeyboardInterrupt):
        store.fold_parts(["p0", "p1", "p2", "p3", "unknown"])
    monkeypatch.undo()
    for _ in range(2):
        assert sorted(store.rows()[ID].to_pylist()) == ["n0", "n1", "n2", "n3"]
        store.fold(at_least=1)
    assert len(list(store.parts.iterdir())) == 1


ANY_STATUS = st.sampled_from([DONE, FAILED, SKIPPED, None])


@given(st.lists(st.tuples(st.integers(0, 5), ANY_STATUS, st.booleans(), st.integers(0, 3)), max_size=30))
def test_merge_keeps_the_best_row_of_each(entries):
    """A final row before one to be tried again, a later before an earlier one: against the plain loop."""
    rows = [
        {
            ID: str(i),
            STATUS: status,
            ERROR: f"{DIVERGED}: x" if diverged else "crash",
            NUM_ERROR: place,
        }
        for place, (i, status, diverged, _) in enumerate(entries)
    ]
    parts = [[row for row, entry in zip(rows, entries, strict=True) if entry[3] == part] for part in range(4)]
    best: dict[str, dict] = {}
    for one in (one for part in parts for one in part):
        old = best.get(one[ID])
        if old is None or final(one) or not final(old):
            best[one[ID]] = one
    merged = merge_tables([rows_to_arrow(part) for part in parts])
    assert {one[ID]: one[NUM_ERROR] for one in merged.to_pylist()} == {k: v[NUM_ERROR] for k, v in best.items()}
    assert len(merged) == len(best)
    assert final_ids(merged) == {name for name, one in best.items() if final(one)}


def final(one):
    return one[STATUS] == DONE or (one[STATUS] == FAILED and one[ERROR].startswith(DIVERGED))


def test_a_refused_driver_leaves_the_folder_of_the_other_alone(tmp_path, monkeypatch):
    """Even if that one made the folder a moment ago; and a refused request leaves nothing new."""
    from kdtune.errors import RequestError

    root = tmp_path / "a" / "b"
    with pytest.raises(RequestError, match="no"), Store(root, "x").opened():
        raise RequestError("no")
    assert not list(tmp_path.iterdir())
    first, second = Store(root, "x"), Store(root, "x")
    prepare = second.prepare
    with first.opened():
        monkeypatch.setattr(second, "prepare", lambda: [*prepare(), first.folder, first.parts])
        first.write_rows("p", [{ID: "a", MODEL: STUDENT, STATUS: DONE}])
        with pytest.raises(RequestError, match="in use by another sweep"), second.opened():
            pass
        assert final_ids(first.rows()) == {"a"}


@pytest.mark.parametrize(
    "column",
    [{ID: [None]}, {NUM_ERROR: ["many"]}, {ERROR: [{"a": 1}]}, {REPLICATE: [0.5]}],
)
def test_foreign_parquet_is_set_aside(tmp_path, column):
    store = Store(tmp_path, "x")
    store.prepare()
    base = {ID: ["a"], MODEL: [STUDENT], STATUS: [DONE]}
    pd.DataFrame({**base, **column}).to_parquet(store.parts / "foreign.parquet")
    (store.parts / "folder").mkdir()
    (store.parts / "dangling").symlink_to("nowhere")
    assert store.rows().num_rows == 0
    assert len(store.warnings) == 3
    assert not list(store.parts.iterdir())


def test_columns_do_not_depend_on_what_came_first():
    a = rows_to_arrow([{ID: "a", MODEL: STUDENT, STATUS: DONE, "x": 1}])
    b = rows_to_arrow([{ID: "b", MODEL: STUDENT, STATUS: DONE, "w": 1.5}])
    one, other = (select_networks(merge_tables(tables), ["a", "b"]) for tables in ([a, b], [b, a]))
    assert one.equals(other)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    from kdtune.errors import StorageError

    path = tmp_path / "table.parquet"
    write_table(rows_of([("a", STATUSES[0])]), path)
    old = path.read_bytes()

    def full(temporary):
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write_atomically(path, full)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["table.parquet"]


# --- metrics: known answers ---------------------------------------------------------------------


def test_metrics_known_answers():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.95, 0.03, 0.02]]))
    labels = np.array([0, 2, 2, 0])
    assert metrics.num_error(logits, labels) == 1
    assert metrics.nll(logits, labels) == pytest.approx(-np.log([0.7, 0.1, 0.4, 0.95]).mean())
    # Every confidence falls into a bin of its own: the mean distance between confidence and outcome.
    assert metrics.ece(logits, labels) == pytest.approx((0.3 + 0.8 + 0.6 + 0.05) / 4)
    assert metrics.ece(np.tile(logits[:1], (10, 1)), np.array([0] * 7 + [1] * 3)) == pytest.approx(0)
    assert metrics.nll(logits, labels, T=4) == pytest.approx(-log_softmax(logits / 4, axis=1)[range(4), labels].mean())
    assert metrics.nll(np.array([[0.0, -1e6]]), np.array([1])) == 1e6, "no clipping, no overflow"


# --- analysis: planted answers ------------------------------------------------------------------


@pytest.fixture
def table(spec):
    """Errors planted so that validation says T=2 for width 3 and T=5 for width 7; the test split disagrees."""
    best = {3: 2.0, 7: 5.0}
    rows = []
    for network in enumerate_networks(spec("replicates=2")):
        figures = {NUM_ERROR: 50, VAL_NUM_ERROR: 50, VAL_NLL: 0.5, ACCURACY: 0.5}
        if network.distill:
            chosen = best[network.shape.width or 0] == network.distill.T
            figures[VAL_NUM_ERROR] = 10 if chosen else 30
            figures[NUM_ERROR] = 25 + network.replicate if chosen else 5
        elif network.model == TEACHER:
            figures[NUM_ERROR] = 7
        rows.append(make_row(network, **figures))
    return rows_to_arrow(rows).to_pandas()


def test_cells_and_the_choice_of_temperature(table):
    assert find_cell_columns(table) == [CLASS_SEP, P_INFORMATIVE, WIDTH]
    found = summarize_errors(analyze_table(table))
    assert found["T"].tolist() == [2, 5, 2, 5]
    assert found["student"].tolist() == [25.5] * 4
    assert found["teacher"].tolist() == [7] * 4
    assert found["baseline"].tolist() == [50] * 4
    assert found["replicates"].tolist() == [2] * 4


def test_ties_go_to_the_lower_nll_then_to_the_lower_temperature(table):
    table[VAL_NUM_ERROR] = 20
    assert set(summarize_errors(analyze_table(table))["T"]) == {1}
    table.loc[table[TEMP] == 5, VAL_NLL] = 0.1
    assert set(summarize_errors(analyze_table(table))["T"]) == {5}


def test_failed_rows_count_for_nothing(table):
    table.loc[table[MODEL] == TEACHER, STATUS] = FAILED
    table.loc[(table[MODEL] == STUDENT) & (table[TEMP] == 2), STATUS] = FAILED
    found = summarize_errors(analyze_table(table))
    assert found["teacher"].isna().all()
    assert 2 not in set(found["T"])
    table[STATUS] = FAILED
    assert not has_students(table)


def test_settings_of_loss_and_teacher_make_cells_with_one_baseline(spec):
    rows = []
    for network in enumerate_networks(spec("distill.hard_weight=[0, 1]", "distill.train={epochs: 5}")):
        errors = {TEACHER: 1, BASELINE: 9, STUDENT: 5}[network.model]
        rows.append(make_row(network, **{NUM_ERROR: errors, VAL_NUM_ERROR: errors, VAL_NLL: 0.1}))
    table = rows_to_arrow(rows).to_pandas()
    assert find_cell_columns(table) == [CLASS_SEP, P_INFORMATIVE, WIDTH, HARD_WEIGHT]
    found = summarize_errors(analyze_table(table))
    assert len(found) == 2 * 2 * 2
    assert found["baseline"].tolist() == [9] * 8
    assert isinstance(found, pd.DataFrame)


def test_an_index_of_pandas_neither_moves_values_nor_is_a_column(tmp_path):
    written = pd.DataFrame({"width": pd.array([1, None, 3, 4], "Int64"), "temp": [1.0, 2, 3, 4]}).iloc[[1, 3, 2]]
    written.to_parquet(tmp_path / "rows.parquet")
    read = to_frame(pq.read_table(tmp_path / "rows.parquet"))
    pd.testing.assert_frame_equal(read, written.reset_index(drop=True))
