"""Runs one child process and says what it cost: wall and processor seconds, peak memory.
What the child does, and how often it runs, is decided elsewhere."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of wall time, and bytes of address space (None: as much as there is)."""

    seconds: float = 900.0
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds, and bytes: `max_rss` is the largest of the child and all that it waited for."""

    wall: float
    cpu: float
    max_rss: int
    exit_code: int
    timed_out: bool


def run_child(
    command: Sequence[str], folder: Path, log: Path, env: Mapping[str, str], limits: Limits
) -> Sample:
    """Run `command` in `folder`, its output going to `log`; past a limit it and all it started are killed."""
    with log.open("wb") as out:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_memory_limiter(limits.memory),
        )
        status, usage, timed_out = _wait(child, limits.seconds)
        wall = time.perf_counter() - begin
    return Sample(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        max_rss=usage.ru_maxrss * 1024,
        exit_code=os.waitstatus_to_exitcode(status),
        timed_out=timed_out,
    )


def _wait(child: subprocess.Popen[bytes], seconds: float) -> tuple[int, resource.struct_rusage, bool]:
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        os.killpg(child.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, expire)
    timer.start()
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return status, usage, expired.is_set()


def _memory_limiter(memory: int | None) -> Callable[[], None] | None:
    if memory is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
