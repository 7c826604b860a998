"""Damaged and foreign files that `make fuzz` found to be answered with a traceback, a flood of lines, or never."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

import kdtune.cli.show
from kdtune import analyze
from kdtune.analysis.baselines_and_teachers import to_arrays
from kdtune.analysis.column_values import to_numbers
from kdtune.analysis.finite_sets import FiniteData
from kdtune.analysis.table_files import read_details, read_sweep_table
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    CONFUSION,
    COUNT,
    DATASET,
    ID,
    LABEL,
    LEARNING_CURVE,
    MODEL,
    N_TEST,
    N_VAL,
    NUM_ERROR,
    PREDICTED,
    REPLICATE,
    SEEN_CLASSES,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
    TEST_ERRORS,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.errors import MAX_PRINTED_MISTAKES, Mistake, RequestError, StorageError, SweepFileError
from kdtune.files.storage_errors import classify_read_errors
from kdtune.foreign.replicates import name_replicates
from kdtune.inputs.user_code import describe_user_error
from kdtune.plan.plan import Plan
from kdtune.plots.overall import draw_overall, prepare_overall
from kdtune.results.detail_tables import build_per_class
from kdtune.results.store import Store
from kdtune.results.students import load_network
from kdtune.results.weights import check_weights
from kdtune.run.changes import RECORD_FILE, list_changes
from kdtune.spec.load import load_spec
from kdtune.statistics.pooled_curves import describe_set
from kdtune.table import merge_tables, rows_to_arrow, select_networks
from tests.conftest import write_small
from tests.given_files import GIVEN, write_arrays, write_given

ROW = {ID: "a", MODEL: TEACHER, STATUS: "done"}


@pytest.mark.parametrize("name", [STATUS, "seed"])
def test_a_part_with_a_doubled_column_is_set_aside(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path, "small")
    store.write_part("good", [ROW])
    rows = rows_to_arrow([ROW | {ID: "b", "seed": 1}])
    pq.write_table(rows.append_column(name, rows[name]), store.parts_folder / "doubled.parquet")
    assert store.read_rows()[ID].to_pylist() == ["a"]
    assert f"it has two columns called {name}; set aside" in store.warnings[0]


@pytest.mark.parametrize(
    ("name", "values"), [(TEST_ERRORS, [1.5]), (CONFUSION, [["a"]]), (LEARNING_CURVE, [[1, 2]]), (CONFUSION, [7])]
)
def test_a_part_with_details_of_another_type_is_set_aside(tmp_path: Path, name: str, values: list[Any]) -> None:
    store = Store(tmp_path, "small")
    details = {CONFUSION: [1, 2], LEARNING_CURVE: [{"epoch": 1}], TEST_ERRORS: b"1"}
    store.write_part("good", [ROW | details])
    rows = rows_to_arrow([ROW | {ID: "b"}]).append_column(name, pa.array(values))
    pq.write_table(rows, store.parts_folder / "other.parquet")
    assert store.read_rows()[ID].to_pylist() == ["a"]
    assert f"its column {name} is of type" in store.warnings[0]


@pytest.mark.parametrize("value", ["a", [1, 2]])
@pytest.mark.parametrize("name", [LABEL, PREDICTED, COUNT])
def test_a_file_of_details_with_a_column_of_another_type_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    details = pa.table({ID: ["a"], LABEL: [0], PREDICTED: [1], COUNT: [2]})
    (tmp_path / "table.parquet").touch()
    pq.write_table(details, tmp_path / "confusion.parquet")
    found = read_details(tmp_path, "confusion.parquet")
    assert found is not None
    assert found[COUNT].tolist() == [2]
    wrong = details.set_column(details.column_names.index(name), name, pa.array([value]))
    pq.write_table(wrong, tmp_path / "confusion.parquet")
    with pytest.raises(RequestError, match=r"confusion.parquet: this is not a file of kdtune"):
        read_details(tmp_path, "confusion.parquet")


@pytest.mark.parametrize("value", [[1, 2], {"x": 1}, b"\xff", True, pd.Timestamp(0), "adam"])
def test_a_setting_of_any_type_merges_with_one_of_another(value: Any) -> None:
    number, other = (rows_to_arrow([ROW | {ID: name}]) for name in "ab")
    number = number.append_column("setting", pa.array([1.5]))
    merged = merge_tables([number, other.append_column("setting", pa.array([value]))])
    assert merged[ID].to_pylist() == ["a", "b"]
    assert merged["setting"].to_pylist()[0] == "1.5"


def test_details_of_another_version_stay_out_of_the_table() -> None:
    rows = rows_to_arrow([ROW]).append_column("added", pa.array([{"x": 1}])).append_column("list", pa.array([[1, 2]]))
    assert not {"added", "list"} & set(select_networks(rows, ["a"]).column_names)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"PK\x03\x04" + data[4:],
        lambda data: data.replace(b"(240, 5)", b"(240, 5 "),
        lambda data: data.replace(b"'shape'", b"'shape "),
        lambda data: data.replace(b"<f4", b"<f\xff"),
    ],
    ids=["zip", "open bracket", "open quote", "no text"],
)
def test_an_array_with_a_damaged_header_is_called_torn(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_arrays(tmp_path)
    path = tmp_path / "train_x.npy"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SweepFileError, match=r"train_x\.npy cannot be read: the file is torn or no array"):
        load_spec(write_given(tmp_path))


def test_an_archive_with_damaged_compression_is_called_torn(tmp_path: Path) -> None:
    arrays = write_arrays(tmp_path)
    path = tmp_path / "all.npz"
    np.savez_compressed(path, x=arrays["train_x"], y=arrays["train_y"])
    data = bytearray(path.read_bytes())
    data[300:340] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(SweepFileError, match=r"all\.npz cannot be read: the file is torn or no array"):
        load_spec(write_given(tmp_path, dataset={"kind": "arrays", "file": "all.npz"}))


def test_of_very_many_mistakes_the_first_are_printed() -> None:
    error = SweepFileError(Mistake("a.yaml:1", "T", f"must not be {i}") for i in range(300))
    lines = str(error).split("\n")
    assert len(error.mistakes) == 300
    assert len(lines) == MAX_PRINTED_MISTAKES + 1
    assert lines[-1] == "... and 270 more"


def test_nobody_waits_for_a_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"a\.safetensors is not a file"):
        check_weights(path)
    with pytest.raises(ValueError, match="is not a file"), classify_read_errors(path):
        path.read_bytes()


def test_seeds_that_teachers_lack_name_replicates() -> None:
    table = pd.DataFrame(
        {
            MODEL: [TEACHER, BASELINE, *[STUDENT] * 4],
            TEMP: [np.nan, np.nan, 1.0, 1.0, 2.0, 2.0],
            "data_seed": [*"xyxyxy"],
            "student_seed": [None, "b", "a", "b", "a", "b"],
        }
    )
    named, _ = name_replicates(table, {})
    assert named[REPLICATE].nunique() == 3
    assert (named[REPLICATE].iloc[2:4].to_numpy() == named[REPLICATE].iloc[4:].to_numpy()).all()


def test_a_replicate_without_runs_says_nothing_of_a_set() -> None:
    y = np.array([[1.0, 2.0, 4.0], [2.0, 3.5, 4.5], [np.nan] * 3, [1.5, np.nan, 4.0]])
    curve, without = describe_set(y), describe_set(y[[0, 1, 3]])
    np.testing.assert_array_equal(curve.means, without.means)
    np.testing.assert_array_equal(curve.covariance, without.covariance)
    assert curve.dof == without.dof


def test_a_setting_without_test_errors_is_answered_without_warning(rising: pd.DataFrame) -> None:
    is_student = (rising[MODEL] == STUDENT) & (rising[WIDTH] == 50)
    table = rising.assign(**{NUM_ERROR: rising[NUM_ERROR].mask(is_student)})
    assert len(analyze(table).overall) == rising[WIDTH].dropna().nunique()


def test_replicates_may_be_numbers_and_words(rising: pd.DataFrame) -> None:
    words = rising[REPLICATE].astype(object).where(rising[REPLICATE] != 1, "one")
    answer, expected = analyze(rising.assign(**{REPLICATE: words})), analyze(rising)
    assert (answer.t_opt["T_opt"].to_numpy() == expected.t_opt["T_opt"].to_numpy()).all()
    assert answer.advice == expected.advice


@pytest.mark.parametrize("huge", [1e155, -1e300, np.inf])
def test_measures_whose_squares_overflow_count_as_missing(rising: pd.DataFrame, huge: float) -> None:
    is_of_one_set = (rising["class_sep"] == 0.2) & (rising["p_informative"] == 0.5)
    students = rising[is_of_one_set & (rising[MODEL] == STUDENT)][[WIDTH, TEMP, REPLICATE, NUM_ERROR]]
    is_huge = (students[TEMP] == 40) & (students[REPLICATE] == 0)
    errors = students.pop(NUM_ERROR).astype(float)
    answer, expected = (
        analyze(students.assign(loss=errors.mask(is_huge, value)), measure="loss", higher_is_better=False)
        for value in (huge, np.nan)
    )
    pd.testing.assert_frame_equal(answer.t_opt, expected.t_opt)


@pytest.mark.filterwarnings("error")
def test_of_a_temperature_without_errors_there_is_no_share(rising: pd.DataFrame) -> None:
    students = rising[rising[MODEL] == STUDENT]
    table = students.assign(
        **{column: students[column].mask(students[TEMP] == 4, 0) for column in (NUM_ERROR, VAL_NUM_ERROR)}
    )
    answer = analyze(table)
    assert set(answer.overall["T"]) == {4.0}
    assert answer.overall_curves["cost"].isna().all()
    draw_overall(prepare_overall(answer))


@pytest.mark.parametrize("text", ["1,5", "=1+1", "many"])
def test_temperatures_of_a_sweep_that_are_no_numbers_are_refused(rising: pd.DataFrame, text: str) -> None:
    table = rising.assign(**{TEMP: rising[TEMP].astype(object).where(rising[TEMP] != 4, text)})
    with pytest.raises(RequestError, match=f"'{re.escape(text)}'"):
        analyze(table)
    assert len(analyze(rising.assign(**{TEMP: rising[TEMP].astype(str)})).t_opt) == len(analyze(rising).t_opt)


@pytest.mark.parametrize("value", [np.nan, 0.0, -4.0, np.inf, 1e-320, 1e7])
def test_a_student_of_a_sweep_without_a_temperature_is_refused(rising: pd.DataFrame, value: float) -> None:
    is_one = (rising[MODEL] == STUDENT).cumsum() == 3
    with pytest.raises(RequestError, match=r"temp (is empty or 0 in 1 row|must be a positive number)"):
        analyze(rising.assign(**{TEMP: rising[TEMP].mask(is_one, value)}))


def test_a_measure_that_is_as_good_as_zero_is_zero() -> None:
    column = pd.Series([1e-320, 0.0, 3.0, -1e-200], name="loss")
    assert to_numbers(column).tolist() == [0.0, 0.0, 3.0, 0.0]
    assert to_numbers(column.iloc[:3]).tolist() == [0.0, 0.0, 3.0]


@pytest.mark.parametrize("value", [None, np.nan, "1e999", "many", "500", 500])
def test_a_number_of_examples_is_none_of_another_type(value: Any) -> None:
    student = {DATASET: "digits", N_VAL: value, N_TEST: 360}
    finite_set = FiniteData().describe_cell(student, n_draws=1)
    assert finite_set is not None
    assert (finite_set.n_test, finite_set.n_val) == (360, 500 if str(value) == "500" else 0)


def test_a_folder_of_students_that_cannot_be_read_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", "students")

    monkeypatch.setattr(Path, "glob", refuse)
    with pytest.raises(StorageError, match=r"cannot read the weights of .*: Permission denied"):
        load_network(tmp_path, "a")


def test_a_file_that_the_system_refuses_is_named_in_one_line(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", "results/small")

    monkeypatch.setattr(kdtune.cli.show, "warn_of_stale_table", refuse)
    result = call("show", "small")
    assert result.exit_code == 1
    assert result.output == "results/small: Permission denied\n"


@pytest.mark.parametrize("name", ["table.parquet", RECORD_FILE])
def test_a_pipe_in_a_results_folder_is_not_waited_for(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_small(tmp_path / "small.yaml")
    assert call("sweep", path, "--workers", "0").exit_code == 0
    (tmp_path / "results/small" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "results/small" / name)
    result = call("sweep", path, "--workers", "0")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "results/small/table.parquet").is_file()


def test_an_arrow_file_with_wrong_offsets_is_damaged(tmp_path: Path, call: Callable[..., Any]) -> None:
    """Arrow reads it without a look, and ends the process when the text is used."""
    path = tmp_path / "table.arrow"
    texts = pa.array([f"text {i}" for i in range(1000)])
    offsets = np.frombuffer(texts.buffers()[1], np.int32).copy()
    offsets[500] = 2**30
    damaged = pa.Array.from_buffers(pa.string(), 1000, [None, pa.py_buffer(offsets.tobytes()), texts.buffers()[2]])
    table = pa.table({"T": pa.array([1.0, 2.0] * 500), "error": pa.array(range(1000)), "seed": damaged})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    result = call("analyze", path)
    assert result.exit_code == 2
    assert "damaged" in result.output


def test_a_sweeps_table_with_a_column_of_lists_can_be_exported_from(rising: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    rows = pa.Table.from_pandas(rising, preserve_index=False)
    lists = pa.array([[1, 2]] * len(rows))
    pq.write_table(rows.append_column("added", lists), path)
    assert "added" not in read_sweep_table(path).columns


def test_a_grid_without_items_in_a_setting_of_several_types_is_reported_once(tmp_path: Path) -> None:
    path = write_given(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "outputs: {" in text
    path.write_text(text.replace("outputs: {", "outputs: {grid_search: /, "), encoding="utf-8")
    with pytest.raises(SweepFileError) as caught:
        load_spec(path)
    assert "grid_search takes a list" in str(caught.value)
    assert "InvalidGrid" not in str(caught.value)
    assert "SplitOutputs" not in str(caught.value)


def test_a_grid_without_items_is_not_offered_as_an_argument_of_a_factory(tmp_path: Path) -> None:
    teacher = {"kind": "python", "factory": "mynets:Net", "depth": {"grid_search": "/"}}
    with pytest.raises(SweepFileError) as caught:
        load_spec(write_given(tmp_path, teacher=teacher))
    assert "depth: is not a setting here" in str(caught.value)
    assert "InvalidGrid" not in str(caught.value)


def test_a_constant_second_temperature_is_a_setting(rising: pd.DataFrame) -> None:
    students = rising[rising[MODEL] == STUDENT][["class_sep", "p_informative", WIDTH, TEMP, REPLICATE, NUM_ERROR]]
    renamed = students.rename(columns={TEMP: "T"})
    answer, expected = analyze(renamed.assign(**{TEMP: 65})), analyze(renamed)
    assert answer.advice == expected.advice


@pytest.mark.filterwarnings("error")
def test_of_an_infinite_factor_there_is_no_effect(rising: pd.DataFrame) -> None:
    table = rising.assign(**{WIDTH: rising[WIDTH].astype(float).replace(50, np.inf)})
    effects = analyze(table).effects.set_index("factor")
    assert np.isnan(effects.loc[WIDTH, "effect"])


def test_measures_of_a_sweep_that_are_not_finite_count_as_missing() -> None:
    """A sweep's summary does not pass through the door for tables from elsewhere."""
    table = pd.DataFrame({ACCURACY: [0.5, np.inf, -1e200, None]})
    np.testing.assert_array_equal(to_arrays(table, [ACCURACY])[ACCURACY], [0.5, np.nan, np.nan, np.nan])


