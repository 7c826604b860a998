"""What an answer says that the rows of a table do not: what replicates redraw, and warnings about teachers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import cross_val_predict

import kdtune
from kdtune.analysis.redraws import Redraws, find_redraws
from kdtune.analysis.teacher_softness import ENTROPY, LARGEST, SPREAD, describe_softness
from kdtune.columns import DATA_SEED, DATASET, LOGIT_STD, MODEL, SOFTMAX_ENTROPY, STUDENT, STUDENT_SEED, TEACHER
from kdtune.spec.answer_facts import make_answer_facts
from kdtune.table_facts import GENERATED, SPLIT, VALIDATION, AnswerFacts, find_facts, stamp_facts
from tests.given_files import N_CLASSES, make_arrays, write_arrays, write_given
from tests.test_given_teachers import FOREST, load

WHOLE_SET = {"x": "train_x.npy", "y": "train_y.npy"}
WHOLE_OUTPUTS = {"kind": "logits", "outputs": "train_z.npy"}
MLP = {"kind": "mlp", "hidden": [6]}
CUT = "another cut between training and validation, and another student"


def make_facts(folder, **blocks):
    return make_answer_facts(load(folder, **blocks).cases)


# How the data are redrawn, and what the answer says of it.


@pytest.mark.parametrize(
    ("blocks", "kind", "text", "staying"),
    [
        ({}, VALIDATION, CUT, "the test data and the teacher stay"),
        (
            {"teacher": MLP},
            VALIDATION,
            "another cut between training and validation, and another teacher and student",
            "the test data stay",
        ),
        ({"dataset": WHOLE_SET, "teacher": WHOLE_OUTPUTS}, VALIDATION, CUT, "the test data and the teacher stay"),
        (
            {"dataset": WHOLE_SET, "teacher": MLP},
            SPLIT,
            "another cut of the same 240 examples into training, validation and test data, and another teacher and "
            "student",
            "",
        ),
        (
            {"dataset": {"kind": "make_classification", "n_samples": 100, "n_classes": 3}, "teacher": MLP},
            GENERATED,
            "another draw of the data, and another teacher and student",
            "",
        ),
        (
            {"dataset": WHOLE_SET, "teacher": MLP, "replicates": {"data": 1, "teacher": 2, "student": 2}},
            SPLIT,
            "another teacher and student",
            "",
        ),
    ],
)
def test_the_answer_says_what_replicates_redraw(tmp_path, monkeypatch, blocks, kind, text, staying):
    monkeypatch.chdir(tmp_path)
    write_arrays(tmp_path)
    path = write_given(tmp_path, **{"replicates": 2, **blocks})
    frame = kdtune.sweep(path, workers=0, progress=False)
    (name,) = frame[DATASET].unique()
    facts = find_facts(frame)
    assert facts.data_redraws == {kind: [name]}
    assert [source.name for source in facts.sources] == ([] if kind == GENERATED else [name])
    copy = tmp_path / "elsewhere.parquet"
    copy.write_bytes((tmp_path / "results/given/table.parquet").read_bytes())
    frame.to_parquet(tmp_path / "frame.parquet")
    for source in ("given", copy, frame, tmp_path / "frame.parquet", pq.read_table(copy)):
        redraws = kdtune.analyze(source).redraws
        assert (redraws.text, redraws.staying_text) == (text, staying)
    assert kdtune.analyze(copy).redraws.parts == redraws.parts


def test_data_of_which_all_splits_are_given_are_not_redrawn(tmp_path):
    arrays = make_arrays()
    write_arrays(tmp_path, val_x=arrays["test_x"], val_y=arrays["test_y"])
    dataset = {split: {"x": f"{split}_x.npy", "y": f"{split}_y.npy"} for split in ("train", "val", "test")}
    assert make_facts(tmp_path, dataset=dataset, teacher=MLP).data_redraws == {}


def make_students(seeds, dataset="a"):
    return pd.DataFrame(
        {MODEL: STUDENT, "replicate": [0, 1], DATASET: dataset, DATA_SEED: seeds, "teacher_seed": None,
         STUDENT_SEED: [3, 4]}
    )  # fmt: skip


def test_several_data_sets_are_named_with_what_is_redrawn_of_each():
    table = pd.concat([make_students([1, 2], "a"), make_students([5, 6], "b"), make_students([7, 7], "c")])
    facts = AnswerFacts({SPLIT: ["a"], VALIDATION: ["b", "c"]})
    redraws = find_redraws(table, facts)
    assert redraws.data[0] == "cut of the same examples into training, validation and test data (a)"
    assert redraws.text.startswith("another cut of the same examples into training, validation and test data (a)")
    assert redraws.data[1:] == ["cut between training and validation (b)"]  # Those of c are not redrawn.
    one = find_redraws(table[table[DATASET] == "a"], facts)
    assert one.data == ["cut of the same examples into training, validation and test data"]
    assert find_redraws(make_students([7, 7], "c"), facts).data == []


def test_a_teacher_that_only_some_students_redraw_is_qualified():
    table = pd.concat([make_students([1, 2]), make_students([1, 2]).assign(teacher_seed=[8, 9])])
    assert "teacher (where it is trained here)" in find_redraws(table, AnswerFacts({SPLIT: ["a"]})).parts


def test_a_table_that_says_nothing_keeps_the_words_for_generated_data():
    table = make_students([1, 2])
    assert find_redraws(table, None) == Redraws(["draw of the data"], ["student"])
    assert find_redraws(table, None).describe() == " (each with another draw of the data, and another student)"
    for damaged in ("{", "[1]", '{"data_redraws": 3, "notes": []}', '{"notes": []}', "null"):
        arrow = pa.table({"a": [1]}).replace_schema_metadata({"kdtune.answer": damaged})
        assert find_facts(arrow) is None
    # A way to redraw data that a later version may have is none that this one has words for.
    assert find_redraws(table, AnswerFacts({"bootstrap": ["a"]})).data == ["draw of the data"]


def test_the_table_of_an_earlier_version_is_known_by_the_name_of_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_given(tmp_path, dataset={"kind": "digits"}, teacher=MLP, replicates=2)
    frame = kdtune.sweep(path, workers=0, progress=False)
    frame.attrs.clear()
    words = "cut of the same 1,797 images into training, validation and test data"
    assert kdtune.analyze(frame).redraws.data == [words]
    mnist = kdtune.analyze(frame.assign(**{DATASET: "MNIST"})).redraws
    assert (mnist.data, mnist.staying_text) == (["cut between training and validation"], "the test data stay")
    # Of a table from elsewhere nothing of the kind is known.
    foreign = frame[["model", "temp", "replicate", "num_error", DATASET, DATA_SEED]].assign(dataset="MNIST")
    assert kdtune.analyze(foreign).redraws.data == ["draw of the data"]


# What the classes are called.


def write_pets(folder, labels):
    """Write a table of two features and a target, its rows labelled in turn; return blocks of a sweep on it."""
    folder.mkdir(exist_ok=True)
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 2)), columns=["weight", "height"])
    features.assign(pet=[labels[i % len(labels)] for i in range(120)]).to_csv(folder / "pets.csv", index=False)
    dataset = {"kind": "table", "file": str(folder / "pets.csv"), "target": "pet"}
    return {"dataset": dataset, "teacher": MLP, "replicates": 1}


def test_classes_bear_the_users_names_wherever_they_are_shown(tmp_path, monkeypatch, call):
    path = write_given(tmp_path, **write_pets(tmp_path, ["walk", "run", "sit"]))
    frame = kdtune.sweep(path, workers=0, progress=False, results=tmp_path / "results")
    assert find_facts(frame).class_names == {"pets": ["run", "sit", "walk"]}
    folder = next((tmp_path / "results").glob("*/table.parquet")).parent
    by_class = kdtune.read_table(folder, per_class=True)
    assert by_class["class_name"].tolist() == [["run", "sit", "walk"][number] for number in by_class["label"]]
    run = call("show", folder, "--per-class", "--where", "class_name == 'sit'")
    assert run.exit_code == 0, run.output
    assert " class_name " in run.stdout.splitlines()[0]
    assert " label " not in run.stdout.splitlines()[0]
    assert len(re.findall(r" sit ", run.stdout)) == len(frame)


@pytest.mark.parametrize(
    ("labels", "names"),
    [([0, 1, 2], {}), ([1, 2, 3], {"pets": ["1", "2", "3"]}), (["0", "1"], {}), ([10, 20], {"pets": ["10", "20"]})],
)
def test_classes_that_are_called_by_their_numbers_have_no_names(tmp_path, labels, names):
    assert make_facts(tmp_path, **write_pets(tmp_path, labels)).class_names == names


def test_each_data_set_has_its_own_names_of_classes(tmp_path):
    blocks = write_pets(tmp_path / "a", ["cat", "dog"])
    datasets = [blocks["dataset"], write_pets(tmp_path / "b", ["rat", "sow"])["dataset"]]
    named = [{**dataset, "name": name} for dataset, name in zip(datasets, "ab", strict=True)]
    facts = make_facts(tmp_path, **{**blocks, "dataset": {"grid_search": named}})
    assert facts.class_names == {"a": ["cat", "dog"], "b": ["rat", "sow"]}


def test_facts_survive_the_metadata_of_a_table():
    facts = AnswerFacts({VALIDATION: ["data of Zoë"]}, ["A note."], class_names={"data of Zoë": ["Katze", "Kätzchen"]})
    assert find_facts(stamp_facts(pa.table({"a": [1]}), facts)) == facts
    assert find_facts(pa.table({"a": [1]})) is None


# Warnings.


def test_a_teacher_of_a_whole_set_may_have_seen_its_test_rows(tmp_path):
    write_arrays(tmp_path)
    (note,) = make_facts(tmp_path, dataset=WHOLE_SET, teacher=WHOLE_OUTPUTS).notes
    assert note.startswith("The teacher's outputs are given for a whole data set")
    assert "looks too good" in note
    assert "hold test data back" in note
    assert make_facts(tmp_path).notes == []  # Test data are given apart.
    assert make_facts(tmp_path, dataset=WHOLE_SET, teacher=MLP).notes == []
    assert make_facts(tmp_path, dataset=WHOLE_SET, teacher=FOREST).notes == []


def test_a_trained_module_of_a_whole_set_may_have_seen_its_test_rows(tmp_path):
    write_arrays(tmp_path)
    teacher = {"kind": "python", "factory": "tests.user_nets:mlp", "trained": True}
    note, validation_note = make_facts(tmp_path, dataset=WHOLE_SET, teacher=teacher).notes
    assert "give `val` examples that the teacher has not seen" in validation_note
    assert note.startswith("The trained teacher runs on a whole data set")


def test_probabilities_that_are_nearly_the_labels_are_warned_of(tmp_path):
    arrays = write_arrays(tmp_path)
    teacher = {"kind": "probabilities", "outputs": {"train": "p.npy", "test": "test_p.npy"}}

    def list_warnings() -> list[str]:
        return [note for note in make_facts(tmp_path, teacher=teacher).notes if "nearly the labels" in note]

    x, y = arrays["train_x"], arrays["train_y"]
    forest = ExtraTreesClassifier(30, random_state=0)
    np.save(tmp_path / "p.npy", forest.fit(x, y).predict_proba(x))
    (note,) = list_warnings()
    assert "agree with 100.0% of these and give them 1.000 on average" in note
    assert "difference from their baselines" in note
    np.save(tmp_path / "p.npy", cross_val_predict(forest, x, y, method="predict_proba"))
    assert list_warnings() == []
    # All labels are met, but what is told of the other classes is not nothing.
    np.save(tmp_path / "p.npy", np.where(np.eye(N_CLASSES)[y] > 0, 0.8, 0.1))
    assert list_warnings() == []
    # As certain, but wrong for every twentieth row.
    guesses = np.where(np.arange(len(y)) % 20 == 0, (y + 1) % N_CLASSES, y)
    np.save(tmp_path / "p.npy", np.eye(N_CLASSES)[guesses])
    assert list_warnings() == []


def test_notes_reach_every_answer(tmp_path, call):
    arrays = make_arrays()
    x, y = arrays["train_x"], arrays["train_y"]
    mapping = {
        "name": "mine",
        "dataset": {"x": x, "y": y},
        "teacher": ExtraTreesClassifier(30, random_state=0).fit(x, y),
        "student": {"width": 4},
        "distill": {"T": {"grid_search": [1, 4]}},
        "train": {"epochs": 2},
        "replicates": 2,
    }
    frame = kdtune.sweep(mapping, workers=0, progress=False)
    notes = find_facts(frame).notes
    assert [note[:13] for note in notes] == ["The teacher's", "The teacher's"]
    assert kdtune.analyze(frame).reading_notes[-2:] == notes
    copy = tmp_path / "copy.parquet"
    copy.write_bytes((tmp_path / "here/results/mine/table.parquet").read_bytes())
    analysis, report = call("analyze", copy).output, call("report", copy).output
    assert all(f"- {note}" in text for note in notes for text in (analysis, report))
    assert f"2 replicates (each with {CUT}; the test data and the teacher stay)." in analysis
    page = (tmp_path / "copy.parquet-report.html").read_text()
    assert all(note.split("`")[0].replace("'", "&#39;") in page for note in notes)
    assert f"{CUT}: intervals cover that randomness. The test data and the teacher stay" in page
    shown = call("show", copy).output
    assert f"Each replicate has {CUT}; the test data and the teacher stay." in shown
    # What is exported says it, too.
    assert call("show", copy, "--columns", "all", "-o", tmp_path / "shown.parquet").exit_code == 0
    for source in (tmp_path / "shown.parquet", kdtune.show(copy, columns=list(frame.columns))):
        assert kdtune.analyze(source).reading_notes[-2:] == notes
    # The summary after a sweep.
    path = write_given(tmp_path, replicates=2)
    write_arrays(tmp_path)
    swept = call("sweep", path, "--workers", "0").output
    assert f"means over 2 replicates (each with {CUT}; the test data and the teacher stay);" in swept


# What T acts on.


def test_the_report_says_what_temperature_acts_on(tmp_path, call):
    write_arrays(tmp_path)
    assert call("sweep", write_given(tmp_path, replicates=2), "--workers", "0").exit_code == 0
    table = kdtune.read_table("given")
    teachers = table[table[MODEL] == TEACHER]
    (row,) = describe_softness(table).to_dict("records")
    assert row == {
        SPREAD: f"{teachers[LOGIT_STD].mean():.3g}",
        ENTROPY: f"{teachers[SOFTMAX_ENTROPY].mean():.3g}",
        LARGEST: "1.1",
    }
    assert call("report", "given").exit_code == 0
    page = (tmp_path / "here/results/given/report.html").read_text()
    assert '<h2 id="softness">What T acts on</h2>' in page
    assert f'<td data-sort="{row[ENTROPY]}">{row[ENTROPY]}</td>' in page
    titles = call("show", "given", "--model", "teacher").output.splitlines()[0].split()
    assert titles[-2:] == [LOGIT_STD, SOFTMAX_ENTROPY]
    assert LOGIT_STD not in call("show", "given").output
    assert call("show", "given", "--model", "distilled_student").output.count(STUDENT) == 4
    # Of earlier versions and from elsewhere nothing is known.
    assert describe_softness(table.drop(columns=[LOGIT_STD, SOFTMAX_ENTROPY])).empty
    assert describe_softness(table.assign(**{LOGIT_STD: None, SOFTMAX_ENTROPY: None})).empty


def test_teachers_are_told_apart_by_the_first_of_the_settings_that_differ_alike():
    teachers = pd.DataFrame(
        {MODEL: TEACHER, "status": "done", "dataset": "a", "hidden": ["[5]", "[5]", "[9]", "[9]"],
         "width": [5, 5, 9, 9], "replicate": [0, 1, 0, 1], "seconds": [1.0, 2.0, 3.0, 4.0],
         LOGIT_STD: [1.0, 2.0, 3.0, 5.0], SOFTMAX_ENTROPY: [0.1, 0.3, 0.0, 0.0]}
    )  # fmt: skip
    assert describe_softness(teachers).to_dict("records") == [
        {"hidden": "[5]", SPREAD: "1.5", ENTROPY: "0.2"},
        {"hidden": "[9]", SPREAD: "4", ENTROPY: "0"},
    ]


# What plan says.


def test_plan_says_why_there_are_no_baselines_and_how_often_estimators_are_fitted(tmp_path, call):
    arrays = make_arrays()
    write_arrays(tmp_path, val_x=arrays["test_x"], val_y=arrays["test_y"], val_z=arrays["test_z"])
    dataset = {
        "train": {"x": "train_x.npy"},
        "val": {"x": "val_x.npy", "y": "val_y.npy"},
        "test": {"x": "test_x.npy", "y": "test_y.npy"},
    }
    outputs = {split: f"{split}_z.npy" for split in ("train", "val", "test")}
    unlabelled = write_given(tmp_path, dataset=dataset, teacher={"kind": "logits", "outputs": outputs})
    lines = call("plan", unlabelled, "--workers", "0").output.splitlines()
    assert "  baselines                   0  none: training examples have no labels" in lines
    soft_targets = {"grid_search": ["out_of_fold", "in_sample"]}
    for teacher, line in (
        (FOREST | {"soft_targets": "out_of_fold"}, "soft targets out of fold: 5 + 1 fits each"),
        (FOREST | {"soft_targets": soft_targets}, "1 out of fold: 5 + 1 fits each"),
        (FOREST, None),
    ):
        output = call("plan", write_given(tmp_path, teacher=teacher), "--workers", "0").output
        assert "no labels" not in output
        assert ("out of fold" in output) == (line is not None)
        assert line is None or f"{' ' * 33}{line}" in output.splitlines()
