"""A worker is killed and its child lives on: nobody else runs the job until the child has ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kwdag import claims
from kwdag.processes import is_alive
from kwdag.tasks import TaskMaker
from kwdag.worker import Worker
from tests.exactly_once.host import command
from tests.exactly_once.world import wait_for, world_of

ROUNDS = 200
# It lasts as long as there is a pipe to wait at; what waits there is a child of the program.
PROGRAM = """
log=$RUNS.$KWDAG_JOB
child=
if [ -e "$log.pipe" ]; then (read -r _ < "$log.pipe"; echo end >> "$log") & child=1; fi
echo "start $$" >> "$log"
[ -n "$child" ] && wait || echo end >> "$log"
for arg; do case $arg in --out=*) echo '{}' > "${arg#*=}" ;; esac; done
"""


@contextmanager
def nursery(*words: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A process that forks a worker for each number of a job."""
    made = subprocess.Popen(command("here", "nursery", *words), text=True, bufsize=1, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, **more)  # fmt: skip
    try:
        assert made.stdout.readline() == "ready\n"
        yield made
    finally:
        made.kill()
        made.wait()


def test_a_killed_worker_whose_child_lives(tmp_path, monkeypatch):
    with world_of(tmp_path, ROUNDS, PROGRAM) as world:
        monkeypatch.setenv("RUNS", str(world.runs))
        plan = world.in_process(run=False).outlook.plan
        maker, rival = TaskMaker(plan), Worker(str(world.root), links=False)
        jobs = [(place, job) for place, job in enumerate(plan.jobs.values()) if job.node.name == "first"]
        params = f"{world.folder}/params.yaml"
        with nursery(params, str(world.root), cwd=world.folder, env=world.environ()) as workers:
            for place, job in jobs:
                log = Path(f"{world.runs}.{job.id}")
                task = maker.task(job)
                one_round(place, log, workers, partial(rival.run, task, job.node), task.dpath)
                said = [line.split()[0] for line in log.read_text().splitlines()]
                assert said == ["start", "end", "start", "end"], job.id


def one_round(place: int, log: Path, workers: subprocess.Popen[str], run: Callable, dpath: str) -> None:
    pipe = Path(f"{log}.pipe")
    os.mkfifo(pipe)
    workers.stdin.write(f"{place}\n")
    worker = int(workers.stdout.readline())
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"), pause=0.001)
    os.kill(worker, signal.SIGKILL)
    if place % 4 < 2:  # its program, too: only the program's own child is left
        os.kill(int(log.read_text().split()[1]), signal.SIGKILL)
    wait_for(lambda: not is_alive(worker), pause=0.001)
    assert [run() for _ in range(3)] == [None] * 3
    assert claims.is_held(dpath)
    with pipe.open("w") as child:
        pipe.unlink()
        child.write("go\n")
    wait_for(lambda: (run() or {}).get("state") == "done", pause=0.001)
