"""`kdtune analyze`, `plot`, `report` and `power`: what they print, write and refuse."""

from __future__ import annotations

import html
import json
import math
import re

import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.headline import write_opening
from kdtune.columns import (
    BASELINE,
    CLASS_SEP,
    DATASET,
    ERROR,
    FAILED,
    ID,
    MODEL,
    NUM_ERROR,
    P_INFORMATIVE,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
    VAL_NLL,
    VAL_NUM_ERROR,
    WIDTH,
)

STILL = planted.quadratic(lambda cell: 2.0, 0.1)
FIGURES = ("softmax", "accuracy", "num_error", "overall", "excess", "t_opt", "t_opt_map", "regret", "gain")


@pytest.fixture
def written(tmp_path):
    def write(table, name="table.parquet"):
        folder = tmp_path / "swept"
        folder.mkdir(exist_ok=True)
        table.to_parquet(folder / name)
        return folder / name

    return write


def test_one_temperature_is_no_choice(call, written):
    run = call("analyze", written(planted.table(planted.RISES, temperatures=(4,))))
    assert run.exit_code == 0, run.output
    assert "one temperature" in run.output
    assert "any T" in run.output


def test_a_table_without_validation_says_that_the_test_split_chose(call, written, rising):
    run = call("analyze", written(rising.drop(columns=[VAL_NUM_ERROR, VAL_NLL])))
    assert run.exit_code == 0
    assert "fewest errors on the test split" in run.output
    assert "T is chosen on the same split, but on the other replicates" in run.output


def test_analyze_writes_what_it_prints(call, written, rising):
    path = written(rising)
    run = call("analyze", path)
    assert run.exit_code == 0, run.output
    found = pd.read_parquet(path.parent / "analysis/t_opt.parquet")
    columns = {"class_sep", "p_informative", "width", "T_opt", "T_opt_continuous", "T_opt_low", "T_opt_high", "tied",
               "good_enough", "flags", "replicates"}  # fmt: skip
    assert columns <= {*found.columns}
    effects = pd.read_parquet(path.parent / "analysis/effects.parquet")
    assert {"factor", "effect", "low", "high", "p_value", "informative_cells", "sentence"} <= {*effects.columns}
    assert all(sentence in run.output for sentence in effects["sentence"])
    content = json.loads((path.parent / "analysis/analysis.json").read_text())
    assert len(content["t_opt"]) == len(found)
    assert content["t_opt"][0]["tied"] == found["tied"][0].tolist()


def test_a_table_from_elsewhere(call, tmp_path, rising):
    students = rising[rising[MODEL] == STUDENT]
    own = students.rename(columns={TEMP: "tau", REPLICATE: "rep", DATASET: "data"})
    own[["tau", "rep", "data", WIDTH, CLASS_SEP, P_INFORMATIVE, NUM_ERROR]].to_csv(tmp_path / "own.csv")
    run = call(
        "analyze", tmp_path / "own.csv", "--map", "temp=tau,replicate=rep,dataset=data",
        "--cell", "width,class_sep,p_informative",
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    assert "rises with the student's width" in run.output
    assert "baseline" not in run.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "temp=tow"], "there is no column 'tow'"),
        (["--map", "tmep=strength"], "kdtune has no column 'tmep'; did you mean 'temp'?"),
        (["--map", "strength"], "is not OURS=THEIRS"),
        (["--map", "temp=strength", "--cell", "wide"], "there is no column 'wide'; did you mean 'width'"),
        ([], "no column 'temp'; name the one with the temperatures: --map temp=NAME; it has class_sep, "),
        (
            ["--map", "temp=strength", "--cell", "width"],
            "720 rows have the same strength, replicate and setting, as at width -1, strength 1, replicate 0, where "
            "they differ in class_sep, ",
        ),
        (["--map", "temp=width"], "must be a positive number"),
    ],
)
def test_mistakes_about_a_table_from_elsewhere_get_one_message(call, tmp_path, rising, arguments, said):
    frame = rising.rename(columns={TEMP: "strength"})
    frame = frame[frame[MODEL] == STUDENT].assign(**{WIDTH: rising[WIDTH].where(rising[WIDTH] > 20, -1)})
    frame.to_csv(tmp_path / "own.csv", index=False)
    run = call("analyze", tmp_path / "own.csv", *arguments)
    assert run.exit_code == 2
    assert said in run.output
    assert not (tmp_path / "analysis").exists()


def test_no_table_and_no_student_get_one_message(call, written, rising):
    assert call("analyze", "nowhere").exit_code == 2
    run = call("analyze", written(rising[rising[MODEL] == TEACHER]))
    assert run.exit_code == 2
    assert "no distilled student" in run.output
    run = call("plot", written(rising[rising[MODEL] == TEACHER]))
    assert run.exit_code == 0
    assert "nothing is drawn against T" in run.output


