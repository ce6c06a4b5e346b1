"""Looking on while others work: the events of a run, and when it is over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from kwdag import journal, observe, runs
from kwdag.report.watch import View


@pytest.fixture
def run_file(tmp_path):
    """A run of one node with three jobs that nobody has begun."""
    found = runs.create(str(tmp_path), {"backend": "tmux"}, [])
    Path(found.round_dpath(1)).mkdir(parents=True)
    jobs = [[f"a_id_{i}", "a", [i, 0], [], [], 0, 0] for i in range(3)]
    Path(found.round_dpath(1), "jobs.json").write_text(json.dumps({"groups": [], "jobs": jobs}))
    return runs.RunFile(found.dpath, {**found.meta, "nodes": {"a": {}}})


def test_totals(run_file):
    assert observe.Totals(run_file)() == {"a": 3}


def test_a_run_that_nobody_works_on_is_over(run_file, monkeypatch):
    monkeypatch.setattr(observe, "SILENCE", 0.2)
    writer = journal.Writer(run_file.journal, "w_0")
    writer.write(time.time(), "start", "a_id_0")
    writer.write(time.time(), "done", "a_id_0", "0.5")
    events = [event for event in observe.follow(run_file) if event is not None]
    assert [(event.what, event.job_id, event.writer) for event in events] == [
        ("start", "a_id_0", "w_0"),
        ("done", "a_id_0", "w_0"),
    ]


def test_a_worker_of_another_host_counts_as_at_work(run_file):
    folder = Path(run_file.dpath, "workers")
    folder.mkdir()
    assert not observe.is_worked_on(run_file)
    (folder / "w_0.json").write_text(json.dumps({"host": os.uname().nodename, "pid": 2**30}))
    assert not observe.is_worked_on(run_file)
    (folder / "w_0.json").write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    assert observe.is_worked_on(run_file)


def test_the_view_counts():
    view = View({"a": 2, "b": 2})
    for what, job_id in [
        ("start", "a_id_1"),
        ("failed", "a_id_1"),
        ("blocked", "b_id_1"),
        ("start", "a_id_2"),
    ]:
        view.heard(journal.Event(10.0, "w_0", what, job_id, "exit code 3"))
    assert (view.ended, view.left) == (2, 2)
    assert view.working == {"w_0": ("a_id_2", 10.0)}
    assert [event.job_id for event in view.failures] == ["a_id_1"]
    assert view.summary(20.0) == "2 of 4 jobs"
