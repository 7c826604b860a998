"""The setting `select`, by which T is chosen, and everything that follows it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import kdtune as package
from kdtune.analysis.answer import analyze_table
from kdtune.columns import (
    BALANCED_ERROR,
    ID,
    MODEL,
    NLL,
    NUM_ERROR,
    STUDENT,
    TEMP,
    VAL_BALANCED_ERROR,
    VAL_NLL,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError, SweepFileError
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.settings import SweepHeader
from kdtune.table_facts import find_select
from tests.planted_measures import BEST_BY, find_lowest, plant, sweep_three, write_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sweep_three(tmp_path_factory.mktemp("select"))


def test_the_setting_takes_the_measures_that_temperature_may_be_chosen_by(spec):
    assert SweepHeader(name="a").select == NUM_ERROR == spec().select
    for select in VALIDATION_MEASURES:
        assert spec(select=select).select == select
        assert spec(select=select).filled_sweep["select"] == select
    for wrong in ("loss", 3, {"grid_search": ["nll"]}):
        with pytest.raises(SweepFileError, match="select: "):
            spec(select=wrong)


def test_the_setting_changes_no_id(spec):
    assert list_ids(spec(select=NLL)) == list_ids(spec())


def list_ids(spec):
    return [network.id for network in enumerate_networks(spec)]


# What follows it.


def test_each_measure_chooses_its_own_temperature(folder):
    table = package.read_table(folder)
    bests = {select: find_lowest(table, val) for select, val in VALIDATION_MEASURES.items()}
    assert len(set(bests.values())) == 3, bests
    for select, T in bests.items():
        answer = package.analyze(folder, select=select)
        assert answer.t_opt["T_opt"].tolist() == [T]
        assert answer.selection_measure == VALIDATION_MEASURES[select]
        assert answer.selection_split == "validation"


def test_the_table_says_its_measure_wherever_it_goes(folder, tmp_path):
    best = find_lowest(package.read_table(folder), VAL_NLL)
    copy = tmp_path / "copy.parquet"
    copy.write_bytes((folder / "table.parquet").read_bytes())
    frame = package.read_table(folder)
    frame.to_parquet(tmp_path / "frame.parquet")
    for source in (folder, copy, frame, tmp_path / "frame.parquet", pq.read_table(copy)):
        assert package.analyze(source).t_opt["T_opt"].tolist() == [best], source
    assert find_select(copy) == NLL
    assert YAML(typ="safe", pure=True).load(folder / "sweep.yaml")["select"] == NLL
    frame.to_csv(tmp_path / "frame.csv", index=False)  # Text has no place for it.
    assert package.analyze(tmp_path / "frame.csv").selection_measure == VALIDATION_MEASURES[NUM_ERROR]


def test_another_measure_trains_nothing(folder, call, tmp_path):
    import shutil

    shutil.copytree(folder.parent, tmp_path / "results")
    seconds = package.read_table(folder)["seconds"].tolist()
    write_file(tmp_path, select=BALANCED_ERROR)
    result = call("sweep", tmp_path / "small.yaml", "--results", tmp_path / "results", "--workers", "0")
    assert "nothing to train" in result.output
    table = package.read_table(tmp_path / "results" / "three")
    assert table["seconds"].tolist() == seconds
    answer = package.analyze(tmp_path / "results" / "three")
    assert answer.t_opt["T_opt"].tolist() == [find_lowest(table, VAL_BALANCED_ERROR)]
    # The summary after the sweep has that T, and both measures on the test split.
    assert "Errors and balanced error on the test split" in result.output
    assert "T chosen by balanced error on the validation split:" in result.output
    assert f"  {answer.selected_test['student'][0]:.3f}\n" in result.output
    # Nobody can choose by what the networks of an earlier version lack: their rows are kept, and it is said.
    path = tmp_path / "results" / "three" / "table.parquet"
    pq.write_table(pq.read_table(path).drop_columns([BALANCED_ERROR, VAL_BALANCED_ERROR]), path)
    with pytest.raises(RequestError, match="train them again with --fresh"):
        package.analyze(path)


def test_the_students_that_are_kept_are_those_of_that_temperature(folder, tmp_path):
    write_file(tmp_path, select=NLL)
    package.sweep(tmp_path / "small.yaml", results=tmp_path, workers=0, progress=False, keep_students="best")
    table = package.read_table(tmp_path / "three").set_index(ID)
    kept = [path.stem for path in (tmp_path / "three" / "students").glob("*.safetensors")]
    assert table.loc[kept, TEMP].tolist() == [find_lowest(table.reset_index(), VAL_NLL)]


def test_show_has_the_measure_among_the_main_results(folder, call):
    assert {NLL, VAL_NLL} <= set(package.show(folder))
    assert VAL_NLL in call("show", folder).output.splitlines()[0]
    shown = package.show(package.read_table(folder).drop(columns=["loss"]))
    assert {NLL, VAL_NLL} <= set(shown)


@pytest.mark.parametrize("select", [NLL, BALANCED_ERROR])
def test_answers_are_the_same_in_any_unit_but_for_the_unit(select):
    """Statistics of a share of errors are those of counts: nothing takes the numbers for whole ones."""
    runs = plant()
    small, large = (package.analyze(table, select=select) for table in (runs, plant({select: 7.0})))
    assert small.t_opt["T_opt"].tolist() == [BEST_BY[select]] == large.t_opt["T_opt"].tolist()
    for name in ("tied", "good_enough", "flags"):
        assert small.t_opt[name].tolist() == large.t_opt[name].tolist()
    np.testing.assert_allclose(small.t_opt["T_opt_continuous"], large.t_opt["T_opt_continuous"], rtol=1e-6)
    scaled = large.selected_test["student"] / small.selected_test["student"]
    np.testing.assert_allclose(scaled, 7.0 / {NLL: 0.1, BALANCED_ERROR: 0.02}[select], rtol=1e-9)
    np.testing.assert_allclose(large.fixed["worst"], small.fixed["worst"], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("select", [NLL, BALANCED_ERROR])
def test_the_measure_on_the_test_split_is_reported_beside_the_errors(select):
    runs = plant()
    answer = package.analyze(runs, select=select)
    at_best = runs[runs[TEMP] == BEST_BY[select]]
    np.testing.assert_allclose(answer.selected_test["student"], at_best[select].mean())
    np.testing.assert_allclose(answer.test["student"], at_best[NUM_ERROR].mean())
    differences = at_best[select].to_numpy() - runs.loc[runs[TEMP] == 1, select].to_numpy()
    np.testing.assert_allclose(answer.selected_test["minus_T1"], differences.mean())
    means = runs.groupby(TEMP)[select].mean()
    np.testing.assert_allclose(answer.curves[select], means)
    np.testing.assert_allclose(answer.curves["regret"], means - means[BEST_BY[select]], atol=1e-12)
    assert package.analyze(runs).selected_test.empty
    assert select not in package.analyze(runs).curves


def test_a_margin_is_a_share_of_the_lowest_mean():
    answer = package.analyze(plant(), select=NLL, margin=0.15)  # a doubling beside the best is 10 % worse
    assert answer.t_opt["good_enough"].tolist() == [[2.0, 4.0, 8.0]]
    assert answer.margin_text == "within 15% of the best"


def test_equal_balanced_errors_in_another_order_are_a_tie():
    orders = {1: [0.3, 0.2, 0.1], 2: [0.1, 0.2, 0.3], 4: [0.2, 0.1, 0.3]}
    assert np.mean(orders[1]) < np.mean(orders[2])  # in the last bit
    rows = [
        {TEMP: T, "replicate": r, VAL_BALANCED_ERROR: share, VAL_NLL: nll}
        for (T, order), nll in zip(orders.items(), (3.0, 1.0, 2.0), strict=True)
        for r, share in enumerate(order)
    ]
    answer = package.analyze(pd.DataFrame(rows), select=BALANCED_ERROR)
    assert answer.t_opt["T_opt"].tolist() == [2.0]  # that with the lower nll


def test_a_table_from_elsewhere_names_its_columns(tmp_path):
    runs = plant().rename(columns={VAL_NLL: "ce"}).drop(columns=[NLL, NUM_ERROR, "val_num_error"])
    answer = package.analyze(runs, select=NLL, map={VAL_NLL: "ce"})
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[NLL]]
    assert "T is chosen by ce, the nll on the validation split, of which less is better." in answer.reading_notes
    assert answer.selected_test.empty  # There is none on the test split.
    with pytest.raises(RequestError, match=r'^select="nll": the table needs the column val_nll, or nll'):
        package.analyze(runs, select=NLL)


def test_on_the_test_split_the_choice_is_said_to_flatter():
    answer = package.analyze(plant()[[TEMP, "replicate", NLL]], select=NLL)
    assert answer.criterion == "the lowest nll on the test split"
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[NLL]]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"select": "loss"}, "^select: must be num_error, nll or balanced_error, not 'loss'$"),
    ({"select": 3}, "^select: must be num_error, nll or balanced_error, not 3$"),
    ({"select": NLL, "measure": NLL, "higher_is_better": False}, "^T is chosen by one measure: leave out select or"),
])  # fmt: skip
def test_wrong_choices_are_refused(arguments, message):
    with pytest.raises(RequestError, match=message):
        package.analyze(plant(), **arguments)


WORDS = {
    NUM_ERROR: ["Best T: the fewest errors on the validation split", "Errors at that T on the test split. T is"],
    NLL: [
        "Best T: the lowest nll on the validation split", "Cross-entropy (nll) at that T on the test split. It is the",
        "Paired differences in nll with", "Errors at that T on the test split. T was chosen by nll, so another T may",
    ],
    BALANCED_ERROR: [
        "Best T: the lowest balanced error on the validation split",
        "Balanced error at that T on the test split. It is the mean over the classes",
        "Paired differences in balanced error with", "T was chosen by balanced error, so another T may",
    ],
}  # fmt: skip


@pytest.mark.parametrize("select", list(VALIDATION_MEASURES))
def test_the_commands_say_what_temperature_was_chosen_by(select, call, tmp_path):
    file = tmp_path / "runs.csv"
    plant().to_csv(file, index=False)
    output = call("analyze", file, "--select", select).output
    for words in WORDS[select]:
        assert words in " ".join(output.split()), (words, output)
    content = json.loads((tmp_path / "runs.csv-analysis" / "analysis.json").read_text())
    assert content["T_opt_is_the_minimum_of"] == VALIDATION_MEASURES[select]
    frames = {path.stem for path in (tmp_path / "runs.csv-analysis").glob("test*.parquet")}
    assert frames == ({"test"} if select == NUM_ERROR else {"test", f"test_{select}"})
    power = " ".join(call("power", file, "--select", select).output.split())
    name = {NUM_ERROR: "errors", NLL: "nll", BALANCED_ERROR: "balanced error"}[select]
    assert f"{name}: the same difference in {name}." in power
    page = call("report", file, "--select", select, "-o", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert f"report {file} --select {select}" in text or select == NUM_ERROR
    assert ('id="selected"' in text) == (select != NUM_ERROR)
    assert page.exit_code == 0
    figures = call("plot", file, "--select", select, "-o", tmp_path / "figures").output
    for measure in (NLL, BALANCED_ERROR):
        assert (f"{measure}.png" in figures) == (select == measure)


def test_a_later_answer_by_errors_leaves_no_file_of_an_earlier_one(call, tmp_path):
    file = tmp_path / "runs.csv"
    plant().to_csv(file, index=False)
    call("analyze", file, "--select", NLL)
    call("analyze", file)
    assert {path.stem for path in (tmp_path / "runs.csv-analysis").glob("test*")} == {"test"}


def test_single_networks_are_those_of_the_chosen_temperature(folder):
    from kdtune.answers import choose_shown_networks, read_and_answer
    from kdtune.foreign.options import ReadingOptions

    table = package.read_table(folder)
    for select, val in VALIDATION_MEASURES.items():
        networks = choose_shown_networks(read_and_answer(folder, ReadingOptions(select=select)))
        shown = networks.rows
        assert set(shown.loc[shown[MODEL] == STUDENT, TEMP]) == {find_lowest(table, val)}


def test_unpaired_runs_are_chosen_by_the_measure_too():
    runs = plant().drop(columns="replicate")
    for select, T in BEST_BY.items():
        answer = package.analyze(runs, select=select)
        assert not answer.is_paired
        assert answer.t_opt["T_opt"].tolist() == [T]


def test_the_analysis_takes_the_measure_itself(folder):
    table = package.read_table(folder)
    for select, val in VALIDATION_MEASURES.items():
        assert analyze_table(table, select=select).t_opt["T_opt"].tolist() == [find_lowest(table, val)]