def test_of_endless_names_of_columns_the_beginnings_are_printed(tmp_path: Path, call: Callable[..., Any]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("T,error," + '"' + "one\n" * 1000 + '"\n', encoding="utf-8")
    result = call("analyze", path)
    assert result.exit_code == 2
    assert len(result.output) < 1000
    assert "no rows" in result.output


def test_the_stack_of_torchs_own_code_is_not_shown() -> None:
    error = RuntimeError(
        "Overflow when unpacking Exception raised from THPUtils at a.h:75 frame #0: c10::Error::Error("
    )
    assert describe_user_error(error) == "RuntimeError: Overflow when unpacking"


@pytest.mark.parametrize("code", [[], {"teacher f": 1}, {"teacher f": {"versions": [], "ids": []}}, None])
def test_a_record_of_another_form_counts_as_none(tmp_path: Path, plan: Callable[..., Plan], code: Any) -> None:
    store = Store(tmp_path, "small")
    store.folder.mkdir()
    (store.folder / RECORD_FILE).write_text(json.dumps({"data": {}, "teachers": {}, "code": code}), encoding="utf-8")
    assert list_changes(store, plan().networks, set()) == []


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"shape": "[]"},
        {"shape": '{"kind": "mlp", "hidden": [3]}'},
        {"shape": '{"kind": "mlp", "hidden": [3]}', "inputs": "3", "n_classes": "x"},
        {"shape": '{"kind": "mlp", "hidden": [3]}', "inputs": "[4]", "n_classes": "2"},
        {"layers": "{}"},
        {"layers": "[]"},
    ],
)
def test_weights_that_kdtune_has_not_written_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "sweep" / "students" / "abc.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"a": np.zeros(3, np.float32)}, path, metadata=metadata)
    with pytest.raises(RequestError, match=r"abc\.safetensors: "):
        load_network(tmp_path / "sweep", "abc")


