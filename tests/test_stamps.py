"""Whether a file is still what it was: size and time first, then its content."""

from __future__ import annotations

import os

import pytest

from kwdag import stamps
from kwdag.stamps import Stamps


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    return path


def later(path, seconds=5):
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + seconds * 10**9))


def test_an_untouched_file_is_not_read(file, monkeypatch):
    known = Stamps().stamp(str(file))
    monkeypatch.setattr(stamps, "content", lambda path: pytest.fail("it was read"))
    assert Stamps().same(str(file), known)


def test_a_touched_file_is_the_same_and_is_hashed_once(file, monkeypatch):
    known = Stamps().stamp(str(file))
    later(file)
    reads = []
    monkeypatch.setattr(stamps, "content", lambda path, real=stamps.content: reads.append(path) or real(path))
    fresh = Stamps()
    assert fresh.same(str(file), known) and fresh.same(str(file), known)
    assert len(reads) == 1


@pytest.mark.parametrize("text", ["two", "longer", ""])
def test_other_content_is_seen(file, text):
    known = Stamps().stamp(str(file))
    file.write_text(text)
    later(file)
    assert not Stamps().same(str(file), known)


def test_a_file_that_changes_again_is_hashed_again(file):
    keeper = Stamps()
    first = keeper.stamp(str(file))
    file.write_text("two")
    later(file)
    assert keeper.stamp(str(file)) != first


def test_what_is_gone_or_out_of_reach_is_not_the_same(file, tmp_path):
    known = Stamps().stamp(str(file))
    file.unlink()
    assert not Stamps().same(str(file), known) and Stamps().stamp(str(file)) is None
    file.symlink_to(file)
    assert not Stamps().same(str(file), known) and Stamps().stamp(str(file)) is None
    assert Stamps().stamp(str(tmp_path / ("x" * 5000))) is None


def test_a_file_that_cannot_be_read_has_no_hash(file, monkeypatch):
    known = Stamps().stamp(str(file))
    later(file)

    def refuse(path):
        raise PermissionError(13, "no")

    monkeypatch.setattr(stamps, "content", refuse)
    assert Stamps().stamp(str(file))[2] is None
    assert not Stamps().same(str(file), known)


def test_above_the_limit_a_changed_time_is_a_change(file, monkeypatch):
    monkeypatch.setattr(stamps, "HASH_LIMIT", 2)
    known = Stamps().stamp(str(file))
    assert known[2] is None and Stamps().same(str(file), known)
    later(file)
    assert not Stamps().same(str(file), known)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    (path / "sub").mkdir(parents=True)
    (path / "a").write_text("1")
    (path / "sub/b").write_text("2")
    return path


CHANGES = {
    "a file more": lambda folder: (folder / "c").write_text("3"),
    "a file less": lambda folder: (folder / "a").unlink(),
    "other content": lambda folder: ((folder / "a").write_text("9"), later(folder / "a")),
    "another name": lambda folder: ((folder / "a").rename(folder / "z"), later(folder / "z")),
    "two that swapped": lambda folder: (
        (folder / "a").write_text("2"), (folder / "sub/b").write_text("1"), later(folder / "a"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_folder_counts_by_its_files(folder, change):
    known = Stamps().stamp(str(folder))
    change(folder)
    assert not Stamps().same(str(folder), known)


def test_a_folder_whose_files_were_touched_is_the_same(folder):
    known = Stamps().stamp(str(folder))
    later(folder / "sub/b")
    assert Stamps().same(str(folder), known)


@pytest.mark.parametrize("left", ["out/_kwdag/runs.json", "out/node/job/result.json", "__pycache__/a.pyc"])
def test_what_runs_leave_in_a_folder_is_no_input(folder, left):
    (folder / "out/_kwdag").mkdir(parents=True)
    known = Stamps().stamp(str(folder))
    (folder / left).parent.mkdir(parents=True, exist_ok=True)
    (folder / left).write_text("x")
    assert Stamps().same(str(folder), known)


def test_a_folder_of_results_that_is_the_input_itself_counts(folder):
    (folder / "_kwdag").mkdir()
    known = Stamps().stamp(str(folder))
    (folder / "sub/c").write_text("3")
    assert not Stamps().same(str(folder), known)