def test_a_table_without_errors_is_not_one_without_students(call, tmp_path, rising):
    rising[[TEMP, WIDTH]].to_csv(tmp_path / "own.csv", index=False)
    run = call("plot", tmp_path / "own.csv")
    assert run.exit_code == 2
    assert "the table has no errors: it needs a column val_num_error" in run.output


@pytest.mark.parametrize("command", ["analyze", "plot", "report"])
@pytest.mark.parametrize("place", ["file/below", "x" * 300], ids=["below a file", "a long name"])
def test_a_place_that_cannot_be_written_is_refused(call, written, rising, command, place):
    path = written(rising)
    (path.parent / "file").write_text("mine")
    run = call(command, path, "-o", path.parent / place)
    assert run.exit_code == 2
    assert run.stdout == ""
    assert "cannot be written" in run.stderr


def test_plot_draws_every_figure(call, written):
    path = written(planted.table(planted.RISES, seps=(1.0,), widths=(20, 50)))
    assert call("plot", path).exit_code == 0
    for name in FIGURES:
        for kind in ("png", "svg"):
            assert (path.parent / f"figures/{name}.{kind}").stat().st_size > 5000


def test_plot_draws_the_figures_that_are_asked_for(call, written, rising):
    path = written(rising[rising[MODEL] != BASELINE])
    assert call("plot", path, "--figure", "regret", "-f", "t_opt").exit_code == 0
    assert {file.stem for file in (path.parent / "figures").iterdir()} == {"regret", "t_opt"}
    run = call("plot", path, "--figure", "gain")
    assert run.exit_code == 2
    assert "the table lacks what the figure gain shows" in run.output


@pytest.mark.parametrize("table", [
    planted.table(STILL, widths=(50,), seps=(1.0,), informative=(1.0,)),
    planted.table(STILL, seps=(1.0,), replicates=1),
    planted.table(STILL, seps=(1.0,), temperatures=(2,)),
    planted.table(STILL, seps=(1.0,), temperatures=(1, 3), replicates=2),
], ids=["one cell", "one replicate", "one temperature", "two temperatures"])  # fmt: skip
def test_small_tables_have_figures_and_a_page_too(call, written, table):
    path = written(table)
    for command in ("report", "analyze"):
        run = call(command, path)
        assert run.exit_code == 0, run.output


def test_the_page_needs_no_network_and_escapes_what_is_the_users(call, written, rising):
    path = written(rising.assign(**{DATASET: "<script>alert(1)</script>", "hidden": "[4]"}))
    (path.parent / "sweep.yaml").write_text("name: <b>bold</b>\n")
    failed = rising.iloc[[-1]].assign(**{STATUS: FAILED, ERROR: "<img src=x>", ID: "failed"})
    both = pd.concat([rising, failed])
    label = [f"<i>{width} {sep}</i>" for width, sep in zip(both[WIDTH], both[CLASS_SEP], strict=True)]
    path = written(both.assign(label=label))
    run = call("report", path)
    assert run.exit_code == 0, run.output
    page = (path.parent / "report.html").read_text()
    for text in ("<b>bold", "<img src=x>", "<i>20"):
        assert text not in page
        assert html.escape(text) in page
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", page)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert all(text in html.unescape(page) for text in write_opening(analyze_table(pd.read_parquet(path))))
    assert "1 network of" in page


def test_power_counts_replicates(call, written, rising):
    run = call("power", written(rising), "--difference", "0.05", "--errors", "10")
    assert run.exit_code == 0, run.output
    assert "5 replicates" in run.output
    noise = 6 * math.sqrt(2)  # of a difference of two temperatures, as planted
    counted = int(re.findall(r"^\S+ +10\S* +(\d+)", run.output, re.MULTILINE)[0])
    assert counted == pytest.approx((2.8 * noise / 10) ** 2 + 2, abs=2)


def test_power_needs_replicates(call, written):
    run = call("power", written(planted.table(STILL, replicates=1)))
    assert run.exit_code == 2
    assert "two replicates" in run.output


def test_a_model_of_another_name_is_told_what_is_read(call, written, rising):
    run = call("analyze", written(rising.assign(**{MODEL: rising[MODEL].replace(STUDENT, "kd")})))
    assert run.exit_code == 2
    assert "the roles of its networks are kd, student and teacher, where kdtune reads distilled_student, " in run.output


def test_figures_that_are_no_numbers_get_one_message(call, tmp_path, rising):
    spoiled = rising.astype({NUM_ERROR: object})
    spoiled.loc[spoiled.index[7], NUM_ERROR] = "many"
    spoiled.to_csv(tmp_path / "own.csv", index=False)
    run = call("analyze", tmp_path / "own.csv")
    assert run.exit_code == 2
    assert "num_error: must be a number, not 'many' (1 row). Write a number, or leave the cell empty" in run.output
