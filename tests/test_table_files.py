"""Files that are not the table of a sweep: each is answered with what it is and what to do."""

from __future__ import annotations

import shlex

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kdtune
from kdtune.columns import ID, NUM_ERROR, REPLICATE, TEMP
from kdtune.errors import RequestError


@pytest.fixture
def folder(tmp_path):
    """A folder whose name a shell would split."""
    path = tmp_path / "my tables"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "own.CSV", "own.csv.gz"])
def test_a_csv_file_is_not_the_table_of_a_sweep(folder, rising, name):
    path = folder / name
    rising.to_csv(path, index=False)
    with pytest.raises(RequestError, match="this is a CSV file, not the Parquet table of a sweep") as error:
        kdtune.read_table(path)
    assert f"`kdtune analyze {shlex.quote(str(path))}` reads tables from elsewhere" in str(error.value)


def test_the_command_that_a_message_suggests_can_be_pasted(call, folder, rising):
    rising.to_csv(folder / "own.csv", index=False)
    with pytest.raises(RequestError) as error:
        kdtune.read_table(folder / "own.csv")
    program, *arguments = shlex.split(str(error.value).split("`")[1])
    assert program == "kdtune"
    assert call(*arguments).exit_code == 0


@pytest.mark.parametrize("name", ["notes.txt", "notes.json"])
def test_a_text_file_is_not_a_table(call, folder, name):
    path = folder / name
    path.write_text("T = 4 is best\n")
    for command in ("show", "analyze"):
        run = call(command, path)
        assert run.exit_code == 2
        assert "this is not a table" in run.output
        assert "save the table as CSV" in run.output
    with pytest.raises(RequestError, match="`kdtune analyze` reads tables from elsewhere: CSV, TSV, JSON, Feather and"):
        kdtune.read_table(path)


@pytest.mark.parametrize("name", ["table.parquet", "own.parquet", "own.csv"])
@pytest.mark.parametrize("command", ["show", "compare", "analyze"])
def test_an_empty_file_is_said_to_be_empty(call, folder, command, name):
    (folder / name).touch()
    run = call(command, folder / name)
    assert run.exit_code == 2
    assert "the file is empty; `kdtune analyze` reads tables from elsewhere: CSV" in run.output
    assert "one row per network, below a header row" in run.output


def test_a_text_file_of_empty_lines_is_empty(call, folder):
    (folder / "own.csv").write_text("\n\n")
    assert "the file is empty" in call("analyze", folder / "own.csv").output


@pytest.mark.parametrize("command", ["show", "analyze"])
def test_the_empty_table_of_a_sweep_is_written_anew(call, folder, command):
    (folder / "table.parquet").touch()
    (folder / "sweep.yaml").write_text("name: my tables\n")
    assert "the file is empty; run the sweep again" in call(command, folder).output


def test_a_parquet_file_of_another_program_lacks_columns(folder, rising):
    path = folder / "own.parquet"
    rising.drop(columns=ID).to_parquet(path)
    with pytest.raises(RequestError, match="this is not the table of a sweep: it has no column id; `kdtune analyze "):
        kdtune.read_table(path)


def truncate(path):
    """Remove the end of a file, where Parquet describes its columns."""
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("command", ["show", "compare", "analyze", "plot", "report", "power"])
def test_a_damaged_table_of_a_sweep_is_written_anew(call, folder, rising, command):
    rising.to_parquet(folder / "table.parquet")
    truncate(folder / "table.parquet")
    (folder / "sweep.yaml").write_text("name: my tables\n")
    run = call(command, folder)
    assert run.exit_code == 2
    assert "this is not a readable Parquet file (damaged, or another kind of file" in run.output
    program, *arguments = shlex.split(run.output.split("`")[1])
    assert (program, arguments) == ("kdtune", ["sweep", f"{folder}/sweep.yaml", "--results", str(folder.parent)])


@pytest.mark.parametrize("command", ["show", "compare", "analyze", "plot", "report", "power"])
def test_a_damaged_parquet_file_is_to_be_got_again(call, folder, rising, command):
    path = folder / "torn.parquet"
    rising.to_parquet(path)
    truncate(path)
    run = call(command, path)
    assert run.exit_code == 2
    assert "torn.parquet: this is not a readable Parquet file" in run.output
    assert "get the file again" in run.output
    assert "sweep" not in run.output
    assert "magic" not in run.output


@pytest.mark.parametrize("command", ["show", "analyze"])
def test_a_parquet_file_with_a_damaged_middle_is_not_readable(call, folder, rising, command):
    path = folder / "torn.parquet"
    rising.to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(200) + content[204:])
    assert "this is not a readable Parquet file" in call(command, path).output


