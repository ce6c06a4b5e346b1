"""Rows that differ in one parameter alone: parameters as codes, and the blocks in which all else is equal.

Pure functions on result tables; what is concluded from the blocks is the business of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.render import Token, token
from kwdag.roles import Roles, hashed_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Codes = np.ndarray[Any, np.dtype[np.int64]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

REGION = "region_id"
#: A parameter with more values than this is not compared value by value.
MAX_VALUES = 24
_SCATTERED = 10


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """The varied parameters of a table's rows.

    Attributes:
        values: column -> its distinct values, in order of their codes.
        codes: column -> the code of each row, and so for ``REGION``.
        inside: column -> the others each value of which occurs with only one value of it: they vary inside
            its values, or together with it. ``REGION`` is among them where each region has a single value.
    """

    values: Mapping[str, Sequence[Any]]
    codes: Mapping[str, Codes]
    inside: Mapping[str, frozenset[str]]

    @property
    def columns(self) -> list[str]:
        return list(self.values)

    def together(self, column: str) -> tuple[str, ...]:
        """The other parameters that always vary together with this one: none has an effect of its own."""
        inside = self.inside.get(column, frozenset())
        return tuple(sorted(other for other in inside if column in self.inside.get(other, ())))

    def blocks(self, *columns: str) -> Codes:
        """The block of each row: rows of one block agree in region and all parameters but these ``columns``.

        A parameter that takes other values whenever one of ``columns`` does cannot be held equal, and is not;
        nor is one with a value of its own in most rows, such as a random seed: both count as chance.
        """
        import numpy as np

        inside = frozenset[str]().union(*(self.inside.get(column, ()) for column in columns))
        free = {*columns, *self._scattered()} | (inside - {REGION})
        block = np.zeros(len(self.codes[REGION]), dtype=np.int64)
        for name, codes in self.codes.items():
            block = block if name in free else _paired(block, codes)
        return block

    def _scattered(self) -> Iterator[str]:
        for column, values in self.values.items():
            if len(values) >= _SCATTERED and len(self.codes[column]) < 2 * len(values):
                yield column


def grid(table: pd.DataFrame, roles: Roles) -> Grid:
    """The varied ones among the parameters that enter ``param_hashid``; values are told apart as texts."""
    coded = {name: _coded(table[name]) for name in hashed_columns(table, roles)}
    coded = {name: found for name, found in coded.items() if len(found[1]) > 1}
    codes = {REGION: _coded(table[REGION])[0]} | {name: found[0] for name, found in coded.items()}
    counts = {name: int(found.max(initial=-1)) + 1 for name, found in codes.items()}
    inside: dict[str, set[str]] = {name: set() for name in coded}
    for name in coded:
        for other in codes:
            # at least as many values, and no more pairs of values than values: the other one decides this one
            if other != name and counts[other] >= counts[name] and counts[other] > 1:
                pairs = int(_paired(codes[other], codes[name]).max(initial=-1)) + 1
                if pairs == counts[other]:
                    inside[name].add(other)
    return Grid(
        values={name: found[1] for name, found in coded.items()},
        codes=codes,
        inside={name: frozenset(others) for name, others in inside.items()},
    )


def _coded(column: pd.Series) -> tuple[Codes, list[Any]]:
    """The number of each row's value, and the values; 1, 1.0 and True are three."""
    import numpy as np
    import pandas as pd

    if column.dtype.kind in "iufb":
        codes, values = pd.factorize(column, use_na_sentinel=False)
        return codes.astype(np.int64), list(values.tolist())
    numbers: dict[Token, int] = {}
    first: list[Any] = []
    found = np.empty(len(column), dtype=np.int64)
    for i, value in enumerate(column.tolist()):
        text = token(value)
        number = numbers.get(text)
        if number is None:
            number = numbers[text] = len(first)
            first.append(value)
        found[i] = number
    return found, first


def _paired(one: Codes, other: Codes) -> Codes:
    """Codes of the pairs, without gaps."""
    import numpy as np

    size = int(other.max(initial=0)) + 1
    return np.unique(one * size + other, return_inverse=True)[1].astype(np.int64)


def cells(block: Codes, code: Codes, score: Floats) -> tuple[Codes, Codes, Floats]:
    """(block, code, mean score) of each pair of block and code that has rows with a score."""
    import numpy as np

    known = ~np.isnan(score)
    size = int(code.max(initial=0)) + 1
    pairs, which = np.unique(block[known] * size + code[known], return_inverse=True)
    with np.errstate(invalid="ignore"):  # inf - inf: no mean
        mean = np.bincount(which, score[known]) / np.bincount(which)
    whole = ~np.isnan(mean)
    return pairs[whole] // size, pairs[whole] % size, mean[whole]


def comparisons(block: Codes, code: Codes, score: Floats) -> tuple[Codes, Codes, Floats]:
    """Those of the ``cells`` whose block has another one: values that can be compared with all else equal."""
    import numpy as np

    of, at, mean = cells(block, code, score)
    kept = np.bincount(of)[of] > 1 if len(of) else np.zeros(0, dtype=bool)
    return of[kept], at[kept], mean[kept]
