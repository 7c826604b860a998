"""Ids of networks and the keys of their random numbers.

Both are hashes of settings, never of positions: adding a value to a grid changes no other network.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from pydantic.fields import FieldInfo

from kdtune.settings import Settings

# Raise SCHEMA by one when the same settings would train to different numbers, and DATA_SCHEMA when they
# would give different data: results of earlier versions then no longer count. The id of the data is part
# of a network's id, so new data make new networks.
DATA_SCHEMA = 1
SCHEMA = 3


def to_canonical_json(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys, so that equal settings give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_text(text: str) -> str:
    """Return the BLAKE2b hash of a text as 20 hexadecimal digits (80 bits)."""
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def select_hashed_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings of a block that enter its hash.

    A field declared with ``json_schema_extra={"introduced": value}`` is left out while it has that
    value, so that networks trained before the field existed keep their ids. A field declared with
    ``{"hashed": False}`` is always left out, since it changes no number.

    Validation has normalised the numbers: a float setting written as 2 is 2.0 here, a whole number
    written as 50.0 is 50.
    """
    hashed_settings = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if not _is_hashed(field, value):
            continue
        if isinstance(value, float):
            value += 0.0  # turns -0.0 into 0.0
        if isinstance(value, Settings):
            value = select_hashed_settings(value)
        hashed_settings[name] = value
    return hashed_settings | settings.list_file_hashes()


def _is_hashed(field: FieldInfo, value: Any) -> bool:
    declaration = field.json_schema_extra
    if not isinstance(declaration, dict):
        return True
    if not declaration.get("hashed", True):
        return False
    return "introduced" not in declaration or value != declaration["introduced"]


def make_seed_sequence(*key: Any) -> np.random.SeedSequence:
    """Return the random stream that belongs to ``key``: its purpose, then the settings that it belongs to."""
    digest = hashlib.blake2b(to_canonical_json(key).encode(), digest_size=16).digest()
    return np.random.SeedSequence(int.from_bytes(digest, "big"))


def derive_seed(*key: Any) -> int:
    """Return a seed from the stream of ``key``: 63 bits, so that it fits a signed column of the table."""
    return int(make_seed_sequence(*key).generate_state(1, np.uint64)[0] >> 1)
