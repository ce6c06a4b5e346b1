"""Watches runs on Slurm: the journal for what happened, one `squeue` a look for tasks that vanished.

It decides nothing that the run needs: without it the arrays go on alone. It reports, feeds further arrays
when Slurm has room again, and finds out what became of jobs whose task ended without a word.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kwdag import jobdir, journal, runs
from kwdag.backends import slurm_files as files
from kwdag.backends.base import Ended, Reporter, Run
from kwdag.backends.slurm_cli import QueueLine, Slurm
from kwdag.backends.slurm_flight import Flight
from kwdag.backends.slurm_submit import Submitter
from kwdag.plan import Job

#: Seconds between two calls of squeue, growing from the first to the second.
FIRST_LOOK, LAST_LOOK = 1.0, 10.0
#: Reading the journal takes at most this part of the time.
EFFORT = 0.02
#: Seconds after which a task that is gone has told all it had to tell, on a slow file system.
SILENCE = 2.0
#: Seconds that cancelled tasks have to end their jobs.
CANCELLING = 30.0

#: Final states of Slurm, in our words.
_REASONS = {
    "TIMEOUT": "timeout: the time limit of the Slurm task",
    "DEADLINE": "timeout: the deadline of the Slurm task",
    "OUT_OF_MEMORY": "out of memory",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
}


@dataclass(slots=True)
class Watch:
    """Follows flights until every job of a run has ended."""

    slurm: Slurm
    run: Run
    flights: Sequence[Flight]
    report: Reporter
    max_failures: int = 0
    _open: dict[str, Job] = field(init=False)
    _attempts: dict[str, int] = field(init=False)
    _rounds: dict[str, int] = field(default_factory=dict)
    _readers: list[journal.Reader] = field(init=False)
    _gone: dict[str, float] = field(default_factory=dict)
    _failures: int = 0
    _refused: str = ""
    _running: set[str] = field(default_factory=set)
    _tidied: set[str] = field(default_factory=set)
    _pause: float = FIRST_LOOK

    def __post_init__(self) -> None:
        self._open = {job.id: job for job in self.run.jobs}
        self._attempts = dict(self.run.attempts)
        self._readers = [journal.Reader(flight.run_file.journal) for flight in self.flights]

    def follow(self) -> Iterator[Ended]:
        """Report what happens, as it happens; raises BackendError, jobdir.WriteError."""
        next_look = time.monotonic() + self._pause
        while self._open or self._goes_on():
            began = time.monotonic()
            for event in self._news():
                yield from self._heard(event)
            if self.max_failures and self._failures >= self.max_failures:
                for flight in self.flights:
                    self.cancel(flight)
                return
            if time.monotonic() >= next_look:
                yield from self._look()
                self._pause = min(1.3 * self._pause, LAST_LOOK)
                next_look = time.monotonic() + self._pause
            time.sleep(max(0.05, min((time.monotonic() - began) / EFFORT, 5.0)))
        for flight in self.flights:
            self._tidy(flight)
        self.report.note([f"calls: {self.slurm.spent()}"])
        if self._refused:
            raise jobdir.WriteError(self._refused, hint=jobdir.LATER)

    def _goes_on(self) -> bool:
        """Whether a further round is to come; what it opens is followed, too."""
        return any([self._opens(flight) for flight in self.flights if flight.run_file.meta.get("rows")])

    def _opens(self, flight: Flight) -> bool:
        dpath = flight.run_file.dpath
        last = flight.run_file.rounds()
        before = self._rounds.get(dpath, 1)
        if last == before:
            if dpath not in self._tidied:
                self._tidied.add(dpath)
                self._tidy(flight)
                flight.see(self.slurm.queue(flight.ids()))
            return flight.goes_on
        self._rounds[dpath] = last
        self._tidied.discard(dpath)
        for number in range(before + 1, last + 1):
            found = runs.load_round(flight.run_file, number, flight.run_file.nodes())
            self._open |= {job.id: job for job in found.jobs}
            self._attempts |= found.attempts
        self._readers = [journal.Reader(one.run_file.journal) for one in self.flights]
        return True

    def _tidy(self, flight: Flight) -> None:
        """Take tasks out of the queue whose jobs others have done; leave what opens the next round."""
        if all(job_id not in self._open for _, _, ids in flight.chunks() for job_id in ids):
            self.slurm.cancel(flight.ids(with_next=False), pending_only=True)
            if not flight.run_file.meta.get("rows"):
                files.close(flight.run_file)

    # -- the journal -------------------------------------------------------------------------------

    def _news(self) -> Iterator[journal.Event]:
        for reader in self._readers:
            yield from reader.news()

    def _heard(self, event: journal.Event) -> Iterator[Ended]:
        if event.what == "bye":
            self._refused = event.note
        job = self._open.get(event.job_id)
        if job is None or event.time < 0:
            return
        if event.what == "start":
            self._running.add(job.id)
            self.report.started(job)
        elif event.what == "again":
            self.report.note([f"{job.id}: {event.note}"])
        elif event.what in ("done", "failed", "blocked"):
            status = {"wall": _number(event.note)} if event.what == "done" else {}
            yield self._end(job, event.what, None if event.what == "done" else event.note, status)

    def _end(self, job: Job, state: str, reason: str | None, status: Mapping[str, Any]) -> Ended:
        del self._open[job.id]
        self._gone.pop(job.id, None)
        self._failures += state == "failed"
        ended = Ended(job, state, reason, status)
        self.report.ended(ended)
        return ended

    # -- the queue ---------------------------------------------------------------------------------

    def _look(self) -> Iterator[Ended]:
        ids = set().union(*(flight.ids() for flight in self.flights))
        lines = self.slurm.queue(ids) if ids else []
        for flight in self.flights:
            flight.see(lines)
            self._feed(flight, lines)
        silent = [entry for flight in self.flights for entry in self._silent(flight)]
        for job, line in silent:
            if job.id in self._open:  # the end of one may have ended others
                yield from self._lost(job, line)

    def _feed(self, flight: Flight, lines: Sequence[QueueLine]) -> None:
        """Submit what Slurm had no room for before."""
        for number in flight.rounds():
            arrays = flight.arrays_of(number)
            places = {done.place for done in files.read_submitted(flight.run_file, number)} - {files.NEXT}
            if len(places) < len(arrays):
                limits = self.slurm.limits(files.limits_path(flight.run_file.root))
                Submitter(flight.run_file, self.slurm, limits).feed(number, lines)

    def _silent(self, flight: Flight) -> Iterator[tuple[Job, QueueLine | None]]:
        """Jobs whose task has ended, for long enough, without a word about them."""
        now = time.monotonic()
        for array_id, index, ids in flight.chunks():
            left = [self._open[job_id] for job_id in ids if job_id in self._open]
            if not left or flight.is_alive(array_id, index):
                continue
            for job in left:
                if now - self._gone.setdefault(job.id, now) > SILENCE:
                    yield job, flight.states.get((array_id, index))
        if files.is_stopped(flight.run_file) and not flight.alive:
            yield from ((job, None) for job in self._unsubmitted(flight))

    def _unsubmitted(self, flight: Flight) -> list[Job]:
        """Open jobs of a run that no task was submitted for."""
        submitted = {job_id for _, _, ids in flight.chunks() for job_id in ids}
        planned = {job_id for array in flight.arrays() for ids in array.chunks.values() for job_id in ids}
        return [self._open[job_id] for job_id in planned - submitted if job_id in self._open]

    def _lost(self, job: Job, line: QueueLine | None) -> Iterator[Ended]:
        """What became of a job whose task is gone."""
        dpath = f"{self.run.plan.root}/{job.node.name}/{job.id}"
        try:
            status = jobdir.read_status(dpath) or {}
        except jobdir.DamagedFile:
            status = {}
        is_new = status.get("attempt", 0) > self._attempts.get(job.id, 0)
        if is_new and status.get("state") in ("done", "failed"):
            yield self._end(job, status["state"], status.get("reason"), status)
            return
        obstacle = next((up.id for up in job.predecessors() if not self._has_result(up)), None)
        if obstacle is not None and job.id not in self._running:
            yield self._end(job, "blocked", f"{obstacle} is not done", {})
            return
        state = line.state if line is not None else ""
        is_stopped = any(files.is_stopped(flight.run_file) for flight in self.flights)
        untold = "cancelled" if is_stopped else self._last_word(line)
        reason = _REASONS.get(state, untold)
        if job.id not in self._running:
            reason += ", before it began"
        said = status.get("reason") if is_new else None
        yield self._end(job, "failed", said or reason, {})

    def _last_word(self, line: QueueLine | None) -> str:
        """What a task printed last, where it ended without recording anything."""
        for flight in self.flights:
            if line is None:
                break
            printed = jobdir.tail(f"{files.output_dpath(flight.run_file)}/{line.array}_{line.task}.out")
            if printed:
                return f"its Slurm task ended: {printed[-1].strip()}"
        return "its Slurm task ended without a word"

    def _has_result(self, job: Job) -> bool:
        if job.id in self._open:
            return False
        if job.id not in self._attempts:  # not of this run: its result was there before
            return True
        try:
            status = jobdir.read_status(f"{self.run.plan.root}/{job.node.name}/{job.id}") or {}
        except jobdir.DamagedFile:
            return False
        return status.get("state") in ("done", "finished")

    def cancel(self, flight: Flight) -> None:
        """End what a run has in Slurm, and wait until its jobs have recorded that."""
        ids = flight.ids()
        self.slurm.cancel(ids)
        deadline = time.monotonic() + CANCELLING
        while ids and time.monotonic() < deadline:
            flight.see(self.slurm.queue(ids))
            if not flight.alive:
                files.close(flight.run_file)
                return
            time.sleep(0.5)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
