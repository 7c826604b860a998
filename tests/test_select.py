"""The measures that T may be chosen by: their values, the setting `select`, and everything that follows it."""

from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

import kdtune as package
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    BALANCED_ERROR,
    COLUMN_TYPES,
    DESCRIPTIVE_COLUMNS,
    ID,
    LATER_COLUMNS,
    LOGIT_STD,
    MODEL,
    MULTIPLY_ADDS,
    N_PARAMS,
    NLL,
    NUM_ERROR,
    SOFTMAX_ENTROPY,
    STUDENT,
    TEACHER,
    TEMP,
    VAL_BALANCED_ERROR,
    VAL_NLL,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError, SweepFileError
from kdtune.settings import SweepHeader
from kdtune.table import find_select
from kdtune.train import metrics
from tests.planted_tables import TEMPERATURES

# A small sweep in which each measure is best at another T: found by trying seeds.
THREE_BESTS = {
    "seed": 23, "replicates": 1, "dataset": {"kind": "digits", "val_size": 65, "test_size": 65},
    "teacher": {"kind": "mlp", "hidden": [40]}, "student": {"kind": "mlp", "depth": 1, "width": 5},
    "distill": {"T": {"grid_search": [1, 2, 3, 4, 6, 8]}}, "train": {"epochs": 4, "batch_size": 50, "lr": 0.005},
}  # fmt: skip
BEST_BY = {NUM_ERROR: 2.0, NLL: 4.0, BALANCED_ERROR: 8.0}  # in planted tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the small sweep, which is trained once, with ``select: nll``."""
    path = tmp_path_factory.mktemp("select")
    write_file(path, select=NLL)
    package.sweep(path / "small.yaml", results=path, workers=0, progress=False)
    return path / "three"


def write_file(path, **settings):
    with (path / "small.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"name": "three", **THREE_BESTS, **settings}, file)


def find_lowest(table, column):
    students = table[table[MODEL] == STUDENT]
    return students.groupby(TEMP)[column].mean().idxmin()


def plant(unit=None, replicates=4, seed=0):
    """Return runs from elsewhere whose measures are best at the temperatures of ``BEST_BY``, on both splits."""
    random = np.random.default_rng(seed)
    units = {NUM_ERROR: 20, NLL: 0.1, BALANCED_ERROR: 0.02} | (unit or {})
    rows = []
    for replicate in range(replicates):
        for T in TEMPERATURES:
            row = {TEMP: T, "replicate": replicate}
            for test, val in VALIDATION_MEASURES.items():
                mean = 10 * units[test] + units[test] * math.log2(T / BEST_BY[test]) ** 2
                noise = random.normal(0, units[test] / 20, 2)
                row[val], row[test] = (round(x) if test == NUM_ERROR else x for x in mean + noise)
            rows.append(row)
    return pd.DataFrame(rows)


# The measures.


def test_balanced_error_is_the_mean_of_the_classes_shares():
    logits = np.eye(3)[[0, 0, 0, 1, 1, 0]]
    labels = np.array([0, 0, 0, 0, 1, 1])  # one of four wrong, one of two wrong, no example of class 2
    assert metrics.balanced_error(logits, labels) == (1 / 4 + 1 / 2) / 2
    assert metrics.count_errors(logits, labels) == 2


def test_logit_std_and_entropy_of_known_logits():
    # Centred, the first example is -1, 1 and the second 0, 0: the mean square is a half.
    assert metrics.logit_std(np.array([[4.0, 6.0], [9.0, 9.0]])) == math.sqrt(0.5)
    certain, equal = np.array([[0.0, 1000.0]]), np.array([[3.0, 3.0]])
    assert metrics.softmax_entropy(certain) == 0
    assert metrics.softmax_entropy(equal) == pytest.approx(math.log(2), rel=1e-15)
    assert metrics.softmax_entropy(np.concatenate([certain, equal])) == pytest.approx(math.log(2) / 2, rel=1e-15)


logit_sets = st.integers(0, 2**32 - 1).map(
    lambda seed: (lambda random: (random.normal(0, 3, (random.integers(1, 40), random.integers(2, 6)))))(
        np.random.default_rng(seed)
    )
)


@given(logits=logit_sets, seed=st.integers(0, 2**32 - 1), shift=st.floats(-100, 100))
def test_the_measures_have_their_bounds_and_invariances(logits, seed, shift):
    random, n_classes = np.random.default_rng(seed), logits.shape[1]
    labels = random.integers(0, n_classes, len(logits))
    error = metrics.balanced_error(logits, labels)
    assert 0 <= error <= 1
    assert metrics.balanced_error(np.repeat(logits, 2, axis=0), np.repeat(labels, 2)) == pytest.approx(error)
    every_class_once = np.arange(n_classes)
    assert metrics.balanced_error(logits[[0] * n_classes], every_class_once) == pytest.approx(1 - 1 / n_classes)
    # A softmax does not see a shift of all logits; twice the logits are twice as far apart, and no softer.
    assert metrics.logit_std(logits + shift) == pytest.approx(metrics.logit_std(logits), abs=1e-9)
    assert metrics.logit_std(2 * logits) == pytest.approx(2 * metrics.logit_std(logits))
    entropy = metrics.softmax_entropy(logits)
    assert metrics.softmax_entropy(logits + shift) == pytest.approx(entropy, abs=1e-9)
    assert 0 <= metrics.softmax_entropy(2 * logits) <= entropy <= math.log(n_classes) + 1e-12


def test_a_large_training_set_is_measured_in_parts(monkeypatch):
    logits = np.random.default_rng(0).normal(0, 3, (101, 4)).astype(np.float32)
    whole = metrics.logit_std(logits), metrics.softmax_entropy(logits)
    monkeypatch.setattr(metrics, "_BLOCK", 40)
    assert (metrics.logit_std(logits), metrics.softmax_entropy(logits)) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("kind", "expected"), [
    # 16 x 16 x 1 pixels, 3 x 3 kernels: 4 and then 8 channels at 16 x 16 and 8 x 8 places, then 4 x 4 x 8 inputs.
    ({"kind": "mlp", "hidden": [200, 200]}, 64 * 200 + 200 * 200 + 200 * 10),
    ({"kind": "mlp", "depth": 1, "width": 5}, 64 * 5 + 5 * 10),
])  # fmt: skip
def test_multiply_adds_of_a_perceptron(plan, kind, expected):
    network = plan(dataset={"kind": "digits"}, teacher=kind).networks[0]
    assert network.model == TEACHER
    assert network.multiply_adds == expected


