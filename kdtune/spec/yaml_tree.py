"""Read YAML into a tree in which every value knows the line that it stands on.

Only plain data pass: mappings with text keys, lists, numbers, text, true/false, null.
YAML is read as version 1.2 (so that ``1e-3`` is a number), never with Python tags.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kdtune.errors import Mistake, SweepFileError

MAX_BYTES = 4 << 20  # The parser reads 50 to 80 kB a second: what is larger would take minutes before it is refused.
# A value counts again each time that an alias repeats it, so that a "billion laughs" file stops here.
MAX_VALUES = 200_000
MAX_DEPTH = 50
# Brackets in texts and comments count too. With hundreds of open brackets the parser takes seconds.
MAX_OPEN_BRACKETS = 2 * MAX_DEPTH
MAX_INTEGER_BITS = 10_000  # Python refuses to print integers of more than about 14,000 bits (4,300 digits).

SettingPath = tuple[int | str, ...]  # The names of settings and positions in lists that lead to a value.

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value of a YAML file (a scalar, a list of nodes, or a dict from text to nodes) and where it stands."""

    value: Any
    location: str

    def to_plain(self) -> Any:
        """Return the value without locations: nested dicts, lists and scalars."""
        match self.value:
            case dict():
                return {key: child.to_plain() for key, child in self.value.items()}
            case list():
                return [child.to_plain() for child in self.value]
            case _:
                return self.value

    def find(self, path: SettingPath) -> YamlNode | None:
        """Return the node to which the path leads; None if it leads nowhere."""
        node = self
        for step in path:
            child = node._get_child(step)
            if child is None:
                return None
            node = child
        return node

    def descendant(self, path: SettingPath) -> YamlNode:
        """Follow the path as far as it leads, and return the node there."""
        node = self
        for step in path:
            child = node._get_child(step)
            if child is None:
                break
            node = child
        return node

    def _get_child(self, step: int | str) -> YamlNode | None:
        child: YamlNode | None = None
        if isinstance(self.value, dict):
            child = self.value.get(str(step))
        elif isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            child = self.value[step]
        return child

    def children(self) -> Iterator[tuple[str, YamlNode]]:
        """Iterate over the names and nodes of a block, or over the indices and nodes of a list."""
        match self.value:
            case dict():
                yield from self.value.items()
            case list():
                for index, child in enumerate(self.value):
                    yield str(index), child


def make_empty_block(location: str) -> YamlNode:
    """Make a node that holds no settings, for a block that is not written."""
    return YamlNode({}, location)


def read_yaml_file(path: Path) -> YamlNode:
    """Read a YAML file.

    Raises
    ------
    SweepFileError
        If the file is missing, a directory, not UTF-8, empty, too large or not plain YAML.
    """
    name = str(path)
    try:
        if path.is_dir():
            raise _make_error(name, "is a directory; give a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _make_error(name, f"is larger than {MAX_BYTES >> 20} MiB; no sweep file needs that")
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise _make_error(name, "does not exist; `kdtune init NAME.yaml` writes a starting file") from None
    except UnicodeDecodeError as error:
        raise _make_error(name, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise _make_error(name, f"cannot be read: {error.strerror}") from None
    return read_yaml_text(text, name)


def read_yaml_text(text: str, name: str) -> YamlNode:
    """Read YAML text.

    Parameters
    ----------
    text : The YAML text.
    name : The name before the line number in each location, such as that of the file.

    Raises
    ------
    SweepFileError
        If it is empty, too large, nested too deeply or not plain YAML.
    """
    _check_brackets(text, name)
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML 1.2 lets an anchor be set again.
            node = yaml.compose(io.StringIO(text))
        if node is None:
            raise _make_error(name, "is empty; `kdtune init NAME.yaml` writes a starting file")
        return _Reader(yaml, name).read(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = error.problem or error.context or "cannot be parsed"
        raise _make_error(f"{name}{line}", f"is not YAML: {problem} ({_YAML_ADVICE})") from None
    except (YAMLError, ValueError) as error:
        raise _make_error(name, f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _make_error(name, "is nested too deeply; no setting needs that") from None


_YAML_ADVICE = (
    "look at this line and the one before: lines of a block begin in the same column, a blank follows each colon, "
    "and no line begins with a tab"
)


def _check_brackets(text: str, name: str) -> None:
    """Raise SweepFileError if more than ``MAX_OPEN_BRACKETS`` are open at the same time."""
    n_open = 0
    for bracket in re.finditer(r"[\[{\]}]", text):
        n_open += 1 if bracket[0] in "[{" else -1
        if n_open > MAX_OPEN_BRACKETS:
            line = text.count("\n", 0, bracket.start()) + 1
            raise _make_depth_error(f"{name}:{line}")


def _make_depth_error(location: str) -> SweepFileError:
    return _make_error(location, f"is nested more than {MAX_DEPTH} deep; no setting needs that")


class _Reader:
    """Turns the nodes of a YAML parser into our own, and counts them."""

    def __init__(self, yaml: YAML, name: str) -> None:
        self.constructor = yaml.constructor
        self.name = name
        self.count = 0

    def read(self, node: Node, location: str | None = None, depth: int = 0) -> YamlNode:
        """Read a node and all below it; ``location`` replaces the line on which it starts."""
        location = location or f"{self.name}:{node.start_mark.line + 1}"
        if depth > MAX_DEPTH:
            raise _make_depth_error(location)
        self.count += 1
        if self.count > MAX_VALUES:
            raise _make_error(location, f"holds more than {MAX_VALUES:,} values (aliases counted); write fewer")
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return YamlNode(self._read_mapping(node, depth), location)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return YamlNode([self.read(item, depth=depth + 1) for item in node.value], location)
            case ScalarNode() if node.tag in _PLAIN_TAGS:
                return YamlNode(self._read_scalar(node, location), location)
        if node.tag == "tag:yaml.org,2002:timestamp":
            return YamlNode(node.value, location)  # No setting is a date, so that a date is text.
        raise _make_error(location, f"has the YAML tag {_shorten_tag(node)}; only plain data may stand here")

    def _read_scalar(self, node: ScalarNode, location: str) -> Any:
        type_name = _shorten_tag(node).removeprefix("!!")
        try:
            value = self.constructor.construct_object(node)
        except Exception:  # ruamel.yaml passes on whatever its converters raise.
            raise _make_error(location, f"{node.value[:40]!r} is not a valid YAML {type_name}") from None
        if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            raise _make_error(location, f"the number that begins {node.value[:20]} is too large for any setting")
        return value

    def _read_mapping(self, node: MappingNode, depth: int) -> dict[str, YamlNode]:
        children: dict[str, YamlNode] = {}
        for key, value in node.value:
            location = f"{self.name}:{key.start_mark.line + 1}"
            if key.tag == "tag:yaml.org,2002:merge":
                raise _make_error(location, "uses a YAML merge key (<<); write the settings out")
            if not isinstance(key, ScalarNode):
                raise _make_error(location, "has a key that is a list or a block; keys must be text")
            if key.value in children:
                raise _make_error(location, f"has the key {key.value!r} twice; keep one")
            # A list or a block is found by its key, since it may start on a later line.
            starts_at_key = isinstance(value, MappingNode | SequenceNode)
            children[key.value] = self.read(value, location if starts_at_key else None, depth + 1)
        return children


def _shorten_tag(node: Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


def _make_error(location: str, message: str) -> SweepFileError:
    return SweepFileError([Mistake(location, "", message)])
