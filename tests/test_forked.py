"""Forked copies work on many items; whatever becomes of one of them, all results come, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kwdag.forked import forked_map, is_safe


@pytest.mark.parametrize("n_items", [0, 1, 7, 100])
@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(n_items, workers):
    assert list(forked_map(lambda n: n * n, range(n_items), workers, batch=4)) == [
        n * n for n in range(n_items)
    ]


def test_the_work_is_done_elsewhere():
    assert os.getpid() not in set(forked_map(lambda _: os.getpid(), range(20), 2, batch=1))


def test_what_a_child_does_not_deliver_is_made_here():
    here = os.getpid()

    def work(n):
        if n == 5 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    assert list(forked_map(work, range(30), 2, batch=3)) == list(range(30))


def test_what_a_child_cannot_send_is_made_here():
    found = list(forked_map(lambda n: lambda: n, range(3), 2, batch=1))
    assert [one() for one in found] == [0, 1, 2]


def test_no_child_is_left_when_nobody_wants_the_rest():
    results = forked_map(lambda n: os.getpid(), range(10_000), 3, batch=1)
    children = {next(results) for _ in range(9)}
    results.close()
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


PARENT = """
import os, time
from kwdag.forked import forked_map
for pid in forked_map(lambda n: (time.sleep(0.01), os.getpid())[1], range(100_000), 3, batch=1):
    print(pid, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_children_end_with_their_parent(number):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = {int(parent.stdout.readline()) for _ in range(9)}
    parent.send_signal(number)
    parent.stdout.close()
    error = parent.stderr.read()
    parent.wait()
    assert len(children) == 3
    assert error.count("Traceback") == (number == signal.SIGINT)
    deadline = time.monotonic() + 5
    while any(map(_lives, children)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"


def test_a_process_with_threads_is_not_to_be_forked():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not is_safe()
    finally:
        done.set()
        thread.join()


def test_a_fresh_process_may_be_forked():
    program = "from kwdag.forked import is_safe; print(is_safe())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
