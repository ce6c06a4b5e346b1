"""The live view of a run that several processes drain: jobs by node and state, workers, rate, failures.

It is fed the events of the journal and draws; it reads no files and decides nothing.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from kwdag.journal import Event

#: The rate is that of so many last jobs.
RECENT = 200
SHOWN_FAILURES = 5
#: Seconds between two lines where there is no terminal.
SAY_EVERY = 10.0


class View:
    """What is known of a run from its events."""

    def __init__(self, totals: Mapping[str, int]):
        self.totals = Counter(totals)
        self.states: dict[str, Counter[str]] = {node: Counter() for node in totals}
        self.working: dict[str, tuple[str, float]] = {}
        self.failures: deque[Event] = deque(maxlen=SHOWN_FAILURES)
        self._ends: deque[float] = deque(maxlen=RECENT)
        self._ended: set[str] = set()  # two workers may each tell of one job's end

    def heard(self, event: Event) -> None:
        """Take note of an event."""
        if event.what == "bye":
            self.working.pop(event.writer, None)
            return
        node = event.job_id.rpartition("_id_")[0]
        states = self.states.setdefault(node, Counter())
        if event.what == "again":
            return
        if event.what == "start":
            self.working[event.writer] = (event.job_id, event.time)
            return
        if event.what != "blocked":
            self.working.pop(event.writer, None)
        if event.job_id in self._ended:
            return
        if event.what != "interrupted":
            self._ended.add(event.job_id)
        states[event.what] += 1
        if event.what == "blocked":
            return
        self._ends.append(event.time)
        if event.what == "failed":
            self.failures.append(event)

    @property
    def ended(self) -> int:
        return sum(states.total() for states in self.states.values())

    @property
    def left(self) -> int:
        return max(0, self.totals.total() - self.ended)

    def rate(self, now: float) -> float | None:
        """Jobs a second over the last ones, None before the second end."""
        if len(self._ends) < 2:
            return None
        return (len(self._ends) - 1) / max(1e-3, max(now, self._ends[-1]) - self._ends[0])

    def summary(self, now: float) -> str:
        """One line: done, left, rate, remaining time."""
        rate = self.rate(now)
        text = f"{self.ended:,} of {self.totals.total():,} jobs"
        if rate and self.left:
            text += f", {rate:,.1f} a second, {duration(self.left / rate)} left"
        return text

    def table(self, now: float) -> Any:
        """The view as something rich can draw."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        jobs = Table(box=None, pad_edge=False)
        for name in ("node", "jobs", "done", "running", "failed", "blocked"):
            jobs.add_column(name, justify="left" if name == "node" else "right")
        running = Counter(job_id.rpartition("_id_")[0] for job_id, _ in self.working.values())
        for node, total in self.totals.items():
            states = self.states.get(node, Counter())
            cells = (total, states["done"], running[node], states["failed"], states["blocked"])
            jobs.add_row(node, *(f"{cell:,}" if cell else "-" for cell in cells))
        workers = Table(box=None, pad_edge=False, show_header=False)
        for writer, (job_id, since) in sorted(self.working.items()):
            workers.add_row(writer, job_id, duration(now - since))
        lost = [Text(f"failed {event.job_id}: {event.note}", style="red") for event in self.failures]
        return Group(jobs, Text(""), workers, *lost, Text(self.summary(now)))


def show(events: Iterable[Event | None], totals: Callable[[], Mapping[str, int]]) -> None:
    """Draw a run's events until they end: a live table on a terminal, a line now and then elsewhere.

    Args:
        totals: asked for the number of jobs by node, which grows with further rounds.
    """
    from rich.console import Console
    from rich.live import Live

    view = View(totals())
    console = Console(highlight=False)
    told = 0.0
    with (
        Live(console=console, transient=True, auto_refresh=False)
        if console.is_terminal
        else nullcontext() as live
    ):
        for event in events:
            if event is not None:
                view.heard(event)
                continue
            view.totals = Counter(totals()) if view.left == 0 else view.totals
            now = time.time()
            if live is not None:
                live.update(view.table(now), refresh=True)
            elif now - told > SAY_EVERY:
                told = now
                print(view.summary(now), flush=True)


def duration(seconds: float) -> str:
    """A time span that a person reads at a glance.

    >>> duration(3.2), duration(75), duration(7265)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def totals_of(job_ids: Iterable[str]) -> Counter[str]:
    """node -> number of jobs."""
    return Counter(job_id.rpartition("_id_")[0] for job_id in job_ids)
