"""What a plan is made of: jobs, where their values come from, and the plan itself.

Plain values. resolve.py makes them from rows; what the disk knows of a job is state.py's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kwdag.node import ProcessNode
from kwdag.pipeline import Wiring
from kwdag.render import Token


@dataclass(frozen=True, slots=True)
class External:
    """A value from outside the plan: for an input path, its absolute path."""

    value: Token


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """An output of another job."""

    job: Job
    port: str

    @property
    def path(self) -> str:
        return os.path.normpath(self.job.node.out_paths[self.port])


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One item of the list that a scattering job wrote."""

    job: Job
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The outputs of many jobs, gathered; one object, however many jobs read it."""

    members: tuple[Output, ...]
    digest: str


Source = External | Output | Branch | Group


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One node with one resolved configuration.

    Attributes:
        digest: the whole hash of the identity; ``id`` holds its first characters.
        params: parameters and given inputs as they were given (inputs as absolute paths).
        sources: where the value of each input and parameter comes from, as the program takes them.
        order: (first row, place of the node): ready jobs run in this order.
    """

    id: str
    digest: str
    node: ProcessNode
    params: Mapping[str, Any]
    sources: Mapping[str, Source]
    order: tuple[int, int]

    @property
    def upstream(self) -> list[Job]:
        """The jobs it reads from directly, members of gathers not counted."""
        return list({s.job: None for s in self.sources.values() if isinstance(s, Output | Branch)})

    @property
    def groups(self) -> list[Group]:
        return [s for s in self.sources.values() if isinstance(s, Group)]

    def predecessors(self) -> Iterator[Job]:
        """All jobs it reads from."""
        yield from self.upstream
        for group in self.groups:
            yield from (member.job for member in group.members)

    def __repr__(self) -> str:
        return f"<Job {self.id}>"


@dataclass(frozen=True, slots=True)
class Item:
    """One branch as the scattering job listed it: its key, and values for nodes behind it."""

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The distinct jobs that the rows ask for.

    Attributes:
        jobs: by id, upstream first.
        disabled: ids of jobs that no row enables.
        redo: ids of jobs that a row asks to run again.
        slurm_options: options of the first row that asks for a job, by id, where there are any.
        open: node -> number of rows whose branches are unknown until a scattering job has run.
        skipped: node -> number of rows in which it is disabled and cannot be resolved either.
    """

    wiring: Wiring
    root: str
    workdir: str
    n_rows: int
    jobs: Mapping[str, Job]
    disabled: frozenset[str] = frozenset()
    redo: frozenset[str] = frozenset()
    slurm_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    open: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)

    def dpath(self, job: Job) -> str:
        """The job directory."""
        return f"{self.root}/{job.node.name}/{job.id}"

    def by_node(self) -> dict[str, list[Job]]:
        """The jobs of each node, in the order of the pipeline."""
        found: dict[str, list[Job]] = {name: [] for name in self.wiring.nodes}
        for job in self.jobs.values():
            found[job.node.name].append(job)
        return found
