"""`kdtune analyze`, `plot`, `report` and `power`, from tables with planted answers."""

from __future__ import annotations

import html
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import planted
from kdtune import table as t
from kdtune.analysis import foreign, sentences, tables
from kdtune.analysis.answer import EDGE, FEW, FLAT, INCOMPLETE, LARGE, answer
from kdtune.cli import main

RISES = planted.quadratic(lambda cell: 2 + math.log2(cell["width"] / 50), 0.1)
STILL = planted.quadratic(lambda cell: 2.0, 0.1)
FIGURES = ("softmax", "accuracy", "num_error", "excess", "t_opt", "t_opt_map", "regret", "gain")


@pytest.fixture(scope="module")
def rising():
    return planted.table(RISES)


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def written(tmp_path):
    def write(table, name="table.parquet"):
        folder = tmp_path / "swept"
        folder.mkdir(exist_ok=True)
        table.to_parquet(folder / name)
        return folder / name

    return write


def test_the_planted_answer_comes_out(rising):
    found = answer(rising)
    assert len(found.t_opt) == 12
    truth = 4 * found.t_opt["width"].astype(float) / 50
    assert (found.t_opt["T_opt_low"] <= truth).all()
    assert (truth <= found.t_opt["T_opt_high"]).all()
    assert all(any(abs(math.log2(T / at)) < 0.4 for T in tied)
               for tied, at in zip(found.t_opt["tied"], truth, strict=True))  # fmt: skip
    effects = found.effects.set_index("factor")
    assert effects.loc["width", "low"] <= 1 <= effects.loc["width", "high"]
    assert "rises with the student's width" in effects.loc["width", "sentence"]
    for factor in ("class_sep", "p_informative"):
        assert "rises" not in effects.loc[factor, "sentence"]
        assert "falls" not in effects.loc[factor, "sentence"]
    assert "differ by a factor" in effects.loc["teacher_error", "sentence"]


def test_what_it_is_worth_is_reckoned_on_the_test_split(rising):
    found = answer(rising)
    students = rising[rising[t.MODEL] == t.STUDENT]
    for names, cell in found.test.groupby(found.columns):
        own = students[(students[found.columns] == list(names)).all(axis=1)]
        at = own[own[t.TEMP] == cell["T"].item()]
        assert cell["student"].item() == pytest.approx(at[t.NUM_ERROR].mean())
        means = own.groupby(t.TEMP)[t.VAL_NUM_ERROR].mean()
        assert means[cell["T"].item()] == means.min()
        baseline = rising[(rising[t.MODEL] == t.BASELINE) & (rising[found.columns] == list(names)).all(axis=1)]
        assert cell["baseline"].item() == baseline[t.NUM_ERROR].mean()
        pairs = at.set_index(t.REPLICATE)[t.NUM_ERROR] - baseline.set_index(t.REPLICATE)[t.NUM_ERROR]
        assert cell["minus_baseline"].item() == pytest.approx(pairs.mean())
        assert cell["chosen_on_test"].item() <= cell["student"].item()
        assert 0 < cell["gap_low"].item() < cell["gap_closed"].item() < cell["gap_high"].item() < 1


