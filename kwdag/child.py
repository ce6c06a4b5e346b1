"""One job's process in a group of its own: started, waited for, ended with all that it started.

What it runs and what its end means is decided in worker.py.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any

from kwdag.signals import held

#: Seconds that a job has to end itself after SIGTERM, before SIGKILL.
GRACE = 10.0
_IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]  # by Python, from its start


def start(program: str, argv: tuple[str, ...], env: Mapping[str, str], actions: list[Any]) -> int:
    """Start a process; its id. Raises OSError."""
    # A process group of its own: Ctrl-C reaches the scheduler alone, which ends the whole group.
    # Python ignores some signals, which a job's programs count on: `yes | head` ends by SIGPIPE.
    return os.posix_spawn(program, argv, env, file_actions=actions, setpgroup=0,
                          setsigmask=[], setsigdef=_IGNORED)  # fmt: skip


def ends_within(pid: int, seconds: float) -> bool:
    """Wait for the end of a process; whether it came."""
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], max(0.0, seconds))[0])
    finally:
        os.close(fd)


def end(pid: int) -> tuple[int, int, Any]:
    """End a whole process group by SIGTERM, some time, SIGKILL; what ``wait4`` says of its leader."""
    with held(signal.SIG_BLOCK):
        deadline = time.monotonic() + GRACE
        _kill_group(pid, signal.SIGTERM)
        if not ends_within(pid, GRACE):
            _kill_group(pid, signal.SIGKILL)
        ended = os.wait4(pid, 0)
        # The leader may go at once while its children still put their files in order.
        while _kill_group(pid, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        _kill_group(pid, signal.SIGKILL)
        return ended


def _kill_group(pid: int, signum: int) -> bool:
    """Send a signal to a group, 0 to ask only; False when nobody is left in it."""
    try:
        os.killpg(pid, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def reason(code: int) -> str | None:
    """Why a job failed, from the exit code of its bash; None for 0."""
    signum = -code if code < 0 else code - 128 if 128 < code < 160 else None
    if signum is not None:
        try:
            return f"killed by {signal.Signals(signum).name}"
        except ValueError:
            pass
    return f"exit code {code}" if code else None
