"""What the page of `kdtune watch` says of a results folder."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import kdtune
from kdtune.watch.answer_cache import AnswerCache
from kdtune.watch.cell_page import select_cells
from kdtune.watch.describe_progress import describe_duration
from tests.watched import (
    PUBLISHED,
    AnalystHere,
    copy_table,
    fail_networks,
    get_json,
    open_page,
    set_status,
    wait_for,
    wait_for_answer,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A results folder with a sweep that runs."""
    copy_table("forest", tmp_path / "mine")
    set_status(tmp_path / "mine")
    return tmp_path


def test_a_running_sweep_says_how_far_it_is_and_what_each_worker_does(root: Path) -> None:
    status = get_json(open_page(root), "/api/status")
    assert (status["sweep"], status["state"], status["is_active"]) == ("mine", "running", True)
    assert status["sentence"] == "100 of 270 networks are done, 2 failed, 9 are training."
    assert status["left"] == "about 2 min left"
    (worker,) = status["workers"]
    assert (worker["worker"], worker["what"]) == (2, "9 students: mlp 20-20")
    assert 30 <= int(worker["time"].removesuffix(" s")) < 90


@pytest.mark.parametrize(
    ("state", "values", "sentence"),
    [
        ("finished", {"n_done": 260, "n_failed": 0}, "270 of 270 networks are done."),
        ("interrupted", {}, "The sweep was interrupted. Run the same command to go on"),
        ("failed", {"message": "the disk is full"}, "The sweep broke off: the disk is full. Run the same command"),
        ("restarting", {}, "Ray has ended, and is being started again. 100 of 270"),
    ],
)
def test_each_state_is_said_in_words(root: Path, state: str, values: dict[str, Any], sentence: str) -> None:
    set_status(root / "mine", state, **values)
    status = get_json(open_page(root), "/api/status")
    assert sentence in status["sentence"]
    assert status["is_active"] == (state == "restarting")


def test_a_sweep_that_was_killed_is_called_silent(root: Path) -> None:
    set_status(root / "mine", age=300)
    status = get_json(open_page(root), "/api/status")
    assert status["state"] == "silent"
    assert "silent for 5 min: it was killed, or it hangs" in status["sentence"]
    assert status["workers"] == []


def test_the_answer_is_that_of_analyze(root: Path) -> None:
    set_status(root / "mine", "finished")
    client = open_page(root)
    wait_for_answer(client, "mine")
    answer = kdtune.analyze(root / "mine")
    texts = " ".join(get_json(client, "/api/answer?sweep=mine")["opening"])
    assert all(advice.text in texts for advice in answer.advice)
    cells = get_json(client, "/api/cells?sweep=mine")["cells"]
    assert [cell["best"] for cell in cells] == answer.t_opt["T_opt"].tolist()
    curve = answer.curves.head(len(cells[0]["curve"]["T"]))
    assert cells[0]["curve"]["errors"] == pytest.approx(curve["errors"].tolist(), rel=1e-5)
    assert cells[0]["curve"]["tied"] == curve["tied"].tolist()


def test_a_reserve_comes_before_the_recommendation(tmp_path: Path) -> None:
    copy_table("forest", tmp_path / "mine", share=0.4)
    set_status(tmp_path / "mine")
    client = open_page(tmp_path)
    wait_for_answer(client, "mine")
    opening = get_json(client, "/api/answer?sweep=mine")["opening"]
    assert opening, "a partial table is answered from"
    assert all(isinstance(paragraph, str) and paragraph for paragraph in opening)


def test_a_click_shows_the_networks_of_a_setting_and_their_learning_curves(tmp_path: Path) -> None:
    shutil.copytree(PUBLISHED / "mnist", tmp_path / "mnist", ignore=shutil.ignore_patterns("figures", "*.html"))
    client = open_page(tmp_path)
    wait_for_answer(client, "mnist")
    cells = get_json(client, "/api/cells?sweep=mnist")["cells"]
    cell = get_json(client, f"/api/cell?sweep=mnist&cell={cells[0]['id']}")
    frame = kdtune.read_table(tmp_path / "mnist")
    ids = {network["id"] for network in cell["networks"] if network["model"] == "distilled_student"}
    settings = cell["settings"]
    is_cell = (frame["model"] == "distilled_student") & (frame["hard_weight"] == settings["hard_weight"])
    is_cell &= frame["teacher_architecture"] == settings["teacher_architecture"]
    assert ids == set(frame.loc[is_cell, "id"])
    assert {network["model"] for network in cell["networks"]} == {"teacher", "student", "distilled_student"}
    (curve,) = [curve for curve in cell["learning"] if curve["model"] == "distilled_student"]
    assert (curve["n_networks"], curve["epochs"][0], curve["epochs"][-1]) == (5, 1, 50)
    assert curve["errors"][0] > curve["errors"][-1]


def test_failures_are_named_with_their_reasons(root: Path) -> None:
    fail_networks(root / "mine", 3, "crashed 4 times: out of memory")
    status = get_json(open_page(root), "/api/status")
    (reason,) = status["failures"]["reasons"]
    assert (reason["reason"], reason["status"]) == ("crashed 4 times: out of memory", "failed")
    assert (reason["n_networks"], len(reason["example_ids"])) == (3, 3)


# --- folders that are not as they should be --------------------------------------------------------


def test_the_page_waits_where_there_are_no_results_yet(tmp_path: Path) -> None:
    client = open_page(tmp_path / "results")
    status = get_json(client, "/api/status")
    assert (status["state"], status["sweeps"]) == ("waiting", [])
    copy_table("forest", tmp_path / "results" / "mine")
    assert get_json(client, "/api/status")["sweep"] == "mine"


