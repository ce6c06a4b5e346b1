"""`python -m kwdag.drainer RUN`: what runs inside a tmux session or a Slurm task.

It drains the rounds of a run together with its fellows, shows each job's command and output as it runs, and
plans the next round itself when it is the last to finish: nothing else need be alive.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import select
import shlex
import sys
from collections.abc import Iterator
from typing import IO

from kwdag import jobdir, journal, runs
from kwdag.backends import shares
from kwdag.backends.base import Ended, worker_options
from kwdag.backends.drain import Drain
from kwdag.errors import KwdagError
from kwdag.plan import Job
from kwdag.runs import RunFile
from kwdag.script import shown_command
from kwdag.signals import Interrupted, stopping
from kwdag.tasks import Task
from kwdag.worker import Worker


def main(argv: list[str] | None = None) -> int:
    """Drain a run; the exit code is 0 unless this process was stopped."""
    args = _parser().parse_args(argv)
    if args.env:
        try:
            _take_environment(args.env)
        except (OSError, KwdagError) as error:
            print(f"kwdag: {error}", flush=True)
            return 1
    run_file = runs.load(args.run)
    os.chdir(run_file.meta["workdir"])
    screen = Screen(run_file)
    code = 0
    with _registered(run_file, args.name) as last_words:
        try:
            with stopping():
                drain_rounds(run_file, args.name, screen)
        except Interrupted as stop:
            print("\nstopped", flush=True)
            code = 128 + stop.signum
        except (KwdagError, OSError) as error:  # an OSError: the journal could not be written
            told = error if isinstance(error, KwdagError) else jobdir.writing(run_file.dpath, error)
            print(f"\nkwdag: {told}", flush=True)
            last_words += [told.message] if isinstance(told, jobdir.WriteError) else []
            code = 1
    if screen.failed and code == 0 and sys.stdin.isatty():
        _open_shell(run_file, screen)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kwdag.drainer", description=__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--name", required=True, help="name of this process in the journal")
    parser.add_argument("--env", help="named pipe that gives the environment as JSON")
    return parser


def _take_environment(path: str) -> None:
    given = json.loads(_read_pipe(path))
    keep = {name: os.environ[name] for name in ("TMUX", "TMUX_PANE", "TERM") if name in os.environ}
    os.environ.clear()
    os.environ.update({**given, **keep})


def _read_pipe(path: str, patience: float = 10.0) -> bytes:
    """All that is written to a named pipe; raises KwdagError when nobody writes in time."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as pipe:
        if not select.select([pipe], [], [], patience)[0]:
            raise KwdagError("whoever started this process is gone")
        os.set_blocking(fd, True)
        return pipe.read()


@contextlib.contextmanager
def _registered(run_file: RunFile, name: str) -> Iterator[list[str]]:
    """Let others find this process while it lives, and say goodbye at the end, with what is in the list."""
    path = f"{run_file.dpath}/workers/{name}.json"
    jobdir.make_dir(os.path.dirname(path))
    jobdir.write_replacing(path, json.dumps({"pid": os.getpid(), "host": os.uname().nodename}))
    last_words: list[str] = []
    try:
        yield last_words
    finally:
        import time

        with contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):  # where the disk is full, the file above has made a little room
            writer = journal.Writer(run_file.journal, name)
            writer.write(time.time(), "bye", note=" ".join(last_words))
            writer.close()


def drain_rounds(run_file: RunFile, name: str, screen: Screen) -> None:
    """Drain one round after another, until no branches are left to open."""
    meta = run_file.meta
    worker = Worker(run_file.root, **worker_options(meta), tick=screen.follow)
    nodes = run_file.nodes()
    needs = shares.needs_of(nodes.values())
    host = shares.this_host(meta.get("devices"), any(need.gpus for need in needs.values()))
    ledger = shares.Shares(f"{run_file.root}/{jobdir.RUN_DPATH}", host)
    number = 1
    while True:
        found = runs.load_round(run_file, number, nodes)
        screen.total += len(found.jobs)
        told = (screen.started, screen.ended, screen.again)
        most = int(meta.get("max_failures") or 0)
        Drain(run_file, found, worker, name, nodes, *told, most, ledger, needs).drain()
        if not meta.get("rows") or not _next_round(run_file, number):
            return
        number += 1


def _next_round(run_file: RunFile, number: int) -> bool:
    """Whether there is a round after this one; whoever comes first plans it for all."""
    with open(f"{run_file.dpath}/planning.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if run_file.rounds() > number:
            return True
        from kwdag.rounds import plan_next

        return plan_next(run_file, number)


class Screen:
    """Shows in a session what a person wants to see there: commands and their output, as they come."""

    def __init__(self, run_file: RunFile, out: IO[str] | None = None):
        self.run_file = run_file
        self.out = out or sys.stdout
        self.total = 0
        self.count = 0
        self.failed: list[tuple[Job, str | None]] = []
        self._log = ""
        self._shown = 0

    def dpath(self, job: Job) -> str:
        return f"{self.run_file.root}/{job.node.name}/{job.id}"

    def started(self, job: Job, task: Task) -> None:
        self.count += 1
        self._log = f"{self.dpath(job)}/{jobdir.LOG}"
        self._shown = 0
        self.out.write(f"\n=== {job.id}\n{shown_command(task.invoke)}\n")
        self.out.flush()

    def follow(self) -> None:
        """Copy what the running job has added to its log."""
        try:
            with open(self._log, "rb") as file:
                file.seek(self._shown)
                text = file.read()
        except OSError:
            return
        if text:
            self._shown += len(text)
            self.out.write(text.decode("utf-8", "replace"))
            self.out.flush()

    def again(self, _job_id: str, text: str) -> None:
        self.follow()
        self._shown = 0
        self.out.write(f"--- {text}\n")
        self.out.flush()

    def ended(self, event: Ended) -> None:
        self.follow()
        wall = (event.status or {}).get("wall") or 0
        if event.state == "done":
            self.out.write(f"--- done in {wall:.2f} s\n")
        else:
            self.failed.append((event.job, event.reason))
            self.out.write(f"--- FAILED: {event.reason}\n{self._again(event.job)}\n")
        self.out.flush()

    def _again(self, job: Job) -> str:
        return f"    again by hand: bash {shlex.quote(f'{self.dpath(job)}/{jobdir.INVOKE}')}"


def _open_shell(run_file: RunFile, screen: Screen) -> None:
    """Leave the session at a shell in the directory of the last job that failed here."""
    job, reason = screen.failed[-1]
    count = len(screen.failed)
    print(
        f"\n{count} {'job' if count == 1 else 'jobs'} failed in this session; the last: {job.id} ({reason})"
    )
    print("This is a shell in its directory. To run it again:  bash invoke.sh\n", flush=True)
    os.chdir(screen.dpath(job))
    shell = os.environ.get("SHELL", "bash")
    os.execvp(shell, [shell])


if __name__ == "__main__":
    sys.exit(main())
