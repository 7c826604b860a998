"""Damage a sweep file: its settings, its lines, its bytes."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from random import Random
from typing import Any

from ruamel.yaml import YAML

from benchmarks.faults.mutate_bytes import BYTE_MUTATORS, TEXT_MUTATORS

Path = list[Any]  # the keys and positions that lead to a value

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 0.0, -0.0, 0.5, 1e-320, 1e308, -1e9, 10**9, 2**63, 10**40, math.nan, math.inf,
    -math.inf, "", " ", "a", "nan", "1e999", "0x10", "1_000", "~", "null", "yes", "digits", "mlp", "../..", "/", "/etc",
    "a/b", "\0", "é", "名前", "\U0001f600", "x" * 5000, [], {}, [1], [1, "a", None], [[1, 2], [3]], {"a": 1}, {1: 2},
    {"grid_search": []}, {"grid_search": [1, 1]}, {"grid_search": 3}, {"grid_search": {"a": 1}},
    {"grid_search": [1, "a", None, math.nan]}, {"grid_search": list(range(300))}, {"grid_search": [1], "b": 2},
    {"grid_search": [{"grid_search": [1, 2]}]}, {"kind": "mlp"}, {"kind": "no"}, {"kind": {"grid_search": ["mlp"]}},
)  # fmt: skip

# What YAML understands in its own way, or should not understand at all.
ODD_TEXTS = (
    "!!python/object/apply:os.system [echo hello]", "!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!!float x",
    "!!int 'x'", "!own 1", "!!timestamp nonsense", "2001-12-14", "2001-12-14t21:59:43.10-05:00", "1:30", "0o17", "0b11",
    "*nowhere", "&a", "&a [*a]", "<<: *a", "{<<: 1}", "? [1, 2]", "|", ">", "%", "@", "`", "- - - 1", "{a: 1, a: 2}",
    "[1, 2", "{a: 1", "'open", '"open', '"\\x"', '"\\ud800"', "---", "...", "? ", ": ", ".nan", "-.inf", ".5", "5.",
    "+1", "1e5", "99999999999999999999999999", "true", "Yes", "ON", "= 1", "<<", "\t1", "0777", "1__0", ".", "-",
)  # fmt: skip


def mutate_sweep(text: str, random: Random) -> bytes:
    """Return a sweep file with one to five damages."""
    if random.random() < 0.05:
        return random.choice((_nest_deeply, _multiply_aliases, _refer_to_itself, _write_many_networks))(random)
    count = random.choice((1, 1, 1, 2, 2, 3, 5))
    way = random.random()
    if way < 0.5:
        return _mutate_settings(text, random, count)
    for _ in range(count):
        text = random.choice(LINE_MUTATORS)(text, random)
    data = text.encode("utf-8", errors="surrogatepass")
    if way > 0.75:
        data = random.choice(BYTE_MUTATORS + TEXT_MUTATORS)(data, random)
    return data


# --- settings -----------------------------------------------------------------------------------


def _mutate_settings(text: str, random: Random, count: int) -> bytes:
    """Change the tree of settings and write it as YAML."""
    tree = YAML(typ="safe", pure=True).load(text)
    for _ in range(count):
        paths = _list_paths(tree)
        if paths:
            random.choice(SETTING_MUTATORS)(tree, random.choice(paths), random)
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(tree, stream)
    return stream.getvalue().encode("utf-8", errors="surrogatepass")


def _list_paths(tree: Any, path: Path | None = None) -> list[Path]:
    """List where all values of a tree stand."""
    here = path or []
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [found for key in keys for found in ([*here, key], *_list_paths(tree[key], [*here, key]))]


def _choose_odd_value(random: Random) -> Any:
    return copy.deepcopy(random.choice(ODD_VALUES))  # Another mutator may change it where it stands.


def _find_parent(tree: Any, path: Path) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _replace_value(tree: Any, path: Path, random: Random) -> None:
    _find_parent(tree, path)[path[-1]] = _choose_odd_value(random)


def _scale_number(tree: Any, path: Path, random: Random) -> None:
    """Multiply a number; anything else is replaced."""
    parent = _find_parent(tree, path)
    value = parent[path[-1]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        parent[path[-1]] = value * random.choice((-1, 0, 0.1, 0.5, 10, 1000, 10**6, 10**12))
    else:
        _replace_value(tree, path, random)


def _delete_setting(tree: Any, path: Path, random: Random) -> None:
    del _find_parent(tree, path)[path[-1]]


def _rename_setting(tree: Any, path: Path, random: Random) -> None:
    parent = _find_parent(tree, path)
    if isinstance(parent, dict):
        parent[_misspell(str(path[-1]), random)] = parent.pop(path[-1])


def _copy_elsewhere(tree: Any, path: Path, random: Random) -> None:
    """Put a value where another one stands."""
    target = random.choice(_list_paths(tree))
    value = _find_parent(tree, path)[path[-1]]
    if target[: len(path)] != path and path[: len(target)] != target:
        _find_parent(tree, target)[target[-1]] = value


def _add_setting(tree: Any, path: Path, random: Random) -> None:
    parent = _find_parent(tree, path)
    if isinstance(parent, dict):
        parent[random.choice(("extra", 1, None, True, 1.5, "", "kind", "train", "grid_search", "T"))] = random.choice(
            ODD_VALUES
        )
    else:
        parent.append(_choose_odd_value(random))


def _wrap_value(tree: Any, path: Path, random: Random) -> None:
    parent = _find_parent(tree, path)
    value = parent[path[-1]]
    parent[path[-1]] = random.choice(
        ([value], {"grid_search": [value]}, {"grid_search": [value, value]}, {path[-1]: value})
    )


SETTING_MUTATORS: tuple[Callable[[Any, Path, Random], None], ...] = (
    _replace_value, _replace_value, _scale_number, _scale_number, _delete_setting, _rename_setting, _copy_elsewhere,
    _add_setting, _wrap_value,
)  # fmt: skip


# --- lines --------------------------------------------------------------------------------------


def _misspell(word: str, random: Random) -> str:
    """Leave out, double, swap or replace a letter."""
    if not word:
        return "x"
    i = random.randrange(len(word))
    return random.choice(
        (word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:], word.upper(), word[::-1], word + " ")
    )


def _change_lines(change: Callable[[list[str], int, Random], None]) -> Callable[[str, Random], str]:
    """Return a mutator of a text from one of its lines."""

    def mutate(text: str, random: Random) -> str:
        lines = text.split("\n")
        change(lines, random.randrange(len(lines)), random)
        return "\n".join(lines)

    return mutate


def _delete(lines: list[str], i: int, random: Random) -> None:
    del lines[i]


def _swap(lines: list[str], i: int, random: Random) -> None:
    j = random.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]


def _replace_text(lines: list[str], i: int, random: Random) -> None:
    """Put an odd text where a value stands."""
    key, colon, _ = lines[i].partition(":")
    lines[i] = f"{key}{colon} {random.choice(ODD_TEXTS)}"


def _replace_token(lines: list[str], i: int, random: Random) -> None:
    words = lines[i].split(" ")
    words[random.randrange(len(words))] = random.choice((*ODD_TEXTS, _misspell(random.choice(words), random)))
    lines[i] = " ".join(words)


def _indent(lines: list[str], i: int, random: Random) -> None:
    lines[i] = random.choice((" ", "  ", "\t", "- ", "? ", "# ")) + lines[i]


LINE_MUTATORS: tuple[Callable[[str, Random], str], ...] = (
    _change_lines(_delete),
    _change_lines(lambda lines, i, random: lines.insert(random.randrange(len(lines) + 1), lines[i])),
    _change_lines(lambda lines, i, random: lines.insert(i, random.choice(ODD_TEXTS))),
    _change_lines(_swap),
    _change_lines(_replace_text),
    _change_lines(_replace_text),
    _change_lines(_replace_token),
    _change_lines(_indent),
)


# --- whole files --------------------------------------------------------------------------------


def _nest_deeply(random: Random) -> bytes:
    opening, closing = random.choice((("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")))
    depth = random.choice((50, 900, 5000, 100_000))
    closing = closing if random.random() < 0.7 else ""
    start = "" if opening in "[{a: " else "\n  "
    return f"name: deep\nstudent: {start}{opening * depth}1{closing * depth}\n".encode()


def _multiply_aliases(random: Random) -> bytes:
    """Return a billion laughs: few lines that unfold to a great many values."""
    width, levels = random.choice(((10, 9), (2, 40), (100, 5)))
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    place = random.choice(("name", "student", "distill", "dataset", "replicates"))
    return "\n".join([*lines, f"{place}: *a{levels - 1}", ""]).encode()


def _refer_to_itself(random: Random) -> bytes:
    text = random.choice(
        ("&a [*a]", "&a {b: *a}", "&a {<<: *a}", "{grid_search: &a [1, *a]}", "&a {grid_search: [*a]}")
    )
    return f"name: loop\n{random.choice(('student', 'distill', 'dataset', 'train'))}: {text}\n".encode()


def _write_many_networks(random: Random) -> bytes:
    """Return a small file that asks for a great many networks."""
    grids = [f"{{grid_search: [{', '.join(map(str, range(1, random.choice((20, 300)))))}]}}" for _ in range(4)]
    return (
        f"name: many\nreplicates: {random.choice((1, 10**6, 10**30))}\ndataset: {{kind: digits}}\n"
        f"teacher: {{hidden: [10], train: {{epochs: {grids[0]}}}}}\nstudent: {{depth: 1, width: {grids[1]}}}\n"
        f"distill: {{T: {grids[2]}, hard_weight: {grids[3]}}}\n"
    ).encode()
