"""The tmux backend: N sessions, each a process that drains the run; a person can attach to any of them.

Opening, finding and ending sessions; what runs inside one is drainer.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from kwdag import jobdir, journal, runs
from kwdag.backends import shares
from kwdag.backends.base import Ended, Frontier, Reporter, Run, Setup
from kwdag.backends.store import store
from kwdag.errors import BackendError, did_you_mean
from kwdag.plan import Job
from kwdag.processes import registered, terminate
from kwdag.runs import RunFile
from kwdag.signals import Interrupted

HANDLERS = ("ask", "kill", "ignore", "auto")
#: Seconds between two looks at the journal, and at the list of sessions.
LOOK, LOOK_AT_SESSIONS = 0.1, 2.0
#: Seconds that workers have to end after their goodbye.
GOING = 10.0
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


def make(setup: Setup) -> TmuxBackend:
    """The tmux backend as its user wants it."""
    return TmuxBackend(
        setup.workers,
        setup.queue_name,
        setup.other_sessions,
        setup.settings(),
        setup.worker.env,
        setup.devices,
        setup.follow,
    )


@dataclass(slots=True)
class TmuxBackend:
    """Runs jobs in tmux sessions `<queue name>_<i>`.

    Attributes:
        workers: number of sessions.
        handler: what to do about busy sessions of that name: `ask`, `kill`, `ignore` or `auto`.
        settings: what the processes in the sessions need to know (see drainer.py).
        env: added to the caller's environment.
        devices: GPUs to share out.
        follow: False leaves the sessions to themselves once they are open.
    """

    workers: int
    queue_name: str
    handler: str
    settings: Mapping[str, Any]
    env: Mapping[str, str]
    devices: Any = None
    follow: bool = True
    name: str = "tmux"

    def check(self, run: Run) -> None:
        """Raise BackendError when tmux cannot be used as asked; reclaims finished sessions."""
        if shutil.which("tmux") is None:
            raise BackendError(
                "tmux is not installed", where="--backend=tmux", hint="--backend=serial needs nothing"
            )
        if not _NAME.match(self.queue_name):
            raise BackendError(f"tmux cannot take the name {self.queue_name!r}", where="--queue_name",
                               hint="use letters, digits, '_' and '-'")  # fmt: skip
        if self.handler not in HANDLERS:
            raise BackendError(f"no handler {self.handler!r}", where="--other_session_handler",
                               hint=did_you_mean(self.handler, HANDLERS))  # fmt: skip
        needs = shares.needs_of(run.plan.wiring.nodes.values())
        shares.this_host(self.devices, any(need.gpus for need in needs.values())).check(needs)
        self._clear_leftovers()

    def _clear_leftovers(self) -> None:
        """Sessions whose work is over are closed; for busy ones the handler decides."""
        leftovers = {name: found for name, found in sessions().items() if _belongs(name, self.queue_name)}
        busy = [name for name, is_busy in leftovers.items() if is_busy]
        for name in leftovers.keys() - busy:
            kill(name)
        if not busy or self.handler == "ignore":
            return
        handler = self.handler
        if handler == "ask" and sys.stdin.isatty():
            answer = input(f"{', '.join(busy)} still run jobs. Kill them? [y/N] ")
            handler = "kill" if answer.strip().lower() in ("y", "yes") else "refuse"
        if handler == "kill":
            for name in busy:
                end_session(name)
            return
        raise BackendError(
            f"{len(busy)} sessions named {self.queue_name!r} still run jobs: {', '.join(busy)}",
            where="--queue_name",
            hint="attach with: tmux attach -t " + busy[0] + "; --other_session_handler=kill ends them",
        )

    def run(self, run: Run, report: Reporter) -> list[Ended]:
        """Open the sessions and follow the run until its end.

        Raises:
            jobdir.WriteError: the disk refused; the sessions have ended.
            Interrupted: by Ctrl-C or SIGTERM, after the jobs were ended; by SIGHUP the run goes on alone.
        """
        run_file = store(run, self.settings)
        with _environment() as environment:
            names = self._open(run_file, environment, min(self.workers, len(run.jobs)))
            report.note(how_to_attach(names))
            environment.serve({**os.environ, **self.env})
        if not self.follow:
            return []
        try:
            return list(self._follow(run, run_file, names, report))
        except Interrupted as stop:
            if stop.signum != signal.SIGHUP:
                terminate(registered(run_file.dpath))
            raise

    def _open(self, run_file: RunFile, environment: _Environment, count: int) -> list[str]:
        taken = set(sessions())
        free = (f"{self.queue_name}_{i}" for i in range(10_000) if f"{self.queue_name}_{i}" not in taken)
        names = [name for _, name in zip(range(count), free, strict=False)]
        for name in names:
            words = [sys.executable, "-m", "kwdag.drainer", run_file.dpath, "--name", name]
            words += ["--env", environment.pipe(name)]
            _new_session(name, f"exec {shlex.join(words)}")
        return names

    def _follow(self, run: Run, run_file: RunFile, names: list[str], report: Reporter) -> Iterator[Ended]:
        """Read the journal until every session has said goodbye or is gone."""
        known = _Known(run_file)
        known.add(run.jobs, run.absent)
        reader = journal.Reader(run_file.journal)
        left = set(names)
        looked = time.monotonic()
        refused = ""
        while True:
            heard = False
            for event in reader.news():
                heard = True
                report.heard(event)
                if event.what == "bye":
                    left.discard(event.writer)
                    refused = refused or event.note
                for ended in known.ended_by(event, report):
                    report.ended(ended)
                    yield ended
            if not left:
                _let_go(names)
                if refused:
                    raise jobdir.WriteError(refused, hint=jobdir.LATER)
                return
            if not heard and time.monotonic() - looked > LOOK_AT_SESSIONS:
                looked = time.monotonic()
                left &= set(sessions())
            if not heard:
                time.sleep(LOOK)


@dataclass(slots=True)
class _Known:
    """The jobs of all rounds so far, and what the failure of each takes with it.

    Two sessions may each see one half of what blocks a job and neither say so; here both halves meet.
    """

    run_file: RunFile
    rounds: int = 0
    jobs: dict[str, tuple[Job, Frontier]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def add(self, jobs: Sequence[Job], absent: frozenset[str]) -> None:
        """Take in the next round."""
        frontier = Frontier(jobs, absent)
        self.jobs |= {job.id: (job, frontier) for job in jobs if job.id not in self.jobs}
        self.rounds += 1

    def _find(self, job_id: str) -> tuple[Job, Frontier] | None:
        if job_id and job_id not in self.jobs:  # of a round that the sessions have planned
            for number in range(self.rounds + 1, self.run_file.rounds() + 1):
                found = runs.load_round(self.run_file, number, self.run_file.nodes())
                self.add(found.jobs, found.absent)
        return self.jobs.get(job_id)

    def ended_by(self, event: journal.Event, report: Reporter) -> Iterator[Ended]:
        """The jobs that an event has brought to an end."""
        found = self._find(event.job_id)
        if found is None:
            return
        job, frontier = found
        if event.what == "start":
            report.started(job)
        elif event.what == "again":
            report.note([f"{job.id}: {event.note}"])
        elif job.id in self.ended:  # two sessions may each tell of one job's end
            return
        elif event.what == "done":
            self.ended.add(job.id)
            yield Ended(job, "done", None, {"wall": float(event.note)})
        elif event.what == "failed":
            self.ended.add(job.id)
            yield Ended(job, "failed", event.note, {})
            for lost in frontier.failed(job):
                yield Ended(lost, "blocked", f"{job.id} failed", {})


def _let_go(names: list[str]) -> None:
    """Wait until workers that have said goodbye are gone, or a next run would find them busy."""
    deadline = time.monotonic() + GOING
    while time.monotonic() < deadline:
        found = sessions()
        if not any(found.get(name) for name in names):
            return
        time.sleep(0.02)


def how_to_attach(names: list[str]) -> list[str]:
    """What a person types to look into the sessions, and to end them."""
    some = " ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    return [
        f"{len(names)} tmux sessions: {some}",
        f"look: tmux attach -t {names[0]}    (Ctrl-b d leaves, Ctrl-b s switches)",
        f'end:  for s in {" ".join(names)}; do tmux kill-session -t "$s"; done',
    ]


# -- sessions --------------------------------------------------------------------------------------


def tmux(*words: str) -> str:
    """Run a tmux command; raises BackendError with what it said."""
    found = subprocess.run(["tmux", *words], capture_output=True, text=True, check=False)
    if found.returncode:
        raise BackendError(f"tmux {words[0]} failed: {found.stderr.strip()}", where="--backend=tmux")
    return found.stdout


def _new_session(name: str, command: str) -> None:
    for is_last in (False, False, True):
        try:
            tmux("new-session", "-d", "-s", name, "-x", "160", "-y", "50", command)
            return
        except BackendError as error:
            # The server goes with its last session, perhaps just when it is asked for a new one.
            if is_last or "server exited" not in error.message:
                raise


def sessions() -> dict[str, bool]:
    """All sessions, and whether a worker is at work in each; none when no tmux server runs."""
    words = ["tmux", "list-panes", "-a", "-F", "#{session_name}:#{pane_pid}:#{pane_current_command}"]
    listed = subprocess.run(words, capture_output=True, text=True, check=False)
    found: dict[str, bool] = {}
    for line in listed.stdout.splitlines() if listed.returncode == 0 else ():
        name, pid, command = line.split(":", 2)  # tmux takes no colon in a name
        found[name] = found.get(name, False) or _is_worker(pid, command)
    return found


def _is_worker(pid: str, command: str) -> bool:
    """Whether a pane's process is still kwdag's, not the shell that a failure leaves behind."""
    if not os.path.isdir("/proc/self"):
        return command not in ("bash", "sh", "zsh", "fish")
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"kwdag.drainer" in file.read()
    except OSError:  # it has just ended
        return False


def _belongs(session: str, queue_name: str) -> bool:
    return re.fullmatch(rf"{re.escape(queue_name)}_\d+", session) is not None


def kill(session: str) -> None:
    """Close a session; one that is gone is no error."""
    subprocess.run(["tmux", "kill-session", "-t", f"={session}"], capture_output=True, check=False)


def end_session(session: str) -> None:
    """End the jobs of a session as Ctrl-C would, then close it."""
    pid = tmux("display-message", "-p", "-t", f"{session}:", "#{pane_pid}").strip()
    terminate([int(pid)])
    kill(session)


# -- environment -----------------------------------------------------------------------------------


class _Environment:
    """Hands the caller's environment to the sessions through named pipes: it never lies on a disk."""

    def __init__(self, folder: str):
        self._folder = folder
        self._pipes: list[str] = []

    def pipe(self, name: str) -> str:
        """A pipe for one reader."""
        path = f"{self._folder}/{name}"
        os.mkfifo(path, 0o600)
        self._pipes.append(path)
        return path

    def serve(self, env: Mapping[str, str], patience: float = 30.0) -> None:
        """Give the environment to every reader that comes in time."""
        text = json.dumps(dict(env)).encode("utf-8", "surrogateescape")
        deadline = time.monotonic() + patience
        for path in self._pipes:
            fd = _open_when_read(path, deadline)
            if fd is not None:
                with os.fdopen(fd, "wb") as pipe, suppress(BrokenPipeError):
                    pipe.write(text)


def _open_when_read(path: str, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.005)
            continue
        os.set_blocking(fd, True)
        return fd
    return None


@contextmanager
def _environment() -> Iterator[_Environment]:
    folder = tempfile.mkdtemp(prefix="kwdag-")
    try:
        yield _Environment(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
