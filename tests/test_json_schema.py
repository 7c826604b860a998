"""The JSON Schema of sweep files says of a file what kdtune says of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from kdtune.errors import SweepFileError
from kdtune.spec.json_schema import make_json_schema
from kdtune.spec.load import load_spec
from kdtune.spec.starting_file import SCHEMA_FILE, make_starting_file
from kdtune.spec.yaml_tree import read_yaml_file

SWEEPS = sorted((Path(__file__).parents[1] / "sweeps").glob("*.yaml"))
STARTS = ("generated", "logits", "table", "images", "sklearn", "modules")
VALIDATOR = Draft7Validator(make_json_schema())
N_MUTATIONS = 100
# All blocks, most settings, and grids of values, of blocks, of kinds and in lists.
BASE: dict[str, Any] = {
    "name": "mutated",
    "seed": 3,
    "replicates": {"data": 1, "teacher": 1, "student": 4},
    "select": "nll",
    "resources": {"workers": 2},
    "dataset": {"kind": "digits", "val_size": {"grid_search": [0.1, 200]}},
    "transfer": {"omit": [3]},
    "train": {"epochs": 2, "batch_size": 50, "optimizer": "sgd", "momentum": 0.5, "eval_every": 1},
    "teacher": {
        "grid_search": [
            {"kind": "cnn", "channels": [4, {"grid_search": [4, 8]}], "pool": 2, "train": {"epochs": 1}},
            {"kind": "mlp", "hidden": [8, 8], "init_std": 0.1, "activation": "gelu"},
        ]
    },
    "student": {"depth": 1, "width": {"grid_search": [4, {"grid_search": [5, 6]}]}, "dropout": 0.0},
    "distill": {"T": {"grid_search": [0.5, 2]}, "hard_weight": 0.1, "bias_start": {"3": 1.5}, "scale_T2": False},
}
WRONG_VALUES = [None, True, "text", -1, 0, 1.5, 1e12, [], {}, [1, "text"], {"grid_search": []}, {"grid_search": 3}]


def list_paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values of a tree."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] * bool(path) + [each for name, child in children for each in list_paths(child, (*path, name))]


def mutate(random: Random) -> dict[str, Any]:
    """Return the base with one change: a value, a name, something left out, or a value as a grid."""
    tree = copy.deepcopy(BASE)
    *parents, last = random.choice(list_paths(tree))
    parent: Any = tree
    for name in parents:
        parent = parent[name]
    match random.randrange(5):
        case 0 | 1:
            parent[last] = copy.deepcopy(random.choice(WRONG_VALUES))
        case 2 if isinstance(parent, dict):
            parent[f"{last}s"] = parent.pop(last)
        case 3:
            del parent[last]
        case _:
            parent[last] = {"grid_search": [parent[last]]}
    return tree


def find_fault(tree: dict[str, Any], path: Path) -> str:
    """Return what kdtune says of a sweep file; nothing if it takes it."""
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(tree, file)
    try:
        load_spec(path)
    except SweepFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_bundled_sweeps_fit_the_schema(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read_yaml_file(path).to_plain())] == []


@pytest.mark.parametrize("start", STARTS)
def test_starting_files_fit_the_schema_that_they_name(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = () if start == "generated" else ("--from", start)
    assert call("init", "mine.yaml", *options).exit_code == 0
    text = (tmp_path / "mine.yaml").read_text()
    assert text == make_starting_file(Path("mine.yaml"), start)
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    schema = json.loads((tmp_path / SCHEMA_FILE).read_text())
    assert schema == json.loads(call("schema").output)
    tree = read_yaml_file(tmp_path / "mine.yaml").to_plain()
    assert [error.message for error in Draft7Validator(schema).iter_errors(tree)] == []


def test_schema_and_kdtune_say_the_same_of_files_with_one_change(tmp_path: Path) -> None:
    Draft7Validator.check_schema(make_json_schema())
    assert find_fault(BASE, tmp_path / "base.yaml") == ""
    random = Random(1)
    n_taken = 0
    for number in range(N_MUTATIONS):
        tree = mutate(random)
        fault = find_fault(tree, tmp_path / f"{number}.yaml")
        n_taken += not fault
        if "there is no class" in fault:  # The data say how many there are.
            continue
        assert VALIDATOR.is_valid(tree) == (not fault), (tree, fault)
    assert 20 <= n_taken <= N_MUTATIONS - 20
