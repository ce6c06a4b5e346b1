"""What people answer when they are asked which of two pictures shows more water: mostly right, not always.

Which pictures they are shown is decided here, too; how they look is scene.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

DARK = -2.0  # degrees of the sun below which nobody can tell the water
_ALIKE = 0.12  # of the natural logarithm of flow: what looks the same
_LAPSE = 0.02  # of the answers, given by a slip of the hand
_DARK_SHOWN = 0.2  # of the dark pictures
POOL = 12  # pictures of one sheet: its pairs come from these, so that sheets have none in common
_LEFT, _RIGHT, _SAME, _UNKNOWN = "LEFT", "RIGHT", "SAME", "UNKNOWN"


@dataclass(frozen=True)
class Seen:
    """A picture as somebody who is asked about it sees it."""

    image_id: int
    flow: float  # cubic feet per second
    sun: float  # degrees above the horizon
    fog: float
    ice: float
    damaged: bool = False

    @property
    def attributes(self) -> list[str]:
        """What makes it hard to judge: BAD (dark, foggy or damaged), ICE."""
        bad = self.damaged or self.sun < DARK or self.fog > 0.75
        return ["BAD"] * bad + ["ICE"] * (self.ice > 0.5)


@dataclass(frozen=True)
class Person:
    """``error``: the deviation of what they take the logarithm of flow for."""

    error: float

    def answer(self, rng: np.random.Generator, left: Seen, right: Seen) -> dict[str, Any]:
        """One answer as an annotation file has it: the side with more water, SAME or UNKNOWN."""
        dark = min(left.sun, right.sun) < DARK
        # Some guess where others say that they cannot tell.
        tells = not (left.attributes or right.attributes) or (dark and rng.random() < 0.5)
        return {
            "left": {"imageId": left.image_id, "attributes": [] if tells else left.attributes},
            "right": {"imageId": right.image_id, "attributes": [] if tells else right.attributes},
            "rank": self._rank(rng, left, right, dark) if tells else _UNKNOWN,
            "comment": "",
        }

    def _rank(self, rng: np.random.Generator, left: Seen, right: Seen, dark: bool) -> str:
        if dark or rng.random() < _LAPSE:
            return str(rng.choice([_LEFT, _RIGHT, _SAME]))
        more = np.log(left.flow / right.flow) + rng.normal(0, self.error)
        if abs(more) < _ALIKE:
            return _SAME
        return _LEFT if more > 0 else _RIGHT


def sheets(rng: np.random.Generator, pictures: list[Seen], answers: int) -> list[list[dict[str, Any]]]:
    """About ``answers`` answers in sheets by several people; every picture is on one sheet at most.

    Half of ``pictures`` are never asked about, and of the dark ones most are left out, as the site does.

    Returns:
        fewer answers where the pictures do not make so many pairs.
    """
    order = [pictures[index] for index in rng.permutation(len(pictures))[: (len(pictures) + 1) // 2]]
    shown = [one for one in order if one.sun >= DARK or rng.random() < _DARK_SHOWN]
    pools = [shown[first : first + POOL] for first in range(0, len(shown), POOL)]
    pairs = [_pairs(pool) for pool in pools if len(pool) > 1]
    each = -(-answers // max(1, len(pairs)))
    written = []
    for choice in pairs:
        person = Person(error=float(rng.uniform(0.05, 0.20)))
        taken = rng.permutation(len(choice))[: min(each, answers)]
        answers -= len(taken)
        if len(taken):
            written.append([person.answer(rng, *_swapped(rng, choice[index])) for index in taken])
    return written


def _pairs(pool: list[Seen]) -> list[tuple[Seen, Seen]]:
    return [(one, other) for index, one in enumerate(pool) for other in pool[index + 1 :]]


def _swapped(rng: np.random.Generator, pair: tuple[Seen, Seen]) -> tuple[Seen, Seen]:
    return pair if rng.random() < 0.5 else (pair[1], pair[0])
