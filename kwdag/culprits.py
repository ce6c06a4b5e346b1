"""Which parameter value a set of jobs goes with: Fisher's exact test on every value and every pair of values.

Pure statistics on parameters; what the jobs have in common besides is the caller's knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from kwdag.cells import is_missing
from kwdag.render import Token, token

if TYPE_CHECKING:
    import numpy as np

    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Codes = np.ndarray[Any, np.dtype[np.int64]]

#: The chance of any false claim about one set of jobs.
ALPHA = 0.05
#: Values are tried first and then pairs, each with half of that chance.
STAGES = 2
#: Pairs are formed of parameters with so many values at most.
MOST_VALUES = 50
#: A pair is named instead of a single value when its F1 score is so much higher.
CLEARLY = 0.1


@dataclass(frozen=True, slots=True)
class Culprit:
    """The value of a parameter, or two values together, that go with a set of jobs.

    Attributes:
        values: parameter -> value, one or two.
        always_with: other values, each of which exactly the same jobs have.
        inside: how many jobs of the set have them.
        size: jobs in the set.
        having: how many of all jobs compared have them.
        jobs: how many were compared.
        p: the chance of as much or more by accident, one-sided, corrected for all that was tried.
        tried: how many values, or pairs, could have been significant at all.
    """

    values: Mapping[str, Any]
    inside: int
    size: int
    having: int
    jobs: int
    p: float
    tried: int
    always_with: tuple[tuple[str, Any], ...] = ()

    @property
    def precision(self) -> float:
        """Of the jobs that have the values, the part in the set."""
        return self.inside / self.having

    @property
    def recall(self) -> float:
        """Of the jobs in the set, the part that has the values."""
        return self.inside / self.size

    @property
    def f1(self) -> float:
        return 2 * self.inside / (self.having + self.size)


@dataclass(frozen=True, slots=True)
class _Cells:
    """How many jobs, of all and of the set, have each value of a parameter or pair of values of two."""

    columns: tuple[int, ...]
    having: Codes
    inside: Codes


class Suspects:
    """The parameters of some jobs, made ready for many questions."""

    def __init__(self, configs: Sequence[Mapping[str, Any]]):
        """Take the dotted parameters of each job; those that do not vary are no suspects."""
        self.total = len(configs)
        self.names: list[str] = []
        self.codes: list[Codes] = []
        self.values: list[list[Any]] = []
        for name in dict.fromkeys(name for config in configs for name in config):
            codes, values = _coded([config.get(name) for config in configs])
            if len(values) > 1:
                self.names.append(name)
                self.codes.append(codes)
                self.values.append(values)

    def culprit(self, inside: Iterable[int]) -> Culprit | None:
        """What the jobs at these places go with; None where that could well be chance."""
        import numpy as np

        mask = np.zeros(self.total, dtype=bool)
        mask[list(inside)] = True
        if not 0 < mask.sum() < self.total:
            return None
        best = self._best(list(self._singles(mask)), mask)
        if best is None or best.f1 < 1 - CLEARLY:
            pair = self._best(list(self._pairs(mask)), mask)
            if pair and (best is None or (pair.f1 >= best.f1 + CLEARLY and pair.p <= best.p)):
                best = pair
        return best and self._with_companions(best)

    def _singles(self, mask: Mask) -> Iterator[_Cells]:
        for column, codes in enumerate(self.codes):
            yield _Cells((column,), *_counts(codes, mask, len(self.values[column])))

    def _pairs(self, mask: Mask) -> Iterator[_Cells]:
        import numpy as np

        few = [column for column, values in enumerate(self.values) if len(values) <= MOST_VALUES]
        for one, two in combinations(few, 2):
            width = len(self.values[two])
            known = (self.codes[one] >= 0) & (self.codes[two] >= 0)
            both = np.where(known, self.codes[one] * width + self.codes[two], -1)
            yield _Cells((one, two), *_counts(both, mask, len(self.values[one]) * width))

    def _best(self, family: list[_Cells], mask: Mask) -> Culprit | None:
        """The cell least likely by chance, where that is significant among them all."""
        import numpy as np
        from scipy.stats import hypergeom

        if not family:
            return None
        size = int(mask.sum())
        inside = np.concatenate([cells.inside for cells in family])
        having = np.concatenate([cells.having for cells in family])
        tried = _testable(hypergeom.sf(np.minimum(having, size) - 1, self.total, size, having))
        chances = hypergeom.sf(inside - 1, self.total, size, having)
        first = int(np.lexsort((-inside / (having + size), chances))[0])
        p = min(1.0, STAGES * tried * float(chances[first]))
        if p > ALPHA:
            return None
        values = self._values(family, first)
        return Culprit(values, int(inside[first]), size, int(having[first]), self.total, p, tried)

    def _values(self, family: list[_Cells], number: int) -> dict[str, Any]:
        """The parameters and values of one of all cells."""
        for cells in family:
            if number < len(cells.having):
                break
            number -= len(cells.having)
        codes = [number]
        if len(cells.columns) == 2:
            codes = list(divmod(number, len(self.values[cells.columns[1]])))
        return {
            self.names[column]: self.values[column][code]
            for column, code in zip(cells.columns, codes, strict=True)
        }

    def _with_companions(self, culprit: Culprit) -> Culprit:
        """The culprit with the values that exactly the same jobs have."""
        import numpy as np

        own = np.logical_and.reduce([
            self.codes[self.names.index(name)] == self._code(name, value)
            for name, value in culprit.values.items()
        ])  # fmt: skip
        same = []
        for name, codes, values in zip(self.names, self.codes, self.values, strict=True):
            found = set(codes[own].tolist()) if name not in culprit.values else set()
            if (
                len(found) == 1
                and (code := found.pop()) >= 0
                and int((codes == code).sum()) == culprit.having
            ):
                same.append((name, values[code]))
        return replace(culprit, always_with=tuple(same))

    def _code(self, name: str, value: Any) -> int:
        values = self.values[self.names.index(name)]
        return next(code for code, one in enumerate(values) if one is value)


def _coded(values: Sequence[Any]) -> tuple[Codes, list[Any]]:
    """The number of each value, -1 where there is none, and the distinct values."""
    import numpy as np

    numbers: dict[Token, int] = {}
    distinct: list[Any] = []
    codes = np.full(len(values), -1, dtype=np.int64)
    for place, value in enumerate(values):
        if not is_missing(value):
            text = token(value)
            if text not in numbers:
                numbers[text] = len(distinct)
                distinct.append(value)
            codes[place] = numbers[text]
    return codes, distinct


def _counts(codes: Codes, mask: Mask, number: int) -> tuple[Codes, Codes]:
    """How many jobs have each value: all, and those in the set."""
    import numpy as np

    known = codes >= 0
    return np.bincount(codes[known], minlength=number), np.bincount(codes[known & mask], minlength=number)


def _testable(least: Any) -> int:
    """How many tests can be significant at all, given the least p that each can reach (Tarone 1990)."""
    import numpy as np

    least = np.sort(least)
    for k in range(1, len(least) + 1):
        if np.searchsorted(least, ALPHA / STAGES / k, side="right") <= k:
            return k
    return max(1, len(least))
