"""`kdtune analyze`, `plot`, `report` and `power`: what they print, write and refuse."""

from __future__ import annotations

import html
import json
import math
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.headline import write_headline
from kdtune.columns import (
    BASELINE,
    CLASS_SEP,
    DATASET,
    ERROR,
    FAILED,
    ID,
    MODEL,
    N_PARAMS,
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
from kdtune.plots.confusion import compute_confusions
from kdtune.plots.excess import ARROW, plot_excess
from kdtune.plots.gain import plot_gain
from kdtune.plots.optimum import plot_optimum
from kdtune.plots.optimum_intervals import OPEN_END_RATIO, prepare_intervals
from kdtune.plots.optimum_map import plot_optimum_map, prepare_map
from kdtune.plots.published_optimum import PUBLISHED_OPTIMA
from kdtune.plots.regret import plot_regret
from kdtune.plots.tutorial import plot_against_temperature

STILL = planted.quadratic(lambda cell: 2.0, 0.1)
FIGURES = ("softmax", "accuracy", "num_error", "excess", "t_opt", "t_opt_map", "regret", "gain")


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
    assert "too low" in run.output


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


def test_panels_without_data_change_nothing_for_the_others(rising):
    """Two widths lack in the first data set, the first width in the second: those panels are empty."""
    first = rising[CLASS_SEP] == rising[CLASS_SEP].min()
    poor = rising[P_INFORMATIVE] == rising[P_INFORMATIVE].min()
    lacks = first & (rising[WIDTH] == 20) | first & poor & (rising[WIDTH] == 100)
    found = analyze_table(rising[~lacks])
    for figure in (
        plot_excess(found),
        plot_gain(found),
        plot_against_temperature(found, NUM_ERROR),
    ):
        drawn = [axes for axes in figure.axes if axes.axison]
        assert {axes.get_xscale() for axes in drawn} == {"log"}
        assert len({(axes.get_xlim(), axes.get_ylim()) for axes in drawn}) == 1
        names = [text.get_text() for text in figure.legends[0].texts]
        students = [name for name in names if name.startswith("student, width")]
        assert students == sorted(students, key=lambda name: int(name.split()[-1]))
    figure = plot_excess(found)
    assert len([axes for axes in figure.axes if axes.get_ylabel()]) == 4  # one for each data set
    columns = {axes.get_subplotspec().colspan.start for axes in figure.axes if axes.axison}
    titled = {axes.get_subplotspec().colspan.start for axes in figure.axes if axes.axison and axes.get_title()}
    assert titled == columns


def test_figures_say_which_students_are_larger_than_their_teacher(rising):
    params = rising[WIDTH].map({20: 100, 50: 300, 100: 900}).fillna(500)
    found = analyze_table(rising.assign(**{N_PARAMS: params}))
    drawn = (plot_excess, plot_gain, plot_optimum, plot_optimum_map, plot_regret)
    for figure in (draw(found) for draw in drawn):
        words = [text.get_text().replace("\n", " ") for text in figure.findobj(mpl.text.Text)]
        said = {text for text in words if "larger than its teacher" in text}
        assert said in ({"width 100 (larger than its teacher)"}, {"student, width 100 (larger than its teacher)"},
                        {"shaded: larger than its teacher"})  # fmt: skip
    otherwise = rising.assign(**{N_PARAMS: params}, units=rising[WIDTH])
    no_widths = plot_optimum(analyze_table(otherwise, [CLASS_SEP, P_INFORMATIVE, "units"]))
    lines = [text.get_text() for text in no_widths.axes[0].get_yticklabels()]
    assert sum(line.endswith(" (larger than its teacher)") for line in lines) == len(lines) / 3


def test_a_panel_without_baselines_says_so(rising):
    lacks = (rising[MODEL] == BASELINE) & (rising[CLASS_SEP] == rising[CLASS_SEP].min())
    said = [[text.get_text() for text in axes.texts] for axes in plot_gain(analyze_table(rising[~lacks])).axes]
    informative = rising[P_INFORMATIVE].nunique()
    assert said == [["no baseline"]] * informative + [[]] * (len(said) - informative)


def test_excess_above_the_axis_is_marked_and_excess_over_no_errors_is_explained():
    """Errors at T = 40 are more than 50 % above the lowest; one student makes no error at its best T."""
    table = planted.table(planted.quadratic(lambda cell: 0.0, 0.1), seps=(1.0,), informative=(1.0,), widths=(20, 50))
    is_perfect = (table[MODEL] == STUDENT) & (table[WIDTH] == 20)
    lowered = table[VAL_NUM_ERROR].where(~is_perfect, (table[TEMP] > 1) * 5)
    figure = plot_excess(analyze_table(table.assign(**{VAL_NUM_ERROR: lowered})))
    perfect_axes, axes = figure.axes
    assert [text.get_text() for text in perfect_axes.texts] == ["no errors at the best T:\nno relative excess"]
    arrows = [line for line in axes.lines if line.get_marker() == ARROW]
    curve = axes.lines[1]
    above = curve.get_xdata()[curve.get_ydata() > axes.get_ylim()[1]]
    assert len(above)
    assert arrows[0].get_xdata().tolist() == above.tolist()
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert "arrow at the top: above the axis" in legend
    for shown in perfect_axes.lines:
        assert not np.any(np.abs(shown.get_ydata(orig=False).astype(float)) > 1)


def test_a_table_without_large_excess_has_no_arrows(rising):
    gentle = planted.table(planted.quadratic(lambda cell: 2.0, 0.01))
    legend = plot_excess(analyze_table(gentle)).legends[0]
    assert not any("arrow" in text.get_text() for text in legend.texts)


@pytest.mark.parametrize("grid", [(20, 30, 40, 60, 80), (0.1, 0.2, 0.3, 0.5, 1)])
def test_published_temperatures_are_shown_whatever_the_grid(grid):
    figure = plot_optimum(analyze_table(planted.table(STILL, seps=(1.0,), temperatures=grid)))
    low, high = figure.axes[0].get_ylim()
    for optimum in PUBLISHED_OPTIMA:
        assert low < optimum.low < high
        assert math.isinf(optimum.high) or optimum.high < high


def test_a_student_stands_at_the_same_offset_in_every_panel(rising):
    """The panel without the first curve draws the second where the other panels draw it."""
    varied = pd.concat([rising.assign(rate=rate, **{ID: rising[ID] + rate}) for rate in ("low", "high")])
    varied = varied[varied[P_INFORMATIVE] == 1.0]
    lacks = (varied["rate"] == "high") & (varied[CLASS_SEP] == 0.2) & (varied[MODEL] == STUDENT)
    figure = plot_optimum(analyze_table(varied[~lacks], [CLASS_SEP, WIDTH, "rate"]))
    marks = [{line.get_color(): tuple(line.get_xdata()) for line in axes.lines if line.get_alpha() == 0.6}
             for axes in figure.axes[:2]]  # fmt: skip
    assert len(marks[0]) == 1
    assert len(marks[1]) == 2
    assert marks[0].items() <= marks[1].items()


def test_prepared_intervals_end_just_beyond_the_grid_where_they_are_open():
    t_opt = pd.DataFrame(
        {
            "T_opt_continuous": [1.0, 4.0, 3.0],
            "T_opt_low": [0.0, 2.0, 0.0],
            "T_opt_high": [2.0, math.inf, math.inf],
            "flags": [["edge"], [], ["flat", "larger than its teacher"]],
        }
    )
    intervals = prepare_intervals(t_opt, [1.0, 2.0, 5.0])
    assert intervals["bottom"].tolist() == [1 / OPEN_END_RATIO, 2, 1 / OPEN_END_RATIO]
    assert intervals["top"].tolist() == [2, 5 * OPEN_END_RATIO, 5 * OPEN_END_RATIO]
    assert intervals["is_open_below"].tolist() == [True, False, True]
    assert intervals["is_open_above"].tolist() == [False, True, True]
    assert intervals["is_flat"].tolist() == intervals["is_larger_than_teacher"].tolist() == [False, False, True]


def test_confusions_are_mean_mistakes_and_leave_out_correct_predictions():
    networks = pd.DataFrame({ID: ["a", "b"], "panel": "", "series": "student, width 20"})
    counts = [("a", 0, 0, 9), ("a", 0, 1, 1), ("a", 1, 0, 4), ("a", 1, 1, 6),
              ("b", 0, 0, 7), ("b", 0, 1, 3), ("b", 1, 0, 0), ("b", 1, 1, 10)]  # fmt: skip
    confusion = pd.DataFrame(counts, columns=[ID, "label", "predicted", "count"])
    (matrix,) = compute_confusions(networks, confusion)
    assert matrix.title == "student, width 20"
    np.testing.assert_array_equal(matrix.mistakes, [[math.nan, 2], [2, math.nan]])


def test_the_map_has_a_row_for_each_data_set_and_gaps_where_no_cell_is(rising):
    lacks = (rising[CLASS_SEP] == 0.2) & (rising[P_INFORMATIVE] == 0.5) & (rising[WIDTH] == 50)
    answer = analyze_table(rising[~lacks])
    optimum_map = prepare_map(answer.t_opt, answer.cell_columns)
    assert optimum_map.student_labels == ["width 20", "width 50", "width 100"]
    assert optimum_map.T_opt.shape == (optimum_map.n_data_sets, 3) == (4, 3)
    assert np.argwhere(np.isnan(optimum_map.T_opt)).tolist() == [[0, 1]]
    by_cell = answer.t_opt.set_index([CLASS_SEP, P_INFORMATIVE, WIDTH])["T_opt"]
    assert optimum_map.T_opt[0, 2] == by_cell[0.2, 0.5, 100]
    assert optimum_map.T_opt[3, 0] == by_cell[1.0, 1.0, 20]


def test_long_settings_stay_apart(rising):
    long = {"weight_decay_of_the_second_kind": "0.0001 of the greatest", "optimizer": "stochastic gradient descent"}
    varied = pd.concat([rising.assign(**long, rate=rate, **{ID: rising[ID] + rate}) for rate in ("low", "high")])
    found = analyze_table(varied[varied[CLASS_SEP] == 1], [*long, "rate", P_INFORMATIVE, WIDTH, "momentum"][:5])
    for figure in (plot_gain(found), plot_regret(found)):
        names = [text.get_text() for text in figure.legends[0].texts if text.get_text().startswith("student")]
        assert len(set(names)) == len(names) == 6


def test_every_column_of_panels_names_its_widths():
    table = planted.table(STILL, seps=(0.2, 0.4, 0.6, 0.8, 1.0), informative=(1.0,), widths=(20, 50))
    for axes in plot_optimum(analyze_table(table)).axes:
        if axes.axison:
            assert [label.get_text() for label in axes.get_xticklabels() if label.get_visible()]
            assert axes.xaxis.get_tick_params()["labelbottom"]


def test_figures_that_cannot_hold_everything_say_so():
    table = planted.table(STILL, seps=(1.0,), informative=(1.0,), widths=(20, 50), draws=35, replicates=2)
    found = analyze_table(table, ["dataset", "width"])
    for draw in (plot_gain, plot_optimum, plot_excess):
        words = " ".join(text.get_text() for text in draw(found).findobj(mpl.text.Text))
        assert re.search(r"the first (16|15|60) of (35 data sets|35 panels|70 settings)", words)


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
    assert write_headline(analyze_table(pd.read_parquet(path))) in html.unescape(page)
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
