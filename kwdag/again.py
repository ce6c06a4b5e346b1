"""Whether a failed job is tried again, and with how much more: by its cause and what its node's jobs took.

Pure; who asks Slurm or the ledger for more is the business of the worker and the backends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Why a job failed, where that says what to do about it: `job_status.json` has it as `cause`.
EXIT, TIME, MEMORY = "exit", "time", "memory"
#: A job that ran out of something gets so many times as much.
GROWTH = 2.0
#: Room above what the largest done job of the node took.
ROOM = 1.25


@dataclass(frozen=True, slots=True)
class Took:
    """The most that done jobs of a node took: seconds and bytes; 0 where nothing is known."""

    seconds: float = 0.0
    memory: int = 0


@dataclass(slots=True)
class Tries:
    """How often one job may still be tried again.

    Attributes:
        retries: after an exit with another code than 0.
        resource_retries: with more time or memory.
    """

    retries: int
    resource_retries: int

    def allow(self, status: Mapping[str, Any]) -> bool:
        """Whether a job that ended so is tried once more, which is then taken off."""
        cause = status.get("cause") if status["state"] == "failed" else None
        if cause == EXIT and self.retries > 0:
            self.retries -= 1
            return True
        if cause in (TIME, MEMORY) and self.resource_retries > 0:
            self.resource_retries -= 1
            return True
        return False


def more_seconds(had: float, took: Took) -> float:
    """The time for a job to which ``had`` seconds were not enough.

    >>> more_seconds(10, Took(seconds=8)), more_seconds(10, Took(seconds=100))
    (20.0, 125.0)
    """
    return max(GROWTH * had, ROOM * took.seconds)


def more_memory(had: int, took: Took) -> int:
    """The bytes for a job to which ``had`` bytes were not enough.

    >>> more_memory(1000, Took(memory=4000))
    5000
    """
    return math.ceil(max(GROWTH * had, ROOM * took.memory))
