"""Which test examples each network gets wrong: as bits in a file beside the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import kdtune as package
from kdtune import errors_by_example
from kdtune.columns import ID, N_TEST, NUM_ERROR, TEACHER, TEST_ERRORS, TRAIN_ERROR, TRAIN_LOSS
from kdtune.errors_by_example import pack_errors, read_errors_by_example, unpack_errors
from kdtune.results import store
from kdtune.spec import data_notes
from kdtune.table import read_table, write_table
from tests.folders import table

NEW_COLUMNS = ["train_num_error", TRAIN_ERROR, TRAIN_LOSS, TEST_ERRORS]


@pytest.fixture
def sweep_here(call, tmp_path):
    """Run `kdtune sweep --workers 0` with results in the test's folder."""
    return lambda *arguments: call("sweep", *arguments, "--workers", "0", "--results", tmp_path / "results")


@given(seed=st.integers(0, 2**32 - 1), n_networks=st.integers(1, 4), n_test=st.integers(1, 40))
def test_what_was_packed_comes_back(seed, n_networks, n_test):
    is_error = np.random.default_rng(seed).random((n_networks, n_test)) < 0.5
    ids = [f"network {i}" for i in range(n_networks)]
    errors = pd.DataFrame({ID: ids, N_TEST: n_test, TEST_ERRORS: [pack_errors(row) for row in is_error]})
    np.testing.assert_array_equal(unpack_errors(errors, ids[::-1]), is_error[::-1])
    assert len(errors[TEST_ERRORS][0]) == -(-n_test // 8)
    with pytest.raises(KeyError):
        unpack_errors(errors, ["another"])


def test_test_sets_of_other_sizes_do_not_fit_together():
    errors = pd.DataFrame({ID: ["a", "b"], N_TEST: [8, 9], TEST_ERRORS: [b"\0", b"\0\0"]})
    with pytest.raises(ValueError, match="test sets of one size, not of 8, 9 examples"):
        unpack_errors(errors, ["a", "b"])


def test_each_network_of_a_sweep_has_its_errors_in_the_order_of_the_test_set(sweep_here, write, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAX_PARTS", 2)  # Parts are folded into one.
    assert sweep_here(write()).exit_code == 0
    folder = tmp_path / "results/small"
    rows = table(folder)
    errors = read_errors_by_example(folder)
    assert errors[ID].tolist() == rows[ID].tolist()
    is_error = unpack_errors(errors, rows[ID])
    assert is_error.shape == (len(rows), rows[N_TEST].iloc[0])
    assert is_error.sum(axis=1).tolist() == rows[NUM_ERROR].tolist()
    for i in (0, len(rows) - 1):
        data, network = package.load_data(folder, rows[ID][i]), package.load(folder, rows[ID][i])
        with torch.no_grad():
            predictions = network(torch.from_numpy(data.x_test)).argmax(dim=1).numpy()
        np.testing.assert_array_equal(is_error[i], predictions != data.y_test)
    assert TEST_ERRORS not in rows
    before = (folder / "errors_by_example.parquet").read_bytes()
    assert "nothing to train" in sweep_here(write()).stderr
    assert (folder / "errors_by_example.parquet").read_bytes() == before
    pd.testing.assert_frame_equal(read_errors_by_example(folder / "table.parquet"), errors)


def test_rows_of_earlier_versions_are_kept_as_they_are(sweep_here, write, tmp_path):
    assert sweep_here(write()).exit_code == 0
    folder = tmp_path / "results/small"
    new = table(folder).set_index(ID)
    for path in [*folder.glob("parts/*.parquet"), *folder.parent.glob("teachers/*/row.parquet")]:
        rows = read_table(path)
        kept_columns = rows.drop_columns([name for name in NEW_COLUMNS if name in rows.column_names])
        write_table(kept_columns.replace_schema_metadata(pq.read_schema(path).metadata), path)
    message = "of an earlier version of kdtune recorded neither training errors nor errors by example; to record them"
    again = sweep_here(write())
    assert "nothing to train" in again.stderr
    assert f"18 networks {message}, train again with --fresh and --fresh-teachers." in again.stderr
    assert read_errors_by_example(folder) is None
    assert table(folder)[[TRAIN_ERROR, TRAIN_LOSS]].isna().all(axis=None)
    assert package.analyze(folder).t_opt["T_opt"].notna().all()

    more = sweep_here(write(), "--set", "distill.T=[1, 2, 5, 9]")
    assert "4 to train" in more.stderr
    assert f"18 networks {message}" in more.stderr
    rows = table(folder).set_index(ID)
    trained_ids = rows.index.difference(new.index)
    assert set(read_errors_by_example(folder)[ID]) == set(trained_ids)
    assert rows.loc[trained_ids, [TRAIN_ERROR, TRAIN_LOSS]].notna().all(axis=None)

    assert sweep_here(write(), "--fresh", "--yes").exit_code == 0
    teachers = new.index[new["model"] == TEACHER]
    assert set(read_errors_by_example(folder)[ID]) == set(new.index.difference(teachers))
    everything = sweep_here(write(), "--fresh", "--fresh-teachers", "--yes")
    assert message not in everything.stderr
    np.testing.assert_array_equal(table(folder).set_index(ID)[TRAIN_LOSS], new[TRAIN_LOSS])


def test_of_a_large_test_set_none_are_kept_and_that_is_said(sweep_here, write, tmp_path, monkeypatch):
    for module in (errors_by_example, data_notes):
        monkeypatch.setattr(module, "MAX_TEST_EXAMPLES", 99)
    monkeypatch.setattr("kdtune.run.missing_details.MAX_TEST_EXAMPLES", 99)
    run = sweep_here(write())
    assert run.exit_code == 0
    note = "Errors by example are not kept of make_classification: it has more than 99 test examples."
    assert run.stderr.count(note) == 1
    assert "earlier version" not in run.stderr
    assert read_errors_by_example(tmp_path / "results/small") is None
    assert table(tmp_path / "results/small")[TRAIN_ERROR].notna().all()


def test_a_torn_file_is_said(tmp_path):
    assert read_errors_by_example(tmp_path) is None
    (tmp_path / "errors_by_example.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"errors_by_example\.parquet"):
        read_errors_by_example(tmp_path)
    pd.DataFrame({ID: ["a"]}).to_parquet(tmp_path / "errors_by_example.parquet")
    with pytest.raises(ValueError, match="is torn or not a file of kdtune"):
        read_errors_by_example(tmp_path)
