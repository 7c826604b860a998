"""Make the pages of the reference from the code: settings, commands, functions, files and columns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import kdtune
from kdtune.cli import main
from kdtune.cli.help_pages import SECTIONS, SHOWS_ALL

sys.path.insert(0, str(Path(__file__).parent))
from column_meanings import FILES, FOLDER

from kdtune.settings import SweepHeader
from kdtune.spec.json_schema import BLOCK_MEANINGS, describe_model
from kdtune.spec.schema import BLOCKS, BLOCKS_WITH_TRAIN, get_models

WIDTH = 80  # of the help of commands, in characters


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    pages: dict[str, Callable[[], str]] = {
        "settings": write_settings,
        "commands": write_commands,
        "python": write_python,
        "columns": write_columns,
    }
    for name, write in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=write()))
    return files


def write_settings() -> str:
    """Return the page of all settings of a sweep file."""
    parts = [
        "# Settings of a sweep file",
        "Each value may be a grid, `{grid_search: [a, b]}`, at any depth, but for those in the first table and "
        "`eval_every`; a sweep is the product of all grids. `kdtune schema` prints the same for "
        "editors, as a JSON Schema.",
        "## The sweep itself",
        _write_table(describe_model(SweepHeader)),
    ]
    for name in ("replicates", "resources"):
        schema = describe_model(SweepHeader)["properties"][name]
        model = next(each for each in schema.get("anyOf", [schema]) if "properties" in each)
        parts += [f"### `{name}`", _write_table(model)]
    for name in BLOCKS:
        parts += [f"## `{name}`", BLOCK_MEANINGS[name]]
        if name in BLOCKS_WITH_TRAIN:
            parts.append("A block `train` in it replaces settings of the sweep's [`train`](#train).")
        for kind, model in get_models(name).items():
            schema = describe_model(model)
            kind_schema = schema["properties"].pop("kind", {})
            if kind:
                default = ", the default" if "default" in kind_schema else ""
                parts += [f"### `{name}.kind: {kind}`{default}", kind_schema["description"]]
            parts.append(_write_table(schema))
    return "\n\n".join(parts) + "\n"


def write_commands() -> str:
    """Return the page of all commands: what `--help` says of each, rare options included."""
    parts = [
        "# Commands",
        "`kdtune` alone shows what one does, in order. Your shell completes commands and options after "
        '`eval "$(_KDTUNE_COMPLETE=bash_source kdtune)"` (zsh: `zsh_source`; fish: '
        "`_KDTUNE_COMPLETE=fish_source kdtune | source`), which belongs in its starting file.",
    ]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}")
        for name in names:
            command = main.commands[name]
            context = command.make_context(
                f"kdtune {name}", [], resilient_parsing=True, max_content_width=WIDTH, terminal_width=WIDTH
            )
            context.meta[SHOWS_ALL] = True
            parts += [f"### `kdtune {name}`", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts) + "\n"


# The classes of what the functions return, where these are no frames.
RETURNED = (
    "kdtune.analysis.answer.Answer",
    "kdtune.analysis.advice.Advice",
    "kdtune.take_home.export.Export",
    "kdtune.data.splits.Data",
)


def write_python() -> str:
    """Return the page of what Python programs import, which mkdocstrings fills."""
    names = [name for name in kdtune.__all__ if not name.startswith("_")]
    functions = [name for name in names if name.islower()]
    others = [name for name in names if not name.islower()]
    paths = [f"::: {getattr(kdtune, name).__module__}.{name}" for name in (*functions, *others)]
    returned = [f"::: {path}" for path in RETURNED]
    parts = [
        "# Python",
        "`import kdtune` gives these names; what they need is imported when they are used.",
        *paths,
        "## What they return",
        *returned,
    ]
    return "\n\n".join(parts) + "\n"


def write_columns() -> str:
    """Return the page of the files of a sweep's folder, and of their columns."""
    parts = [
        "# Files and columns",
        f"```text\n{FOLDER}```",
        "What does not apply to a row is null. Parquet files are read with `pandas.read_parquet`.",
    ]
    for name, (meaning, columns) in FILES.items():
        rows = [f"| `{column}` | {text} |" for column, text in columns.items()]
        parts += [f"## `{name}`", meaning, "\n".join(["| column | meaning |", "|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _write_table(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    lines = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    for name, setting in schema["properties"].items():
        default = "required" if name in required else f"`{_show(setting['default'])}`" if "default" in setting else ""
        lines.append(f"| `{name}` | {_describe(setting)} | {default} | {setting.get('description', '')} |")
    return "\n".join(lines)


def _describe(schema: dict[str, Any]) -> str:
    """Return in words which values a setting takes."""
    if "anyOf" in schema:
        kinds = [_describe(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "integer":
            return "whole number" + _describe_range(schema)
        case "number":
            return "number" + _describe_range(schema)
        case "boolean":
            return "`true`, `false`"
        case "array":
            return f"list of: {_describe(schema['items'])}"
        case "object" if "properties" in schema:
            return "mapping of " + ", ".join(f"`{name}`" for name in schema["properties"])
        case "object":
            return "mapping"
        case _:
            return "text"


def _describe_range(schema: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{word} {schema[key]:,}" for key, word in words.items() if key in schema and abs(schema[key]) < 1e9]
    return f" ({', '.join(limits)})" if limits else ""


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
