"""The documentation site: it builds, loads nothing from elsewhere, and its reference has all there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kdtune
from kdtune.cli import main
from kdtune.columns import COLUMN_TYPES, DETAIL_FILES
from kdtune.spec.json_schema import make_json_schema

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def meanings() -> Any:
    """What the page of files and columns says, by file."""
    sys.path.insert(0, str(ROOT / "docs" / "_site"))
    try:
        from column_meanings import FILES  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    return {name: set(columns) for name, (_, columns) in FILES.items()}


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(https?:)?//", text)
        loaded += re.findall(r"<link[^>]*rel=[\"']?stylesheet[\"']?[^>]*href=[\"']?https?://", text)
        assert loaded == [], page


def test_the_reference_has_all_settings_commands_and_names(site: Path) -> None:
    settings, commands, python = (
        (site / "reference" / f"{name}.html").read_text(encoding="utf-8") for name in ("settings", "commands", "python")
    )
    schema = make_json_schema()
    names = set(schema["properties"]) | {name.rpartition(".")[2] for name in schema["definitions"]}
    names -= {"items", "additionalProperties", "train-of-block", "kind", "grid_search"}
    missing = {name for name in names if not name.isdecimal() and f"<code>{name}</code>" not in settings}
    assert missing == set()
    assert all(f'id="kdtune-{name}"' in commands for name in main.commands)
    assert all(name in python for name in kdtune.__all__ if not name.startswith("_"))


def test_every_column_of_every_file_has_a_meaning(meanings: dict[str, set[str]]) -> None:
    assert meanings["table.parquet"] == set(COLUMN_TYPES)
    for name, schema in DETAIL_FILES.items():
        assert meanings[name] == set(schema.names), name
    cell_columns = {"class_sep", "p_informative", "width"}
    for name in [name for name in meanings if name.startswith("analysis/")]:
        found = set(pd.read_parquet(PUBLISHED / "fakeset-study" / name).columns)
        assert found - cell_columns <= meanings[name], name
        assert meanings[name] - found <= {"T_second"}, name
