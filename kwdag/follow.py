"""The log of a job as it grows. Reads only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from kwdag import inventory, jobdir
from kwdag.errors import KwdagError
from kwdag.find_job import Found

#: Seconds between two looks.
LOOK = 0.2
_BLOCK = 2**20


def read(job: Found) -> Iterator[bytes]:
    """What a job has printed so far; raises KwdagError when there is no log."""
    path = f"{job.dpath}/{jobdir.LOG}"
    if not os.path.exists(path):
        hint = "it has not begun, or ran with --log=0"
        raise KwdagError("there is no log", where=path, hint=hint)
    yield from _from(path, 0)


def follow(job: Found) -> Iterator[bytes]:
    """What a job has printed and prints, until it has ended; one that does not run has."""
    path = f"{job.dpath}/{jobdir.LOG}"
    shown, inode = 0, 0
    while True:
        # Before the log is read: what it printed last is there when its end is.
        is_running = state(job).state == "running"
        found = os.stat(path) if os.path.exists(path) else None
        if found is not None and found.st_ino != inode:  # another attempt begins a new one
            shown, inode = 0, found.st_ino
        if found is None and not is_running:
            yield from read(job)
        for block in _from(path, shown) if found is not None else ():
            shown += len(block)
            yield block
        if not is_running:
            return
        time.sleep(LOOK)


def state(job: Found) -> inventory.Entry:
    """The state of a job as its directory has it."""
    return inventory.look(job.node, job.job_id, job.dpath)


def _from(path: str, start: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block
