"""The pages for users with a problem of their own: every snippet runs, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import kdtune
from kdtune.settings.factories import ImageInputs, ModuleShape, SklearnTeacher, TeacherModule
from kdtune.settings.given_arrays import Arrays
from kdtune.settings.given_images import ImageFolder
from kdtune.settings.given_python import PythonData
from kdtune.settings.given_tables import TableFile
from kdtune.settings.outputs import GivenLogits, GivenProbabilities
from tests.docs_pages import DOCS, PageRun, read_blocks

PAGES = ["tutorial.md", "own-modules.md", "own-logits.md", "which-temperature.md", "own-images.md", "own-estimator.md"]
# A page that takes a student home runs at least this many blocks: files, plan or sweep, analyze, export.
MIN_BLOCKS = 6


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_from_its_data_to_the_exported_student(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert PageRun(page).run() >= MIN_BLOCKS
    for results in tmp_path.glob("results/*/table.parquet"):
        table = kdtune.read_table(results.parent)
        assert (table["status"] == "done").all(), table["error"].dropna().tolist()
    assert (tmp_path / "student" / "student.safetensors").is_file()
    assert (tmp_path / "student" / "model_card.md").is_file()


@pytest.mark.parametrize("page", [*PAGES, "own-data.md"])
def test_the_reader_is_told_which_blocks_are_not_run(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    n_left_out = sum(block.mark == "not run" and block.kind != "text" for block in read_blocks(page))
    assert len(re.findall(r"block is not run in our\s+tests", text)) == n_left_out


@pytest.mark.parametrize(
    "settings",
    [
        *(Arrays, TableFile, ImageFolder, PythonData),
        *(GivenLogits, GivenProbabilities, SklearnTeacher, TeacherModule, ModuleShape, ImageInputs),
    ],
)
def test_the_reference_has_every_setting(settings: type) -> None:
    text = (DOCS / "own-data.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert set(settings.model_fields) <= words  # type: ignore[attr-defined]


def test_the_pages_are_linked_from_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{page}" in readme for page in [*PAGES, "own-data.md"])
