"""Files that are not the table of a sweep: each is answered with what it is and what to do."""

from __future__ import annotations

import shlex

import pandas as pd
import pytest

import kdtune
from kdtune.columns import ID, TEMP
from kdtune.errors import RequestError


@pytest.fixture
def folder(tmp_path):
    """A folder whose name a shell would split."""
    path = tmp_path / "my tables"
    path.mkdir()
    return path


@pytest.mark.parametrize("command", ["show", "compare"])
@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "own.CSV", "own.csv.gz"])
def test_a_csv_file_is_not_the_table_of_a_sweep(call, folder, rising, command, name):
    path = folder / name
    rising.to_csv(path, index=False)
    run = call(command, path)
    assert run.exit_code == 2
    assert "this is a CSV file, not the Parquet table of a sweep" in run.output
    assert f"`kdtune analyze {shlex.quote(str(path))}` reads tables from elsewhere" in run.output


def test_the_command_that_a_message_suggests_can_be_pasted(call, folder, rising):
    rising.to_csv(folder / "own.csv", index=False)
    suggestion = call("show", folder / "own.csv").output.split("`")[1]
    program, *arguments = shlex.split(suggestion)
    assert program == "kdtune"
    assert call(*arguments).exit_code == 0


def test_a_text_file_is_not_a_table(call, folder):
    path = folder / "notes.txt"
    path.write_text("T = 4 is best\n")
    for command in ("show", "analyze"):
        run = call(command, path)
        assert run.exit_code == 2
        assert "this is not a Parquet file" in run.output


@pytest.mark.parametrize("name", ["table.parquet", "own.csv"])
def test_an_empty_file_is_said_to_be_empty(call, folder, name):
    (folder / name).touch()
    for command in ("show", "analyze"):
        run = call(command, folder / name)
        assert run.exit_code == 2
        assert "the file is empty" in run.output


def test_a_parquet_file_of_another_program_lacks_columns(call, folder, rising):
    path = folder / "own.parquet"
    rising.drop(columns=ID).to_parquet(path)
    run = call("show", path)
    assert run.exit_code == 2
    assert "this is not the table of a sweep: it has no column id; `kdtune analyze " in run.output


def test_a_damaged_table_is_said_to_be_damaged(call, folder, rising):
    path = folder / "table.parquet"
    rising.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    run = call("show", folder)
    assert run.exit_code == 2
    assert "the file is damaged" in run.output
    assert "run the sweep again" in run.output


def test_a_folder_without_a_table_is_answered_with_what_to_do(call, tmp_path):
    folder = tmp_path / "here/results/my sweep"
    (folder / "parts").mkdir(parents=True)
    assert "the folder has no table.parquet; `kdtune sweep` makes a table" in call("show", "my sweep").output
    (folder / "sweep.yaml").write_text("name: my sweep\n")
    run = call("show", "my sweep")
    assert run.exit_code == 2
    assert "run it again: `kdtune sweep 'results/my sweep/sweep.yaml'`" in run.output


def test_a_table_that_does_not_exist_is_answered_with_those_that_do(call, tmp_path, rising):
    sweep = tmp_path / "here/results/study"
    sweep.mkdir(parents=True)
    rising.to_parquet(sweep / "table.parquet")
    run = call("show", "results/sturdy")
    assert run.exit_code == 2
    assert "there is no such file, folder or sweep under results/; did you mean 'results/study'?" in run.output


def test_read_table_answers_as_the_command_does(folder, rising):
    rising.to_csv(folder / "own.csv", index=False)
    with pytest.raises(RequestError, match="this is a CSV file"):
        kdtune.read_table(folder / "own.csv")


@pytest.mark.parametrize("margin", [-1, -1e-9, float("nan"), float("inf"), "0.05", None, True])
@pytest.mark.parametrize("name", ["margin", "effect_margin"])
def test_a_margin_that_is_no_margin_is_refused(rising, name, margin):
    with pytest.raises(RequestError, match=f"^{name}: must be a finite number, 0 or more, not {margin!r}$"):
        kdtune.analyze(rising, **{name: margin})


def test_a_margin_of_nothing_is_a_margin(rising):
    assert kdtune.analyze(rising, margin=0, effect_margin=0).margins.error == 0


@pytest.mark.parametrize("cell", ["width", ["width", 3], 3, {"width": 1}])
def test_names_of_a_cell_are_a_list_of_texts(rising, cell):
    with pytest.raises(RequestError, match=r"^cell: must be a list of names"):
        kdtune.analyze(rising, cell=cell)


@pytest.mark.parametrize("column_map", [{"temp": 3}, {3: "tau"}, {"temp": None}, [("temp", "tau")], "temp=tau"])
def test_a_map_maps_texts_to_texts(rising, column_map):
    with pytest.raises(RequestError, match=r"^map: must map names to names"):
        kdtune.analyze(rising, map=column_map)


def test_a_map_and_a_cell_of_texts_are_taken(rising):
    names = ("width", "class_sep", "p_informative")
    table = rising.rename(columns={TEMP: "tau"})
    expected = kdtune.analyze(rising, cell=list(names)).t_opt
    for cell in (names, pd.Index(names), iter(names)):
        pd.testing.assert_frame_equal(kdtune.analyze(table, map={"temp": "tau"}, cell=cell).t_opt, expected)


@pytest.mark.parametrize("results", [None, 3, ""])
def test_results_that_are_no_path_are_refused(results):
    for read in (kdtune.analyze, kdtune.read_table):
        with pytest.raises(RequestError, match=r"^results: must be a"):
            read(results)
