"""`python -m tests.exactly_once.host NAME LEASE BEAT ...`: this machine under another name, on which a claim
of the real one is seen, but not its locks: as two hosts see each other on a shared file system.

What follows is a kwdag command, or `race` or `nursery` (see below). The name `here` is that of the real host.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from kwdag import claims, leases, worker
from kwdag.scheduling import schedule
from kwdag.tasks import TaskMaker
from kwdag.worker import Worker


def command(name: str, *words: str, lease: float = 60.0, beat: float = 10.0) -> list[str]:
    """The command line of a process on a host."""
    return [sys.executable, "-m", "tests.exactly_once.host", name, str(lease), str(beat), *words]


def be(name: str, lease: float, beat: float) -> None:
    """Become another host, as far as claims know."""
    leases.LEASE, worker.BEAT = lease, beat
    if name != "here":
        claims.host_id = lambda: f"{name}/1"
        claims.LOCK = f".lock-{name}"


class Runner:
    """Runs jobs of a plan, which it is given by their numbers on stdin."""

    def __init__(self, params: str, root: str):
        plan = schedule(params, root_dpath=root).outlook.plan
        self._jobs, self._maker = list(plan.jobs.values()), TaskMaker(plan)
        self._worker = Worker(root, links=False)

    def numbers(self) -> Iterator[int]:
        print("ready", flush=True)
        yield from map(int, sys.stdin)

    def run(self, number: int) -> dict[str, Any] | None:
        job = self._jobs[number]
        return self._worker.run(self._maker.task(job), job.node)


def race(runner: Runner) -> None:
    """Run each job, or wait until somebody has; then say how it ended."""
    for number in runner.numbers():
        while (status := runner.run(number)) is None:
            time.sleep(0.004)
        print(status["state"], flush=True)


def nursery(runner: Runner) -> None:
    """Fork a worker for each job, and say its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for number in runner.numbers():
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            runner.run(number)
            os._exit(0)
        print(pid, flush=True)


def main(argv: Sequence[str]) -> None:
    name, lease, beat, *words = argv
    be(name, float(lease), float(beat))
    if words[0] in ("race", "nursery"):
        {"race": race, "nursery": nursery}[words[0]](Runner(*words[1:]))
    else:
        from kwdag.cli import main as kwdag

        kwdag(words)


if __name__ == "__main__":
    main(sys.argv[1:])