def test_a_sweep_without_students_yet_is_no_error(tmp_path: Path) -> None:
    copy_table("forest", tmp_path / "mine", share=0.0)
    set_status(tmp_path / "mine", n_ready=0, n_done=0)
    status = wait_for_answer(open_page(tmp_path), "mine")
    assert status["answer"]["problem"]
    assert not status["answer"]["has_summary"]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", b"model,temp\n"])
def test_a_broken_table_is_said(root: Path, content: bytes) -> None:
    (root / "mine" / "table.parquet").write_bytes(content)
    status = wait_for_answer(open_page(root), "mine")
    assert status["answer"]["problem"]
    assert status["failures"]["problem"].startswith("table.parquet cannot be read")
    assert status["sentence"].startswith("100 of 270")  # what the status file says is shown all the same


@pytest.mark.parametrize("content", ["", "{", '{"state": "dancing"}'])
def test_a_broken_status_is_as_none(root: Path, content: str) -> None:
    (root / "mine" / "status.json").write_text(content)
    status = get_json(open_page(root), "/api/status")
    assert status["state"] == "unknown"
    assert "networks in the table are done" in status["sentence"]


def test_a_broken_table_leaves_the_last_answer(root: Path) -> None:
    set_status(root / "mine", "finished")
    client = open_page(root)
    wait_for_answer(client, "mine")
    (root / "mine" / "table.parquet").write_bytes(b"torn")
    status = wait_for(lambda: (s := wait_for_answer(client, "mine"))["answer"]["problem"] and s)
    assert status["answer"]["has_summary"]


def test_watching_writes_nothing(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    client = open_page(root)
    wait_for_answer(client, "mine")
    cells = get_json(client, "/api/cells?sweep=mine")["cells"]
    get_json(client, f"/api/cell?sweep=mine&cell={cells[0]['id']}")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_folder_that_may_only_be_read_is_enough(root: Path) -> None:
    for path in (root / "mine", root):
        path.chmod(0o555)
    try:
        assert wait_for_answer(open_page(root), "mine")["answer"]["has_summary"]
    finally:
        for path in (root, root / "mine"):
            path.chmod(0o755)


# --- how much is computed and sent -----------------------------------------------------------------


def test_a_table_is_analyzed_once_and_again_when_it_changes(root: Path) -> None:
    analyst = CountingAnalyst()
    answers = AnswerCache(analyst)  # type: ignore[arg-type]
    folder = root / "mine"
    wait_for(lambda: answers.get(folder, is_ended=True).summary)
    for _ in range(5):
        answers.get(folder, is_ended=True)
    assert analyst.n_questions == 1
    os.utime(folder / "table.parquet", ns=(1, 1))
    wait_for(lambda: answers.get(folder, is_ended=True) and analyst.n_questions == 2)


def test_analyses_rest_while_the_sweep_runs_and_never_run_two_at_a_time(root: Path) -> None:
    analyst = CountingAnalyst(seconds=0.2)
    answers = AnswerCache(analyst)  # type: ignore[arg-type]
    copy_table("forest", root / "other")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for name in ("mine", "other"):
            os.utime(root / name / "table.parquet")
            answers.get(root / name, is_ended=False)
        time.sleep(0.02)
    assert analyst.n_questions == 1  # it took 0.2 s, and rests for 6 s
    assert analyst.most_at_once == 1


class CountingAnalyst(AnalystHere):
    """Counts its questions, and how many it is asked at the same time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.n_questions = self.n_running = self.most_at_once = 0

    def ask(self, folder: Path, is_ended: bool) -> dict[str, Any]:
        self.n_questions += 1
        self.n_running += 1
        self.most_at_once = max(self.most_at_once, self.n_running)
        time.sleep(self.seconds)
        self.n_running -= 1
        return {"summary": {"cells": []}, "seconds": self.seconds}


def test_a_view_has_a_limited_number_of_settings(root: Path) -> None:
    client = open_page(root)
    wait_for_answer(client, "mine")
    all_cells = get_json(client, "/api/cells?sweep=mine&limit=1000")
    second = get_json(client, "/api/cells?sweep=mine&offset=1&limit=1")
    assert second["cells"] == all_cells["cells"][1:2]
    assert second["n_cells"] == all_cells["n_cells"] == len(all_cells["cells"])
    word = all_cells["cells"][0]["name"].split()[-1]
    found = get_json(client, f"/api/cells?sweep=mine&search={word}")
    assert 0 < found["n_matching"] <= found["n_cells"]
    assert all(word in cell["name"] for cell in found["cells"])
    assert client.get("/api/cells?sweep=mine&limit=-1").status_code == 400


def test_the_least_certain_settings_come_first_if_asked_for() -> None:
    intervals = {"open": (None, 8.0), "narrow": (2.0, 2.5), "wide": (1.0, 16.0)}
    cells = [
        {"name": name, "low": low, "high": high, "best": 2.0, "curve": {"T": [1.0, 16.0]}}
        for name, (low, high) in intervals.items()
    ]
    selected = select_cells(cells, "", "widest", 0, 10)
    assert [cell["name"] for cell in selected["cells"]] == ["open", "wide", "narrow"]
    assert (selected["lowest_T"], selected["highest_T"]) == (1.0, 16.0)


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    copy_table("mnist", tmp_path / "mnist")
    client = open_page(tmp_path)
    wait_for_answer(client, "mnist")
    text = client.get("/api/cells?sweep=mnist").text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (99, "99 s"), (1500, "25 min"), (12_600, "3.5 h"), (400_000, "5 days")]
)
def test_durations_are_in_their_largest_fitting_unit(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text
