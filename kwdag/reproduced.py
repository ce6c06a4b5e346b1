"""Did anything change between two runs: the jobs of two roots by their ids, which are the same in both.

Reads status files, and results only where a job recorded no metrics; two jobs are compare.py's business.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kwdag import records, script
from kwdag.compare import metrics_of
from kwdag.errors import RootError
from kwdag.explain import read_invoke
from kwdag.find_job import Found
from kwdag.inventory import checked_root
from kwdag.records import Record
from kwdag.render import token
from kwdag.stamps import HASH_LIMIT, content, look
from kwdag.tolerance import EXACT, Change, Tolerance

#: What a status says of where and with what a job ran, apart from its result.
SURROUNDINGS = ("kwdag", "git", "host", "backend")
#: So many different values of one kind are kept.
MOST_VALUES = 20

MISSING, UNKNOWN = "missing", "unknown"


@dataclass(frozen=True, slots=True)
class NodeChanges:
    """The jobs of one node.

    Attributes:
        both: how many jobs both roots have.
        compared: how many of them are done in both; only of these metrics and outputs are compared.
        only_a, only_b: ids of the jobs that only one root has.
        metrics: the largest change first.
        inputs, commands: what these jobs read and did differently; a reason, no difference by itself.
        unsure: outputs of one size whose content is not known.
    """

    node: str
    both: int
    compared: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    states: tuple[Change, ...]
    metrics: tuple[Change, ...]
    outputs: tuple[Change, ...]
    inputs: tuple[Change, ...]
    commands: tuple[Change, ...]
    n_metrics: int
    n_outputs: int
    unsure: int

    @property
    def differs(self) -> bool:
        return bool(self.only_a or self.only_b or self.states or self.metrics or self.outputs)


Values = Mapping[str, tuple[Sequence[Any], Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two roots.

    Attributes:
        surroundings: what differs of `kwdag`, `git`, `host`, `backend`: the values in each root.
        params: for parameters of jobs that only one root has: the values that only the first, and only the
            second root has.
        damaged: job directories whose record cannot be read; they are left out.
    """

    a: str
    b: str
    nodes: tuple[NodeChanges, ...]
    surroundings: Values = field(default_factory=dict)
    params: Values = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    tolerance: Tolerance = EXACT

    @property
    def differs(self) -> bool:
        return any(node.differs for node in self.nodes)


def compare_roots(a: str, b: str, tolerance: Tolerance = EXACT, *, outputs: bool = True) -> Comparison:
    """Compare what lies below two roots.

    Args:
        outputs: whether the content of outputs counts; where programs write the time or a path into them,
            it differs in every run.

    Raises:
        RootError: there is no such root, or no job below it.
    """
    one, two = _jobs(a), _jobs(b)
    pairs = [(one[name], two[name]) for name in sorted(one.keys() & two.keys())]
    only_a, only_b = ([jobs[name] for name in sorted(jobs.keys() - others.keys())]
                      for jobs, others in ((one, two), (two, one)))  # fmt: skip
    everything = [*one.values(), *two.values()]
    return Comparison(
        checked_root(a),
        checked_root(b),
        tuple(
            _node(
                node,
                [pair for pair in pairs if pair[0].node == node],
                tuple(job.job_id for job in only_a if job.node == node),
                tuple(job.job_id for job in only_b if job.node == node),
                tolerance,
                outputs,
            )
            for node in dict.fromkeys(job.node for job in everything)
        ),
        surroundings=_surroundings(one.values(), two.values()),
        params=_params(only_a, only_b),
        damaged=tuple(job.dpath for job in everything if job.state == records.DAMAGED),
        tolerance=tolerance,
    )


def _jobs(root: str) -> dict[str, Record]:
    found = {job.job_id: job for job in records.below(checked_root(root))}
    if not found:
        raise RootError("no jobs below it", where=root)
    return found


def _node(
    node: str,
    pairs: Sequence[tuple[Record, Record]],
    only_a: tuple[str, ...],
    only_b: tuple[str, ...],
    tolerance: Tolerance,
    with_outputs: bool,
) -> NodeChanges:
    whole = [pair for pair in pairs if records.DAMAGED not in (pair[0].state, pair[1].state)]
    done = [pair for pair in whole if pair[0].state == pair[1].state == "done"]
    metrics = [one for a, b in done for one in _metrics(a, b)]
    outputs = [one for a, b in done for one in _stamps(a, b, "outputs")] if with_outputs else []
    changed = sorted((one for one in metrics if not tolerance.same(one.a, one.b)), key=lambda one: -one.size)
    return NodeChanges(
        node=node,
        both=len(pairs),
        compared=len(done),
        only_a=only_a,
        only_b=only_b,
        states=tuple(Change(a.job_id, "state", _told(a), _told(b)) for a, b in whole if a.state != b.state),
        metrics=tuple(changed),
        outputs=tuple(one for one in outputs if one.a != one.b),
        inputs=tuple(one for a, b in done for one in _stamps(a, b, "inputs") if one.a != one.b),
        commands=tuple(_commands(done)),
        n_metrics=len(metrics),
        n_outputs=len(outputs),
        unsure=sum(one.a == one.b == UNKNOWN for one in outputs),
    )


