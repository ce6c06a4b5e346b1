"""What a person sees while jobs run: a live bar on a terminal, plain lines elsewhere.

It prints what it is told; it knows nothing of files and processes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kwdag import jobdir
from kwdag.backends.base import Ended
from kwdag.plan import Job, Plan


class PlainReporter:
    """A line for each job that ended, the log's last lines for one that failed."""

    def __init__(self, plan: Plan, total: int, out: Any = None):
        self.plan = plan
        self.total = total
        self.out = out or sys.stdout
        self.counts: Counter[str] = Counter()
        self._waits = False

    def started(self, job: Job) -> None:
        """Nothing is printed before a job has ended."""

    def ended(self, event: Ended) -> None:
        self.counts[event.state] += 1
        self.total = max(self.total, self.counts.total())
        for line in self.lines(event):
            self.out.write(line + "\n")
        self.out.flush()

    def lines(self, event: Ended) -> list[str]:
        """What is said of a job: its place, its state and how long it took."""
        width = len(str(self.total))
        took = (event.status or {}).get("wall")
        text = f"[{self.counts.total():>{width}}/{self.total}] {event.state:<7} {event.job.id}"
        text += f"  {took:.2f} s" if took is not None else ""
        if event.state == "done":
            return [text]
        text += f"  ({event.reason})"
        return [text, *failure_lines(self.plan.dpath(event.job))] if event.state == "failed" else [text]

    def waiting(self, jobs: Iterable[Job]) -> None:
        if not self._waits:
            names = [job.id for job in jobs]
            self.out.write(f"waiting for {len(names)} jobs that run elsewhere: {', '.join(names[:3])}\n")
            self._waits = True

    def note(self, lines: Iterable[str]) -> None:
        """What a person should know, above the progress."""
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()

    def __enter__(self) -> PlainReporter:
        return self

    def __exit__(self, *_: object) -> None: ...


def failure_lines(dpath: str) -> list[str]:
    """The end of a failed job's log, indented, and the line that runs it again."""
    import shlex

    log = [f"      | {line}" for line in jobdir.tail(f"{dpath}/{jobdir.LOG}")]
    return [*log, f"      again by hand: bash {shlex.quote(f'{dpath}/{jobdir.INVOKE}')}"]


class LiveReporter(PlainReporter):
    """A progress bar with the running job; failures stay above it."""

    def __init__(self, plan: Plan, total: int):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        super().__init__(plan, total)
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=Console(highlight=False), transient=True,
        )  # fmt: skip
        self.bar = self.progress.add_task("", total=total)
        self._drawn = 0.0

    def started(self, job: Job) -> None:
        # The bar is redrawn ten times a second; describing each of a thousand short jobs would only cost.
        now = time.monotonic()
        if now - self._drawn > 0.1:
            self._drawn = now
            self.progress.update(
                self.bar, description=job.id, completed=self.counts.total(), total=self.total
            )

    def ended(self, event: Ended) -> None:
        self.counts[event.state] += 1
        self.total = max(self.total, self.counts.total())
        if event.state != "done":
            self.progress.console.print("\n".join(self.lines(event)), markup=False, soft_wrap=True)
            self.progress.update(self.bar, completed=self.counts.total())

    def waiting(self, jobs: Iterable[Job]) -> None:
        names = [job.id for job in jobs]
        self.progress.update(self.bar, description=f"waiting for {len(names)} jobs that run elsewhere")

    def __enter__(self) -> LiveReporter:
        # Its thread must leave signals to the main thread, which at times holds them back.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.progress.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def make_reporter(plan: Plan, total: int) -> PlainReporter:
    """A live bar on a terminal, plain lines elsewhere."""
    return LiveReporter(plan, total) if sys.stdout.isatty() else PlainReporter(plan, total)
