"""The commands and the library on tables from elsewhere: one door, and answers named after the table."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, make_runs


@pytest.fixture
def runs_csv(tmp_path):
    path = tmp_path / "runs.csv"
    runs = make_runs().rename(columns={"temp": "T", "replicate": "seed"}).assign(hostname="a")
    runs.to_csv(path, index=False)
    return path


def test_the_answer_says_how_the_table_was_read(call, runs_csv):
    run = call("analyze", runs_csv)
    assert run.exit_code == 0
    assert run.output.startswith("Use T = 2 for width 10. ")
    for note in ("How the table was read:", "- The temperature is the column T.",
                 "- The replicate is the column seed: runs with the same value there belong together.",
                 "- Settings: width (10, 40).", "- Not settings: hostname (bookkeeping)."):  # fmt: skip
        assert note in run.output
    content = json.loads((runs_csv.parent / "runs.csv-analysis" / "analysis.json").read_text())
    assert any("column T" in note for note in content["reading_notes"])


def test_answers_are_named_after_their_table(call, runs_csv):
    second = runs_csv.with_name("runs.parquet")
    make_runs({7: 2.0}).to_parquet(second)
    for path in (runs_csv, second):
        for command in ("analyze", "plot", "report"):
            assert call(command, path).exit_code == 0
    names = {path.name for path in runs_csv.parent.iterdir()}
    for name in ("runs.csv", "runs.parquet"):
        assert {f"{name}-analysis", f"{name}-figures", f"{name}-report.html"} <= names
    widths = [
        pq.read_table(runs_csv.with_name(f"{name}-analysis") / "t_opt.parquet")["width"].to_pylist()
        for name in ("runs.csv", "runs.parquet")
    ]
    assert widths == [[10, 40], [7]]
    page = runs_csv.with_name("runs.csv-report.html").read_text()
    assert "How the table was read" in page
    assert "The temperature is the column T." in page


def test_reserves_and_options_reach_every_command(call, runs_csv):
    for command in ("analyze", "plot", "report", "power"):
        run = call(command, runs_csv, "--where", "width == 10", "--cell", "width")
        assert run.exit_code == 0, run.output
        assert "25 of 50 rows match --where width == 10." in run.output


def test_a_measure_of_ones_own_goes_through_every_command(call, tmp_path):
    runs = make_runs()
    runs = runs.assign(f1=1 - runs.pop("val_num_error") / 10_000).drop(columns="num_error")
    path = tmp_path / "f1.csv"
    runs.to_csv(path, index=False)
    options = ("--measure", "f1", "--higher-is-better")
    run = call("analyze", path, *options)
    assert run.exit_code == 0, run.output
    assert run.output.startswith("Use T = 2 for width 10. ")
    assert "Best T: the highest f1" in run.output
    assert "within" not in run.output.split("statistically tied")[1].splitlines()[0]
    assert "within 0.01 of the best" in call("analyze", path, *options, "--margin", "0.01").output
    for command in ("plot", "report"):
        assert call(command, path, *options).exit_code == 0
    assert call("power", path, *options).exit_code == 2
    assert call("power", path, *options, "--errors", "0.001").exit_code == 0


def test_show_prints_a_table_as_it_is(call, runs_csv):
    run = call("show", runs_csv, "--where", "T == 2 and seed < 2", "--sort", "-seed")
    assert run.exit_code == 0
    assert run.output.splitlines()[0].split() == ["T", "width", "seed", "val_num_error", "num_error", "hostname"]
    assert len(run.output.splitlines()) == 5
    assert call("show", runs_csv, "--per-class").exit_code == 2


def test_compare_reads_a_table_that_has_the_numbers_of_examples(call, tmp_path):
    reference = tmp_path / "published.csv"
    reference.write_text("source,part,network,note,width,temp,label,n,num_error\nx,I,first,,10,2,,10000,150\n")
    runs = make_runs().assign(n_test=10_000)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    run = call("compare", tmp_path / "runs.csv", "--with", reference)
    assert run.exit_code == 0, run.output
    assert "first" in run.output
    runs.drop(columns="n_test").to_csv(tmp_path / "runs.csv", index=False)
    run = call("compare", tmp_path / "runs.csv", "--with", reference)
    assert run.exit_code == 2
    assert "the table lacks n_test" in run.output


def test_the_library_takes_frames_everywhere(tmp_path):
    runs = make_runs()
    files = kdtune.plot(runs, output=tmp_path / "figures", figures=["t_opt"])
    assert sorted(file.name for file in files) == ["t_opt.png", "t_opt.svg"]
    page = kdtune.report(runs, output=tmp_path / "page.html")
    assert page.is_file()
    assert kdtune.power(runs)["difference"].tolist() == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert kdtune.power(runs, errors=[5])["errors"].tolist() == [5]
    shown = kdtune.show(runs, where="temp == 2", columns=["temp", "width"], sort=["-width"])
    assert shown["width"].tolist() == [40] * 5 + [10] * 5
    for draw in (kdtune.plot, kdtune.report):
        with pytest.raises(RequestError, match="output: a frame lies in no folder"):
            draw(runs)
    with pytest.raises(RequestError, match="there is no figure 'topt'; did you mean 't_opt'"):
        kdtune.plot(runs, output=tmp_path, figures=["topt"])


def test_nothing_is_written_where_a_table_is_refused(call, runs_csv):
    for command in ("analyze", "plot", "report"):
        assert call(command, runs_csv, "--map", "temp=width", "--where", "width > 99").exit_code == 2
    assert sorted(path.name for path in runs_csv.parent.iterdir()) == ["here", "runs.csv"]


def test_cells_may_be_called_as_the_file_the_map_or_the_answer_calls_them():
    runs = make_runs().rename(columns={"width": "config/student/width"}).assign(model="resnet")
    for cell in (["config/student/width"], ["width"], ["width", "model"], ["width", "model (setting)"]):
        t_opt = kdtune.analyze(runs, cell=cell).t_opt
        assert dict(zip(t_opt["width"], t_opt["T_opt"], strict=True)) == BEST
    mapped = make_runs().rename(columns={"width": "w"})
    assert kdtune.analyze(mapped, map={"width": "w"}, cell=["w"]).cell_columns == ["width"]
    assert len(kdtune.analyze(pd.concat([make_runs(BEST)]).query("width == 10"), cell=[]).t_opt) == 1
