"""Refuse requests that do not come from the page's own user, and limit what the page itself may do."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "X-Kdtune-Token"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
# Nothing is loaded from elsewhere, and no text of a user's can become a script or a style.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # The address has the token.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """An ASGI application in front of the page's.

    Parameters
    ----------
    app : The application behind it.
    token : What each request must have, as ``?token=`` or in a header; None if no token is asked for.
    host_names : The names by which the page may be addressed; None for all. On the loopback interface this keeps
        out a foreign page whose name was made to mean this machine (DNS rebinding).
    open_paths : Paths that need no token, because they say nothing of a sweep.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, host_names: Sequence[str] | None, open_paths: Sequence[str]
    ) -> None:
        self.app = app
        self.token = token
        self.host_names = host_names
        self.open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 or 400; every answer gets the headers that limit the page."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refuse(scope)
        await (self.app if refusal is None else refusal)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> PlainTextResponse | None:
        """Return the answer to a request that is refused; None if it may pass."""
        headers = Headers(scope=scope)
        if self.host_names is not None and _strip_port(headers.get("host", "")) not in self.host_names:
            return PlainTextResponse("400: this page is at 127.0.0.1 only, under no other name.\n", 400)
        if self.token is None or scope["path"] in self.open_paths:
            return None
        token = headers.get(TOKEN_HEADER) or QueryParams(scope["query_string"]).get("token", "")
        if secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        return PlainTextResponse(
            "403: the token is missing or wrong. Open the whole address that `kdtune watch` printed.\n", 403
        )


def _strip_port(host: str) -> str:
    """Return a Host header without its port, in lower case: ``[::1]:80`` becomes ``[::1]``."""
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdigit() else host).lower()
