"""What to do if a Ray cluster refuses the token by which it recognizes the processes that may join it."""

from __future__ import annotations

import os


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