def test_text_under_the_name_of_a_parquet_file_is_read_as_text(folder, rising):
    path = folder / "own.parquet"
    rising.to_csv(path, index=False)
    pd.testing.assert_frame_equal(kdtune.analyze(path).t_opt, kdtune.analyze(rising).t_opt)
    with pytest.raises(RequestError, match="another kind of file under this name"):
        kdtune.read_table(path)


@pytest.mark.parametrize("command", ["show", "analyze"])
def test_bytes_under_the_name_of_a_parquet_file_are_not_readable(call, folder, command):
    (folder / "own.parquet").write_bytes(bytes(200))
    assert "another kind of file under this name" in call(command, folder / "own.parquet").output


def test_damaged_details_of_a_sweep_are_written_anew(call, tmp_path, rising):
    sweep = tmp_path / "here/results/study"
    sweep.mkdir(parents=True)
    rising.to_parquet(sweep / "table.parquet")
    (sweep / "sweep.yaml").write_text("name: study\n")
    (sweep / "per_class.parquet").write_bytes(b"PAR1")
    run = call("show", "study", "--per-class")
    assert run.exit_code == 2
    assert "per_class.parquet: this is not a readable Parquet file" in run.output
    assert "`kdtune sweep results/study/sweep.yaml`" in run.output


def test_a_readable_table_with_wrong_values_is_not_said_to_be_damaged(folder, rising):
    path = folder / "own.parquet"
    rising.assign(**{NUM_ERROR: "many"}).to_parquet(path)
    with pytest.raises(RequestError, match=r"own\.parquet: this is not the table of a sweep") as error:
        kdtune.read_table(path)
    assert "damaged" not in str(error.value)


def test_columns_with_one_name_get_names_of_their_own(folder, rising):
    path = folder / "own.parquet"
    table = pa.Table.from_pandas(rising, preserve_index=False)
    pq.write_table(table.append_column(NUM_ERROR, pa.array(range(len(rising)))), path)
    answer = kdtune.analyze(path)
    assert any(f'Several columns are called "{NUM_ERROR}"' in note for note in answer.reading_notes)


def test_a_parquet_file_is_read_under_any_name(call, folder, rising):
    path = folder / "renamed.csv"
    rising.to_parquet(path)
    assert call("show", path).exit_code == 0
    pd.testing.assert_frame_equal(kdtune.analyze(path).t_opt, kdtune.analyze(rising).t_opt)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_in_another_encoding_is_read(folder, rising, encoding):
    path = folder / "own.csv"
    rising.assign(maße="größer").to_csv(path, index=False, encoding=encoding)
    answer = kdtune.analyze(path)
    pd.testing.assert_frame_equal(answer.t_opt, kdtune.analyze(rising).t_opt)
    assert any("encoded in" in note for note in answer.reading_notes)


def test_text_that_breaks_off_in_another_encoding_is_to_be_saved_as_utf_8(call, folder, rising):
    path = folder / "own.csv"
    rising.to_csv(path, index=False, encoding="utf-16")
    path.write_bytes(path.read_bytes()[:-1])
    run = call("analyze", path)
    assert run.exit_code == 2
    assert "the file begins as text in UTF-16, but is none" in run.output
    assert "save it as UTF-8" in run.output
    assert "codec" not in run.output


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_a_compressed_file_that_is_damaged_is_said_to_be(call, folder, rising, ending):
    path = folder / f"own.csv.{ending}"
    rising.to_csv(path, index=False)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run = call("analyze", path)
    assert run.exit_code == 2
    assert "the file cannot be decompressed" in run.output


def test_text_under_the_name_of_a_compressed_file_is_read(folder, rising):
    path = folder / "own.csv.gz"
    path.write_text(rising.to_csv(index=False))
    pd.testing.assert_frame_equal(kdtune.analyze(path).t_opt, kdtune.analyze(rising).t_opt)


def test_a_folder_of_sweeps_is_answered_with_them(call, tmp_path, rising):
    root = tmp_path / "here/r"
    for name in ("my sweep", "b", "c", "d"):
        if name == "b":
            assert "but sweeps in it have; did you mean 'r/my sweep'?" in call("show", "r").output
        (root / name).mkdir(parents=True)
        rising.to_parquet(root / name / "table.parquet")
    assert call("show", "r/b").exit_code == 0
    run = call("analyze", "r")
    assert run.exit_code == 2
    assert "did you mean r/b, r/c, r/d or another of 4?" in run.output


@pytest.mark.parametrize("command", ["show", "compare", "analyze"])
def test_an_empty_name_is_said_to_be_empty(call, command):
    run = call(command, "")
    assert run.exit_code == 2
    assert "the name of the table is empty" in run.output


@pytest.mark.parametrize("command", ["show", "analyze"])
def test_a_device_is_not_a_regular_file(call, command):
    run = call(command, "/dev/null")
    assert run.exit_code == 2
    assert "/dev/null: this is not a regular file" in run.output