def _told(job: Record) -> str:
    return f"{job.state}: {job.reason}" if job.reason else job.state


def _metrics(a: Record, b: Record) -> Iterator[Change]:
    one, two = (job.status.get("metrics") or metrics_of(Found(job.root, job.job_id)) for job in (a, b))
    for name in dict.fromkeys([*one, *two]):
        yield Change(a.job_id, name, one.get(name, MISSING), two.get(name, MISSING))


def _commands(pairs: Iterable[tuple[Record, Record]]) -> Iterator[Change]:
    for a, b in pairs:
        one, two = a.status.get("command"), b.status.get("command")
        if one and two and one != two:
            yield Change(a.job_id, "command", one, two)


# -- contents --------------------------------------------------------------------------------------


def _stamps(a: Record, b: Record, kind: str) -> Iterator[Change]:
    """The contents of the outputs, or inputs, that two jobs recorded; equal text for equal content."""
    one, two = (job.status.get(kind) or {} for job in (a, b))
    for name in dict.fromkeys([*one, *two]):
        path_a, path_b = (_path(job, kind, name) for job in (a, b))
        yield Change(a.job_id, name, *_contents(one.get(name), path_a, two.get(name), path_b))


def _path(job: Record, kind: str, name: str) -> str | None:
    """Where an input lies; of an output only the key is recorded, and its path stands in `invoke.sh`."""
    if kind == "inputs":
        return os.path.normpath(os.path.join(job.dpath, name))
    found = script.outputs_of(read_invoke(job.dpath)).get(name)
    return found and f"{job.dpath}/{found}"


def _contents(a: Any, path_a: str | None, b: Any, path_b: str | None) -> tuple[str, str]:
    if a is None or b is None:
        return (MISSING if a is None else "there", MISSING if b is None else "there")
    if a[0] != b[0]:
        return f"{a[0]:,} bytes", f"{b[0]:,} bytes"
    one, two = _digest(a, path_a), _digest(b, path_b)
    return (one, two) if one and two else (UNKNOWN, UNKNOWN)


def _digest(stamp: Sequence[Any], path: str | None) -> str | None:
    """The recorded hash of the content, else that of the file as long as it is as it was then."""
    if stamp[2] is not None:
        return str(stamp[2])
    if path is None or look(path) != (stamp[0], stamp[1]) or stamp[0] > HASH_LIMIT:
        return None
    try:
        return content(path)
    except OSError:
        return None


# -- why -------------------------------------------------------------------------------------------


def _surroundings(one: Collection[Record], two: Collection[Record]) -> dict[str, tuple[list[Any], list[Any]]]:
    """What differs of the entries of SURROUNDINGS in the status files of both roots."""
    found = {}
    for name in SURROUNDINGS:
        a, b = (
            sorted({str(job.status[name]) for job in jobs if job.status.get(name)}) for jobs in (one, two)
        )
        if a != b:
            found[name] = a[:MOST_VALUES], b[:MOST_VALUES]
    return found


def _params(a: Sequence[Record], b: Sequence[Record]) -> dict[str, tuple[list[Any], list[Any]]]:
    """The parameters whose values differ between jobs that only one root has, where that can be told."""
    one, two = _values(a), _values(b)
    found = {}
    for name in dict.fromkeys([*one, *two]):
        in_a, in_b = one.get(name, {}), two.get(name, {})
        only_a = [value for text, value in in_a.items() if text not in in_b][:MOST_VALUES]
        only_b = [value for text, value in in_b.items() if text not in in_a][:MOST_VALUES]
        if only_a or only_b:
            found[name] = only_a, only_b
    return found


def _values(jobs: Iterable[Record]) -> dict[str, dict[Any, Any]]:
    found: dict[str, dict[Any, Any]] = {}
    for job in jobs:
        for name, value in job.config.items():
            found.setdefault(name, {}).setdefault(token(value), value)
    return found
