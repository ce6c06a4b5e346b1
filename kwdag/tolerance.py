"""When two values of a metric count as equal, and by how much they differ. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Two numbers are equal when they differ by at most ``absolute + relative * the larger of them``."""

    relative: float = 0.0
    absolute: float = 0.0

    def same(self, a: Any, b: Any) -> bool:
        """Whether two values of a metric are equal; NaN equals NaN."""
        if not (_is_number(a) and _is_number(b)):
            return type(a) is type(b) and bool(a == b)
        if a == b or (a != a and b != b):
            return True
        apart, larger = _apart(a, b)
        # an infinity is a tolerance away from nothing
        return math.isfinite(larger) and apart <= self.absolute + self.relative * larger


EXACT = Tolerance()


@dataclass(frozen=True, slots=True)
class Change:
    """What one job has in the first root and in the second: the state, a metric, or an output's content."""

    job_id: str
    name: str
    a: Any
    b: Any

    @property
    def size(self) -> float:
        """How much two numbers differ, relative to the larger one; infinite where they are not comparable."""
        if not (_is_number(self.a) and _is_number(self.b)):
            return math.inf
        apart, larger = _apart(self.a, self.b)
        if apart == 0:
            return 0.0
        return apart / larger if math.isfinite(larger) and math.isfinite(apart) else math.inf


def _apart(a: float, b: float) -> tuple[float, float]:
    """The distance of two numbers and the larger one without its sign; infinite for NaN and huge ones."""
    try:
        found = float(abs(a - b)), float(max(abs(a), abs(b)))
    except OverflowError:
        return math.inf, math.inf
    return found if found[0] == found[0] else (math.inf, math.inf)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
