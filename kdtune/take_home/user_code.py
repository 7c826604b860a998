"""The user's own code that an exported module needs: copied beside it, or named."""

from __future__ import annotations

import re

from kdtune.inputs.code_versions import describe_version, find_module_place, name_file
from kdtune.settings import ModuleShape

_HASH = re.compile(r"[0-9a-f]{8}")  # the version of code that the user has given no name


def read_code(shape: ModuleShape) -> dict[str, bytes]:
    """Return the files of the user's module and of those that it imports, by their path beside ``predict.py``.

    Of an installed package there are none.
    """
    module_name = shape.factory.partition(":")[0]
    place = find_module_place(module_name, shape.search_folders)
    return {
        name_file(name, path): path.read_bytes() for name, path in zip(place.module_names, place.files, strict=True)
    }


def describe_code(shape: ModuleShape, files: dict[str, bytes]) -> list[str]:
    """Say which code ``predict.py`` imports, and whether it has changed since the network was trained."""
    names = ", ".join(f"`{name}`" for name in files)
    copied = f"{names} {'was' if len(files) == 1 else 'were'} copied beside it."
    lines = [
        f"The network is built by `{shape.factory}`, which `predict.py` imports: "
        + (copied if files else f"install {shape.version or 'its package'} for it.")
    ]
    version = describe_version(shape.factory, shape.search_folders).version
    if shape.version != version and (not files or _HASH.fullmatch(shape.version or "")):
        lines.append(
            f"That code has changed since the network was trained, from version {shape.version} to {version}: the "
            f"errors in this card were counted with the code as it is now."
        )
    return lines
