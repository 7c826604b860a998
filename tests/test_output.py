"""What is printed: full disks, terminals that lack characters, commands that can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import environment

FULL = Path("/dev/full")  # every write to it fails with "No space left on device"


def run_to(stdout: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with its standard output in a file."""
    with stdout.open("w") as file:
        return subprocess.run(
            [sys.executable, "-m", "kdtune", *map(str, arguments)],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
            env=environment(joins=False) | variables,
        )


@pytest.fixture
def table_file(tmp_path: Path, rising: pd.DataFrame) -> Path:
    """A table whose folder has a space in its name and whose setting has a name beyond ASCII."""
    folder = tmp_path / "my tables"
    folder.mkdir()
    path = folder / "table.parquet"
    rising.assign(**{"größe": rising["width"].astype("float")}).to_parquet(path)
    return path


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["plan", "quickstart"],
        ["show", "TABLE"],
        ["show", "TABLE", "-f", "csv"],
        ["analyze", "TABLE", "-o", "OUTPUT"],
        ["plot", "TABLE", "-f", "softmax", "-o", "OUTPUT"],
    ],
    ids=" ".join,
)
def test_a_full_standard_output_is_one_message(command, table_file, tmp_path):
    places = {"TABLE": table_file, "OUTPUT": tmp_path / "output"}
    process = run_to(FULL, *(places.get(word, word) for word in command))
    assert process.returncode == 1
    assert process.stderr.strip().endswith("standard output: cannot be written: No space left on device")
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("command", ["show", "analyze"])
def test_a_closed_standard_output_is_no_error(command, table_file, tmp_path):
    process = subprocess.run(
        f"{shlex.quote(sys.executable)} -m kdtune {command} {shlex.quote(str(table_file))} >&-",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(joins=False),
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("command", [["show", "-c"], ["analyze", "--cell"]], ids=" ".join)
@pytest.mark.parametrize(("encoding", "printed"), [("ascii", "größe".encode()), ("cp1251", rb"gr\xf6\xdfe")])
def test_names_in_any_script_are_printed_on_any_terminal(command, encoding, printed, table_file, tmp_path):
    output = tmp_path / "out.txt"
    names = "größe,class_sep,p_informative"
    process = run_to(output, command[0], table_file, command[1], names, PYTHONIOENCODING=encoding)
    assert process.returncode == 0, process.stderr
    assert printed in output.read_bytes()


def test_exported_text_is_utf8_whatever_the_terminal(table_file, tmp_path):
    output = tmp_path / "out.csv"
    process = run_to(output, "show", table_file, "-f", "csv", "-c", "größe,width", PYTHONIOENCODING="ascii")
    assert process.returncode == 0, process.stderr
    assert list(pd.read_csv(output).columns) == ["größe", "width"]


def test_the_suggested_command_can_be_pasted(call, tmp_path):
    place = tmp_path / "my sweeps"
    place.mkdir()
    text = call("init", place / "mine.yaml").output
    command = shlex.split(text.split("Next: ")[1])
    assert command == ["kdtune", "plan", str(place / "mine.yaml")]
    assert os.path.exists(command[2])  # noqa: PTH110 - as a shell would