def test_multiply_adds_of_a_convolution_count_its_positions(plan):
    network = plan(dataset={"kind": "digits"}, teacher={"kind": "cnn"}).networks[0]
    assert network.multiply_adds == sum(layer.inputs * layer.outputs * layer.positions for layer in network.layers)
    assert network.multiply_adds > network.n_params  # each weight of a convolution is used at many positions


# The table of a sweep.


def test_every_network_has_the_measures_and_teachers_what_T_acts_on(folder):
    table = package.read_table(folder)
    assert table[[BALANCED_ERROR, VAL_BALANCED_ERROR]].stack().between(0, 1).all()
    assert len(table[[BALANCED_ERROR, VAL_BALANCED_ERROR]].stack()) == 2 * len(table)
    is_teacher = table[MODEL] == TEACHER
    assert table.loc[is_teacher, MULTIPLY_ADDS].tolist() == [64 * 40 + 40 * 10]
    assert set(table.loc[~is_teacher, MULTIPLY_ADDS]) == {64 * 5 + 5 * 10}
    assert (table[N_PARAMS] > table[MULTIPLY_ADDS]).all()  # biases
    assert (table.loc[is_teacher, [LOGIT_STD, SOFTMAX_ENTROPY]] > 0).all(axis=None)
    assert table.loc[~is_teacher, [LOGIT_STD, SOFTMAX_ENTROPY]].isna().all(axis=None)


def test_the_test_balanced_error_is_that_of_the_recorded_classes(folder):
    classes = package.read_table(folder, per_class=True)
    shares = classes[NUM_ERROR] / classes["n"].where(classes["n"] > 0)
    expected = shares.groupby(classes[ID]).mean()
    table = package.read_table(folder).set_index(ID)
    np.testing.assert_allclose(table[BALANCED_ERROR], expected[table.index], rtol=1e-12)


def test_the_teachers_figures_are_those_of_its_logits(folder):
    table = package.read_table(folder)
    teacher = table[table[MODEL] == TEACHER].iloc[0]
    data, network = package.load_data(folder, teacher[ID]), package.load(folder, teacher[ID])
    import torch

    with torch.no_grad():
        logits = network(torch.as_tensor(data.x_train)).numpy().astype(np.float64)
    centred = logits - logits.mean(axis=1, keepdims=True)
    assert teacher[LOGIT_STD] == pytest.approx(np.sqrt((centred**2).mean()), rel=1e-4)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert teacher[SOFTMAX_ENTROPY] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(), rel=1e-4)


