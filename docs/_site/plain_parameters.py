"""Let the site show parameters as our docstrings write them: a name and a sentence, the type being in the signature."""

from __future__ import annotations

import re
from typing import Any

import griffe

_PARAMETER = re.compile(r"^(?P<indent> *)(?P<names>\w+(?:, \w+)*) : (?P<text>.+)$", re.M)
_SECTIONS = re.compile(r"^(?:Parameters|Attributes)\n-+\n(?:.*\n?)*?(?=^\w[^\n]*\n-+\n|\Z)", re.M)


class PlainParameters(griffe.Extension):
    """Turns ``name : sentence`` into a name with a description, where numpy's style has a type."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a function or class."""
        if obj.docstring is not None:
            text = _SECTIONS.sub(lambda section: _PARAMETER.sub(_describe, section[0]), obj.docstring.value)
            obj.docstring.value = text.replace("``", "`")


def _describe(match: re.Match[str]) -> str:
    indent, text = match["indent"], match["text"]
    return "\n".join(f"{indent}{name}\n{indent}    {text}" for name in match["names"].split(", "))
