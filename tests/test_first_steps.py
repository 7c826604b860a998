"""What a new user is told at the first steps: kinds of data, words that mean no value, names of files, roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kdtune
from kdtune.columns import BASELINE, ERROR, MODEL, STUDENT, TEMP
from kdtune.errors import RequestError, SweepFileError
from kdtune.results.store import Store
from kdtune.run.pack_training import train_or_write_failed_rows
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.bundled_sweeps import find_sweep_file
from kdtune.spec.load import load_spec
from kdtune.text import find_nearest
from tests.given_files import make_patients, write_arrays, write_given

SMALL_TEACHER = {"kind": "mlp", "hidden": [4]}
NETS = """
from torch import nn

def Net(inputs, n_classes):
    return nn.Linear(inputs[0], n_classes)
"""


# --- words that mean no value ---------------------------------------------------------------------


def read_notes(folder: Path, table: Any, name: str = "people.csv", **settings: Any) -> list[str]:
    """Return the notes of a sweep on a table with some wards missing."""
    separator = ";" if name == "german.csv" else "\t" if name.endswith(".tsv") else ","
    table.to_csv(folder / name, index=False, sep=separator)
    dataset = {"kind": "table", "file": name, "target": "outcome", "impute": "median", **settings}
    return list(load_spec(write_given(folder, dataset=dataset, teacher=SMALL_TEACHER)).notes)


def list_word_notes(notes: list[str]) -> list[str]:
    return [note for note in notes if "read as a missing value" in note]


@pytest.mark.parametrize("name", ["people.csv", "german.csv", "people.tsv"])
def test_a_word_that_is_read_as_no_value_is_said(tmp_path, name):
    table = make_patients()
    table.loc[table.index[:7], "ward"] = "NA"
    table.loc[table.index[7:9], "ward"] = "None"
    table.loc[table.index[9:12], "ward"] = ""
    assert list_word_notes(read_notes(tmp_path, table, name)) == [
        "9 cells of ward say NA and None, which is read as a missing value and filled; where that is a value of its "
        "own, write another word for it."
    ]


def test_nothing_is_said_of_empty_cells_numbers_and_columns_left_out(tmp_path):
    table = make_patients()
    table["age"] = table["age"].astype(object)
    table.loc[table.index[:7], "age"] = "NA"
    table.loc[table.index[9:12], "ward"] = ""
    table["city"] = np.where(np.arange(len(table)) % 2, "NA", "Rome")
    assert list_word_notes(read_notes(tmp_path, table, drop=["city"])) == []
    assert len(list_word_notes(read_notes(tmp_path, table))) == 1


# --- kinds of data, files of sweeps ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"file": "cov.npz"}, "arrays"),
        ({"file": "people.csv"}, "table"),
        ({"factory": "sklearn.datasets:load_wine"}, "python"),
        ({"folder": "photos", "size": 8}, "image_folder"),
        ({"scale": 2}, None),
    ],
)
def test_a_missing_kind_of_data_names_all_and_the_likely_one(tmp_path, block, kind):
    with pytest.raises(SweepFileError) as error:
        load_spec(write_given(tmp_path, dataset=block))
    text = str(error.value)
    assert "the kinds are make_classification, digits, torchvision, arrays, table, image_folder and python" in text
    assert ("write kind: " in text) == (kind is not None)
    assert kind is None or f"write kind: {kind}; " in text


@pytest.mark.parametrize("name", ["nosuch.yaml", "mine.yaml", "results/mine"])
def test_a_file_of_another_name_is_no_near_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"no bundled sweep of that name; `kdtune sweep --list` names the bundled"):
        find_sweep_file(name)


def test_a_near_name_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"did you mean 'mnist.yaml'\?"):
        find_sweep_file("mnst.yaml")
    assert find_nearest("nosuch.yaml", ["mnist.yaml"]) == "mnist.yaml", "the usual cutoff would suggest it"


def test_a_teacher_without_a_file_of_weights_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_arrays(tmp_path)
    (tmp_path / "first_nets.py").write_text(NETS, encoding="utf-8")
    block = {"kind": "python", "factory": "first_nets:Net", "trained": True}
    sentence = "The teacher is used as first_nets:Net makes it, since `weights` names no file"
    assert sum(note.startswith(sentence) for note in read_teacher_notes(tmp_path, block)) == 1
    assert not any(note.startswith(sentence) for note in read_teacher_notes(tmp_path, {**block, "trained": False}))


def read_teacher_notes(folder: Path, block: dict[str, Any]) -> list[str]:
    from kdtune.run.remaining_work import load_request_spec
    from kdtune.run.request import Request

    return list(load_request_spec(Request(write_given(folder, teacher=block), results=folder / "results")).notes)


# --- what there is so far -------------------------------------------------------------------------


def test_export_before_any_student_is_done_says_so_as_analyze_does(tmp_path, monkeypatch, write):
    from kdtune.run import sweep as sweep_module

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_module, "train_and_save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kdtune.sweep(write(), workers=0, progress=False)
    messages = []
    for command in (kdtune.analyze, lambda name: kdtune.export(name, "out")):
        with pytest.raises(RequestError, match=r"^no distilled student is done yet: 0 of the sweep's ") as error:
            command("small")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def raise_own() -> None:
    find_sweep_file("nosuch.yaml")


def raise_pythons() -> None:
    find_nearest("a", [1])  # type: ignore[list-item]


def raise_users() -> None:
    raise ValueError("odd")


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (raise_own, "nosuch.yaml: there is no such file"),
        (raise_pythons, "AttributeError: "),
        (raise_users, "ValueError: odd"),
    ],
)
def test_the_type_of_an_error_is_left_out_where_the_message_is_kdtunes_own(tmp_path, plan, fail, reason):
    store, pack = Store(tmp_path, "mine"), plan().packs[0]
    train_or_write_failed_rows(lambda *_: fail(), pack, store, WorkerOptions(workers=0))
    errors = set(store.read_rows()[ERROR].to_pylist())
    assert len(errors) == 1
    error = errors.pop()
    assert reason in error
    assert fail is not raise_own or error.startswith(reason)


@pytest.mark.parametrize(("columns", "says_T"), [("model,temp", True), ("model", False)])
def test_show_says_what_student_means(call, write, tmp_path, columns, says_T):
    kdtune.sweep(write(), results=tmp_path / "results", workers=0, progress=False)
    shown = call("show", tmp_path / "results/small", "-c", columns)
    assert shown.exit_code == 0
    sentence = "Model 'student' is the baseline: trained on labels alone"
    assert shown.stderr.count(sentence) == 1
    assert ("its T has no part in its training" in shown.stderr) == says_T
    students_only = call("show", tmp_path / "results/small", "-c", columns, "-m", STUDENT)
    assert sentence not in students_only.stderr


def test_the_temperature_of_a_baseline_changes_nothing(tmp_path, write):
    """What ``show`` says: the baselines of two grids of T are the same networks."""
    frames = [
        kdtune.sweep(write(), set=[f"distill.T={grid}"], results=tmp_path / str(i), workers=0, progress=False)
        for i, grid in enumerate(["[2]", "[8, 16]"])
    ]
    baselines = [frame[frame[MODEL] == BASELINE].set_index("id")["num_error"] for frame in frames]
    assert baselines[0].to_dict() == baselines[1].to_dict()
    assert set(frames[0][frames[0][MODEL] == BASELINE][TEMP]) == {1.0}
