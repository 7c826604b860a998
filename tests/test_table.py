"""Tables of rows, and what the reading wing makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from kdtune.analysis.answer import analyze_table
from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.printed_tables import summarize_errors
from kdtune.analysis.selection_measure import has_students
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
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.table import get_final_ids, merge_tables, rows_to_arrow, select_networks, to_frame
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
    assert get_final_ids(merged) == results
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


ANY_STATUS = st.sampled_from([DONE, FAILED, SKIPPED, None])


@given(st.lists(st.tuples(st.integers(0, 5), ANY_STATUS, st.booleans(), st.integers(0, 3)), max_size=30))
def test_merge_keeps_the_best_row_of_each(entries):
    """A final row before one to be tried again, a later before an earlier one: against the plain loop."""
    rows = [
        {
            ID: str(i),
            STATUS: status,
            ERROR: f"{DIVERGED}: x" if diverged else "crash",
            NUM_ERROR: index,
        }
        for index, (i, status, diverged, _) in enumerate(entries)
    ]
    parts = [[row for row, entry in zip(rows, entries, strict=True) if entry[3] == part] for part in range(4)]
    best: dict[str, dict] = {}
    for part in parts:
        for row in part:
            old = best.get(row[ID])
            if old is None or has_result(row) or not has_result(old):
                best[row[ID]] = row
    merged = merge_tables([rows_to_arrow(part) for part in parts])
    assert {row[ID]: row[NUM_ERROR] for row in merged.to_pylist()} == {k: v[NUM_ERROR] for k, v in best.items()}
    assert len(merged) == len(best)
    assert get_final_ids(merged) == {name for name, row in best.items() if has_result(row)}


def has_result(row):
    return row[STATUS] == DONE or (row[STATUS] == FAILED and row[ERROR].startswith(DIVERGED))


def test_columns_do_not_depend_on_what_came_first():
    a = rows_to_arrow([{ID: "a", MODEL: STUDENT, STATUS: DONE, "x": 1}])
    b = rows_to_arrow([{ID: "b", MODEL: STUDENT, STATUS: DONE, "w": 1.5}])
    one, other = (select_networks(merge_tables(tables), ["a", "b"]) for tables in ([a, b], [b, a]))
    assert one.equals(other)


# --- metrics: known answers ---------------------------------------------------------------------


def test_metrics_known_answers():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.95, 0.03, 0.02]]))
    labels = np.array([0, 2, 2, 0])
    assert metrics.count_errors(logits, labels) == 1
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
        rows.append(make_row(network, figures))
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
        rows.append(make_row(network, {NUM_ERROR: errors, VAL_NUM_ERROR: errors, VAL_NLL: 0.1}))
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
