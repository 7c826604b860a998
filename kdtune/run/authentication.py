"""The token by which a Ray cluster recognizes the processes that may join it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from kdtune.run.process_state import restore_variables


@contextmanager
def preserve_authentication() -> Iterator[None]:
    """Make Ray read its token and authentication mode anew, and restore their environment variables afterwards."""
    values_before = {name: value for name, value in os.environ.items() if name.startswith("RAY_AUTH_")}
    _forget_token()
    try:
        yield
    finally:
        names = {name for name in os.environ if name.startswith("RAY_AUTH_")} | set(values_before)
        restore_variables({name: values_before.get(name) for name in names})
        _forget_token()


def choose_token() -> None:
    """Set a random token for the cluster that this process starts, unless the user has chosen one.

    Ray turns authentication on for a cluster that it starts. Without this token it would write one to the home
    folder, which changes how every later cluster starts.
    """
    if not any(name.startswith("RAY_AUTH_") for name in os.environ):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        _forget_token()


def _forget_token() -> None:
    """Make Ray read token and mode anew from its environment; otherwise it keeps them as long as the process lives."""
    raylet: Any = ray._raylet
    if hasattr(raylet, "AuthenticationTokenLoader"):  # older versions of Ray have no tokens
        raylet.AuthenticationTokenLoader.instance().reset_cache()
        raylet.Config.initialize("")


def explain_refused_token() -> str:
    """Return what a user can do if a cluster refuses the token, or the lack of one."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return (
            "the cluster wants a token; set RAY_AUTH_MODE=token, put its token into RAY_AUTH_TOKEN or the file "
            "~/.ray/auth_token, and run the same command again"
        )
    return (
        "the cluster refuses this token; RAY_AUTH_TOKEN, or the file ~/.ray/auth_token, must hold the cluster's own "
        "(`ray get-auth-token` on its head node prints it)"
    )
