"""A function applied to many items by forked copies of this process, results in order.

Only for functions without side effects, whose results pickle can carry.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def is_safe() -> bool:
    """Whether this process may be forked: a lock that another thread holds would stay locked in the copy."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return threading.active_count() == 1


def forked_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, batch: int = 256
) -> Iterator[Result]:
    """``map`` with so many processes; what one of them fails to deliver is made here."""
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    children = [_start(function, batches[n::workers]) for n in range(min(workers, len(batches)))]
    try:
        for n, one in enumerate(batches):
            found = _receive(children[n % len(children)][1])
            yield from map(function, one) if found is None else found
    finally:
        for pid, stream in children:
            stream.close()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _start(function: Callable[[Item], Result], batches: Sequence[Sequence[Item]]) -> tuple[int, IO[bytes]]:
    """A child that works on its batches and ends with them, or with its reader."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        # neither a traceback nor an exit handler of the parent's: whatever happens, this copy just ends
        try:
            os.close(readable)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, interrupted too, ends its children
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            with open(writable, "wb") as stream:
                for one in batches:
                    pickle.dump([function(item) for item in one], stream, pickle.HIGHEST_PROTOCOL)
                    stream.flush()
        finally:
            os._exit(0)
    os.close(writable)
    return pid, open(readable, "rb")  # noqa: SIM115  (closed by the caller)


def _receive(stream: IO[bytes]) -> Any:
    """The next batch of a child's results, None where it has ended early."""
    try:
        return pickle.load(stream)
    except (EOFError, pickle.UnpicklingError, ValueError):
        return None
