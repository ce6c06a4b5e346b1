"""Progress as a bar: how it looks, and one on stderr for a step that may turn out to take long.

It prints what it is told.
"""

from __future__ import annotations

import sys
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

#: Seconds before a bar appears, and between two drawings.
PATIENCE, PAUSE = 1.0, 0.1


def make_progress(console: Console, **options: Any) -> Progress:
    """A bar that vanishes when it is done: what it is about, how much of it, time spent and left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        console=console, transient=True, **options,
    )  # fmt: skip


class PatientBar:
    """Called with what is done and the total; seen on a terminal only, and only after a while.

    It draws when it is called and starts no thread: a process with threads cannot be forked safely.
    """

    def __init__(self, description: str, stream: IO[str] | None = None):
        self.description = description
        self.stream = stream or sys.stderr
        self._began = self._drawn = time.monotonic()
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self.stream.isatty() or now - self._began < PATIENCE or now - self._drawn < PAUSE:
            return
        self._drawn = now
        if self._progress is None:
            from rich.console import Console

            self._progress = make_progress(Console(file=self.stream), auto_refresh=False)
            self._progress.add_task(self.description, total=total, completed=done)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total, refresh=True)

    def __enter__(self) -> PatientBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
