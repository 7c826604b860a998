"""The types and rules that all blocks of settings share."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


def to_whole_number(value: Any) -> Any:
    """Turn 50.0 into 50; return every other value as it is, for pydantic to judge."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def make_rule_error(message: str, setting: str = "") -> PydanticCustomError:
    """Make the error for a rule that pydantic does not know.

    Parameters
    ----------
    message : What is wrong and what would be right, in words for the user.
    setting : The setting at fault, if the rule checks a whole block.
    """
    return PydanticCustomError("kdtune", "{message}", {"message": message, "setting": setting})


WholeNumber = Annotated[int, BeforeValidator(to_whole_number)]
PositiveInt = Annotated[WholeNumber, Field(ge=1, le=10**9)]
Size = Annotated[WholeNumber, Field(ge=1, le=10**6)]


def _check_split_size(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value < 1:
        return value
    if is_number and isinstance(value, int) and value == 1:  # One example; 1.0 would be the fraction "all".
        return value
    if is_number and 1 < value <= 10**9 and value == int(value):
        return int(value)
    raise make_rule_error("must be a fraction between 0 and 1 or a whole number of examples, at most 1,000,000,000")


# The size of a split: a fraction (float) or a number (int) of examples.
_SPLIT_SIZE_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "integer", "minimum": 1, "maximum": 10**9},
    ]
}
SplitSize = Annotated[float | int, BeforeValidator(_check_split_size), WithJsonSchema(_SPLIT_SIZE_SCHEMA)]


class Settings(BaseModel):
    """A block of settings: no unknown keys, no text where a number belongs, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe each setting by the text below it.

        pydantic's ``use_attribute_docstrings`` does so whenever a class is made: a tenth of a second for each import.
        """
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, meaning in _read_meanings(cls).items():
            properties[name]["description"] = meaning
        return schema

    def list_file_hashes(self) -> dict[str, Any]:
        """Return hashes of the files that the settings point to; a network's id depends on them, too."""
        return {}

    def list_stored_paths(self) -> list[str]:
        """Return the paths of inputs that a sweep writes before it trains: see ``kdtune.inputs.storage``."""
        return []


def _read_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each setting of a model, by name; those of the models it inherits from, too."""
    meanings: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not issubclass(each, BaseModel) or each.__module__.startswith("pydantic"):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(definition, ast.ClassDef)
        for setting, text in pairwise(definition.body):
            match setting, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                    meanings[name] = inspect.cleandoc(meaning)
    return {name: meaning for name, meaning in meanings.items() if name in model.model_fields}


def exclude_from_hash_while(default: Any) -> dict[str, Any]:
    """Mark a setting that was introduced later: while it has this value, it is left out of a network's id.

    So networks that were trained before the setting existed keep their ids: see ``select_hashed_settings``.
    """
    return {"introduced": default}


# Marks a setting that changes no number in a result, such as a path.
EXCLUDE_FROM_HASH: dict[str, Any] = {"hashed": False}


def count_examples(size: float, n_examples: int) -> int:
    """Turn the size of a split into a number of examples.

    A fraction is rounded up, as scikit-learn's ``train_test_split`` does.
    """
    return math.ceil(size * n_examples) if isinstance(size, float) else int(size)


def count_split_examples(name: str, size: float, n_examples: int) -> int:
    """Turn the size of a split into a number of examples, and check that it leaves some to train on.

    Parameters
    ----------
    name : The setting that holds the size, for the error.
    size : The size, as a fraction or a number of examples.
    n_examples : The number of examples that are split.

    Raises
    ------
    PydanticCustomError
        If the split takes all examples.
    """
    count = count_examples(size, n_examples)
    if count >= n_examples:
        raise make_rule_error(f"{size} takes all {n_examples} examples and leaves none to train on", name)
    return count
