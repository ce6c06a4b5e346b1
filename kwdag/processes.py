"""Processes on this host: which of them hold a job or drain a run, and how they are ended.

A pid that was written down may have come to belong to another process since: none is signalled before
something of ours was found in it, the job's open lock or the run in its command line.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

#: Seconds that a worker has to end its job and record that; longer than the job itself has.
PATIENCE = 15.0


def registered(run_dpath: str) -> list[int]:
    """The living processes of this host that drain the run in a folder."""
    folder = f"{run_dpath}/workers"
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with suppress(OSError, ValueError, KeyError), open(f"{folder}/{name}") as file:
            entry = json.load(file)
            if entry["host"] == os.uname().nodename and _drains(int(entry["pid"]), run_dpath):
                found.append(int(entry["pid"]))
    return found


def _drains(pid: int, run_dpath: str) -> bool:
    """Whether a process lives and was started for a run; where there is no /proc, whether it lives."""
    if not os.path.isdir("/proc/self"):
        return is_alive(pid)
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsencode(os.path.basename(run_dpath)) in file.read()
    except OSError:
        return False


def holders(locks: Iterable[str]) -> dict[str, list[int]]:
    """lock file -> the processes of this host that hold it, or let a child of theirs inherit it.

    Those of other users, which cannot be signalled either, are not seen.
    """
    wanted: dict[tuple[int, int], str] = {}
    for path in locks:
        with suppress(OSError):
            found = os.stat(path)
            wanted[found.st_dev, found.st_ino] = path
    pids: dict[str, list[int]] = {}
    for pid in _pids() if wanted else ():
        for path in _written_by(pid, wanted):
            pids.setdefault(path, []).append(pid)
    return pids


def _pids() -> Iterator[int]:
    own = os.getpid()
    with suppress(FileNotFoundError):
        yield from (int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != own)


def _written_by(pid: int, wanted: dict[tuple[int, int], str]) -> set[str]:
    """Which of some files a process has open; those who only look whether a job is held open it to read."""
    found = set()
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                path = f"/proc/{pid}/fd/{fd}"
                target = os.stat(path)
                key = target.st_dev, target.st_ino
                if key in wanted and os.lstat(path).st_mode & 0o200:
                    found.add(wanted[key])
    return found


def terminate(pids: Iterable[int], patience: float = PATIENCE, *, insist: bool = False) -> list[int]:
    """SIGTERM to processes, and wait for their end; those that are still there.

    Args:
        insist: SIGKILL to those that are left when the patience is over.
    """
    alive = [pid for pid in pids if _signal(pid, signal.SIGTERM)]
    alive = _wait(alive, patience)
    if insist and alive:
        alive = _wait([pid for pid in alive if _signal(pid, signal.SIGKILL)], 1.0)
    return alive


def _wait(alive: list[int], patience: float) -> list[int]:
    deadline = time.monotonic() + patience
    while alive and time.monotonic() < deadline:
        alive = [pid for pid in alive if is_alive(pid)]
        time.sleep(0.02)
    return alive


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not os.path.isdir("/proc/self") and _signal(pid, 0)


def _signal(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True
