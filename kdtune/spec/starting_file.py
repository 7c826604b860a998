"""Make the sweep file with which a user starts: `kdtune init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from string import Template
from typing import Literal

from pydantic import ValidationError

from kdtune.errors import RequestError
from kdtune.settings import SweepHeader
from kdtune.spec.messages import describe_error

# What a sweep starts from: data that are generated, or what the user has. Each is a file in ``starting_files``.
StartingPoint = Literal["generated", "logits", "table", "images", "sklearn", "modules"]
SCHEMA_FILE = "kdtune.schema.json"  # lies beside the sweep file, which names it for editors
_FOLDER = Path(__file__).with_name("starting_files")


def make_starting_file(path: Path, start: StartingPoint = "generated") -> str:
    """Make the text of a commented sweep file for a new sweep that is named after its file.

    Parameters
    ----------
    path : where the sweep file will lie.
    start : what the user has; of all but ``generated``, the user fills in the paths.

    Raises
    ------
    RequestError
        If a sweep cannot have that name.
    """
    try:
        SweepHeader(name=path.stem)
    except ValidationError as error:
        description = describe_error(error.errors()[0], valid_names=())
        raise RequestError(f"{path}: a sweep is named after its file, and its name {description}") from None
    template = Template((_FOLDER / f"{start}.yaml").read_text(encoding="utf-8"))
    modeline = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
    return modeline + template.substitute(name=path.stem, file=shlex.quote(str(path)))
