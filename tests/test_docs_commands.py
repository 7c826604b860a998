"""The commands of all pages: kdtune has each of them, with its options. Links of all pages lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from kdtune.cli import main
from tests.docs_pages import DOCS, read_blocks

ROOT = DOCS.parent
TEXTS = ("CONTRIBUTING.md", "benchmarks/README.md")
PAGES = ["../README.md", *sorted(path.name for path in DOCS.glob("*.md")), *(f"../{name}" for name in TEXTS)]
MADE_BY_MKDOCS = ("reference/settings.md", "reference/commands.md", "reference/python.md", "reference/columns.md")


def list_commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command line in the blocks and between the backquotes of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = [
        line
        for block in read_blocks(page)
        if block.kind in ("sh", "console")
        for line in block.text.replace("\\\n", " ").splitlines()
        if block.kind == "sh" or line.startswith("$ ")
    ]
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines += re.findall(r"(?<!`)`((?:kdtune|make|python) [^`]+)`(?!`)", text)
    for line in lines:
        words = list(shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True))
        while "&&" in words or ";" in words:
            end = min(words.index(mark) for mark in ("&&", ";") if mark in words)
            yield words[:end]
            words = words[end + 1 :]
        yield words


@pytest.mark.parametrize("page", PAGES)
def test_kdtune_has_each_command_with_its_options(page: str) -> None:
    for words in list_commands(page):
        if not words or words[0] != "kdtune" or words[1:2] in ([], ["..."]):
            continue
        words = words[: next((i for i, word in enumerate(words) if word in (">", "|", "2>")), None)]
        context = click.Context(main)
        if words[1].startswith("-"):
            main.make_parser(context).parse_args(words[1:])
            continue
        assert words[1] in main.commands, f"{page}: {' '.join(words)}"
        command = main.commands[words[1]]
        try:
            command.make_parser(click.Context(command, parent=context)).parse_args(words[2:])
        except click.UsageError as error:
            if isinstance(error, click.BadOptionUsage) and error.option_name == words[-1]:
                continue  # A sentence may name an option without its value.
            pytest.fail(f"{page}: {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES)
def test_make_and_python_run_what_there_is(page: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    for words in list_commands(page):
        if words[:1] == ["make"]:
            assert words[1] in targets, words
        if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
            module = ROOT / words[2].replace(".", "/")
            assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), words


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if "://" in target or target in MADE_BY_MKDOCS:  # The build of the site, which is strict, checks the latter.
            continue
        path = (DOCS / page).parent / target if target else DOCS / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
            anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
            assert anchor in anchors, f"{target}#{anchor}"
