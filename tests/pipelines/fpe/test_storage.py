"""A directory and a bucket of S3 behave alike; uploads are verified and never half visible."""

from __future__ import annotations

import pickle
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import BadInput
from pipelines.fpe.storage import UPLOADING, Missing, Storage

KEY = "imagesets/1/images/West Brook 0__2022-12-20__09-54-55(1).JPG"
BYTES = bytes(range(256)) * 40


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photograph.JPG"
    path.write_bytes(BYTES)
    return path


def under_way(storage):
    """What lies in the hidden folder, by the library itself."""
    return storage._files.find(f"{storage._root}/{UPLOADING}")


def test_what_is_put_is_read_back(storage, photograph):
    assert not storage.exists(KEY)
    assert storage.list() == []
    assert storage.put(KEY, photograph)
    assert storage.read(KEY) == BYTES
    with storage.open(KEY) as file:
        assert (file.read(4), file.read(2)) == (BYTES[:4], BYTES[4:6])
    assert storage.exists(KEY)
    assert storage.list() == storage.list("imagesets/1") == [KEY]
    assert storage.list("imagesets/2") == []
    assert under_way(storage) == []


def test_a_file_that_is_there_is_not_sent_again(storage, photograph, monkeypatch):
    storage.put(KEY, photograph)
    monkeypatch.setattr(storage._files, "put_file", None)  # would fail
    assert not storage.put(KEY, photograph)


def test_other_bytes_of_the_same_size_replace_a_file(storage, photograph):
    storage.put(KEY, photograph)
    photograph.write_bytes(BYTES[::-1])
    assert storage.put(KEY, photograph)
    assert storage.read(KEY) == BYTES[::-1]


def test_bytes_that_arrive_damaged_never_become_visible(storage, photograph, tmp_path, monkeypatch):
    storage.put("before", photograph)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(BYTES[:-1] + b"x")
    send = storage._files.put_file
    monkeypatch.setattr(storage._files, "put_file", lambda _, place: send(str(damaged), place))
    photograph.write_bytes(BYTES[::-1])
    with pytest.raises(BadInput, match="did not arrive as it was sent"):
        storage.put("before", photograph)
    assert storage.read("before") == BYTES
    assert under_way(storage) == []


def test_an_upload_killed_before_its_move_is_hidden_and_swept(storage, photograph, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "_move", killed)
        for key in (KEY, "of another"):
            with pytest.raises(KeyboardInterrupt):
                storage.put(key, photograph)
    assert not storage.exists(KEY)
    assert storage.list() == []
    assert len(under_way(storage)) == 2
    assert storage.put("done", photograph)
    assert storage.sweep([KEY, "done"]) == 1
    assert len(under_way(storage)) == 1  # the other's stays
    assert storage.put("of another", photograph)
    assert storage.sweep(["of another"]) == 1
    assert under_way(storage) == []


def test_swept_by_another_that_put_the_same_file(storage, photograph, monkeypatch):
    send = storage._files.put_file

    def overtaken(path, temporary):
        send(path, temporary)
        with monkeypatch.context() as patched:
            patched.setattr(storage._files, "put_file", send)
            assert storage.put(KEY, photograph)
        assert storage.sweep([KEY]) == 1

    monkeypatch.setattr(storage._files, "put_file", overtaken)
    assert not storage.put(KEY, photograph)
    assert storage.read(KEY) == BYTES


def test_swept_by_another_in_the_moment_before_its_move(storage, photograph, monkeypatch):
    move = Storage._move

    def overtaken(self, temporary, place):
        with monkeypatch.context() as patched:
            patched.setattr(Storage, "_move", move)
            assert storage.put(KEY, photograph)
        assert storage.sweep([KEY]) == 1
        move(self, temporary, place)

    monkeypatch.setattr(Storage, "_move", overtaken)
    assert not storage.put(KEY, photograph)
    assert storage.read(KEY) == BYTES
    assert under_way(storage) == []