def test_a_table_without_the_columns_is_read_as_before(folder, tmp_path):
    new = pq.read_table(folder / "table.parquet")
    pq.write_table(new.drop_columns(list(LATER_COLUMNS)), tmp_path / "old.parquet")
    pq.write_table(new, tmp_path / "new.parquet")
    old, new = (package.analyze(tmp_path / f"{name}.parquet", select=NUM_ERROR) for name in ("old", "new"))
    for frame in ("t_opt", "test", "curves", "fixed"):
        pd.testing.assert_frame_equal(getattr(old, frame), getattr(new, frame), check_exact=True)
    old_table = package.read_table(tmp_path / "old.parquet")
    assert set(COLUMN_TYPES) - set(old_table) == set(LATER_COLUMNS)
    old_table.to_csv(tmp_path / "old.csv", index=False)  # In a sweep's table types are what they are, old ones too.
    assert package.analyze(tmp_path / "old.csv").t_opt["T_opt"].tolist() == old.t_opt["T_opt"].tolist()
    package.report(tmp_path / "old.parquet")
    assert VAL_NLL in package.show(tmp_path / "old.parquet")


@pytest.mark.parametrize("name", [BALANCED_ERROR, VAL_BALANCED_ERROR, *DESCRIPTIVE_COLUMNS])
def test_the_columns_never_name_a_setting(name):
    runs = plant()[[TEMP, "replicate", NUM_ERROR]]
    runs[name] = np.arange(len(runs)) % 3 / 10  # another value in each row of a cell
    answer = package.analyze(runs)
    assert answer.cell_columns == []
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[NUM_ERROR]]
    assert find_cell_columns(runs.assign(**{MODEL: STUDENT})) == []


def test_balanced_errors_are_the_errors_of_a_table_that_has_no_others():
    answer = package.analyze(plant()[[TEMP, "replicate", BALANCED_ERROR]])
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[BALANCED_ERROR]]
    assert f"{BALANCED_ERROR} is taken for the errors on the test split." in answer.reading_notes


# The setting.


def test_the_setting_takes_the_measures_that_T_may_be_chosen_by(spec):
    assert SweepHeader(name="a").select == NUM_ERROR == spec().select
    for select in VALIDATION_MEASURES:
        assert spec(select=select).select == select
        assert spec(select=select).filled_sweep["select"] == select
    for wrong in ("loss", 3, {"grid_search": ["nll"]}):
        with pytest.raises(SweepFileError, match="select: "):
            spec(select=wrong)


def test_the_setting_changes_no_id(plan):
    assert [network.id for network in plan(select=NLL).networks] == [network.id for network in plan().networks]


# What follows it.


def test_each_measure_chooses_its_own_T(folder):
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
    row = result.output.splitlines()[-3 if "Next" not in result.output else -1]
    assert f"{answer.selected_test['student'][0]:.3f}"[:5] in result.output, row
    # Nobody can choose by what the networks of an earlier version lack: their rows are kept, and it is said.
    path = tmp_path / "results" / "three" / "table.parquet"
    pq.write_table(pq.read_table(path).drop_columns([BALANCED_ERROR, VAL_BALANCED_ERROR]), path)
    with pytest.raises(RequestError, match="train them again with --fresh"):
        package.analyze(path)


def test_the_students_that_are_kept_are_those_of_that_T(folder, tmp_path):
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
    shares = [0.1, 0.7, 0.2]  # whose sum depends on the order
    assert np.mean(shares) != np.mean(shares[::-1]) or np.mean(shares) != np.mean([0.7, 0.2, 0.1])
    orders = {1: [0.1, 0.7, 0.2], 2: [0.2, 0.7, 0.1], 4: [0.7, 0.2, 0.1]}
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
    NUM_ERROR: ["Best T: the fewest errors on the validation split", "Errors at that T on the test split. The test"],
    NLL: [
        "Best T: the lowest nll on the validation split", "Cross-entropy (nll) at that T on the test split. It is the mean",
        "Paired differences in nll with", "Errors at that T on the test split. T was chosen by nll, so another T may",
    ],
    BALANCED_ERROR: [
        "Best T: the lowest balanced error on the validation split",
        "Balanced error at that T on the test split. It is the mean over the classes",
        "Paired differences in balanced error with", "T was chosen by balanced error, so another T may",
    ],
}  # fmt: skip


@pytest.mark.parametrize("select", list(VALIDATION_MEASURES))
def test_the_commands_say_what_T_was_chosen_by(select, call, tmp_path):
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


def test_single_networks_are_those_of_the_chosen_T(folder):
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
    answers = map(partial(analyze_table, table), *[[None]] * 0) if False else None
    assert answers is None
    for select, val in VALIDATION_MEASURES.items():
        assert analyze_table(table, select=select).t_opt["T_opt"].tolist() == [find_lowest(table, val)]
