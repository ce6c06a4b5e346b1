"""Work on several items at once, in processes that end with the one that started them.

What the work is does not belong here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from kwdag.signals import held
from pipelines.errors import BadInput

_SIGNALLED = 0.2  # seconds in which a signal to all of us, which ended a process first, reaches this one
Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, desc: str, unit: str
) -> list[Result]:
    """What ``work`` makes of each item, in their order, with progress on stderr.

    Args:
        work: can be pickled, as can items and results, unless this process does it all.
        workers: processes; with 0 or 1 this one does the work.

    Raises:
        BadInput: a process was killed. What ``work`` raises comes through; no further item is begun then.
    """
    from tqdm import tqdm

    workers = min(workers, len(items))
    with tqdm(total=len(items), desc=desc, unit=unit, disable=None) as bar:
        if workers > 1:
            return _together(work, items, workers, bar.update)
        results = []
        for item in items:
            results.append(work(item))
            bar.update()
        return results


def _together(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, tick: Callable[[], object]
) -> list[Result]:
    before = set(multiprocessing.active_children())
    # Spawned, not forked: GDAL and torch hold threads and locks that a fork would tear.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    futures: list[Future[Result]] = []
    try:
        with held(signal.SIG_BLOCK):  # a signal that comes while they start is ours alone
            futures = [pool.submit(work, item) for item in items]
        _wait(futures, tick)
        return [future.result() for future in futures]
    except BrokenProcessPool:
        time.sleep(_SIGNALLED)
        raise BadInput(
            "a process was killed, as the system does when memory runs out", hint="use fewer --workers"
        ) from None
    finally:
        if not all(future.done() for future in futures):
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
        pool.shutdown(cancel_futures=True)


def _wait(futures: Sequence[Future[Result]], tick: Callable[[], object]) -> None:
    for future in as_completed(futures):
        future.result()
        tick()


def _begin() -> None:
    """In a new process: leave Ctrl-C to the one that started it, and end when that one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # SIGTERM is how a pool ends its other processes
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
