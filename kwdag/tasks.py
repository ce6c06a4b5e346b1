"""From a planned job to a task: all that whoever runs it must know, as plain values.

The last pure step: worker.py acts on tasks and never asks the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kwdag import script
from kwdag.node import ProcessNode
from kwdag.plan import Branch, Group, Job, Plan


@dataclass(frozen=True, slots=True)
class Task:
    """One job, ready to run.

    Attributes:
        invoke: the text of `invoke.sh`.
        config: dotted parameters of the job and its ancestors.
        inputs: absolute paths read from outside the plan.
        upstream: (node, job id) of every job read from.
        gathers: port -> members (`path`, `job`, `keys`) of the manifest.
        timeout: seconds after which the job is ended, or None.
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


class TaskMaker:
    """Makes the tasks of one plan; what many jobs share is worked out once."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._configs: dict[str, dict[str, Any]] = {}

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
            inputs=tuple(script.external_inputs(job)),
            upstream=tuple((up.node.name, up.id) for up in job.predecessors() if up.id not in absent),
            gathers={port: self.members(group, absent) for port, group in script.gathered(job).items()},
            timeout=seconds(job.node),
        )

    def config(self, job: Job) -> dict[str, Any]:
        """Dotted parameters of a job and its ancestors; of gathered ones, those on which they agree."""
        config: dict[str, Any] = {}
        for up in job.upstream:
            config |= self.config(up)
        for group in job.groups:
            config |= self._shared(group)
        config |= {f"{job.node.name}.{name}": value for name, value in job.params.items()}
        branches = {s.job.node.name: s.key for s in job.sources.values() if isinstance(s, Branch)}
        return config | {f"{name}.__branch__": key for name, key in branches.items()}

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
        return [
            {
                "path": f"{self.plan.dpath(member.job)}/{member.path}",
                "job": member.job.id,
                "keys": self.config(member.job),
            }
            for member in group.members
            if member.job.id not in absent
        ]


def seconds(node: ProcessNode) -> float | None:
    """The time limit of a node in seconds: a number, or text such as `90s`, `30m`, `2h`, `1d`, `HH:MM:SS`.

    >>> seconds(ProcessNode(name="a", executable="a", resources={"time": "1.5h"}))
    5400.0
    """
    value = node.resources.get("time")
    if value is None or isinstance(value, int | float):
        return value
    text = str(value).strip()
    if ":" in text:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return total
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    return float(text[:-1]) * factor if factor else float(text)