def test_a_sweep_named_from_its_own_folder_is_run_again_in_the_folder_above(call, tmp_path, monkeypatch):
    sweep = tmp_path / "here/results/study"
    (sweep / "parts").mkdir(parents=True)
    (sweep / "sweep.yaml").write_text("name: study\n")
    monkeypatch.chdir(sweep)
    assert "`kdtune sweep sweep.yaml --results ..`" in call("show", ".").output


@pytest.mark.parametrize("names", ["", " ", ","])
def test_an_empty_list_of_cell_columns_is_refused(call, folder, rising, names):
    rising.to_csv(folder / "own.csv", index=False)
    run = call("analyze", folder / "own.csv", "--cell", names)
    assert run.exit_code == 2
    assert "names no column; leave the option out for the default" in run.output


@pytest.mark.parametrize("arguments", [{}, {"cell": ["width"]}, {"map": {"temp": "tau"}}])
def test_a_table_without_columns_is_said_to_have_none(arguments):
    with pytest.raises(RequestError, match=r"^the table has no column 'temp': it has no columns$"):
        kdtune.analyze(pd.DataFrame(), **arguments)


def test_an_empty_text_for_a_cell_is_not_suggested_as_a_name(rising):
    with pytest.raises(RequestError, match=r"^cell: must be a list of names, as in cell=\['width', 'lr'\]"):
        kdtune.analyze(rising, cell="")


@pytest.mark.parametrize("is_sweep", [True, False])
def test_power_from_one_replicate_names_the_remedy(call, folder, rising, is_sweep):
    path = folder / ("table.parquet" if is_sweep else "single.parquet")
    (folder / "sweep.yaml").write_text("name: x\n")
    rising[rising[REPLICATE] == 0].to_parquet(path)
    run = call("power", path)
    assert run.exit_code == 2
    remedy = "Train more replicates: `replicates: 3` in the sweep file." if is_sweep else "Add runs with another seed"
    assert remedy in run.output
    assert ("sweep file" in run.output) == is_sweep


@pytest.mark.parametrize("is_sweep", [True, False])
def test_power_from_one_temperature_names_the_remedy(call, folder, rising, is_sweep):
    path = folder / ("table.parquet" if is_sweep else "single.parquet")
    (folder / "sweep.yaml").write_text("name: x\n")
    rising[rising[TEMP].isna() | (rising[TEMP] == 4)].to_parquet(path)
    run = call("power", path)
    assert run.exit_code == 2
    if is_sweep:
        assert "Train more temperatures: `distill: {T: {grid_search: [1, 2, 4]}}` in the sweep file." in run.output
    else:
        assert run.output.rstrip().endswith("Add runs at a second temperature to the table.")
    assert "replicates: 3" not in run.output


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rusn.csv", "there is no such file; did you mean 'runs.csv'?"),
        ("other.json", "there is no such file; did you mean runs.csv or runs.tsv?"),
        ("tables/rusn.csv", "there is no such file; did you mean 'tables/runs.csv'?"),
        ("tables/rusn", "there is no such file; did you mean 'tables/runs.csv'?"),
        ("nowhere/runs.csv", "there is no such file; the folder 'nowhere' does not exist"),
        ("runs", "there is no such file, folder or sweep under results/; did you mean 'runs.tsv'?"),
        (".", "the folder has no table.parquet; name the file of the table: did you mean runs.csv or runs.tsv?"),
        ("tables", "the folder has no table.parquet; name the file of the table: did you mean tables/runs.csv?"),
        ("empty", "the folder has no table.parquet; name the file of a table, or the folder of a sweep"),
        ("empty/a.csv", "there is no such file; name a file, with its folder"),
    ],
)
def test_a_mistyped_file_is_answered_with_the_nearest_one(call, tmp_path, name, message):
    here = tmp_path / "here"
    for folder in ("tables", "empty"):
        (here / folder).mkdir()
    for file in ("runs.csv", "runs.tsv", "notes.md", ".hidden.csv", "tables/runs.csv"):
        (here / file).touch()
    for command in ("show", "analyze"):
        run = call(command, name)
        assert run.exit_code == 2
        assert run.output == f"{name}: {message}\n"


@pytest.mark.parametrize("name", ["fakeset", "results/fakeset"])
def test_a_mistyped_sweep_is_answered_with_how_to_make_it(call, name):
    run = call("analyze", name)
    assert run.output.endswith("there is no such file, folder or sweep under results/; `kdtune sweep` makes a table\n")


def test_read_table_answers_as_the_command_does(folder, rising):
    rising.to_csv(folder / "own.csv", index=False)
    with pytest.raises(RequestError, match="this is a CSV file"):
        kdtune.read_table(folder / "own.csv")


@pytest.mark.parametrize("margin", [-1, -1e-9, float("nan"), float("inf"), "0.05", True])
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
