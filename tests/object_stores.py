"""Object stores to test with: moto's S3 server in this process, and one that refuses everything."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

REGION = "us-east-1"
VARIABLES = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}


@contextmanager
def serve_s3() -> Iterator[str]:
    """Serve S3 and yield the endpoint's URL."""
    from moto.server import ThreadedMotoServer  # It takes a second to import.

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def create_bucket(endpoint: str) -> str:
    """Create a bucket and return its URL."""
    import boto3  # as moto

    name = f"kdtune-{uuid.uuid4().hex[:12]}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=name)
    return f"s3://{name}"


def use_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Point the environment variables of S3 at an endpoint."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**VARIABLES, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)


@contextmanager
def serve_refusals(status: int, code: str) -> Iterator[str]:
    """Serve an S3 that answers each request with an error, and yield the endpoint's URL."""
    body = f"<Error><Code>{code}</Code><Message>The provided token has expired.</Message></Error>".encode()

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _refuse  # noqa: N815 - names of http.server's

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with _serve(Handler) as endpoint:
        yield endpoint


@contextmanager
def serve_json(content: Mapping[str, str]) -> Iterator[str]:
    """Answer each GET with the same JSON, and yield the server's URL."""
    body = json.dumps(dict(content)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with _serve(Handler) as url:
        yield url


@contextmanager
def refuse_jobs_at_first(head: str, times: int) -> Iterator[tuple[str, list[str]]]:
    """Pass requests on to a cluster's dashboard, but refuse so many jobs as a head does whose agent is not there yet.

    Yields the URL, and the paths of what was refused, as it comes.
    """
    refused: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == "POST" and len(refused) < times:
                refused.append(self.path)
                status, content = 500, b"No available agent to submit job, please try again later."
            else:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = requests.request(self.command, head + self.path, data=body, headers=headers, timeout=60)
                status, content = answer.status_code, answer.content
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _pass_on  # noqa: N815 - names of http.server's

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with _serve(Handler) as url:
        yield url, refused


@contextmanager
def serve_metadata(role: str) -> Iterator[tuple[str, list[str]]]:
    """Serve what a machine with a role asks for its keys; yield the endpoint's URL and the requests, as they come.

    As on machines with ``HttpTokens: required``, a request without the token of version 2 is refused.
    """
    requests: list[str] = []
    keys = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test", "Expiration": "2999-01-01T00:00:00Z"}
    folder = "/latest/meta-data/iam/security-credentials/"
    answers = {folder: role, folder + role: json.dumps({"Code": "Success", "Type": "AWS-HMAC", **keys})}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            requests.append(f"{self.command} {self.path}")
            if self.command == "PUT" and self.path == "/latest/api/token":
                status, text = 200, "token of a session"
            elif self.headers.get("X-aws-ec2-metadata-token") != "token of a session":
                status, text = 401, ""
            else:
                status, text = (200, answers[self.path]) if self.path in answers else (404, "")
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = _answer  # noqa: N815 - names of http.server's

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with _serve(Handler) as endpoint:
        yield endpoint, requests


@contextmanager
def _serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port of this machine, and yield the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
