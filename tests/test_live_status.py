"""What a sweep says of itself in status.json while it runs."""

from __future__ import annotations

import json
import time

from kdtune.results.live_status import STATUS_FILE, read_status
from kdtune.run.listener import PackInTraining
from kdtune.run.progress import Progress
from kdtune.run.status_writer import StatusWriter, describe_pack


def test_a_sweep_says_what_it_does_and_how_it_ended(call, write, tmp_path, monkeypatch):
    seen = []
    write_now = StatusWriter.write

    def write_and_look(self, *arguments):
        write_now(self, *arguments)
        seen.append(read_status(self.folder))

    monkeypatch.setattr(StatusWriter, "write", write_and_look)
    monkeypatch.setattr("kdtune.run.status_writer.WRITE_SECONDS", 0.0)
    started_at = time.time()
    run = call("sweep", write(), "--workers", "0", "--results", tmp_path / "results")
    assert run.exit_code == 0, run.output
    first, *_, last = seen
    assert first.state == "running"
    assert (first.n_networks, first.n_ready, first.n_done, first.n_workers) == (18, 0, 0, 1)
    assert last.state == "finished"
    assert (last.n_done, last.n_failed, last.n_running, last.running) == (18, 0, 0, ())
    assert [status.n_done for status in seen] == sorted(status.n_done for status in seen)
    assert started_at <= first.started_at <= first.updated_at <= last.updated_at <= time.time()
    assert json.loads((tmp_path / "results/small" / STATUS_FILE).read_text())["state"] == "finished"


def test_packs_are_said_in_words(plan, tmp_path):
    small = plan()
    teachers, *_, students = small.packs
    data = "class_sep 0.5, p_informative 0.5 (draw 0) and class_sep 1.5, p_informative 0.5 (draw 0)"
    assert describe_pack(teachers) == f"2 teachers: mlp 12-12; {data}"
    writer = StatusWriter(tmp_path, Progress(None), 18, 0, 2)
    now = time.time()
    writer.in_training = (PackInTraining(students, 2, now), PackInTraining(teachers, 1, now))
    writer.write("running")
    status = read_status(tmp_path)
    assert [pack.worker for pack in status.running] == [1, 2]
    assert status.running[1].what == describe_pack(students)
    assert status.n_running == len(students.networks) + len(teachers.networks)
    writer.add_restart("its process raylet died")
    status = read_status(tmp_path)
    assert status.state == "restarting"
    assert status.running == ()
    assert [restart.reason for restart in status.restarts] == ["its process raylet died"]


def test_a_file_of_another_version_and_a_torn_one_say_nothing(tmp_path):
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text('{"state": "dancing"}')
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text('{"state": ')
    assert read_status(tmp_path) is None
