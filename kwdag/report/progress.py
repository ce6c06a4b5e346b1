"""What a person sees while jobs run: a live bar on a terminal, plain lines elsewhere.

It prints what it is told; it knows nothing of files and processes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kwdag import jobdir
from kwdag.backends.base import Ended
from kwdag.journal import Event
from kwdag.plan import Job, Plan
from kwdag.report.bar import make_progress
from kwdag.report.watch import View, totals_of


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
            self.note([f"waiting for {len(names)} jobs that run elsewhere: {', '.join(names[:3])}"])
            self._waits = True

    def note(self, lines: Iterable[str]) -> None:
        """What a person should know, above the progress."""
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()

    def heard(self, event: Event) -> None:
        """Only a live view has use for who does what."""

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

        super().__init__(plan, total)
        self.progress = make_progress(Console(highlight=False))
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
        with _signals_left_to_the_main_thread():
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


class TableReporter(PlainReporter):
    """A live table of nodes and workers, for runs that other processes drain; failures stay above it."""

    def __init__(self, plan: Plan, total: int):
        from rich.console import Console
        from rich.live import Live

        super().__init__(plan, total)
        self.view = View(totals_of(job.id for job in plan.jobs.values()))
        self.live = Live(console=Console(highlight=False), transient=True, refresh_per_second=4,
                         get_renderable=lambda: self.view.table(time.time()))  # fmt: skip

    def heard(self, event: Event) -> None:
        self.view.heard(event)

    def ended(self, event: Ended) -> None:
        self.counts[event.state] += 1
        self.total = max(self.total, self.counts.total())
        if event.state == "failed":
            self.note(self.lines(event))

    def note(self, lines: Iterable[str]) -> None:
        self.live.console.print("\n".join(lines), markup=False, soft_wrap=True)

    def __enter__(self) -> TableReporter:
        with _signals_left_to_the_main_thread():
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()


@contextmanager
def _signals_left_to_the_main_thread() -> Iterator[None]:
    """A thread started here has all signals blocked: the main thread gets them, which at times holds them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_reporter(plan: Plan, total: int, *, alone: bool) -> PlainReporter:
    """A live view on a terminal, plain lines elsewhere.

    Args:
        alone: the jobs run in this process, one after another.
    """
    if not sys.stdout.isatty():
        return PlainReporter(plan, total)
    return LiveReporter(plan, total) if alone else TableReporter(plan, total)
