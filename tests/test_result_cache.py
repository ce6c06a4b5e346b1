"""What is remembered of results is never wrong and never needed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kwdag import result_cache, results
from kwdag.loading import ResultFile
from tests.jobs import FILE, NODE, write_job


@pytest.fixture(autouse=True)
def later(monkeypatch):
    """Results are read some time after they were written."""
    monkeypatch.setattr(result_cache, "_clock", lambda path, real=result_cache._clock: _ahead(real(path)))


def _ahead(now):
    return None if now is None else now + 10 * 10**9


@pytest.fixture
def root(tmp_path):
    (tmp_path / "_kwdag").mkdir()
    return tmp_path


def cache_file(root, node=NODE):
    return root / "_kwdag" / "cache" / f"{node}.json"


def jobs_of(root):
    found = sorted((root / NODE).iterdir()) if (root / NODE).exists() else []
    return [results.Job(path.name, str(path), FILE) for path in found]


def content(found):
    return found.columns.lists, found.absent.lists, found.states, found.skipped


def load(root, cache=True):
    found = results.load_node(NODE, jobs_of(root), cache=cache)
    found.remember()
    return content(found)


def reads(monkeypatch, root):
    """The jobs whose files are read by a cached load."""
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(
            results, "read", lambda node, job, real=results.read: seen.append(job.job_id) or real(node, job)
        )
        load(root)
    return seen


def test_what_has_not_changed_is_not_read_again(root, monkeypatch):
    write_job(root, "a"), write_job(root, "b"), write_job(root, "c", state="failed")
    first = load(root)
    assert reads(monkeypatch, root) == ["fit_id_c"]
    assert load(root) == first == load(root, cache=False)


@pytest.mark.parametrize("file", ["job_status.json", "job_config.json", "out.json"])
@pytest.mark.parametrize("how", ["in place", "by rename", "touch"])
def test_a_job_of_which_any_file_has_changed_is_read_again(root, monkeypatch, file, how):
    write_job(root, "a")
    path = Path(write_job(root, "b").dpath, file)
    load(root)
    text = path.read_text()
    before = path.stat()
    if how == "by rename":
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").rename(path)
    elif how == "in place":
        path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + (how != "by rename")))
    assert reads(monkeypatch, root) == ["fit_id_b"]


def test_a_result_of_the_same_size_and_time_of_modification_is_read_again(root):
    """As rsync leaves it: only the time of change tells."""
    path = Path(write_job(root, "a", metrics={"acc": 1}).dpath, "out.json")
    load(root)
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # a tick of the file system's clock
        path.write_text('{"metrics": {"acc": 2}}')
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert load(root)[0]["metrics.fit.acc"] == [2]


@pytest.mark.parametrize(("seconds", "trusted"), [(1.9, False), (4, True)])
def test_a_result_that_has_just_been_written_is_not_trusted_later(root, monkeypatch, seconds, trusted):
    job = write_job(root, "a")
    newest = max(path.stat().st_ctime_ns for path in Path(job.dpath).iterdir())
    monkeypatch.setattr(result_cache, "_clock", lambda path: newest + int(seconds * 1e9))
    cache_file(root).parent.mkdir()
    load(root)
    assert cache_file(root).exists() == trusted


def test_the_clock_is_the_file_systems_and_leaves_nothing(root):
    now = result_cache._clock(str(cache_file(root)))
    (root / "probe").touch()
    assert abs((root / "probe").stat().st_mtime_ns + 10 * 10**9 - now) < 10**9
    assert list(cache_file(root).parent.iterdir()) == []


DAMAGE = {
    "empty": b"", "no JSON": b"{", "cut": None, "binary": bytes(range(256)), "nested": b"[" * 100_000,
    "another file": b'{"metrics": 1}\n[]', "a list": b"[]\n[]", "flipped": None,
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_cache_is_none(root, case):
    write_job(root, "a")
    first = load(root)
    path = cache_file(root)
    whole = path.read_bytes()
    damaged = {"cut": whole[:-20], "flipped": whole.replace(b"0.5", b"0.7")}.get(case, DAMAGE[case])
    assert damaged != whole
    path.write_bytes(damaged)
    assert load(root) == first
    assert path.read_bytes() == whole


@pytest.mark.parametrize("there", ["folder", "pipe", "link to itself"])
def test_whatever_lies_in_the_place_of_the_cache_does_not_matter(root, there):
    write_job(root, "a")
    path = cache_file(root)
    path.parent.mkdir()
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "link to itself": lambda: path.symlink_to(path)}[
        there
    ]()
    assert load(root) == load(root) == load(root, cache=False)


def test_a_file_in_the_place_of_the_folder_does_not_matter(root):
    write_job(root, "a")
    cache_file(root).parent.write_text("mine")
    assert load(root) == load(root, cache=False)
    assert cache_file(root).parent.read_text() == "mine"


def test_a_full_disk_leaves_nothing_half_written(root, monkeypatch):
    write_job(root, "a")

    def full(_path, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_cache.os, "replace", full)
    assert load(root) == load(root, cache=False)
    assert list(cache_file(root).parent.iterdir()) == []


def test_a_read_only_root_is_loaded(root):
    """Root may write anywhere, hence somebody else does the loading."""
    if os.geteuid() != 0:
        pytest.skip("needs to become somebody else")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own can be entered by their owner alone
        place = Path(folder)
        place.chmod(0o755)
        write_job(place, "a")
        (place / "_kwdag").mkdir(mode=0o755)
        expected = load(place, cache=False)
        os.seteuid(65534)
        try:
            assert load(place) == expected
        finally:
            os.seteuid(0)
        assert list((place / "_kwdag").iterdir()) == []


def test_no_cache_is_written_where_there_is_no_kwdag(tmp_path):
    write_job(tmp_path, "a")
    load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NODE]


def test_what_a_hook_returns_is_not_remembered(root):
    numbers = itertools.count()
    job = write_job(root, "a")._replace(load=lambda dpath: {"metrics.fit.acc": next(numbers)})
    values = [results.load_node(NODE, [job], cache=True).columns.lists["metrics.fit.acc"] for _ in range(2)]
    assert values == [[0], [1]]
    assert not cache_file(root).exists()


def test_another_way_to_read_the_same_files_is_another_cache(root):
    job = write_job(root, "a", metrics={"acc": 1})
    Path(job.dpath, "out.json").write_text('{"metrics": {"acc": 1}, "other": {"acc": 2}}')
    load(root)
    other = job._replace(load=ResultFile(NODE, "out.json", "info", ("other",)))
    assert results.load_node(NODE, [other], cache=True).columns.lists["metrics.fit.acc"] == [2]
    assert load(root)[0]["metrics.fit.acc"] == [1]


def test_a_moved_root_keeps_its_cache(root, tmp_path_factory, monkeypatch):
    write_job(root, "a")
    load(root)
    moved = tmp_path_factory.mktemp("else") / "where"
    root.rename(moved)
    assert reads(monkeypatch, moved) == []
    assert load(moved) == load(moved, cache=False)
    root.mkdir()


def test_a_copied_root_is_read_anew(root, tmp_path_factory, monkeypatch):
    write_job(root, "a")
    load(root)
    copy = tmp_path_factory.mktemp("else") / "copy"
    shutil.copytree(root, copy)
    assert reads(monkeypatch, copy) == ["fit_id_a"]


def test_values_come_back_as_they_were(root):
    metrics = {
        "i": 1, "f": 1.0, "t": True, "n": None, "nan": float("nan"), "inf": float("-inf"), "big": 10**300,
        "zero": -0.0, "text": "\ud800 é", "list": [1, 1.0, {"a": None}], "": 0,
    }  # fmt: skip
    write_job(root, "a", metrics=metrics, config={"fit.x": [True, "1"], "": {"a": 1}}, wall=2, host=None)
    assert repr(load(root)) == repr(load(root)) == repr(load(root, cache=False))
    assert stat.S_ISREG(cache_file(root).stat().st_mode)


class Life(RuleBasedStateMachine):
    """Whatever happens to results and cache, a cached load equals one without."""

    names = st.sampled_from("abc")
    files = st.sampled_from(["job_status.json", "job_config.json", "out.json"])

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp())
        (self.root / "_kwdag").mkdir()
        self.ticks = itertools.count(1)

    def teardown(self):
        shutil.rmtree(self.root)

    def tick(self, path):
        """The clock of a file system may be too coarse for changes as fast as these."""
        if path.is_file():
            now = path.stat()
            os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns - next(self.ticks) * 10**6))

    @rule(name=names, value=st.sampled_from([1, 2, 1.0]), state=st.sampled_from(["done", "done", "failed"]))
    def run(self, name, value, state):
        job = write_job(self.root, name, metrics={"acc": value}, state=state)
        for path in Path(job.dpath).iterdir():
            self.tick(path)

    @rule(
        name=names,
        file=files,
        text=st.sampled_from(['{"metrics": {"acc": 7}}', "{", "", "null", '{"state": "done"}']),
    )
    def overwrite(self, name, file, text):
        path = self.root / NODE / f"fit_id_{name}" / file
        if path.parent.exists():
            path.write_text(text)
            self.tick(path)

    @rule(name=names, file=files, size=st.integers(0, 30))
    def truncate(self, name, file, size):
        path = self.root / NODE / f"fit_id_{name}" / file
        if path.exists():
            os.truncate(path, size)
            self.tick(path)

    @rule(name=names, file=files)
    def delete_file(self, name, file):
        (self.root / NODE / f"fit_id_{name}" / file).unlink(missing_ok=True)

    @rule(name=names)
    def delete_job(self, name):
        shutil.rmtree(self.root / NODE / f"fit_id_{name}", ignore_errors=True)

    @rule(one=names, other=names)
    def swap(self, one, other):
        here, there = (self.root / NODE / f"fit_id_{name}" for name in (one, other))
        if one != other and here.exists() and there.exists():
            here.rename(self.root / "aside")
            there.rename(here)
            (self.root / "aside").rename(there)

    @rule()
    def remove_cache(self):
        cache_file(self.root).unlink(missing_ok=True)

    @rule(place=st.integers(0, 2000))
    def damage_cache(self, place):
        if cache_file(self.root).exists():
            text = bytearray(cache_file(self.root).read_bytes())
            text[place % len(text)] ^= 1
            cache_file(self.root).write_bytes(text)

    @invariant()
    def a_cached_load_equals_one_without(self):
        if hasattr(self, "root"):
            assert load(self.root) == load(self.root, cache=False)
            json.dumps(load(self.root)[0])


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
