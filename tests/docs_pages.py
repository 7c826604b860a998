"""The pages of the documentation as their readers run them: files are written, commands and scripts are run.

A page is read from top to bottom. Of its fenced blocks, one that begins with a comment that is a file's name, as in
``# mine.yaml``, becomes that file; ``sh`` blocks are run line by line, other ``python`` blocks too; ``text`` is what
the command before it has printed. In ``console`` blocks commands stand behind ``$``, and what they print below them.
Other ``yaml`` blocks that name a dataset are read as sweep files. ``<!-- not run -->`` before a block leaves it out,
``<!-- from a run -->`` says that its figures come from a longer run: of ``text`` its first line is compared, of
``console`` nothing. ``<!-- fails -->`` says that a command ends with exit code 2, as bad input does.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from kdtune.cli import main
from kdtune.spec.load import load_spec
from kdtune.spec.mistakes import SweepFileError
from kdtune.spec.yaml_tree import read_yaml_text

DOCS = Path(__file__).parents[1] / "docs"
_FENCE = re.compile(r"(?:^<!-- (?P<mark>[a-z ]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
_FILE_NAME = re.compile(r"# ([\w.-]+\.\w+)\n")
_EPOCHS = re.compile(r'(epochs"?: )\d+')
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?(e[+-]\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    kind : what stands behind its first fence: ``sh``, ``python``, ``yaml`` or ``text``.
    text : what it holds.
    mark : ``not run``, ``from a run``, or nothing.
    line : the line of the page that it begins in, from 1.
    """

    kind: str
    text: str
    mark: str
    line: int


def read_blocks(page: str) -> list[Block]:
    """Read the fenced blocks of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        Block(match["kind"], match["text"], match["mark"] or "", text.count("\n", 0, match.start("kind")) + 1)
        for match in _FENCE.finditer(text)
    ]


class PageRun:
    """A page that is run in the current folder, which must be empty.

    Training is cut to two epochs where the page writes the sweep file; with ``is_short`` in all sweeps.
    """

    def __init__(self, page: str, is_short: bool = False) -> None:
        self.page = page
        self.overrides = ["train.epochs=2", "teacher.train.epochs=2"] if is_short else []
        self.output = ""
        self._names: dict[str, Any] = {"__name__": "page"}

    def run(self) -> int:
        """Run all blocks, and return how many there were; AssertionError names the line of the page."""
        blocks = [block for block in read_blocks(self.page) if block.mark != "not run"]
        for block in blocks:
            place = f"{self.page}:{block.line}"
            file_name = _FILE_NAME.match(block.text)
            if block.kind == "text":
                self._compare(block, place)
            elif file_name:
                Path(file_name[1]).write_text(_EPOCHS.sub(r"\g<1>2", block.text), encoding="utf-8")
            elif block.kind == "sh":
                self._run_commands(block.text, place)
            elif block.kind == "console":
                self._run_console(block, place)
            elif block.kind == "yaml" and "dataset:" in block.text:
                _check_sweep(block.text, place)
            elif block.kind == "python":
                with _prepare_imports(), contextlib.redirect_stdout(io.StringIO()) as output:
                    text = _EPOCHS.sub(r"\g<1>2", block.text)
                    text = text.replace('.yaml")', f'.yaml", set={self.overrides})')
                    exec(compile(text, place, "exec"), self._names)
                self.output = output.getvalue()
        return len(blocks)

    def _run_console(self, block: Block, place: str) -> None:
        lines = block.text.splitlines()
        commands = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
        self._run_commands(commands, place, exit_code=2 if block.mark == "fails" else 0)
        if block.mark != "from a run":
            printed = "\n".join(line for line in lines if not line.startswith("$ "))
            self._compare(Block("text", printed, block.mark, block.line), place)

    def _run_commands(self, text: str, place: str, exit_code: int = 0) -> None:
        self.output = ""
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if not words or words[0] in ("pip", "make"):  # Installing is what CI does first.
                continue
            if words[0] == "kdtune":
                if words[1] in ("sweep", "plan"):
                    words += ["--workers", "0", *(f"--set={override}" for override in self.overrides)]
                with _prepare_imports():
                    result = CliRunner().invoke(main, words[1:])
                assert result.exit_code == exit_code, f"{place}: {line}\n{result.output}\n{result.exception!r}"
                self.output += result.output
            else:
                assert words[0] == "python", f"{place}: {line}: a page runs kdtune and python only"
                self.output += _run_script(words[1:])

    def _compare(self, block: Block, place: str) -> None:
        """Check that the lines of a block occur in what was printed, whatever their numbers; ``...`` is left out."""
        lines = [_mask(line) for line in block.text.splitlines() if line.strip() not in ("", "...")]
        printed = {_mask(line) for line in self.output.splitlines()}
        if block.mark == "from a run":
            lines = lines[:1]
        for line in lines:
            assert line in printed, f"{place}: not printed: {line}\n{self.output}"


def _check_sweep(text: str, place: str) -> None:
    """Check that kdtune takes a sweep file. Where its data are not at hand, only that may be wrong."""
    try:
        load_spec(read_yaml_text(text, place), ["name=page"], allow_download=False)
    except SweepFileError as error:
        if not all("dataset.root" in str(mistake) for mistake in error.mistakes):
            raise


def _mask(line: str) -> str:
    """Return a line with its numbers and blanks made alike."""
    return " ".join(_NUMBER.sub("#", line).split())


def _run_script(words: list[str]) -> str:
    """Run a script of the page as `python NAME ARGUMENTS` does, and return what it prints."""
    with _prepare_imports(), contextlib.redirect_stdout(io.StringIO()) as output:
        old_arguments, sys.argv, exit_code = sys.argv, words, None
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            exit_code = end.code
        finally:
            sys.argv = old_arguments
        assert not exit_code, f"{' '.join(words)} ended with exit code {exit_code}"
    return output.getvalue()


@contextlib.contextmanager
def _prepare_imports() -> Iterator[None]:
    """Let modules of the page's folder be imported, and forget them afterwards."""
    old_path, old_modules = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = old_path
        for name in set(sys.modules) - old_modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(Path.cwd()):
                del sys.modules[name]
