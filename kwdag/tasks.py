"""From a planned job to a task: all that whoever runs it must know, as plain values.

The last pure step: worker.py acts on tasks and never asks the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kwdag import script, units
from kwdag.plan import Branch, Group, Job, Plan

RECENT = 8192  # jobs whose parameters are remembered for those that read from them


@dataclass(frozen=True, slots=True)
class Task:
    """One job, ready to run.

    Attributes:
        invoke: the text of `invoke.sh`.
        config: dotted parameters of the job and its ancestors.
        inputs: paths read from outside the plan, those below the root relative to ``dpath``.
        upstream: (node, job id) of every job read from.
        gathers: port -> members (`path`, `job`, `keys`) of the manifest.
        timeout: seconds after which the job is ended, or None.
        workdir: the folder that it runs in.
        argv: the program and its arguments, where it can be started without a shell.
    """

    id: str
    digest: str
    node: str
    dpath: str
    invoke: str
    command_hash: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    upstream: tuple[tuple[str, str], ...]
    gathers: Mapping[str, list[dict[str, Any]]]
    timeout: float | None
    workdir: str
    argv: tuple[str, ...] | None


def without(task: Task, absent: frozenset[str]) -> Task:
    """A task that goes on without some of its gather members, given by their ids."""
    if not absent:
        return task
    gathers = {port: [m for m in members if m["job"] not in absent] for port, members in task.gathers.items()}
    upstream = tuple(up for up in task.upstream if up[1] not in absent)
    return replace(task, gathers=gathers, upstream=upstream)


class TaskMaker:
    """Makes the tasks of one plan; what many jobs share is worked out once."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._timeouts = {
            name: units.seconds(node.resources.get("time")) for name, node in plan.wiring.nodes.items()
        }
        self._configs: dict[str, dict[str, Any]] = {}
        self._recent: dict[str, dict[str, Any]] = {}
        self._members: dict[str, list[dict[str, Any]]] = {}

    def task(self, job: Job, absent: frozenset[str] = frozenset()) -> Task:
        """The task of a job; ``absent`` are ids of gather members that it goes on without."""
        text = script.body(self.plan, job)
        return Task(
            id=job.id,
            digest=job.digest,
            node=job.node.name,
            dpath=self.plan.dpath(job),
            invoke=script.invoke_script(self.plan, job, text),
            command_hash=script.command_hash(self.plan, text),
            config=self.config(job),
            inputs=tuple(script.watched_inputs(self.plan, job)),
            upstream=tuple((up.node.name, up.id) for up in job.predecessors() if up.id not in absent),
            workdir=self.plan.workdir,
            argv=script.direct_argv(self.plan, job),
            gathers={port: self.members(group, absent) for port, group in script.gathered(job).items()},
            timeout=self._timeouts[job.node.name],
        )

    def config(self, job: Job) -> dict[str, Any]:
        """Dotted parameters of a job and its ancestors; of gathered ones, those on which they agree."""
        config: dict[str, Any] = {}
        for up in job.upstream:
            config |= self._upstream(up)
        for group in job.groups:
            config |= self._shared(group)
        config |= {f"{job.node.name}.{name}": value for name, value in job.params.items()}
        branches = {s.job.node.name: s.key for s in job.sources.values() if isinstance(s, Branch)}
        return config | {f"{name}.__branch__": key for name, key in branches.items()}

    def _upstream(self, job: Job) -> dict[str, Any]:
        """`config` of a job that others read from, remembered for as long as its readers come close by."""
        found = self._recent.get(job.id)
        if found is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            found = self._recent[job.id] = self.config(job)
        return found

    def _shared(self, group: Group) -> dict[str, Any]:
        found = self._configs.get(group.digest)
        if found is None:
            configs = [self.config(member.job) for member in group.members]
            first = configs[0] if configs else {}
            found = {key: v for key, v in first.items() if all(c.get(key, c) == v for c in configs)}
            self._configs[group.digest] = found
        return found

    def members(self, group: Group, absent: frozenset[str]) -> list[dict[str, Any]]:
        """What a manifest says of each gathered output, those of absent jobs left out."""
        found = self._members.get(group.digest)
        if found is None:
            found = self._members[group.digest] = [
                {
                    "path": f"{self.plan.dpath(member.job)}/{member.path}",
                    "job": member.job.id,
                    "keys": self.config(member.job),
                }
                for member in group.members
            ]
        return [member for member in found if member["job"] not in absent] if absent else found
