"""The serial backend: one job after another, in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from kwdag import asked
from kwdag.backends.base import Ended, Frontier, Reporter, Run, Setup
from kwdag.plan import Job
from kwdag.tasks import TaskMaker
from kwdag.worker import Worker

#: Seconds between two looks at jobs that another process holds.
PATIENCE = 0.25


def make(setup: Setup) -> SerialBackend:
    """The serial backend as its user wants it."""
    return SerialBackend(setup.worker, setup.max_failures)


@dataclass(slots=True)
class SerialBackend:
    """Runs ready jobs in the order of the rows.

    Attributes:
        max_failures: stop after that many failed jobs, over all rounds; 0 goes on to the end.
    """

    worker: Worker
    max_failures: int = 0
    name: str = "serial"
    _ended: list[Ended] = field(default_factory=list)
    _failures: int = 0
    _rounds: list[Run] = field(default_factory=list)

    def check(self, run: Run) -> None:
        """The serial backend needs nothing but bash."""

    def run(self, run: Run, report: Reporter) -> list[Ended]:
        """Run all jobs; raises signals.Interrupted and jobdir.WriteError."""
        self.worker.told = lambda job_id, text: report.note([f"{job_id}: {text}"])
        self._rounds.append(run)
        asked.write(self._rounds)
        frontier = Frontier(run.jobs, run.absent)
        maker = TaskMaker(run.plan)
        elsewhere: list[Job] = []
        left = 0
        while not self._stops():
            job = frontier.pop()
            if job is None:
                if not elsewhere:
                    break
                if not left:  # all of them were looked at since the last pause
                    report.waiting(elsewhere)
                    time.sleep(PATIENCE)
                    left = len(elsewhere)
                left -= 1
                job = elsewhere.pop(0)
            event = self._run_one(run, maker, frontier, job, report)
            if event is None:
                elsewhere.append(job)
            else:
                self._note(frontier, event, report)
        ended, self._ended = self._ended, []
        return ended

    def _stops(self) -> bool:
        return bool(self.max_failures) and self._failures >= self.max_failures

    def _run_one(
        self, run: Run, maker: TaskMaker, frontier: Frontier, job: Job, report: Reporter
    ) -> Ended | None:
        report.started(job)
        task = maker.task(job, frontier.absent(job))
        status = self.worker.run(task, job.node, run.attempts.get(job.id, 0))
        return None if status is None else Ended(job, status["state"], status.get("reason"), status)

    def _note(self, frontier: Frontier, event: Ended, report: Reporter) -> None:
        self._ended.append(event)
        report.ended(event)
        if event.state == "done":
            frontier.done(event.job)
            return
        self._failures += 1
        for job in frontier.failed(event.job):
            blocked = Ended(job, "blocked", f"{event.job.id} {event.state}")
            self._ended.append(blocked)
            report.ended(blocked)
