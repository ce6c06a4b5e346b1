"""Ctrl-C and its like: told to a run as an exception, and held back where that would lose something.

Which processes are ended then is the business of those who started them.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Interrupted(BaseException):
    """The run was told to stop (Ctrl-C, SIGTERM, SIGHUP)."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP stop a run as Ctrl-C does, by Interrupted; what `nohup` ignores stays ignored."""

    def stop(signum: int, _frame: Any) -> None:
        raise Interrupted(signum)

    before: dict[signal.Signals, Any] = {
        n: found for n in _SIGNALS if (found := signal.getsignal(n)) is not signal.SIG_IGN
    }
    try:
        for signum in before:
            signal.signal(signum, stop)
        yield
    except Interrupted:
        # What is left is to say so and to exit: a second Ctrl-C must not turn that into a crash.
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for signum, found in before.items():
            signal.signal(signum, found)


@contextmanager
def held(how: int) -> Iterator[None]:
    """Keep signals waiting (SIG_BLOCK), or let them in for a while (SIG_UNBLOCK)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(how, _SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
