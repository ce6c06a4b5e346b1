"""What differs between two jobs: parameters, ancestors, command and metrics. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kwdag import inventory, jobdir, script
from kwdag.explain import Ledger, read_invoke, read_status
from kwdag.find_job import Found, node_of

#: What the first and the second job have, by name; a side that lacks the name lacks the key, `a` or `b`.
Sides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs; what is the same is not in it.

    Attributes:
        ancestors: node -> ids of ancestors that only this side has.
        command: lines that only this side has, under `lines`; ids of jobs are left out of them.
    """

    a: str
    b: str
    state: Sides
    params: Sides
    ancestors: Sides
    command: Sides
    metrics: Sides

    @property
    def sections(self) -> dict[str, Sides]:
        """What differs, by kind."""
        found = {"state": self.state, "params": self.params, "ancestors": self.ancestors,
                 "command": self.command, "metrics": self.metrics}  # fmt: skip
        return {name: sides for name, sides in found.items() if sides}


def compare(a: Found, b: Found) -> Difference:
    """Compare two jobs by what lies in their directories."""
    return Difference(
        a.job_id,
        b.job_id,
        state=_sides(*({"state": _state(one)} for one in (a, b))),
        params=_sides(_params(a), _params(b)),
        ancestors=_only(_ancestors(a), _ancestors(b), _by_node),
        command=_only(
            _command(a, b.root), _command(b, a.root), lambda lines: {"lines": tuple(lines)} if lines else {}
        ),
        metrics=_sides(metrics_of(a), metrics_of(b)),
    )


def _sides(a: Mapping[str, Any], b: Mapping[str, Any]) -> Sides:
    found = {}
    for key in sorted({**a, **b}):
        have = {side: values[key] for side, values in (("a", a), ("b", b)) if key in values}
        # As JSON: 1, 1.0 and True are three values.
        if len({json.dumps(value, sort_keys=True) for value in have.values()}) > 1 or len(have) == 1:
            found[key] = have
    return found


def _only(a: list[str], b: list[str], grouped: Callable[[list[str]], Mapping[str, Any]]) -> Sides:
    """What only one side has, in its own order."""
    return _sides(grouped([one for one in a if one not in set(b)]),
                  grouped([one for one in b if one not in set(a)]))  # fmt: skip


def _by_node(ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for job_id in ids:
        found[node_of(job_id)] = (*found.get(node_of(job_id), ()), job_id)
    return found


def _state(job: Found) -> str:
    entry = inventory.look(job.node, job.job_id, job.dpath)
    return f"{entry.state}: {entry.reason}" if entry.reason else entry.state


def _params(job: Found) -> dict[str, Any]:
    try:
        return jobdir.read_config(job.dpath)
    except jobdir.DamagedFile:  # not laid out yet
        return {}


def _ancestors(job: Found) -> list[str]:
    return sorted(Ledger(job.root).ancestors(job.job_id))


def _command(job: Found, other_root: str) -> list[str]:
    """The words of a command, those of a line each; without ids and differing roots in paths."""
    text = re.sub(r"_id_[a-z2-7]+\b", "_id_*", script.shown_command(read_invoke(job.dpath)))
    if job.root != other_root:
        text = text.replace(f"{job.root}/", "%root%/")
    return [line.strip().removesuffix("\\").rstrip() for line in text.splitlines()]


def metrics_of(job: Found) -> dict[str, Any]:
    """The metrics that a job recorded, else those that its primary output holds in the usual place."""
    status = read_status(job.dpath)
    if "metrics" in status:
        return dict(status["metrics"])
    from kwdag.loading import load_result
    from kwdag.node import ProcessNode

    outputs = script.outputs_of(read_invoke(job.dpath))
    try:
        node = ProcessNode(name=job.node, executable=":", out_paths=outputs)
        flat = load_result(node, Path(job.dpath)) if outputs else {}
    except Exception:  # whatever that file holds, it is no metrics
        return {}
    prefix = f"metrics.{job.node}."
    return {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
