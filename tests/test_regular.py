"""A file is read whole, and what is none is refused without waiting for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kwdag import regular


@pytest.mark.parametrize("content", [b"", b"x", b"text" * 10_000])
def test_the_bytes_and_the_stat_of_a_file(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    found, stat = regular.read(str(tmp_path / "f"))
    assert found == content
    assert (stat.st_ino, stat.st_size) == ((tmp_path / "f").stat().st_ino, len(content))


def test_a_file_that_does_not_say_how_large_it_is():
    assert regular.read("/proc/self/status")[0].startswith(b"Name:")


def test_the_limit_is_the_last_size_that_is_read(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 2**20)
    assert len(regular.read(str(tmp_path / "f"), 2**20)[0]) == 2**20
    (tmp_path / "f").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(regular.NotRegular, match="is larger than 1 MiB"):
        regular.read(str(tmp_path / "f"), 2**20)


def test_a_file_without_size_is_cut_off_at_the_limit():
    with pytest.raises(regular.NotRegular, match="is larger than 0 MiB"):
        regular.read("/proc/kallsyms", 1000)


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "a pipe or a device"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_refused(tmp_path, make, what):
    make(tmp_path / "f")
    with pytest.raises(regular.NotRegular) as caught:
        regular.read(str(tmp_path / "f"))
    assert caught.value.strerror == f"is {what}, not a file"
    assert caught.value.filename == str(tmp_path / "f")


def test_nothing_there_is_what_it_always_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        regular.read(str(tmp_path / "f"))


def test_no_file_stays_open(tmp_path):
    (tmp_path / "f").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(regular.NotRegular):
            regular.read(str(tmp_path / "f"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
