"""What a run that ends with its process was asked for: its jobs, in the one file `_kwdag/asked.jsonl`.

Runs that outlive their process have folders of their own (runs.py); of this one nobody else would know which
jobs it did not come to. The first line is the graph of each round, the others are the jobs' parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kwdag import jobdir, regular, runs
from kwdag.backends.base import Run
from kwdag.tasks import TaskMaker

ASKED = "asked.jsonl"


@dataclass(slots=True)
class Asked:
    """The newest record.

    Attributes:
        since: when the run was started, in the form in which the ids of runs begin.
        rounds: the graph of each (see ``runs.graph``), and `partial`: nodes that go on without members of a
            gather that failed.
    """

    since: str
    rounds: list[dict[str, Any]]
    _text: bytes
    _lines: list[bytes] | None = None

    def config(self, number: int) -> dict[str, Any]:
        """The dotted parameters of a job, counted through all rounds, and of its ancestors."""
        if self._lines is None:
            self._lines = self._text.splitlines()
        config: dict[str, Any] = json.loads(self._lines[number])
        return config


def write(rounds: Sequence[Run]) -> None:
    """Write down the jobs of all rounds so far; raises jobdir.WriteError."""
    root = rounds[0].plan.root
    head = {"schema": jobdir.SCHEMA, "since": runs.stamp(), "rounds": [_graph(run) for run in rounds]}
    lines = [json.dumps(head, separators=(",", ":"))]
    for run in rounds:
        maker = TaskMaker(run.plan)
        lines += [json.dumps(maker.config(job)) for job in run.jobs]
    jobdir.make_dir(f"{root}/{jobdir.RUN_DPATH}")
    jobdir.write_replacing(_path(root), "\n".join(lines) + "\n", shared=True)


def _graph(run: Run) -> dict[str, Any]:
    partial = [name for name, node in run.plan.wiring.nodes.items() if node.partial_gather]
    return {**runs.graph(run.jobs, run.attempts, range(len(run.jobs)), run.absent), "partial": partial}


def read(root: str) -> Asked | None:
    """What ``write`` wrote last, None where it did not; raises DamagedFile."""
    try:
        head, _, rest = regular.read(_path(root))[0].partition(b"\n")
        content = json.loads(head)
        return Asked(str(content["since"]), list(content["rounds"]), rest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise jobdir.DamagedFile("is damaged", where=_path(root)) from None


def _path(root: str) -> str:
    return f"{root}/{jobdir.RUN_DPATH}/{ASKED}"
