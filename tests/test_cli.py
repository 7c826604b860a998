"""The command line: what it prints, writes and refuses."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kdtune.__main__
import kdtune.cli
from kdtune import __version__
from kdtune.cli.fault_report import report_fault
from kdtune.columns import ACCURACY, NUM_ERROR, STUDENT_SEED, VAL_NLL, VAL_NUM_ERROR
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.spec.bundled_sweeps import BUNDLED_SWEEPS_FOLDER, list_bundled_sweeps
from kdtune.spec.load import load_spec
from kdtune.table import read_table, rows_to_arrow, write_table
from kdtune.train.rows import make_failed_row, make_row
from tests.idx import write_digits


@pytest.fixture
def folder(spec, tmp_path):
    """A results folder of the small sweep with figures made up, two replicates, one failure."""
    random = np.random.default_rng(0)
    networks = list(enumerate_networks(spec("replicates=2")))
    rows = []
    for network in networks[:-1]:
        measures = {"accuracy": 0.9, "loss": 0.5, "nll": 0.4, "ece": 0.05, "val_accuracy": 0.9, "val_nll": 0.4}
        measures |= {name: int(random.integers(1, 99)) for name in ("num_error", "val_num_error")}
        rows.append(make_row(network, measures | {"seconds": 1.0, "device": "cpu", "host": "[hot]"}))
    rows.append(make_failed_row(networks[-1], "diverged: it [blew] up"))
    path = tmp_path / "results/small"
    path.mkdir(parents=True)
    write_table(rows_to_arrow(rows), path / "table.parquet")
    return path


def test_version_and_help(call):
    assert __version__ in call("--version").output
    for command in ("sweep", "plan", "show", "plot", "init"):
        assert call(command, "--help").exit_code == 0


def test_plan_of_missing_image_files_downloads_nothing_and_says_how_to_get_them(call, write, monkeypatch):
    def refuse(*_):
        raise AssertionError("planning must not download")

    monkeypatch.setattr("kdtune.files.images._download_with_torchvision", refuse)
    path = write(dataset={"kind": "torchvision", "name": "KMNIST"})
    run = call("plan", path, "--data-root", "nowhere")
    assert run.exit_code == 2
    assert f"{path}:1: dataset.root: KMNIST is not complete in {Path.cwd()}/nowhere" in run.output
    assert "planning downloads nothing" in run.output
    assert "from torchvision.datasets import KMNIST" in run.output
    assert not list(Path().iterdir())


def test_list_names_the_bundled_sweeps(call):
    output = call("sweep", "--list").output
    assert "fakeset.yaml" in output
    assert "quickstart.yaml" in output


@pytest.mark.parametrize("name", list_bundled_sweeps())
def test_bundled_sweeps_are_valid(name, tmp_path):
    assert load_spec(BUNDLED_SWEEPS_FOLDER / name, data_root=write_digits(tmp_path)).cases


def test_a_local_file_goes_before_a_bundled_one(call, write):
    assert "(bundled)" in call("plan", "fakeset").output
    write(name="here/fakeset.yaml")
    output = call("plan", "fakeset.yaml").output
    assert "Sweep file: fakeset.yaml\n" in output
    assert "small: 18 networks" in output


def test_init_writes_a_file_that_plans(call):
    assert call("init", "mine.yaml").exit_code == 0
    output = call("plan", "mine.yaml").output
    assert "mine: " in output
    again = call("init", "mine.yaml")
    assert again.exit_code == 2
    assert "exists" in again.output
    assert call("init", "mine.txt").exit_code == 2
    assert call("init", "a b.yaml").exit_code == 2
    assert call("init", "teachers.yaml").exit_code == 2
    assert call("init", "123.yaml").exit_code == 0
    assert call("plan", "123.yaml").exit_code == 0
    assert call("init", "no/such/folder.yaml").exit_code == 2


def test_plan_says_what_it_would_train_and_writes_nothing(call, write):
    run = call("plan", write(), "--set", "replicates=2")
    assert run.exit_code == 0, run.output
    for words in (
        "36 networks",
        "teachers                    4  each shared by 6",
        "baselines                   8",
        "distilled students         24",
        "to train                   36",
        "multiply-adds",
        "about",
    ):
        assert words in run.output
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "nothing.yaml"),
        ("sweep", "nothing.yaml"),
        ("sweep",),
        ("sweep", "fakeset.yaml", "--set", "distill.T=0"),
        ("sweep", "fakeset.yaml", "--max-networks", "10"),
        ("sweep", "fakeset.yaml", "--max-networks", "216"),
        ("sweep", "fakeset.yaml", "--results", "/proc/nowhere"),
        ("sweep", "fakeset.yaml", "--cpus-per-worker", "100000"),
        ("sweep", "fakeset.yaml", "--gpus-per-worker", "100000"),
        ("sweep", "fakeset.yaml", "--workers", "1", "--cpus-per-worker", "100000"),
        ("sweep", "fakeset.yaml", "--address", "myhost"),
        ("sweep", "fakeset.yaml", "--address", "ray://myhost:10001"),
        ("sweep", "fakeset.yaml", "--address", "127.0.0.1:1"),
        ("sweep", "x" * 300),
        ("sweep", "fakeset.yaml", "--results", "x" * 300),
        ("show", "nothing"),
        ("show", "x" * 300),
        ("plot", "nothing"),
    ],
)
def test_a_wrong_request_exits_with_2_and_writes_nothing(call, arguments):
    run = call(*arguments)
    assert run.exit_code == 2, run.output
    assert "Traceback" not in run.output
    assert not list(Path().rglob("*"))


def test_show_picks_filters_sorts_and_exports(call, folder):
    everything = pd.read_parquet(folder / "table.parquet")
    plain = call("show", folder).output
    assert "num_error" in plain
    picked = call("show", folder, "-c", "temp,num_error", "-w", "model == 'distilled_student'", "-s", "-temp,num_error",
                  "-f", "csv")  # fmt: skip
    frame = pd.read_csv(io.StringIO(picked.output))
    assert list(frame.columns) == ["temp", "num_error"]
    assert len(frame) == (everything.model == "distilled_student").sum()
    assert frame.temp.is_monotonic_decreasing
    rows = json.loads(call("show", folder, "-c", "all", "-f", "json").output)
    assert rows[0]["id"] == everything.id[0]
    assert call("show", folder, "-o", "out.parquet", "-c", "all").exit_code == 0
    for name in ("out.xlsx", "out", "out.parquet.bak"):
        run = call("show", folder, "-o", name)
        assert run.exit_code == 2
        assert run.output == f"{name}: the file's name must end in .csv, .json, .parquet or .txt\n"
        assert not Path(name).exists()
    assert call("show", folder, "-o", "OUT.CSV", "-c", "temp").exit_code == 0
    assert list(pd.read_csv("OUT.CSV").columns) == ["temp"]
    assert call("show", folder, "-o", "out.tab", "-f", "csv", "-c", "temp").exit_code == 0
    assert call("show", folder, "-o", "out.txt").exit_code == 0
    assert Path("out.txt").read_text().splitlines()[0].split()[0] == "model"
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet"), everything, check_dtype=False)
    assert list(pd.read_csv(io.StringIO(call("show", folder, "-c", "temp,temp", "-f", "csv").output)).columns) == [
        "temp"
    ]
    assert "[hot]" in call("show", folder, "-c", "host").output
    for wrong in (("-w", "temp"), ("-c", "nun_error"), ("-s", "tmp"), ("-w", "nonsense ==="), ("-w", "nope > 3")):
        run = call("show", folder, *wrong)
        assert run.exit_code == 2, wrong
        assert "Traceback" not in run.output
    assert "did you mean 'num_error'?" in call("show", folder, "-c", "nun_error").output
    (folder / "torn.parquet").write_bytes(b"PAR1")
    assert call("show", folder / "torn.parquet").exit_code == 2


def test_a_table_older_than_its_rows_is_said(call, folder):
    (folder / "parts").mkdir()
    assert "run it again" not in call("show", folder).output
    write_table(rows_to_arrow([]), folder / "parts/new.parquet")
    os.utime(folder / "table.parquet", (1, 1))
    assert "run it again" in call("show", folder).output


def test_seeds_keep_every_digit(call, folder):
    seeds = read_table(folder / "table.parquet")[STUDENT_SEED].drop_null().to_pylist()
    shown = call("show", folder, "-c", "student_seed", "-w", "model != 'teacher'", "-f", "csv").output.split()[1:]
    assert [int(seed) for seed in shown] == seeds
    assert max(seeds) > 2**53


def test_plot_draws_png_and_svg(call, folder):
    run = call("plot", folder)
    assert run.exit_code == 0, run.output
    drawn = sorted(path.name for path in (folder / "figures").iterdir())
    names = (
        "accuracy",
        "networks",
        "num_error",
        "softmax",
        "excess",
        "t_opt",
        "t_opt_map",
        "overall",
        "regret",
        "gain",
    )
    assert drawn == sorted(f"{n}.{k}" for n in names for k in ("png", "svg"))
    assert (folder / "figures/num_error.png").read_bytes()[:4] == b"\x89PNG"
    first = (folder / "figures/num_error.svg").read_bytes()
    call("plot", folder)
    assert (folder / "figures/num_error.svg").read_bytes() == first


@pytest.mark.parametrize(
    "overrides",
    [
        ("distill.T=3",),
        ("dataset.class_sep=1", "student.width=3"),
        ("student={hidden: {grid_search: [[5, 5], [9, 4], []]}}",),
        ("teacher={grid_search: [{hidden: [5]}, {hidden: [7, 3]}]}",),
        ("dataset={grid_search: [{kind: digits}, {kind: make_classification, n_samples: 500}]}",),
        ("distill={grid_search: [{T: 2}, {T: 4, hard_weight: 1, train: {epochs: 9}}]}",),
    ],
)
def test_unusual_sweeps_are_summed_up_and_drawn(call, spec, tmp_path, overrides):
    from kdtune.analysis.answer import analyze_table
    from kdtune.analysis.printed_tables import summarize_errors

    random = np.random.default_rng(0)
    networks = list(enumerate_networks(spec(*overrides, "replicates=2")))
    figures = [
        {NUM_ERROR: int(e), ACCURACY: 0.9, VAL_NUM_ERROR: int(e), VAL_NLL: 0.1}
        for e in random.integers(1, 99, len(networks))
    ]
    write_table(
        rows_to_arrow([make_row(n, f) for n, f in zip(networks, figures, strict=True)]), tmp_path / "table.parquet"
    )
    table = pd.read_parquet(tmp_path / "table.parquet")
    frame = summarize_errors(analyze_table(table))
    assert frame[["teacher", "baseline", "T", "student"]].notna().all(axis=None)
    assert (frame["replicates"] == 2).all()
    run = call("plot", tmp_path / "table.parquet", "-o", tmp_path / "figures")
    assert run.exit_code == 0, run.output
    svg = (tmp_path / "figures/num_error.svg").read_text()
    assert "nan" not in svg.replace("nant", "")


def test_plan_refuses_a_pack_that_fits_no_memory_before_it_makes_any_data(call, write):
    """The sizes are each allowed; the data of one draw would take some thousand terabytes."""
    data = {"kind": "make_classification", "n_samples": 10**9, "n_features": 10**6, "n_classes": 3}
    run = call("plan", write(dataset=data))
    assert run.exit_code == 2
    assert "of memory for its data and networks, and this machine has" in run.output


@pytest.mark.parametrize("module", ["click", "rich", "pyarrow"])
def test_an_interrupt_while_the_commands_are_imported_ends_the_process_without_a_word(tmp_path, module):
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    )
    run = subprocess.run(
        [sys.executable, "-m", "kdtune", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        # Tests that run in the background of a shell ignore it, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, "", "")


def test_a_fault_of_kdtune_is_one_message_and_a_file_of_details(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> None:
        raise KeyError("no such\nkey")

    monkeypatch.setattr(kdtune.cli, "main", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        kdtune.__main__.main()
    assert caught.value.code == 1
    (file,) = tmp_path.iterdir()
    printed = capsys.readouterr().err
    assert "fault of kdtune" in printed
    assert str(file) in printed
    assert printed.count("\n") == 1
    assert "Traceback" not in printed
    assert "Traceback" in file.read_text(encoding="utf-8")


def test_a_fault_is_shown_where_no_file_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    report_fault(ValueError("odd"))
    assert "ValueError: odd" in capsys.readouterr().err
