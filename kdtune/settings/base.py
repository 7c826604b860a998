"""What all blocks of settings share: strict values, rules of ours, examples as a number or a fraction."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


def to_whole_number(value: Any) -> Any:
    """50.0 is 50; everything else is left for pydantic to judge."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def make_rule_error(message: str, setting: str = "") -> PydanticCustomError:
    """A rule of ours that is broken, in words for the user, and the setting at fault."""
    return PydanticCustomError("kdtune", "{message}", {"message": message, "setting": setting})


Whole = Annotated[int, BeforeValidator(to_whole_number)]
Positive = Annotated[Whole, Field(ge=1, le=10**9)]
Size = Annotated[Whole, Field(ge=1, le=10**6)]


def _part_of(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (0 < value < 1 or (value == 1 and isinstance(value, int))):
        return value
    if number and 1 < value <= 10**9 and value == int(value):
        return int(value)
    raise make_rule_error("must be a fraction between 0 and 1 or a whole number of examples, at most 1e+09")


# A part of the examples: a fraction (float) or a number of them (int).
Part = Annotated[float | int, BeforeValidator(_part_of)]


class Settings(BaseModel):
    """A block of settings: no unknown keys, no text where a number belongs, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def beside(self) -> dict[str, Any]:
        """What names a network beside these settings: the content of files that they point to."""
        return {}


def unhashed_while(default: Any) -> dict[str, Any]:
    """Of a setting that came later: it is left out of a network's id while it has this value (see ``identity``)."""
    return {"introduced": default}


# Of a setting that changes no number: a path, or what is recorded along the way.
UNHASHED: dict[str, Any] = {"hashed": False}


def count_examples(part: float, of: int) -> int:
    """A fraction is rounded up, as scikit-learn's train_test_split does."""
    return math.ceil(part * of) if isinstance(part, float) else int(part)


def count_split(name: str, part: float, of: int) -> int:
    """The examples of a split; a broken rule if it takes all there are."""
    count = count_examples(part, of)
    if count >= of:
        raise make_rule_error(f"{name} {part:g} takes all {of} examples and leaves none to train on", name)
    return count
