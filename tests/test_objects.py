"""Objects in a cloud's store, against moto's S3 server and stores that refuse."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from kdtune.errors import RequestError, StorageError
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.urls import is_object_url, parse_object_url
from tests.object_stores import create_bucket, serve_refusals, use_endpoint


def test_an_object_is_created_once(bucket: str) -> None:
    folder = ObjectFolder(f"{bucket}/results")
    assert folder.read("a/b") is None
    assert folder.find_etag("a/b") is None
    assert folder.create("a/b", b"first")
    assert folder.create("a/b", b"second") is None
    stored = folder.read("a/b")
    assert stored is not None
    assert stored.content == b"first"
    assert stored.etag == folder.find_etag("a/b")


def test_of_two_updates_the_second_is_told_that_it_is_late(bucket: str) -> None:
    folder = ObjectFolder(bucket)
    etag = folder.write("a", b"0")
    new_etag = folder.update("a", b"1", etag)
    assert new_etag not in (None, etag)
    assert folder.update("a", b"2", etag) is None
    stored = folder.read("a")
    assert stored is not None
    assert stored.content == b"1"
    folder.delete(["a"])
    assert folder.update("a", b"2", etag) is None
    assert folder.read("a") is None


def test_objects_are_listed_by_name_below_their_folder(bucket: str) -> None:
    folder = ObjectFolder(f"{bucket}/results")
    for name in ("b", "a/2", "a/1", "ab"):
        folder.write(name, b"xyz")
    assert [entry.name for entry in folder.list_objects()] == ["a/1", "a/2", "ab", "b"]
    assert [entry.name for entry in folder.list_objects("a")] == ["a/1", "a/2"]
    assert {entry.n_bytes for entry in folder.list_objects()} == {3}
    assert [entry.name for entry in folder.open_below("a").list_objects()] == ["1", "2"]
    folder.delete(["b", "none"])
    assert [entry.name for entry in folder.list_objects()] == ["a/1", "a/2", "ab"]
    assert ObjectFolder(f"{bucket}/elsewhere").list_objects() == []


def test_large_files_come_back_as_they_were(bucket: str, tmp_path: Path) -> None:
    folder = ObjectFolder(bucket)
    content = bytes(range(256)) * 60_000  # 15 MB: in several parts
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    folder.write("large", source)
    assert folder.download("large", target) == folder.find_etag("large")
    assert target.read_bytes() == content
    assert folder.download("none", target) is None
    assert target.read_bytes() == content


def test_a_folder_travels_as_its_url(bucket: str) -> None:
    folder = ObjectFolder(f"{bucket}/results")
    folder.write("a", b"1")
    copy = pickle.loads(pickle.dumps(folder))
    assert copy.url == folder.url
    assert copy.read("a") == folder.read("a")


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "ExpiredToken", "the credentials have expired; renew them"),
        (403, "AccessDenied", "access is denied; the credentials need the rights"),
        (403, "InvalidAccessKeyId", "does not know these credentials"),
        (404, "NoSuchBucket", "there is no such bucket; create it"),
        (400, "SomethingElse", "the store refuses; 400 Bad Request: SomethingElse"),
    ],
)
def test_what_the_store_refuses_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, words: str
) -> None:
    with serve_refusals(status, code) as endpoint:
        use_endpoint(monkeypatch, endpoint)
        folder = ObjectFolder("s3://bucket/results")
        for call in (
            lambda: folder.read("a"),
            lambda: folder.create("a", b""),
            lambda: folder.write("a", b""),
            folder.list_objects,
        ):
            with pytest.raises(StorageError, match=words) as caught:
                call()
            assert "s3://bucket/results" in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_a_store_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    use_endpoint(monkeypatch, endpoint)
    with pytest.raises(StorageError, match="does not answer; check the network"):
        ObjectFolder("s3://bucket").read("a")


def test_a_missing_bucket_is_no_missing_object(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, s3_endpoint)
    folder = ObjectFolder("s3://no-such-bucket/results")
    with pytest.raises(StorageError, match="there is no such bucket"):
        folder.read("a")


@pytest.mark.parametrize("url", ["s3://a/b", "s3://a/b/", "S3://a/b", Path("s3://a/b")])
def test_urls_are_written_in_one_way(url: str | Path) -> None:
    assert is_object_url(url)
    assert parse_object_url(url) == "s3://a/b"


@pytest.mark.parametrize("url", ["http://a/b", "ftp://a", "s3://", "s3:///a", "s3://a//b", "s3://a/../b", "s3://a/b c"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(RequestError, match=url[:6]):
        parse_object_url(url)


@pytest.mark.parametrize("path", ["results", "a/b", "/tmp/results", "C:/results", "./s3/a"])
def test_paths_are_no_urls(path: str) -> None:
    assert not is_object_url(path)


def test_buckets_are_separate(s3_endpoint: str, bucket: str) -> None:
    other = create_bucket(s3_endpoint)
    ObjectFolder(bucket).write("a", b"1")
    assert ObjectFolder(other).read("a") is None
