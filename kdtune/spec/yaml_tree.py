"""Read YAML into a tree in which every value knows the line that it came from.

Only plain data pass: mappings with text keys, lists, numbers, text, true/false, null.
YAML is read as version 1.2 (so that ``1e-3`` is a number), never with Python tags.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kdtune.errors import Mistake, SweepFileError

MAX_BYTES = 4 << 20
# Aliases are counted each time that they are used: a "billion laughs" file stops here.
MAX_VALUES = 200_000
MAX_DEPTH = 50

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value and where it stands: a scalar, a list of Located or a dict of Located."""

    value: Any
    location: str

    def to_plain(self) -> Any:
        """The value without its places: nested dicts, lists and scalars."""
        match self.value:
            case dict():
                return {key: child.to_plain() for key, child in self.value.items()}
            case list():
                return [child.to_plain() for child in self.value]
            case _:
                return self.value

    def descendant(self, path: tuple[int | str, ...]) -> YamlNode:
        """The deepest value on the way along ``path``."""
        here = self
        for step in path:
            inside = here.value
            if isinstance(inside, dict) and step in inside:
                here = inside[str(step)]
            elif isinstance(inside, list) and isinstance(step, int) and step < len(inside):
                here = inside[step]
            else:
                break
        return here

    def children(self) -> Iterator[tuple[str, YamlNode]]:
        match self.value:
            case dict():
                yield from self.value.items()
            case list():
                yield from ((str(i), child) for i, child in enumerate(self.value))


def read_yaml_file(path: Path) -> YamlNode:
    """Read a YAML file.

    Raises
    ------
    SweepFileError
        If it is missing, a directory, not UTF-8, empty, too large or not plain YAML.
    """
    name = str(path)
    try:
        if path.is_dir():
            raise _mistake(name, "is a directory; give a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _mistake(name, f"is larger than {MAX_BYTES >> 20} MiB; no sweep file needs that")
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise _mistake(name, "does not exist") from None
    except UnicodeDecodeError as error:
        raise _mistake(name, f"is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise _mistake(name, f"cannot be read: {error.strerror}") from None
    return read_yaml_text(text, name)


def read_yaml_text(text: str, name: str) -> YamlNode:
    """Read YAML text; ``name`` stands before each line number."""
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(io.StringIO(text))
        if node is None:
            raise _mistake(name, "is empty; `kdtune init NAME.yaml` writes a starting file")
        return _Reader(yaml, name).read(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = error.problem or error.context or "cannot be parsed"
        raise _mistake(f"{name}{line}", f"is not YAML: {problem}") from None
    except (YAMLError, ValueError) as error:
        raise _mistake(name, f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _mistake(name, "is nested too deeply") from None


class _Reader:
    """Turns YAML nodes into Located values, counting them."""

    def __init__(self, yaml: YAML, name: str) -> None:
        self.constructor = yaml.constructor
        self.name = name
        self.count = 0

    def read(self, node: Node, where: str | None = None, depth: int = 0) -> YamlNode:
        where = where or f"{self.name}:{node.start_mark.line + 1}"
        if depth > MAX_DEPTH:
            raise _mistake(where, f"is nested more than {MAX_DEPTH} deep")
        self.count += 1
        if self.count > MAX_VALUES:
            raise _mistake(where, f"holds more than {MAX_VALUES:,} values (aliases counted)")
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return YamlNode(self._mapping(node, depth), where)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return YamlNode([self.read(item, depth=depth + 1) for item in node.value], where)
            case ScalarNode() if node.tag in _PLAIN_TAGS:
                try:
                    return YamlNode(self.constructor.construct_object(node), where)
                except Exception:  # ruamel lets through whatever its converters raise
                    raise _mistake(where, f"{node.value[:40]!r} is no {_short(str(node.tag))[2:]}") from None
        if node.tag == "tag:yaml.org,2002:timestamp":
            return YamlNode(node.value, where)  # a date is text here
        raise _mistake(where, f"has the YAML tag {_short(str(node.tag))}; only plain data may stand here")

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, YamlNode]:
        found: dict[str, YamlNode] = {}
        for key, value in node.value:
            where = f"{self.name}:{key.start_mark.line + 1}"
            if key.tag == "tag:yaml.org,2002:merge":
                raise _mistake(where, "uses a YAML merge key (<<); write the settings out")
            if not isinstance(key, ScalarNode):
                raise _mistake(where, "has a key that is a collection; keys are text")
            if key.value in found:
                raise _mistake(where, f"has the key {key.value!r} twice")
            found[key.value] = self.read(value, where if _is_block(value) else None, depth + 1)
        return found


def _is_block(node: Node) -> bool:
    return isinstance(node, MappingNode | SequenceNode)


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _mistake(where: str, message: str) -> SweepFileError:
    return SweepFileError([Mistake(where, "", message)])
