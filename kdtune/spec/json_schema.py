"""Make the JSON Schema of a sweep file, with which editors complete and check one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kdtune.settings import Train
from kdtune.settings.given_arrays import ARRAY_NAMES
from kdtune.settings.sweep import SweepHeader
from kdtune.spec.grid import GRID
from kdtune.spec.schema import BLOCKS, BLOCKS_WITH_TRAIN, KINDS, REQUIRED_BLOCKS, get_models

Schema = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"  # the one that editors know best
BLOCK_MEANINGS = {
    "dataset": "The data on which teachers and students are trained.",
    "transfer": "The classes whose examples students are trained on; validation and test splits stay complete.",
    "train": "How networks are trained. `teacher.train`, `student.train` and `distill.train` may say otherwise.",
    "teacher": "The large network, whose soft targets students learn from.",
    "student": "The small network.",
    "distill": "The distillation loss.",
}


def make_json_schema() -> Schema:
    """Return the JSON Schema (draft 7) of a sweep file.

    It knows all settings with their types, ranges and meanings, and that any of them may be a grid. What depends on
    several settings, or on the user's files, `kdtune plan` checks alone.
    """
    maker = _SchemaMaker()
    header = describe_model(SweepHeader)
    properties = {**header["properties"], **{name: maker.describe_block(name) for name in BLOCKS}}
    return {
        "$schema": DIALECT,
        "title": "A sweep file of kdtune",
        "type": "object",
        "properties": properties,
        "required": [*header["required"], *REQUIRED_BLOCKS],
        "additionalProperties": False,
        "definitions": maker.definitions,
    }


class _SchemaMaker:
    """Makes the parts of the schema, and keeps those that others refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def describe_block(self, name: str) -> Schema:
        """Return the schema of a block: any of its kinds, or a grid of blocks."""
        branches = [self._describe_kind(name, kind, model) for kind, model in get_models(name).items()]
        if name in KINDS:  # Of a grid of kinds, each has settings of its own.
            grid = {"type": "object", "required": [GRID], "properties": {GRID: {"type": "array", "minItems": 1}}}
            branches.append({"type": "object", "required": ["kind"], "properties": {"kind": grid}})
        block = branches[0] if len(branches) == 1 else {"anyOf": branches}
        return {"description": BLOCK_MEANINGS[name], **self._allow_grid(name, block)}

    def _describe_kind(self, name: str, kind: str, model: type[BaseModel]) -> Schema:
        schema = describe_model(model)
        properties = {
            setting: value if setting == "kind" else self._allow_grid(f"{name}.{kind}.{setting}", value)
            for setting, value in schema["properties"].items()
        }
        if name in BLOCKS_WITH_TRAIN:
            properties["train"] = {
                "description": "Replaces settings of the block `train`.",
                **self._allow_grid("train-of-block", self._describe_kind("train", "", Train)),
            }
        branch = {**schema, "properties": properties}
        if kind == "arrays":  # The kind may be left out beside these.
            branch["anyOf"] = [{"required": [setting]} for setting in ("kind", *sorted(ARRAY_NAMES))]
        return branch

    def _allow_grid(self, name: str, schema: Schema) -> Schema:
        """Return a schema that takes a value, or a grid of them, however deep; it stands in the definitions."""
        if name.endswith(".eval_every"):  # Recording changes no result, so that it is no part of a grid.
            return schema
        annotations = {key: schema[key] for key in ("description", "default") if key in schema}
        value = {key: each for key, each in schema.items() if key not in annotations}
        reference = {"$ref": f"#/definitions/{name}"}
        grid = {
            "title": f"{{{GRID}: [...]}}",  # Editors name it where a value has a wrong type.
            "type": "object",
            "properties": {GRID: {"type": "array", "minItems": 1, "uniqueItems": True, "items": reference}},
            "required": [GRID],
            "additionalProperties": False,
        }
        self.definitions[name] = {"anyOf": [self._allow_grids_inside(name, value), grid]}
        return annotations | reference

    def _allow_grids_inside(self, name: str, schema: Schema) -> Schema:
        """Return a schema in which the items of lists and mappings may be grids, too."""
        if "properties" in schema and any("$ref" in each for each in schema["properties"].values()):
            return schema  # a block, whose settings may be grids already
        changed = dict(schema)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                changed[key] = self._allow_grid(f"{name}.{key}", schema[key])
        if "properties" in schema:
            changed["properties"] = {
                key: self._allow_grid(f"{name}.{key}", each) for key, each in schema["properties"].items()
            }
        if "anyOf" in schema and "properties" not in schema:
            changed["anyOf"] = [
                self._allow_grids_inside(f"{name}.{number}", each) for number, each in enumerate(schema["anyOf"])
            ]
        return changed


def describe_model(model: type[BaseModel]) -> Schema:
    """Return the JSON Schema of one model of settings, without grids and without references."""
    schema = model.model_json_schema()
    described: Schema = _clean(schema, schema.pop("$defs", {}))
    return described


# pydantic leaves these names where a value is changed before its range is checked.
_RANGES = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_INTERNAL_KEYS = {"hashed", "introduced", "title"}


def _clean(schema: Any, definitions: Schema) -> Any:
    """Return a part of pydantic's schema without references, titles and what is kdtune's own."""
    if isinstance(schema, list):
        return [_clean(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _clean(definitions[schema["$ref"].rpartition("/")[2]] | rest, definitions)
    cleaned: Schema = {}
    for key, value in schema.items():
        if key == "properties":  # Here keys are names of settings.
            cleaned[key] = {name: _clean(each, definitions) for name, each in value.items()}
        elif key == "description":
            cleaned[key] = " ".join(value.split())
        elif key not in _INTERNAL_KEYS:
            cleaned[_RANGES.get(str(key), str(key))] = _clean(value, definitions)
    if "default" in cleaned and not _is_plain_default(cleaned):
        del cleaned["default"]
    return cleaned


def _is_plain_default(schema: Schema) -> bool:
    """Return whether a default is a value that may be written; others stand for what kdtune finds out."""
    default = schema["default"]
    return default is not None and not (isinstance(default, int) and default < schema.get("minimum", default))
