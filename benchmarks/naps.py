"""Jobs that only sleep, for unequal times that are known beforehand: what a schedule can be measured against.
Their files are written by work.py like those of all other work."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

PROGRAM = """\
for arg in "$@"; do
    case $arg in
        --dst=*) dst=${arg#*=} ;;
        --seconds=*) seconds=${arg#*=} ;;
    esac
done
[[ $seconds == 0 ]] || sleep "$seconds"
echo '{"metrics": {"score": 1}}' > "$dst"
"""

SEED = 20_240_229
MEDIAN, SIGMA = 2.4, 0.75
SHORTEST, LONGEST = 0.6, 9.0
#: Children of a root, by kind of case.
CHILDREN = {"naps_chain": 1, "naps_fan": 2}


@dataclass(frozen=True, slots=True)
class Nap:
    """One job; `after` is the index of the job whose output it reads."""

    node: str
    number: int
    seconds: float
    after: int | None


def naps(kind: str, rows: int) -> list[Nap]:
    """Roots, each followed by its children; `rows` counts the children.

    Durations are log-normal, cut at SHORTEST and LONGEST, and the same in every run.
    """
    dice = random.Random(SEED)
    found: list[Nap] = []
    for row in range(rows):
        if row % CHILDREN[kind] == 0:
            root = len(found)
            found.append(Nap("predict", row // CHILDREN[kind], _seconds(dice), None))
        found.append(Nap("evaluate", row, _seconds(dice), root))
    return found


def _seconds(dice: random.Random) -> float:
    return round(min(LONGEST, max(SHORTEST, MEDIAN * dice.lognormvariate(0.0, SIGMA))), 2)


def lower_bound(jobs: Sequence[Nap], workers: int) -> float:
    """Seconds that no schedule beats: all work over all workers, or the longest path (Graham 1966)."""
    path: list[float] = []
    for job in jobs:
        path.append(job.seconds + (0.0 if job.after is None else path[job.after]))
    return max(sum(job.seconds for job in jobs) / workers, *path)