def test_several_put_the_same_file_at_once(storage, photograph):
    with ThreadPoolExecutor(6) as pool:
        assert any(pool.map(lambda _: storage.put(KEY, photograph), range(12)))
    assert storage.read(KEY) == BYTES
    assert under_way(storage) == []


def test_a_file_that_went_up_in_parts_is_compared_by_its_bytes(s3_url, photograph):
    """S3 does not tell the MD5 of such a file."""
    storage, client = Storage(s3_url), boto3.client("s3")
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    place = {"Bucket": bucket, "Key": f"{prefix}/{KEY}"}
    upload = client.create_multipart_upload(**place)["UploadId"]
    part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=BYTES)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    tag = client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)["ETag"]
    assert tag.strip('"').endswith("-1")
    assert not storage.put(KEY, photograph)
    photograph.write_bytes(BYTES[::-1])
    assert storage.put(KEY, photograph)
    assert storage.read(KEY) == BYTES[::-1]


def test_a_missing_key(storage):
    with pytest.raises(Missing, match="a/b.JPG: no such file in the storage"):
        storage.read("a/b.JPG")
    with pytest.raises(Missing), storage.open("a/b.JPG"):
        pass


def test_what_a_reader_finds_wrong_in_a_file_is_its_own_affair(storage, photograph):
    storage.put(KEY, photograph)
    with pytest.raises(OSError, match="not a picture"), storage.open(KEY):
        raise OSError("not a picture")


@pytest.mark.parametrize("key", ["", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "a/"])
def test_keys_that_lead_elsewhere(storage, key, photograph):
    for call in (storage.read, storage.exists, lambda key: storage.put(key, photograph)):
        with pytest.raises(BadInput, match="is no key"):
            call(key)


def test_many_threads_and_a_pickle(storage, tmp_path):
    paths = [tmp_path / f"{n}.JPG" for n in range(24)]
    for n, path in enumerate(paths):
        path.write_bytes(b"%d" % n)
    twin = pickle.loads(pickle.dumps(storage))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda path: twin.put(f"images/{path.name}", path), paths))
    assert storage.list("images") == sorted(f"images/{path.name}" for path in paths)
    assert all(storage.read(f"images/{n}.JPG") == b"%d" % n for n in range(24))


NAMES = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"), min_size=1)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) < 200))
def test_any_name(storage, photograph, name):
    key = f"imagesets/{name}"
    storage.put(key, photograph)
    assert storage.read(key) == BYTES
    assert key in storage.list("imagesets")


def test_addresses(s3_url):
    assert Storage("s3://b/p/").url("a/b c") == "s3://b/p/a/b c"
    assert Storage("/x/y").url("a/b c") == "/x/y/a/b c"
    assert (Storage("s3://b/p").bucket, Storage("/x/y/").bucket) == ("b", "y")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("gs://b", "gs:// is not supported"),
        ("s3://", "is not s3://bucket/prefix"),
        ("s3://key:Wr0ng@b/p", "is not s3://bucket/prefix"),
    ],
)
def test_bad_urls(url, complaint):
    with pytest.raises(BadInput, match=complaint) as caught:
        Storage(url)
    assert "Wr0ng" not in str(caught.value)


def test_a_bucket_that_is_not_there(s3_url, photograph):
    with pytest.raises(BadInput, match="s3://no-such-bucket"):
        Storage("s3://no-such-bucket/p").put(KEY, photograph)


def test_s3_that_cannot_be_reached(s3_url, photograph, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    with pytest.raises(BadInput, match="the storage"):
        Storage(s3_url).put(KEY, photograph)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_directory_that_may_not_be_made(photograph):
    with tempfile.NamedTemporaryFile() as file, pytest.raises(BadInput, match=file.name):
        Storage(str(Path(file.name) / "below")).put(KEY, photograph)
