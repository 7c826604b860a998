"""The user's own code that an exported module needs: copied beside it, or named."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from kdtune.inputs.code_versions import describe_version, find_module_place
from kdtune.settings import ModuleShape

_HASH = re.compile(r"[0-9a-f]{8}")  # the version of code that the user has given no name


def read_code(shape: ModuleShape) -> dict[str, bytes]:
    """Return the files of the user's module and of those that it imports, by their path beside ``predict.py``.

    Of an installed package there are none.
    """
    module_name = shape.factory.partition(":")[0]
    place = find_module_place(module_name, shape.search_folders)
    return {
        _name_file(name, path): path.read_bytes() for name, path in zip(place.module_names, place.files, strict=True)
    }


def _name_file(module_name: str, path: Path) -> str:
    """Return the path of a module's file from the folder in which Python looks for it."""
    parts = PurePosixPath(*module_name.split("."))
    return str(parts / "__init__.py" if path.name == "__init__.py" else parts.with_suffix(".py"))


def describe_code(shape: ModuleShape, files: dict[str, bytes]) -> list[str]:
    """Say which code ``predict.py`` imports, and whether it has changed since the network was trained."""
    names = ", ".join(f"`{name}`" for name in files)
    lines = [
        f"The network is built by `{shape.factory}`, which `predict.py` imports: "
        + (f"{names} was copied beside it." if files else f"install {shape.version or 'its package'} for it.")
    ]
    version = describe_version(shape.factory, shape.search_folders).version
    if shape.version != version and (not files or _HASH.fullmatch(shape.version or "")):
        lines.append(
            f"The network was trained with version {shape.version} of that code, which is {version} now: check that it "
            f"still computes the same."
        )
    return lines
