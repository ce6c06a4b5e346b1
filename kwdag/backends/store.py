"""Writing a run down for other processes; how it lies on the disk is runs.py's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kwdag import runs
from kwdag.backends.base import Run
from kwdag.durations import known_durations, longest_path_first
from kwdag.runs import RunFile
from kwdag.tasks import TaskMaker


def store(run: Run, settings: Mapping[str, Any]) -> RunFile:
    """Write a run down for other processes."""
    maker = TaskMaker(run.plan)
    meta = {**settings, **run.request, "workdir": run.plan.workdir}
    run_file = runs.create(run.plan.root, meta, run.plan.wiring.nodes.values())
    seconds = known_durations(run.plan.root, run.jobs, run.attempts)
    places = longest_path_first(run.jobs, seconds) if seconds else {}
    runs.write_round(run_file, 1, run.jobs, run.attempts, map(maker.task, run.jobs), run.absent, places)
    return run_file
