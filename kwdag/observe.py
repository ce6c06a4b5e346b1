"""Looking on while other processes drain a run: its events as they come, until nobody works on it any more.

Reads only; what is shown of it is report/watch.py's business.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from kwdag import jobdir, journal, processes
from kwdag.backends import slurm_files
from kwdag.journal import Event
from kwdag.report.watch import totals_of
from kwdag.runs import RunFile

#: Seconds between two looks, and after which a run without a living worker counts as over.
LOOK, SILENCE = 0.25, 3.0


class Totals:
    """How many jobs a run has; each round is read once."""

    def __init__(self, run_file: RunFile):
        self._run_file = run_file
        self._read = 0
        self._counts = dict.fromkeys(run_file.meta["nodes"], 0)

    def __call__(self) -> dict[str, int]:
        """node -> number of jobs of all rounds planned so far, in the order of the pipeline."""
        while self._read < self._run_file.rounds():
            self._read += 1
            content = jobdir.read_json(f"{self._run_file.round_dpath(self._read)}/jobs.json")
            for node, count in totals_of(job[0] for job in content["jobs"]).items():
                self._counts[node] += count
        return {node: count for node, count in self._counts.items() if count}


def follow(run_file: RunFile) -> Iterator[Event | None]:
    """The events of a run from its beginning; None whenever there is nothing new. Ends with the run."""
    reader = journal.Reader(run_file.journal)
    heard = time.monotonic()
    while True:
        quiet = True
        for event in reader.news():
            quiet = False
            yield event
        if not quiet or is_worked_on(run_file):
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE:
            return
        yield None
        time.sleep(LOOK)


def is_worked_on(run_file: RunFile) -> bool:
    """Whether anything drains a run: a process of this host, one of another host, or a task of Slurm."""
    if processes.registered(run_file.dpath):
        return True
    folder = f"{run_file.dpath}/workers"
    entries = (_entry(f"{folder}/{name}") for name in (os.listdir(folder) if os.path.isdir(folder) else []))
    if any(entry.get("host") != os.uname().nodename for entry in entries if entry):
        return True
    return run_file.meta["backend"] == "slurm" and not slurm_files.is_closed(run_file)


def _entry(path: str) -> dict[str, Any]:
    try:
        with open(path) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
