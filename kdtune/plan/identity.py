"""What a network is called and what its random numbers are keyed by. Pure.

Both are hashes of settings, never of positions: adding a value to a grid changes no other network.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from kdtune.settings import Settings

# Raise one when the same settings would give different data, or train to different numbers: old
# results then no longer count. New data are new networks too.
DATA_SCHEMA = 1
SCHEMA = 3


def to_canonical_json(value: Any) -> str:
    """JSON with sorted keys: equal settings give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_text(text: str) -> str:
    """20 hexadecimal digits (80 bits) of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def select_hashed_settings(settings: Settings) -> dict[str, Any]:
    """A block's settings as they enter a hash.

    A field declared with ``json_schema_extra={"introduced": value}`` is left out while it has that
    value, so that networks trained before the field existed keep their ids; one with ``{"hashed": False}``
    always is, since it changes no number. Numbers are normalised
    by validation: a float setting written as 2 is 2.0 here, a whole number written as 50.0 is 50.
    """
    found = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        extra = field.json_schema_extra
        if isinstance(extra, dict) and (
            not extra.get("hashed", True) or ("introduced" in extra and value == extra["introduced"])
        ):
            continue
        found[name] = value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0
    return found | settings.beside()


def make_seed_sequence(*key: Any) -> np.random.SeedSequence:
    """The random stream that belongs to ``key``: what it is for, then the settings it belongs to."""
    return np.random.SeedSequence(
        int.from_bytes(hashlib.blake2b(to_canonical_json(key).encode(), digest_size=16).digest(), "big")
    )


def derive_seed(*key: Any) -> int:
    """A 63-bit seed from the stream of ``key``: it fits a signed column of the table."""
    return int(make_seed_sequence(*key).generate_state(1, np.uint64)[0] >> 1)
