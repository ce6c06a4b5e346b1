"""A backend of one's own: jobs one after another, but only while the machine has nothing better to do.

Install it as a package with this entry point, and `kwdag schedule --backend=polite` finds it:

    [project.entry-points."kwdag.backends"]
    polite = "polite_backend:make"
"""

import os
import time

from kwdag.backends.base import Ended, Frontier
from kwdag.errors import BackendError
from kwdag.tasks import TaskMaker


def make(setup):
    """Called with what the user asked for (kwdag.backends.base.Setup)."""
    return PoliteBackend(setup.worker)


class PoliteBackend:
    """Waits before each job until the load average is below the number of CPUs."""

    name = "polite"

    def __init__(self, worker):
        self.worker = worker

    def check(self, run):
        """Raise BackendError for what cannot work here; nothing has been written yet."""
        if not hasattr(os, "getloadavg"):
            raise BackendError("this system tells no load average", where="--backend=polite")

    def run(self, run, report):
        """Run the jobs of a Run; tell the reporter, return how each ended."""
        frontier, maker, ended = Frontier(run.jobs, run.absent), TaskMaker(run.plan), []
        while (job := frontier.pop()) is not None:
            while os.getloadavg()[0] > 2 * os.cpu_count():
                time.sleep(1)
            report.started(job)
            status = self.worker.run(maker.task(job, frontier.absent(job)), job.node, run.attempts[job.id])
            # None: another process holds the job right now; the next `kwdag schedule` looks at it again.
            event = Ended(job, status["state"], status.get("reason"), status) if status else None
            if event is not None:
                report.ended(event)
                ended.append(event)
            if event is not None and event.state == "done":
                frontier.done(job)
            else:
                ended += [Ended(lost, "blocked", f"{job.id} has no result") for lost in frontier.failed(job)]
        return ended
