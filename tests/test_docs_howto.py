"""The README and the short how-to pages: their commands and snippets run as they stand, on a sweep of seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import kdtune
from kdtune.cli import main
from kdtune.cli.printing import print_summary
from tests.docs_pages import DOCS, PageRun, read_blocks
from tests.test_docs_commands import PAGES

PUBLISHED = DOCS.parent / "results" / "published" / "quickstart"
SMALL = """name: mine
replicates: 2
dataset: {kind: digits}
teacher: {kind: mlp, hidden: [32], train: {epochs: 2}}
student: {kind: mlp, depth: 1, width: 16}
distill: {T: {grid_search: [1, 4]}, hard_weight: 0.5}
train: {epochs: 2}
"""
MISTAKEN = SMALL.replace("width", "widht").replace("{grid_search: [1, 4]}", "-2")


def write_sweep() -> None:
    """Write the sweep file that the page speaks of."""
    Path("mine.yaml").write_text(SMALL, encoding="utf-8")


def write_sweep_with_mistakes() -> None:
    """Write a sweep file with the mistakes of the page."""
    Path("mine.yaml").write_text(MISTAKEN, encoding="utf-8")


def train_sweep() -> None:
    """Write and run the sweep that the page speaks of."""
    write_sweep()
    assert CliRunner().invoke(main, ["sweep", "mine.yaml", "--workers", "0"]).exit_code == 0


def write_tables() -> None:
    """Write a table with names that kdtune knows, and one with others."""
    table = pd.DataFrame(
        [
            (temp, seed, width, 30.0 + 5 * abs(temp - 4) + seed - width / 10)
            for temp in (2, 4, 8)
            for seed in range(4)
            for width in (20, 50)
        ],
        columns=["temp", "seed", "width", "num_error"],
    )
    table.to_csv("runs.csv", index=False)
    other = table.rename(columns={"temp": "kd_strength", "num_error": "mistakes"}).assign(dataset="a", state="finished")
    other.to_csv("export.csv", index=False)


PREPARATIONS: dict[str, Callable[[], None]] = {
    "../README.md": write_tables,
    "sweep-files.md": write_sweep_with_mistakes,
    "go-on.md": write_sweep,
    "export.md": train_sweep,
    "tables.md": lambda: None,
    "index.md": lambda: None,
}


@pytest.mark.parametrize("page", PREPARATIONS)
def test_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PREPARATIONS[page]()
    assert PageRun(page, is_short=True).run() > 0


@pytest.mark.parametrize("page", [page for page in PAGES if page != "../CONTRIBUTING.md"])
def test_a_reader_is_told_what_is_not_run(page: str) -> None:
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    is_left_out = any(block.mark == "not run" and block.kind != "text" for block in read_blocks(page))
    assert is_left_out == ("not run in our tests" in text)


def test_the_readme_shows_what_the_published_quickstart_answers(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(kdtune.read_table(PUBLISHED))
    printed = " ".join(capsys.readouterr().out.split())
    (block,) = [block for block in read_blocks("../README.md") if block.kind == "console"]
    for part in block.text.split("...\n")[1:]:
        assert " ".join(part.split()) in printed


def test_the_mistakes_of_the_pages_stand_in_the_lines_that_init_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["init", "mine.yaml"]).exit_code == 0
    text = Path("mine.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^  T: .*$", "  T: -2", text.replace("  width:", "  widht:"), flags=re.M)
    Path("mine.yaml").write_text(text, encoding="utf-8")
    mistakes = CliRunner().invoke(main, ["plan", "mine.yaml"]).output.splitlines()[1:]
    for page in ("sweep-files.md", "tutorial.md"):
        assert "\n".join(mistakes) in (DOCS / page).read_text(encoding="utf-8")
