"""What help pages show: the five steps, commands in sections, an example for each, rare options apart."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest
from click.testing import Result

from kdtune.cli import main
from kdtune.cli.help_pages import SECTIONS


def test_kdtune_alone_shows_what_one_does_in_order(call: Callable[..., Result]) -> None:
    result = call()
    assert result.exit_code == 0
    steps = re.findall(r"^  \d\. kdtune (\w+)", result.output, re.M)
    assert steps == ["init", "plan", "sweep", "analyze", "export"]
    assert call("--help").output.count("\n  sweep ") == 1


@pytest.mark.parametrize("name", sorted(main.commands))
def test_each_command_stands_in_a_section_and_has_an_example(
    name: str, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://head:8265")
    assert sum(name in names for names in SECTIONS.values()) == 1
    help_page = call(name, "--help").output
    example = re.split(r"\nExamples?:", help_page)[-1].strip().splitlines()
    assert example
    for line in example:
        command, *arguments = shlex.split(line)[1:]
        assert command == name
        main.commands[name].make_context(name, arguments)  # Its options are known, and have values that they take.


@pytest.mark.parametrize(
    ("option", "setting"), [("--replicates", "replicates"), ("--T", "distill.T"), ("--batch-size", "train.batch_size")]
)
def test_a_setting_that_is_given_as_an_option_leads_to_set(
    call: Callable[..., Result], option: str, setting: str
) -> None:
    for command in ("sweep", "plan"):
        result = call(command, "quickstart.yaml", option, "5")
        assert result.exit_code == 2
        assert f"{option} is a setting of the sweep file: change it there, or say --set {setting}=" in result.output
    assert "No such option" in call("analyze", "x", option, "5").output


def test_the_help_of_sweep_fits_a_screen_and_names_rare_options_without_explaining_them(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    short, whole = call("sweep", "--help").output, call("sweep", "--help-all").output
    assert len(short.splitlines()) <= 23  # A terminal of 80 by 24, with the prompt in its last line.
    assert "--keep-students CHOICE  Whose weights to keep: auto, none, best or all.\n" in short
    assert "at the best T of each setting" not in short
    assert "at the best T of each setting" in " ".join(whole.split())
    assert "--cluster-minutes" in short
    assert "How long a cluster" not in short
    assert "How long a cluster" in whole
