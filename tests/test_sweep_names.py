"""How a command finds the sweep file, or the results, that its user means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from kdtune.errors import RequestError
from kdtune.spec.bundled_sweeps import find_sweep_file


def test_a_file_of_ones_own_goes_before_a_bundled_one_and_needs_no_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_sweep_file("mnist").is_bundled
    Path("mnist.yaml").write_text("name: mnist")
    assert find_sweep_file("mnist") == find_sweep_file("mnist.yaml") == (Path("mnist.yaml"), False)


def test_a_misspelt_name_leads_to_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("name: mine")
    with pytest.raises(RequestError, match=r"did you mean 'mine\.yaml'\?"):
        find_sweep_file("mine.yml")


def test_a_sweep_file_in_place_of_its_results_leads_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("name: mine\ndataset:\n  kind: digits\n")
    assert "`kdtune sweep`" in call("analyze", "mine.yaml").output
    Path("results/mine").mkdir(parents=True)
    assert "name them: kdtune analyze mine" in call("analyze", "mine.yaml").output
