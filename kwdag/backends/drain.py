"""One of several processes that drain a run together: it takes the next ready job as soon as it is free.

Nobody hands out jobs. The claim on a job decides who runs it, the journal tells the others, and a job whose
holder died is taken over when its last process has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from kwdag import claims, journal
from kwdag.again import GROWTH
from kwdag.backends.base import Ended, Frontier
from kwdag.backends.shares import Need, Shares
from kwdag.node import ProcessNode
from kwdag.plan import Job
from kwdag.runs import Round, RunFile
from kwdag.tasks import Task, without
from kwdag.worker import Worker

#: Seconds between two looks when there is nothing to do, growing from the first to the second.
FIRST_LOOK, LAST_LOOK = 0.01, 0.25
#: Seconds after which a job that somebody else holds is looked at again.
DOUBT = 1.0


@dataclass(slots=True)
class Drain:
    """Runs the jobs of one round of a run, side by side with others.

    Attributes:
        started, ended: told of this process's own jobs.
        again: told of a job of its own that is tried once more, by id, and why.
        needs: node -> the resources that its jobs ask for; they start when ``shares`` has them free.
    """

    run_file: RunFile
    round: Round
    worker: Worker
    name: str
    nodes: Mapping[str, ProcessNode]
    started: Callable[[Job, Task], None]
    ended: Callable[[Ended], None]
    again: Callable[[str, str], None]
    max_failures: int = 0
    shares: Shares | None = None
    needs: Mapping[str, Need] = field(default_factory=dict)
    _short: list[Job] = field(default_factory=list)
    _frontier: Frontier = field(init=False)
    _jobs: dict[str, Job] = field(init=False)
    _elsewhere: dict[str, float] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _writer: journal.Writer = field(init=False)
    _reader: journal.Reader = field(init=False)
    _hooks: dict[str, ProcessNode] | None = None
    _enlarged: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._frontier = Frontier(self.round.jobs, self.round.absent)
        self._jobs = {job.id: job for job in self.round.jobs}
        self._writer = journal.Writer(self.run_file.journal, self.name)
        self._reader = journal.Reader(self.run_file.journal, but=self.name)
        self.worker.told = self._tell_again
        self.worker.more_memory = self._more_memory

    def drain(self) -> None:
        """Work until every job of the round has ended, here or elsewhere."""
        pause = FIRST_LOOK
        while True:
            heard = self._listen()
            if self.max_failures and len(self._failed) >= self.max_failures:
                return
            job = self._next()
            if job is not None:
                self._attempt(job)
                pause = FIRST_LOOK
            elif not self._elsewhere and not self._short:
                return
            elif not heard and not self._doubt():
                time.sleep(pause)
                pause = min(2 * pause, LAST_LOOK)

    def _next(self) -> Job | None:
        """The next ready job whose resources are free; they are then held for it."""
        held_up = next((job for job in self._short if self._reserve(job)), None)
        if held_up is not None:
            self._short.remove(held_up)
            return held_up
        while (job := self._frontier.pop()) is not None:
            if self._reserve(job):
                return job
            self._short.append(job)
        return None

    def _reserve(self, job: Job) -> bool:
        need = self.needs.get(job.node.name)
        gpus: list[str] | None = []
        if self.shares is not None and need is not None:
            gpus = self.shares.take(self._dpath(job), need)
        if gpus is None:
            return False
        self._show_gpus(gpus)
        return True

    def _show_gpus(self, gpus: list[str]) -> None:
        """A job that asks for no GPU sees none, where GPUs are shared out at all."""
        self.worker.job_env = (
            {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if self.shares and self.shares.host.gpus else {}
        )

    def _dpath(self, job: Job) -> str:
        return f"{self.run_file.root}/{job.node.name}/{job.id}"

    def _listen(self) -> bool:
        """Hear what the others did since the last time."""
        heard = False
        for event in self._reader.news():
            job = self._jobs.get(event.job_id)
            if job is None:
                continue
            heard = True
            if event.what == "start":
                if self._take(job):
                    self._elsewhere[job.id] = time.monotonic()
            elif event.what in ("done", "failed"):
                self._settle(job, event.what == "done")
        return heard

    def _take(self, job: Job) -> bool:
        """Leave a job to somebody else; False when it was begun or settled before."""
        if job in self._short:
            self._short.remove(job)
            return True
        return self._frontier.take(job)

    def _settle(self, job: Job, done: bool) -> None:
        """A job ended elsewhere."""
        self._take(job)
        self._elsewhere.pop(job.id, None)
        if done:
            self._frontier.done(job)
        else:
            self._failed.add(job.id)
            self._frontier.failed(job)

    def _doubt(self) -> bool:
        """Try the jobs again that were started elsewhere a while ago and that nobody holds any more."""
        now = time.monotonic()
        for job_id, since in list(self._elsewhere.items()):
            if now - since > DOUBT:
                self._elsewhere[job_id] = now
                job = self._jobs[job_id]
                if not claims.is_held(self._dpath(job)) and self._reserve(job):
                    del self._elsewhere[job_id]
                    self._attempt(job)
                    return True
        return False

    def _attempt(self, job: Job) -> None:
        """Run a job, unless somebody else holds it."""
        self._writer.write(time.time(), "start", job.id)
        task = without(self.round.task(job), self._frontier.absent(job))
        self.started(job, task)
        try:
            status = self.worker.run(task, self._node(job), self.round.attempts.get(job.id, 0))
        finally:
            dpath = self._dpath(job)
            if self.shares is not None and (job.node.name in self.needs or dpath in self._enlarged):
                self.shares.give_back(dpath)
        if status is None:
            self._elsewhere[job.id] = time.monotonic()
            return
        event = Ended(job, status["state"], status.get("reason"), status)
        note = f"{status.get('wall') or 0:.3f}" if event.state == "done" else event.reason
        self._writer.write(time.time(), "done" if event.state == "done" else "failed", job.id, note)
        self.ended(event)
        if event.state == "done":
            self._frontier.done(job)
            return
        self._failed.add(job.id)
        for lost in self._frontier.failed(job):
            self._writer.write(time.time(), "blocked", lost.id, f"{job.id} failed")

    def _tell_again(self, job_id: str, text: str) -> None:
        self._writer.write(time.time(), "again", job_id, text)
        self.again(job_id, text)

    def _more_memory(self, task: Task, wanted: int) -> bool:
        """Hold more memory for a job that ran out of it, once it is free; False where it had all."""
        if self.shares is None:
            return False
        need = self.needs.get(task.node, Need())
        had = self._enlarged.get(task.dpath, need.mem)
        if had >= self.shares.host.mem:
            return False
        need = replace(need, mem=min(max(wanted, int(GROWTH * had)), self.shares.host.mem))
        self._enlarged[task.dpath] = need.mem
        self.shares.give_back(task.dpath)  # two that wait for each other's memory would wait for ever
        while (gpus := self.shares.take(task.dpath, need)) is None:
            time.sleep(LAST_LOOK)
        self._show_gpus(gpus)
        return True

    def _node(self, job: Job) -> ProcessNode:
        if self._hooks is None:
            self._hooks = self.run_file.hooks(self.nodes)
        return self._hooks[job.node.name]