def test_a_grid_without_items_in_a_number_with_limits_is_reported_once(tmp_path: Path) -> None:
    with pytest.raises(SweepFileError) as caught:
        load_spec(write_given(tmp_path, dataset={**GIVEN["dataset"], "scale": {"grid_search": 3}}))
    assert str(caught.value).count("scale") == 1


def test_a_table_of_endless_columns_is_refused_before_it_takes_gigabytes(
    tmp_path: Path, call: Callable[..., Any]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("T,error" + "," * 200_000 + "\n1,2\n", encoding="utf-8")
    result = call("analyze", path)
    assert result.exit_code == 2
    assert "names 200,002 columns, and a table of networks has" in result.output


def test_a_wide_table_with_an_endless_number_is_refused(tmp_path: Path, call: Callable[..., Any]) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"temp 0": ["1.0", "1.5", "1e999"], "temp 5": ["1.0", "1.5", "2.5"]}).to_parquet(path)
    result = call("analyze", path)
    assert result.exit_code == 2
    assert "columns temp 0, temp 5" in result.output


@pytest.mark.parametrize("counts", [[1, 2], [1, None, 2, 3]])
def test_a_confusion_matrix_that_is_no_square_counts_as_none(counts: list[int | None]) -> None:
    row = {**ROW, CONFUSION: [5, 1, 2, 4], SEEN_CLASSES: None}
    rows = rows_to_arrow([row, {**row, ID: "b", CONFUSION: counts}])
    assert build_per_class(rows)[ID].to_pylist() == ["a", "a"]
