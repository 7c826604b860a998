"""Every benchmark explains itself and starts nothing when it is asked to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = {"__init__", "contenders", "planted", "run_packs"}  # imported by the benchmarks, not run
BENCHMARKS = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in LIBRARIES])
@pytest.mark.slow
def test_help_is_printed_and_nothing_starts(name):
    process = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert f"python -m benchmarks.{name}" in process.stdout