def test_the_order_of_rows_changes_nothing(rising):
    one, other = answer(rising), answer(rising.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(one.t_opt, other.t_opt)
    pd.testing.assert_frame_equal(one.effects, other.effects)


@pytest.mark.parametrize(("shape", "low", "high"), [(planted.falling, None, math.inf), (planted.rising, 0.0, None)])
def test_an_optimum_at_the_edge_is_flagged_and_its_interval_open(shape, low, high):
    found = answer(planted.table(shape, noise=1)).t_opt
    assert found["flags"].map(lambda flags: EDGE in flags).all()
    assert (found["T_opt_low" if low is not None else "T_opt_high"] == (low if low is not None else high)).all()


def test_a_flat_curve_is_flagged_and_nothing_is_excluded():
    found = answer(planted.table(lambda x, cell: 150 + 0 * x)).t_opt
    assert found["flags"].map(lambda flags: FLAT in flags).mean() >= 0.75  # its test has 5 % errors
    assert found["tied"].map(len).median() >= 10


def test_few_informative_cells_say_that_nothing_can_be_told():
    sentences_ = answer(planted.table(lambda x, cell: 150 + 0 * x)).effects["sentence"]
    assert all(sentence.startswith("Cannot tell") for sentence in sentences_)


@pytest.mark.parametrize("replicates", [1, 2])
def test_few_replicates_are_flagged(replicates):
    found = answer(planted.table(RISES, replicates=replicates))
    assert found.t_opt["flags"].map(lambda flags: FEW in flags).all()
    if replicates == 1:
        assert (found.t_opt["T_opt_low"] == 0).all()
        assert np.isinf(found.t_opt["T_opt_high"]).all()
        assert found.t_opt["tied"].map(len).eq(len(planted.GRID)).all()
        assert found.effects["sentence"].str.contains("one replicate").all()


def test_one_temperature_is_no_choice(call, written):
    run = call("analyze", written(planted.table(RISES, temperatures=(4,))))
    assert run.exit_code == 0, run.output
    assert "one temperature" in run.output
    assert "anything" in run.output


def test_a_gap_in_a_cell_leaves_out_what_lacks_and_says_so(rising):
    students = rising[t.MODEL] == t.STUDENT
    hole = students & (rising[t.WIDTH] == 20) & (rising[t.TEMP] == 40) & (rising[t.REPLICATE] == 1)
    found = answer(rising.mask(hole & (rising[t.CLASS_SEP] == 0.2), np.nan).assign(
        **{t.MODEL: rising[t.MODEL], t.STATUS: rising[t.STATUS].where(~(hole & (rising[t.CLASS_SEP] == 0.2)), t.FAILED)}
    )).t_opt  # fmt: skip
    lacking = found[found["flags"].map(lambda flags: INCOMPLETE in flags)]
    assert len(lacking) == 2
    assert all(out in (["T 40"], ["replicate 1"]) for out in lacking["left_out"])
    assert (found.drop(lacking.index)["temperatures"] == len(planted.GRID)).all()


def test_a_missing_cell_is_missing_and_no_more(rising):
    found = answer(rising[~((rising[t.WIDTH] == 50) & (rising[t.CLASS_SEP] == 1.0))])
    assert len(found.t_opt) == 10
    assert "rises with the student's width" in found.effects.set_index("factor").loc["width", "sentence"]


def test_rows_that_are_not_finite_are_left_out(rising):
    spoiled = rising.copy()
    which = (spoiled[t.MODEL] == t.STUDENT) & (spoiled[t.TEMP] == 3) & (spoiled[t.REPLICATE] == 2)
    spoiled.loc[which, [t.VAL_NUM_ERROR, t.NUM_ERROR]] = np.nan
    found = answer(spoiled)
    assert found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(found.test["student"]).all()


def test_a_student_larger_than_its_teacher_is_flagged(rising):
    sizes = rising[t.WIDTH].astype("float64").fillna(60) * 100
    found = answer(rising.assign(**{t.N_PARAMS: sizes})).t_opt
    assert [LARGE in flags for flags in found["flags"]] == [width > 60 for width in found["width"]]


def test_a_table_without_validation_says_that_the_test_split_chose(call, written, rising):
    run = call("analyze", written(rising.drop(columns=[t.VAL_NUM_ERROR, t.VAL_NLL])))
    assert run.exit_code == 0
    assert "Fewest errors on the test split" in run.output
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
    students = rising[rising[t.MODEL] == t.STUDENT]
    own = students.rename(columns={t.TEMP: "tau", t.REPLICATE: "rep", t.DATASET: "data"})
    own[["tau", "rep", "data", t.WIDTH, t.CLASS_SEP, t.P_INFORMATIVE, t.NUM_ERROR]].to_csv(tmp_path / "own.csv")
    run = call("analyze", "own.csv", "--map", "temp=tau,replicate=rep", "--cell", "width,class_sep,p_informative")
    assert run.exit_code == 0, run.output
    assert "rises with the student's width" in run.output
    assert "baseline" not in run.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "temp=tow"], "there is no column 'tow'"),
        (["--map", "tau"], "is not OURS=THEIRS"),
        (["--map", "temp=tau", "--cell", "wide"], "there is no column 'wide'; did you mean 'width'"),
        ([], "no column 'temp'"),
        (["--map", "temp=tau", "--cell", "width"], "have the same T and replicate"),
        (["--map", "temp=width"], "must be a positive number"),
    ],
)
def test_mistakes_about_a_table_from_elsewhere_get_one_message(call, tmp_path, rising, arguments, said):
    frame = rising.rename(columns={t.TEMP: "tau"})
    frame = frame[frame[t.MODEL] == t.STUDENT].assign(**{t.WIDTH: rising[t.WIDTH].where(rising[t.WIDTH] > 20, -1)})
    frame.to_csv(tmp_path / "own.csv", index=False)
    run = call("analyze", "own.csv", *arguments)
    assert run.exit_code == 2
    assert said in run.output
    assert not (tmp_path / "analysis").exists()


def test_no_table_and_no_student_get_one_message(call, written, rising):
    assert call("analyze", "nowhere").exit_code == 2
    run = call("analyze", written(rising[rising[t.MODEL] == t.TEACHER]))
    assert run.exit_code == 2
    assert "no distilled student" in run.output
    run = call("plot", written(rising[rising[t.MODEL] == t.TEACHER]))
    assert run.exit_code == 0
    assert "only the softmax" in run.output


