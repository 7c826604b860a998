"""The templates of this package: of the card and of ``predict.py``."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def make_environment() -> Environment:
    """Make the environment of the templates of this package."""
    return Environment(
        loader=PackageLoader("kdtune.take_home"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # The texts are Markdown and Python, not HTML.
    )
