"""Claims of other hosts, whose locks this host may not see: a heartbeat, judged by the observer's own clock.

No time of another machine is ever compared with one's own: a holder counts as gone when its heartbeat has
not changed for as long as LEASE while this process was looking on.
"""

from __future__ import annotations

import os
import time

#: Seconds between two heartbeats, and without one until a claim of another host may be taken over.
BEAT, LEASE = 10.0, 60.0

_seen: dict[str, tuple[int, float]] = {}


def beat(path: str) -> None:
    """Say that the holder of a claim lives; a claim that was taken over is left alone."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return


def expired(path: str) -> bool:
    """Whether the heartbeat of a claim has stood still for a whole lease, as far as this process has seen."""
    try:
        pulse = os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return True
    known, since = _seen.get(path, (None, 0.0))
    if known != pulse:
        _seen[path] = (pulse, time.monotonic())
        return False
    return time.monotonic() - since > LEASE
