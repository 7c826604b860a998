"""Versions of code: of an installed package its number, of the user's own modules a hash of their source."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from kdtune.inputs.errors import InputError
from kdtune.inputs.user_code import is_user_file


@dataclass(frozen=True)
class CodeVersion:
    """The version of the code that a factory stands in.

    Attributes
    ----------
    version : ``scikit-learn 1.9.1`` of an installed package; of the user's code 8 hexadecimal digits (32 bits) that
        change with each character of the source but not with line endings.
    is_local : whether it is the user's code.
    files : the user's files that it consists of; empty for an installed package.
    """

    version: str
    is_local: bool
    files: tuple[Path, ...]


@dataclass(frozen=True)
class ModulePlace:
    """Where a module lies that may be the user's.

    Attributes
    ----------
    files : the user's files: that of the module, those of the packages that it is in, and those of all modules beside
        it that they import. Empty for an installed module, or one that is not found.
    module_names : the names under which they are imported, in the same order.
    """

    files: tuple[Path, ...]
    module_names: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether the module is the user's."""
        return bool(self.files)


def describe_version(name: str, search_folders: Sequence[Path]) -> CodeVersion:
    """Return the version of the code that a factory stands in, without importing it.

    Imports are found in the source, wherever they stand in it; modules that are imported by a computed name are not.

    Parameters
    ----------
    name : ``package.module:attribute``.
    search_folders : where modules of the user's are looked for, before installed packages.

    Raises
    ------
    InputError
        If there is no such module, it has the name of one of Python's own, or its source is no Python.
    """
    module_name = name.partition(":")[0]
    place = find_module_place(module_name, search_folders)
    if not place.is_local:
        return CodeVersion(_describe_package(module_name.partition(".")[0]), is_local=False, files=())
    digest = hashlib.blake2b(digest_size=4)
    for name_of_file, path in sorted(zip(place.module_names, place.files, strict=True)):
        source = _read_source(path)
        digest.update(f"{name_of_file} {len(source)}\n".encode() + source)
    return CodeVersion(digest.hexdigest(), is_local=True, files=place.files)


def _read_source(path: Path) -> bytes:
    """Return the source of a module, whatever its line endings."""
    return path.read_bytes().replace(b"\r\n", b"\n")


def hash_files(name: str, search_folders: Sequence[Path]) -> dict[str, str]:
    """Return a hash of each file of a factory's code, by its path from the folder in which Python looks for modules.

    Parameters
    ----------
    name, search_folders : As for ``describe_version``.
    """
    place = find_module_place(name.partition(":")[0], search_folders)
    return {
        name_file(module_name, path): hashlib.blake2b(_read_source(path), digest_size=4).hexdigest()
        for module_name, path in zip(place.module_names, place.files, strict=True)
    }


def name_file(module_name: str, path: Path) -> str:
    """Return the path of a module's file from the folder in which Python looks for it."""
    parts = PurePosixPath(*module_name.split("."))
    return str(parts / "__init__.py" if path.name == "__init__.py" else parts.with_suffix(".py"))


def find_module_place(module_name: str, search_folders: Sequence[Path]) -> ModulePlace:
    """Find a module among the user's files; InputError as for ``describe_version``, but a missing one is not local."""
    package_name = module_name.partition(".")[0]
    roots = [folder.resolve() for folder in search_folders]
    first_files = _find_files(module_name, roots)
    if not first_files:
        # A package that is installed in editable form lies with the user's code, where its number says nothing of it.
        root = _find_editable_root(package_name)
        if root is None:
            return ModulePlace((), ())
        roots.append(root)
        first_files = _find_files(module_name, roots)
    _check_name(package_name, next(iter(first_files.values()), None))
    files: dict[str, Path] = {}
    waiting_files = dict(first_files)
    while waiting_files:
        name, path = waiting_files.popitem()
        if name in files:
            continue
        files[name] = path
        for imported_name in _list_imports(name, path):
            waiting_files.update(_find_files(imported_name, roots))
    names = sorted(files)
    return ModulePlace(tuple(files[name] for name in names), tuple(names))


def _find_files(module_name: str, roots: Sequence[Path]) -> dict[str, Path]:
    """Return the file of a module by its name, and those of the packages that it is in; empty if it is not there.

    Of ``a.b.c`` where only ``a.b`` is a module, that is what is returned: ``c`` is something in it.
    """
    if module_name.partition(".")[0] == "kdtune":
        return {}
    parts = module_name.split(".")
    for root in roots:
        files: dict[str, Path] = {}
        for depth in range(1, len(parts) + 1):
            stem = root.joinpath(*parts[:depth])
            for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
                if path.is_file() and is_user_file(path):
                    files[".".join(parts[:depth])] = path
                    break
            else:
                if not stem.is_dir():  # A folder without __init__.py is a namespace: what is in it may be a module.
                    break
        if files:
            return files
    return {}


def _list_imports(module_name: str, path: Path) -> Iterator[str]:
    """Yield the full names of what a module imports, those of attributes with them."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise InputError(f"{path}:{line}: {type(error).__name__}: {getattr(error, 'msg', error)}") from None
    package_parts = module_name.split(".") if path.name == "__init__.py" else module_name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base_parts = package_parts[: len(package_parts) - node.level + 1] if node.level else []
            base = ".".join([*base_parts, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _check_name(package_name: str, path: Path | None) -> None:
    """Raise InputError if a module of the user's hides one that Python or a loaded package needs."""
    if path is None:
        return
    loaded_file = getattr(sys.modules.get(package_name), "__file__", None)
    is_hiding = loaded_file is not None and not is_user_file(Path(loaded_file))
    if package_name in sys.stdlib_module_names or is_hiding:
        raise InputError(f"{path} has the name of a module that Python or another package needs; give it another name")


@lru_cache(maxsize=64)
def _find_editable_root(package_name: str) -> Path | None:
    """Return the folder that an installed package of the user's own lies in; None for other packages."""
    try:
        spec = importlib.util.find_spec(package_name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin in (None, "built-in", "frozen") or package_name == "kdtune":
        return None
    path = Path(str(spec.origin))
    if path.suffix != ".py" or not is_user_file(path):
        return None
    return (path.parents[1] if path.name == "__init__.py" else path.parent).resolve()


@lru_cache(maxsize=1)
def _map_packages() -> Mapping[str, list[str]]:
    """Return the names of the distributions that each package comes from; it reads the lists of all their files."""
    return importlib.metadata.packages_distributions()


def _describe_package(package_name: str) -> str:
    if package_name in sys.stdlib_module_names:
        return f"Python {platform.python_version()}"
    names = sorted(set(_map_packages().get(package_name, [])))
    if names:
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    try:
        is_known = importlib.util.find_spec(package_name) is not None
    except (ImportError, ValueError):
        is_known = False
    if not is_known:
        raise InputError(f"there is no module {package_name!r} beside the sweep file or among installed packages")
    return package_name
