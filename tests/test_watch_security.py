"""The page of `kdtune watch` answers its own user only, reads only, and shows texts as texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdtune.watch.guards import TOKEN_HEADER
from kdtune.watch.token_file import get_token
from tests.watched import TOKEN, copy_table, get_json, open_page, wait_for_answer

PATHS = ("/", "/api/status", "/api/answer?sweep=mine", "/api/cells?sweep=mine", "/api/cell?sweep=mine&cell=x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copy_table("forest", tmp_path / "results" / "mine")
    (tmp_path / "secret.txt").write_text("nobody may read this")
    (tmp_path / "other").mkdir()
    copy_table("forest", tmp_path / "other" / "private")
    return tmp_path / "results"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "ä"])
def test_a_wrong_token_is_refused(root: Path, path: str, token: str | None) -> None:
    client = open_page(root)
    del client.headers[TOKEN_HEADER]
    response = client.get(path, params={} if token is None else {"token": token})
    assert response.status_code == 403
    assert "kdtune watch" in response.text
    assert "mine" not in response.text


def test_the_token_may_stand_in_the_address_or_in_a_header(root: Path) -> None:
    client = open_page(root)
    assert client.get("/api/status").status_code == 200
    del client.headers[TOKEN_HEADER]
    assert client.get(f"/?token={TOKEN}").status_code == 200
    assert open_page(root, token=None).get("/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/static/../../secret.txt", "//etc/passwd",
        "/watch.py", "/watch.html", "/api/", "/table.parquet", "/mine/table.parquet",
        "/api/status?sweep=..", "/api/status?sweep=../other/private", "/api/status?sweep=mine/..",
        "/api/status?sweep=.", "/api/status?sweep=/etc", "/api/status?sweep=mine%00",
        "/api/cells?sweep=../other/private", "/api/cell?sweep=mine&cell=../../x",
    ],
)  # fmt: skip
def test_files_outside_are_not_found(root: Path, path: str) -> None:
    response = open_page(root).get(path)
    assert response.status_code == 404
    assert "nobody may read this" not in response.text


def test_only_one_sweep_is_shown_if_one_was_named(root: Path) -> None:
    copy_table("forest", root / "second")
    client = open_page(root, sweep="mine")
    assert get_json(client, "/api/status")["sweeps"] == ["mine"]
    assert client.get("/api/status?sweep=second").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_written(root: Path, method: str, path: str) -> None:
    assert getattr(open_page(root), method)(path).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_foreign_name_for_this_machine_is_refused(root: Path, host: str) -> None:
    response = open_page(root).get("/api/status", headers={"Host": host})
    assert response.status_code == 400
    assert "mine" not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost", "LOCALHOST:1", "[::1]:8700", "[::1]"])
def test_the_names_of_this_machine_are_good(root: Path, host: str) -> None:
    assert open_page(root).get("/api/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, "/watch.js", "/nothing", "/?token=wrong"])
def test_every_answer_limits_the_page(root: Path, path: str) -> None:
    headers = open_page(root).get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_the_page_has_no_script_or_style_of_its_own_and_loads_nothing_from_elsewhere(root: Path) -> None:
    client = open_page(root)
    page = client.get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page
    assert "onclick" not in page
    files = [page, *(client.get(f"/{name}").text for name in ("watch.js", "charts.js", "detail.js", "elements.js"))]
    for text in [*files, client.get("/watch.css").text]:
        for line in text.splitlines():
            assert "://" not in line.replace("http://www.w3.org/2000/svg", ""), line
        assert "innerHTML" not in text
        assert "eval(" not in text


def test_texts_of_users_are_sent_as_json_texts(root: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    copy_table("forest", root / "mine", error=name)
    client = open_page(root)
    wait_for_answer(client, "mine")
    response = client.get("/api/status?sweep=mine")
    assert response.headers["Content-Type"] == "application/json"


def test_the_users_token_is_random_stays_and_is_theirs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "one"))
    token = get_token()
    assert len(token) >= 32
    assert get_token() == token
    (path,) = (tmp_path / "one").rglob("watch-token")
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("short")
    assert get_token() != token
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "two"))
    assert get_token() not in (token, "short")
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a file"))
    assert len(get_token()) >= 32
