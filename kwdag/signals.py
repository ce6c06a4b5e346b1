"""Ctrl-C and its like: told to a run as an exception, and held back where that would lose something.

Which processes are ended then is the business of those who started them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Interrupted(BaseException):
    """The run was told to stop (Ctrl-C, SIGTERM, SIGHUP)."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


def interrupt(signum: int, _frame: Any) -> None:
    """Signal handler that raises Interrupted."""
    raise Interrupted(signum)


@contextmanager
def nothing_lost() -> Iterator[None]:
    """Have a signal delivered again whose Interrupted was raised where Python ignores exceptions.

    Such places are `__del__` and the callbacks of weak references, which `import` has, too: without this, a
    Ctrl-C that comes there prints a traceback and stops nothing.
    """
    before = sys.unraisablehook

    def hook(found: Any) -> None:
        if not isinstance(found.exc_value, Interrupted):
            before(found)
            return
        # From a thread and a little later: at once it would be raised here, where it is ignored as well.
        again = threading.Timer(0.01, os.kill, (os.getpid(), found.exc_value.signum))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP stop a run as Ctrl-C does, by Interrupted; what `nohup` ignores stays ignored."""
    before: dict[signal.Signals, Any] = {
        n: found for n in _SIGNALS if (found := signal.getsignal(n)) is not signal.SIG_IGN
    }
    try:
        for signum in before:
            signal.signal(signum, interrupt)
        with nothing_lost():
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
