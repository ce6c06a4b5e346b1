"""Runs one job: claim it, lay out its directory, run it, judge its result, record its end.

The order of the writes is the guarantee: a kill between any two of them leaves a job that is not done.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from kwdag import again, child, claims, contract, jobdir
from kwdag.again import Tries
from kwdag.cgroups import oom_kills
from kwdag.durations import most_taken
from kwdag.leases import BEAT
from kwdag.node import ProcessNode
from kwdag.signals import Interrupted, held
from kwdag.stamps import Stamps
from kwdag.tasks import Task
from kwdag.version import __version__

#: Seconds between two tries of a job, at most.
LONGEST_PAUSE = 60.0
#: Where a job's processes inherit the lock; above what programs open by number.
_LOCK_FD = min(198, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1)


@dataclass(slots=True)
class Worker:
    """Runs jobs one after another.

    Attributes:
        backend: recorded in each status.
        git: commit of the working directory, recorded in each status.
        log: write the output of jobs to their `job.log`; else it goes where the worker's own goes.
        links: make `.pred` and `.succ` links.
        env: added to the caller's environment.
        retries: run a job that exits with another code than 0 so many times more.
        resource_retries: run a job that ran out of time or memory so many times more, with more of it.
        more_memory: waits until so many bytes are free for a job; False when there never will be.
        told: called when a job is tried again, with its id and the reason.
        job_env: added for the job that runs next, such as the GPUs that it may use.
        tick: called several times a second while a job runs, and once after it.
    """

    root: str
    backend: str = "serial"
    git: str | None = None
    log: bool = True
    links: bool = True
    env: dict[str, str] = field(default_factory=dict)
    stamps: Stamps = field(default_factory=Stamps)
    retries: int = 0
    resource_retries: int = 0
    more_memory: Callable[[Task, int], bool] | None = None
    told: Callable[[str, str], None] | None = None
    job_env: dict[str, str] = field(default_factory=dict)
    tick: Callable[[], None] | None = None
    _oom_kills: int = field(default_factory=lambda: oom_kills())
    _programs: dict[str, str | None] = field(default_factory=dict)
    _env: dict[str, str] = field(default_factory=dict)
    _bash: str = field(default_factory=lambda: shutil.which("bash") or "/bin/bash")

    def run(self, task: Task, node: ProcessNode, known_attempt: int = 0) -> dict[str, Any] | None:
        """Run a job and return its status, or None when somebody else holds it.

        Args:
            known_attempt: the attempt that was the latest when the job was chosen. What a later one
                recorded in the meantime is returned, not repeated.

        Raises:
            Interrupted: after the job was ended and that was recorded.
            jobdir.WriteError: the disk refused.
        """
        try:
            jobdir.make_dir(task.dpath)
            claim = claims.acquire(task.dpath, known_attempt)
            if isinstance(claim, int):
                status = self._ended_since(task, node, claim)
                if status is not None:
                    return status
                claim = claims.acquire(task.dpath, claim)
            if not isinstance(claim, claims.Claim):
                return None
            try:
                return self._run_with_retries(task, node, claim)
            finally:
                claim.release()
        except OSError as error:
            raise jobdir.writing(task.dpath, error) from None

    def _run_with_retries(self, task: Task, node: ProcessNode, claim: claims.Claim) -> dict[str, Any] | None:
        """Run a job, and again where its cause of failure and the number of tries so far allow it."""
        tries = Tries(self.retries, self.resource_retries)
        pause = 1.0
        while True:
            status = self._run_claimed(task, node, claim)
            if status is None:
                return None
            larger = self._larger(task, status) if tries.allow(status) else None
            if larger is None:
                return status
            if status["cause"] == again.EXIT:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            task = larger
            try:
                claim = claim.again()
            except FileExistsError:  # another host took the job while this one paused
                return None

    def _larger(self, task: Task, status: Mapping[str, Any]) -> Task | None:
        """The task for another try, with more of what it ran out of; None when there is no more."""
        with_what = ""
        if status["cause"] == again.TIME:
            assert task.timeout is not None
            took = most_taken(self.root, task.node)
            task = replace(task, timeout=again.more_seconds(task.timeout, took))
            with_what = f" with {task.timeout:g} s"
        elif status["cause"] == again.MEMORY:
            wanted = again.more_memory(status["max_rss"], most_taken(self.root, task.node))
            if self.more_memory is None or not self.more_memory(task, wanted):
                return None
            with_what = " with more memory"
        if self.told is not None:
            self.told(task.id, f"{status['reason']}: once more{with_what}")
        return task

    def _ended_since(self, task: Task, node: ProcessNode, attempt: int) -> dict[str, Any] | None:
        """What an attempt recorded at its end, if it came to one; a run by hand is adopted."""
        try:
            status = jobdir.read_status(task.dpath)
            if status is None or status.get("attempt") != attempt:
                return None
            if status["state"] == "finished":
                self.adopt(task, node, status)
                status = jobdir.read_status(task.dpath)
        except (jobdir.DamagedFile, contract.BrokenContract):
            return None
        return status if status is not None and status["state"] in ("done", "failed") else None

    def adopt(self, task: Task, node: ProcessNode, status: Mapping[str, Any]) -> None:
        """Record a result that lies in the job directory for done; raises jobdir.WriteError.

        What the hand-made record does not say is taken as it is now.
        """
        try:
            claim = claims.acquire(task.dpath, claims.latest_attempt(task.dpath))
            if not isinstance(claim, claims.Claim):
                return
            try:
                self._write_config(task)
                outputs, metrics = contract.check(node, task.dpath)
                known = {
                    **self._identity(task, claim),
                    "start": None,
                    "stop": None,
                    "exit_code": None,
                    **status,
                }
                known |= {"state": "done", "reason": None, "attempt": claim.attempt, "outputs": outputs}
                known |= {"metrics": metrics} if metrics is not None else {}
                self._record(task, claim, {**known, "adopted": True})
            finally:
                claim.release()
        except OSError as error:
            raise jobdir.writing(task.dpath, error) from None

    def _run_claimed(self, task: Task, node: ProcessNode, claim: claims.Claim) -> dict[str, Any] | None:
        jobdir.set_aside(task.dpath, node.out_paths.values())
        self._write_config(task)
        status = self._identity(task, claim)
        try:
            status |= self._execute(task, claim)
        except Interrupted:
            self._record(
                task, claim, status | {"state": "interrupted", "reason": "interrupted", "stop": time.time()}
            )
            raise
        if status["state"] == "done":
            try:
                status["outputs"], metrics = contract.check(node, task.dpath)
                if metrics is not None:
                    status["metrics"] = metrics
            except contract.BrokenContract as error:
                status |= {"state": "failed", "reason": f"invalid result: {error}"}
        # What was refused is not to be built upon: the job is its successor's, whose end is awaited.
        return status if self._record(task, claim, status) else None

    def _write_config(self, task: Task) -> None:
        jobdir.write_plain(f"{task.dpath}/{jobdir.CONFIG}", jobdir.as_json(task.config, indent=1))
        for port, members in task.gathers.items():
            jobdir.write_manifest(task.dpath, port, members)
        # Whole or not at all, and after what it needs: a person may run it at any time.
        jobdir.write_replacing(f"{task.dpath}/{jobdir.INVOKE}", task.invoke)
        if self.links:
            jobdir.link_jobs(self.root, (task.node, task.id), task.upstream)

    def _identity(self, task: Task, claim: claims.Claim) -> dict[str, Any]:
        """What a status says before the job has run."""
        return {
            "schema": jobdir.SCHEMA,
            "job": task.id,
            "digest": task.digest,
            "attempt": claim.attempt,
            "run": f"{time.time_ns():x}-{os.getpid():x}",
            "host": os.uname().nodename,
            "backend": self.backend,
            "kwdag": __version__,
            "git": self.git,
            "command": task.command_hash,
            "inputs": {path: self.stamps.stamp(jobdir.inside(task.dpath, path)) for path in task.inputs},
            "upstream": dict(self._upstream_runs(task)),
        }

    def _upstream_runs(self, task: Task) -> Iterator[tuple[str, str | None]]:
        for node, job_id in task.upstream:
            status = jobdir.read_status(f"{self.root}/{node}/{job_id}")
            yield job_id, status["run"] if status and "run" in status else None

    def _record(self, task: Task, claim: claims.Claim, status: dict[str, Any]) -> bool:
        """Record the end of a job; False when somebody else has taken it over."""
        # A holder that was stopped and overtaken must not put its result over its successor's.
        with held(signal.SIG_BLOCK):
            if not claim.holds():
                return False
            jobdir.write_replacing(f"{task.dpath}/{jobdir.STATUS}", jobdir.as_json(status))
            return True

    # -- the process ------------------------------------------------------------------------------

    def _execute(self, task: Task, claim: claims.Claim) -> dict[str, Any]:
        start = time.time()
        began = time.monotonic()
        # A signal between spawning a process and knowing its id would lose it.
        with held(signal.SIG_BLOCK):
            pid = self._spawn(task, claim)
            try:
                with held(signal.SIG_UNBLOCK):
                    timed_out = not self._ends_in_time(pid, task.timeout, claim)
                    _, wait_status, usage = child.end(pid) if timed_out else os.wait4(pid, 0)
            except BaseException:
                with suppress(ProcessLookupError, ChildProcessError):  # it may have ended by itself just now
                    child.end(pid)
                raise
        code = os.waitstatus_to_exitcode(wait_status)
        return {
            "state": "done" if code == 0 and not timed_out else "failed",
            **self._why(task, code, timed_out),
            "exit_code": code,
            "start": start,
            "stop": start + time.monotonic() - began,
            "wall": round(time.monotonic() - began, 6),
            "cpu": round(usage.ru_utime + usage.ru_stime, 6),
            "max_rss": usage.ru_maxrss * 1024,
        }

    def _why(self, task: Task, code: int, timed_out: bool) -> dict[str, Any]:
        """Reason and cause of a job's failure; None for one that did not fail."""
        if timed_out:
            return {"reason": f"timeout after {task.timeout:g} s", "cause": again.TIME}
        why = child.reason(code)
        if why == "killed by SIGKILL":
            before, self._oom_kills = self._oom_kills, oom_kills()
            if self._oom_kills > before:
                return {"reason": "out of memory", "cause": again.MEMORY}
        return {"reason": why, "cause": again.EXIT if code else None}

    def _ends_in_time(self, pid: int, timeout: float | None, claim: claims.Claim) -> bool:
        """Wait for a process, showing that its holder lives; False when its time is up."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        pause = BEAT if self.tick is None else 0.01
        beat_at = time.monotonic() + BEAT
        while not child.ends_within(pid, min(pause, deadline - time.monotonic())):
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= beat_at:
                claim.beat()
                beat_at = now + BEAT
            if self.tick is not None:
                self.tick()
                pause = min(2 * pause, 0.2)
        return True

    def _spawn(self, task: Task, claim: claims.Claim) -> int:
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, claim.fd, _LOCK_FD),
        ]
        if self.log:
            path = f"{task.dpath}/{jobdir.LOG}"
            actions += [
                (os.POSIX_SPAWN_OPEN, 1, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ]
        if not self._env:
            self._env = {**os.environ, **self.env}
        env = {**self._env, **self.job_env, "KWDAG_JOB": task.id}
        program = self._program(task, env)
        if program is not None and task.argv is not None:
            with suppress(OSError):  # bash says what is wrong with it, in the job's log
                return child.start(program, task.argv, env, actions)
        argv = (self._bash, f"{task.dpath}/{jobdir.INVOKE}")
        try:
            return child.start(self._bash, argv, env, actions)
        except OSError as error:  # it names bash, whatever it was that could not be opened
            raise OSError(error.errno, f"{error.strerror} (starting {self._bash})", argv[1]) from None

    def _program(self, task: Task, env: Mapping[str, str]) -> str | None:
        """The file of a job's program, where starting it does what `invoke.sh` would, less a bash."""
        if task.argv is None or "BASH_ENV" in env or os.getcwd() != task.workdir:
            return None
        name = task.argv[0]
        if name not in self._programs:
            found = shutil.which(name, path=env.get("PATH"))
            self._programs[name] = found and os.path.join(task.workdir, found)
        return self._programs[name]
