"""Keep a user's token, so that an open page goes on after its server was started again."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from kdtune.errors import RequestError

MIN_LENGTH = 8  # characters of a token that a user chooses
_TOKEN_BYTES = 24
_TOKEN = re.compile(rf"[\w-]{{{MIN_LENGTH},}}")


def get_token() -> str:
    """Return the user's token; make a random one where there is none, and keep it in a file that only they can read.

    Where no file can be kept, the token lasts as long as the process.
    """
    path = Path(user_state_path("kdtune")) / "watch-token"
    with suppress(OSError, ValueError):
        token = path.read_text(encoding="ascii").strip()
        if _TOKEN.fullmatch(token):
            return token
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # One that is damaged, or readable by others.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token)
    return token


def check_token(token: str) -> str:
    """Return a token that a user chose; raise RequestError if it is too short to protect anything."""
    if len(token) < MIN_LENGTH:
        raise RequestError(f"--token: must have {MIN_LENGTH} characters or more, not {len(token)}")
    return token