def test_plot_draws_every_figure(call, written, rising):
    path = written(rising)
    assert call("plot", path).exit_code == 0
    for name in FIGURES:
        for kind in ("png", "svg"):
            assert (path.parent / f"figures/{name}.{kind}").stat().st_size > 5000


@pytest.mark.parametrize("table", [
    planted.table(STILL, widths=(50,), seps=(1.0,), informative=(1.0,)),
    planted.table(STILL, seps=(1.0,), replicates=1),
    planted.table(STILL, seps=(1.0,), temperatures=(2,)),
    planted.table(STILL, seps=(1.0,), temperatures=(1, 3), replicates=2),
], ids=["one cell", "one replicate", "one temperature", "two temperatures"])  # fmt: skip
def test_small_tables_have_figures_and_a_page_too(call, written, table):
    path = written(table)
    for command in ("plot", "report", "analyze"):
        run = call(command, path)
        assert run.exit_code == 0, run.output


def test_the_page_needs_no_network_and_escapes_what_is_the_users(call, written, rising):
    path = written(rising.assign(**{t.DATASET: "<script>alert(1)</script>", "hidden": "[4]"}))
    (path.parent / "sweep.yaml").write_text("name: <b>bold</b>\n")
    failed = rising.iloc[[-1]].assign(**{t.STATUS: t.FAILED, t.ERROR: "<img src=x>", t.ID: "failed"})
    both = pd.concat([rising, failed])
    label = [f"<i>{width} {sep}</i>" for width, sep in zip(both[t.WIDTH], both[t.CLASS_SEP], strict=True)]
    path = written(both.assign(label=label))
    run = call("report", path)
    assert run.exit_code == 0, run.output
    page = (path.parent / "report.html").read_text()
    for text in ("<b>bold", "<img src=x>", "<i>20"):
        assert text not in page
        assert html.escape(text) in page
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", page)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert sentences.headline(answer(pd.read_parquet(path))) in html.unescape(page)
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


def test_an_index_is_no_setting(rising):
    assert "row" not in answer(rising.assign(row=range(len(rising)))).columns


def test_rows_that_are_infinite_are_left_out_as_those_without_a_number_are(rising):
    which = (rising[t.MODEL] == t.STUDENT) & (rising[t.TEMP] == 3) & (rising[t.REPLICATE] == 2)
    spoiled = rising.assign(**{t.VAL_NUM_ERROR: rising[t.VAL_NUM_ERROR].mask(which, np.inf)})
    found = answer(foreign.standard(spoiled, {}, None))
    assert found.t_opt["flags"].map(lambda flags: INCOMPLETE in flags).all()
    assert np.isfinite(found.curves["errors"]).all()


def test_rates_are_printed_as_rates(rising):
    measures = [t.VAL_NUM_ERROR, t.NUM_ERROR]
    shown = tables.worth(answer(rising.assign(**{name: rising[name] / 10_000 for name in measures})))
    counts = tables.worth(answer(rising))
    assert [float(rate) for rate in shown["student"]] == pytest.approx(
        [float(count) / 10_000 for count in counts["student"]], abs=1e-4
    )


def test_a_model_of_another_name_is_told_what_is_read(call, written, rising):
    run = call("analyze", written(rising.assign(**{t.MODEL: rising[t.MODEL].replace(t.STUDENT, "kd")})))
    assert run.exit_code == 2
    assert "says kd, where distilled_student is read" in run.output


def test_figures_that_are_no_numbers_get_one_message(call, tmp_path, rising):
    spoiled = rising.astype({t.NUM_ERROR: object})
    spoiled.loc[spoiled.index[7], t.NUM_ERROR] = "many"
    spoiled.to_csv(tmp_path / "own.csv", index=False)
    run = call("analyze", "own.csv")
    assert run.exit_code == 2
    assert "num_error: must be a number, not 'many' (1 row)" in run.output


def test_one_temperature_for_all_costs_what_it_costs_in_each(rising):
    found = answer(rising)
    fixed, own = found.fixed.set_index("T"), found.test.set_index(found.columns)["student"]
    students = rising[rising[t.MODEL] == t.STUDENT]
    for T in (1, 4, 40):
        at_T = students[students[t.TEMP] == T].groupby(found.columns)[t.NUM_ERROR].mean()
        shares = at_T / own - 1
        assert fixed.loc[T, "median"] == pytest.approx(shares.median())
        assert fixed.loc[T, "worst"] == pytest.approx(shares.max())
        assert fixed.loc[T, "tied"] == sum(T in tied for tied in found.t_opt["tied"])
