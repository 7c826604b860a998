"""Factories of the user's and of installed packages: found by name, called, and known by their version."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import ExtraTreesClassifier

from kdtune.inputs import factories
from kdtune.inputs.code_versions import describe_version
from kdtune.inputs.errors import InputError
from kdtune.inputs.factories import call_factory, load_factory, name_of_factory


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(factories, "_loaded_times", {})
    modules = set(sys.modules)
    yield
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in ("mynets", "mypkg", "helpers", "mydata"):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "helpers.py", "WIDTH = 3\n")
    write(
        tmp_path / "mynets.py",
        "import helpers\n\n\nclass Nets:\n    @staticmethod\n"
        "    def small(width=helpers.WIDTH):\n        return width\n\n\n"
        "def student(width, depth=2):\n    return width * depth\n\n\ndef broken(**args):\n    import json\n\n"
        "    return json.loads('{')\n\n\nLIMIT = 4\n",
    )
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    # Modules are known by the time of their last change: two changes within a clock tick are told apart.
    write.clock += 1  # type: ignore[attr-defined]
    os.utime(path, ns=(0, 10**18 + 10**9 * write.clock))  # type: ignore[attr-defined]
    return path


write.clock = 0  # type: ignore[attr-defined]


def test_load_and_call(folder: Path) -> None:
    assert call_factory(load_factory("mynets:student", [folder]), {"width": 4}) == 8
    assert call_factory(load_factory("mynets:Nets.small", [folder]), {}) == 3
    assert load_factory("sklearn.datasets:load_wine", [folder]) is load_wine
    assert sys.path[0] == str(folder)


def test_a_changed_module_is_loaded_again(folder: Path) -> None:
    assert call_factory(load_factory("mynets:Nets.small", [folder]), {}) == 3
    first = sys.modules["mynets"]
    load_factory("mynets:Nets.small", [folder])
    assert sys.modules["mynets"] is first
    write(folder / "helpers.py", "WIDTH = 55\n")
    assert call_factory(load_factory("mynets:Nets.small", [folder]), {}) == 55


def test_modules_of_two_folders_with_one_name(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other" / "mynets.py", "def student():\n    return 'other'\n")
    load_factory("mynets:student", [folder])
    assert call_factory(load_factory("mynets:student", [tmp_path / "other"]), {}) == "other"
    assert call_factory(load_factory("mynets:student", [folder]), {"width": 1}) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mynets", "'mynets' names no factory; write module:name, as in mynets:student"),
        ("mynets.student", "'mynets.student' names no factory; write mynets:student"),
        ("mynets.py", "'mynets.py' names no factory; write mynets:name, where name stands in that file"),
        ("my-nets:student", "'my-nets:student' names no factory; write module:name"),
        ("mynets:", "names no factory"),
        ("mynets:Student", "mynets has no 'Student'; did you mean 'student'?"),
        ("mynets:Nets.smal", "mynets.Nets has no 'smal'; did you mean 'small'?"),
        ("mynets:zzzz", "mynets has no 'zzzz'; looked in {folder}/mynets.py"),
        ("mynets:LIMIT", "mynets:LIMIT is a int, which cannot be called"),
        ("mynet:student", "there is no module 'mynet': looked in {folder} and among installed packages; did you mean"),
        ("sklearn.dataset:load_wine", "sklearn has no module 'dataset'; did you mean 'sklearn.datasets'?"),
        ("bad_import:f", "importing bad_import failed: {folder}/bad_import.py:1: ModuleNotFoundError: No module named"),
        ("raises:f", "importing raises failed: {folder}/deeper.py:3: ZeroDivisionError: division by zero"),
        ("leaves:f", "importing leaves failed: {folder}/leaves.py:2: SystemExit: 3"),
        ("torn:f", "{folder}/torn.py:2: SyntaxError: "),
    ],
)
def test_what_cannot_be_loaded(folder: Path, name: str, text: str) -> None:
    write(folder / "bad_import.py", "import nowhere_to_be_found\n")
    write(folder / "deeper.py", "def f():\n\n    return 1 / 0\n")
    write(folder / "raises.py", "import deeper\n\ndeeper.f()\n")
    write(folder / "leaves.py", "import sys\nsys.exit(3)\n")
    write(folder / "torn.py", "x = 1\ndef f(:\n")
    with pytest.raises(InputError, match=re.escape(text.format(folder=folder))) as caught:
        load_factory(name, [folder])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("mynets:student", {}, "mynets:student needs the argument 'width'; give it in args"),
        ("mynets:student", {"width": 1, "dept": 2}, "mynets:student takes no argument 'dept'; did you mean 'depth'?"),
        ("mynets:student", {"width": None}, "mynets:student failed: {folder}/mynets.py:11: TypeError: unsupported"),
        # The deepest line is Python's own; what helps is the user's.
        ("mynets:broken", {"any": 1}, "mynets:broken failed: {folder}/mynets.py:17: JSONDecodeError: Expecting"),
        ("builtins:int", {"x": 1}, "builtins:int "),
    ],
)
def test_what_a_call_may_raise(folder: Path, name: str, args: dict[str, Any], text: str) -> None:
    factory = load_factory(name, [folder])
    with pytest.raises(InputError, match=re.escape(text.format(folder=folder))):
        call_factory(factory, args)


def test_versions_of_packages(folder: Path) -> None:
    version = describe_version("sklearn.ensemble:ExtraTreesClassifier", [folder])
    assert version.version == f"scikit-learn {importlib.metadata.version('scikit-learn')}"
    assert not version.is_local
    assert not version.files
    assert describe_version("collections:OrderedDict", [folder]).version == f"Python {platform.python_version()}"
    with pytest.raises(InputError, match="there is no module 'nowhere_to_be_found'"):
        describe_version("nowhere_to_be_found:f", [folder])


def test_version_follows_the_source_of_what_is_imported(folder: Path, tmp_path: Path) -> None:
    package = folder / "mypkg"
    write(package / "__init__.py", "")
    write(package / "nets.py", "from . import layers\nfrom .sub.deep import f\nimport numpy\n")
    write(package / "layers.py", "def f():\n    import helpers\n")
    write(package / "sub" / "__init__.py", "from ..other import g\n")
    write(package / "sub" / "deep.py", "f = 1\n")
    write(package / "other.py", "g = 1\n")
    unrelated = write(package / "unrelated.py", "")
    first = describe_version("mypkg.nets:build", [folder])
    assert first.is_local
    assert re.fullmatch("[0-9a-f]{8}", first.version)
    names = [
        "helpers",
        "mypkg/__init__",
        "mypkg/layers",
        "mypkg/nets",
        "mypkg/other",
        "mypkg/sub/__init__",
        "mypkg/sub/deep",
    ]
    assert sorted(str(path.relative_to(folder).with_suffix("")) for path in first.files) == names
    for path in first.files:
        old_text = path.read_text()
        path.write_text(old_text + "# a comment\n")
        assert describe_version("mypkg.nets:build", [folder]).version != first.version, path
        path.write_bytes(old_text.replace("\n", "\r\n").encode())
        assert describe_version("mypkg.nets:build", [folder]).version == first.version, path
        path.write_text(old_text)
    unrelated.write_text("changed = 1\n")
    assert describe_version("mypkg.nets:build", [folder]).version == first.version
    # Nothing was imported, and the place does not matter.
    assert "mypkg" not in sys.modules
    folder.rename(tmp_path.parent / "elsewhere")
    assert describe_version("mypkg.nets:build", [tmp_path.parent / "elsewhere"]).version == first.version


def test_installed_packages_are_not_the_users(folder: Path) -> None:
    library = write(folder / ".venv" / "lib" / "site-packages" / "mypkg.py", "")
    with pytest.raises(InputError):
        describe_version("mypkg:f", [library.parent])
    write(folder / "mynets.py", "import kdtune.text\nimport torch\n")
    repository = Path(__file__).parents[1]
    version = describe_version("mynets:f", [folder, repository])
    assert version.files == (folder / "mynets.py",)


def test_a_module_on_pythonpath_is_the_users(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "lib" / "mydata" / "__init__.py", "")
    write(tmp_path / "lib" / "mydata" / "sets.py", "")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    version = describe_version("mydata.sets:f", [folder])
    assert [path.name for path in version.files] == ["__init__.py", "sets.py"]


@pytest.mark.parametrize("name", ["random", "torch"])
def test_names_that_others_need(folder: Path, name: str) -> None:
    write(folder / f"{name}.py", "")
    with pytest.raises(InputError, match=f"{name}.py has the name of a module that Python or another package needs"):
        describe_version(f"{name}:f", [folder])


def test_names_of_factories(folder: Path) -> None:
    student = load_factory("mynets:student", [folder])
    assert name_of_factory(student) == "mynets:student"
    assert name_of_factory(load_factory("mynets:Nets", [folder])) == "mynets:Nets"
    assert name_of_factory(load_factory("mynets:Nets.small", [folder])) == "mynets:Nets.small"
    assert name_of_factory(ExtraTreesClassifier) == "sklearn.ensemble:ExtraTreesClassifier"
    assert load_factory(name_of_factory(load_wine), [folder]) is load_wine


def test_an_object_of_a_module_that_was_loaded_again_keeps_its_name(folder: Path) -> None:
    student = load_factory("mynets:student", [folder])
    write(folder / "mynets.py", "def student():\n    return 'new'\n")
    assert call_factory(load_factory("mynets:student", [folder]), {}) == "new"
    assert name_of_factory(student) == "mynets:student"


def test_what_has_no_name_elsewhere(folder: Path) -> None:
    def make_inner() -> None: ...

    class Script: ...

    Script.__module__, Script.__qualname__ = "__main__", "Script"
    student = load_factory("mynets:student", [folder])
    shadowed = functools.wraps(student)(lambda: None)
    for factory, text in [
        (lambda: None, "is a lambda, which workers cannot import; write a function and put it into a file"),
        (
            make_inner,
            "make_inner was defined inside a function; put it into a file beside the sweep, such as mynets.py",
        ),
        (Script, "Script was defined in a notebook or script, which workers cannot import; put it into a file"),
        (
            ExtraTreesClassifier(),
            "is an object of type ExtraTreesClassifier; give a function or a class that makes one",
        ),
        (functools.partial(student, width=3), "is a functools.partial; give the function itself"),
        (shadowed, "mynets:student is not what can be imported under this name"),
        (3, "is an object of type int"),
    ]:
        with pytest.raises(InputError, match=re.escape(text)):
            name_of_factory(factory)


def test_nothing_here_imports_torch() -> None:
    modules = "tables, image_folders, factories, code_versions, objects, python_data"
    code = f"from kdtune.inputs import {modules}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
