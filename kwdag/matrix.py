"""Checked grids -> rows: the product, what extends it, what is taken out of it, and how many there will be.

Nothing is read and no shape is checked here (see params), and nodes are not known here.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import reduce
from itertools import chain, product
from math import prod
from operator import and_, or_
from typing import Any

from kwdag.errors import MatrixError
from kwdag.params import Axis, Entry, Grid, Params, Sample, load_params

__all__ = ["Expansion", "Params", "Row", "count_rows", "expand", "load_params"]

Row = dict[str, Any]
Choice = tuple[Row, int]  # one point of an axis; the set of entries that it agrees with, as bits


@dataclass(frozen=True, slots=True)
class Expansion:
    """Rows in the order of the document. Values that are lists or mappings are shared between rows."""

    rows: list[Row]
    warnings: list[str]


def count_rows(params: Params) -> int:
    """How many rows :func:`expand` builds before ``exclude`` takes some out; found without building them."""
    return sum(_Expander(grid).count() for grid in params.grids)


def expand(params: Params, *, max_rows: int | None = None) -> Expansion:
    """All rows of all grids; raises MatrixError if there are none, or more than ``max_rows`` to build."""
    if max_rows is not None and (count := count_rows(params)) > max_rows:
        message = f"the matrix has {count:,} rows, more than the limit of {max_rows:,}"
        raise MatrixError(message, where=params.name, hint="raise the limit or draw a sample")
    rows: list[Row] = []
    warnings: list[str] = []
    for grid in params.grids:
        expander = _Expander(grid)
        more, excluding = expander.rows()
        rows += more
        warnings += expander.warnings(excluding)
    if not rows:
        raise MatrixError("'exclude' takes out every row", where=params.name)
    return Expansion(rows, warnings)


@dataclass(frozen=True, slots=True)
class _Rule:
    """An entry, the bit that stands for it, and those of its values that it does not compare but adds."""

    entry: Entry
    bit: int
    new: Mapping[str, tuple[Any, ...]]

    def variations(self) -> list[Row]:
        return [dict(zip(self.new, values, strict=True)) for values in product(*self.new.values())]

    def matches(self, extension: Row) -> bool:
        return all(
            key in extension and _typed(extension[key]) == _typed(value) for key, (value,) in self.new.items()
        )


class _Expander:
    """Expands one grid.

    Axes vary independently, and whether an entry agrees with a row depends only on the row's point of each
    axis. So every point knows as bits which entries it agrees with, the bits of a row are those of its points
    and-ed, and rows with the same bits are extended alike: that is worked out once, not once a row.
    """

    def __init__(self, grid: Grid) -> None:
        entries = [entry for group in (*grid.submatrices, grid.include, grid.exclude) for entry in group]
        original = {key for axis in grid.axes for key in axis.keys}
        rules = (_rule(entry, 1 << i, original) for i, entry in enumerate(entries))
        self.submatrices = [[next(rules) for _ in group] for group in grid.submatrices]
        self.include = [next(rules) for _ in grid.include]
        self.exclude = [next(rules) for _ in grid.exclude]
        self.sample = grid.sample
        self.choices = [_choices(axis, entries) for axis in grid.axes]
        self.is_empty = not (grid.axes or grid.submatrices)
        # The entries that agree with some row of the grid.
        every = 0 if self.is_empty else (1 << len(entries)) - 1
        self.reached = reduce(and_, (reduce(or_, (bits for _, bits in axis)) for axis in self.choices), every)
        # A sample can be drawn from the product itself if nothing multiplies its rows or takes any out.
        self.draws = grid.sample if not (grid.submatrices or grid.exclude or self.is_empty) else None

    def count(self) -> int:
        added = len(self.added())
        if self.is_empty:
            return added
        if self.draws:
            return min(self.draws.n, self.size()) + added
        return added + sum(times * self.multiplicity(bits) for bits, times in self.bit_counts().items())

    def size(self) -> int:
        return prod(map(len, self.choices))

    def bit_counts(self) -> Counter[int]:
        """How many points of the product agree with which entries of ``submatrices``."""
        relevant = sum(rule.bit for group in self.submatrices for rule in group)
        counts = Counter({relevant: 1})
        for axis in self.choices:
            steps = Counter(bits & relevant for _, bits in axis)
            joint: Counter[int] = Counter()
            for (one, n), (two, m) in product(counts.items(), steps.items()):
                joint[one & two] += n * m
            counts = joint
        return counts

    def multiplicity(self, bits: int) -> int:
        """How many rows come of one that agrees with the entries in ``bits``."""
        sizes = [
            [prod(map(len, rule.new.values())) for rule in group if bits & rule.bit]
            for group in self.submatrices
        ]
        return prod(sum(group) or 1 for group in sizes)

    def rows(self) -> tuple[list[Row], int]:
        """The rows, and as bits the ``exclude`` entries that took one out."""
        rows: list[Row] = []
        known: dict[int, tuple[list[Row], int]] = {}
        for point in self.points():
            row: Row = {}
            bits = -1
            for values, agreeing in point:
                row |= values
                bits &= agreeing
            if bits not in known:
                known[bits] = self.extensions(bits)
            rows += [row | extension for extension in known[bits][0]]
        if self.sample and not self.draws:
            rows = [rows[i] for i in _draw(len(rows), self.sample)]
        return rows + self.added(), reduce(or_, (excluding for _, excluding in known.values()), 0)

    def points(self) -> Iterable[Sequence[Choice]]:
        if self.is_empty:
            return []
        if self.draws:
            return (_point_at(index, self.choices) for index in _draw(self.size(), self.draws))
        return product(*self.choices)

    def extensions(self, bits: int) -> tuple[list[Row], int]:
        """What a row that agrees with the entries in ``bits`` gains, once for each row that comes of it.

        Also the ``exclude`` entries, as bits, that took out some of them.
        """
        variations: list[Row] = [{}]
        for group in self.submatrices:
            new = [row for rule in group if bits & rule.bit for row in rule.variations()]
            variations = [one | two for one, two in product(variations, new or [{}])]
        for rule in self.include:
            if bits & rule.bit:
                variations = [row | added for row, added in product(variations, rule.variations())]
        kept: list[Row] = []
        excluding = 0
        for row in variations:
            found = sum(rule.bit for rule in self.exclude if bits & rule.bit and rule.matches(row))
            excluding |= found
            kept += [] if found else [row]
        return kept, excluding

    def added(self) -> list[Row]:
        """The rows of include entries that agree with no row of the grid."""
        return [
            {key: value for key, (value,) in rule.entry.values.items()}
            for rule in self.include
            if not self.reached & rule.bit
        ]

    def warnings(self, excluding: int) -> list[str]:
        """What had no effect, given the ``exclude`` entries that had one."""
        submatrices = list(chain.from_iterable(self.submatrices))
        # Without a grid there is nothing to extend: each include entry is meant as a row.
        include = [] if self.is_empty else self.include
        return [
            *_idle(submatrices, self.reached, "this 'submatrices' entry matches no row"),
            *_idle(include, self.reached, "this 'include' entry extends no row, it adds one of its own"),
            *_idle(self.exclude, excluding, "this 'exclude' entry matches no row"),
        ]


def _rule(entry: Entry, bit: int, original: Set[str]) -> _Rule:
    return _Rule(entry, bit, {key: values for key, values in entry.values.items() if key not in original})


def _idle(rules: Iterable[_Rule], effective: int, message: str) -> list[str]:
    return [f"{rule.entry.where}: {message}" for rule in rules if not rule.bit & effective]


def _choices(axis: Axis, entries: Sequence[Entry]) -> list[Choice]:
    columns = zip(*axis.points, strict=True)
    agreeing = [_agreeing(key, column, entries) for key, column in zip(axis.keys, columns, strict=True)]
    rows = (dict(zip(axis.keys, point, strict=True)) for point in axis.points)
    return [(row, reduce(and_, bits)) for row, *bits in zip(rows, *agreeing, strict=True)]


def _agreeing(key: str, column: Iterable[Any], entries: Sequence[Entry]) -> list[int]:
    """For each value of the column the entries, as bits, that name it for this key or do not name the key."""
    silent = 0
    naming: dict[Hashable, int] = defaultdict(int)
    for i, entry in enumerate(entries):
        if key not in entry.values:
            silent |= 1 << i
        for value in entry.values.get(key, ()):
            naming[_typed(value)] |= 1 << i
    return [silent | naming.get(_typed(value), 0) for value in column]


def _typed(value: Any) -> Hashable:
    """Equal for values of equal type and content: 1, 1.0 and True are three."""
    if isinstance(value, dict):
        return dict, frozenset((_typed(key), _typed(item)) for key, item in value.items())
    if isinstance(value, list):
        return list, tuple(map(_typed, value))
    return type(value), value


def _draw(size: int, sample: Sample) -> list[int]:
    """Distinct indices below ``size`` in rising order, by Floyd's algorithm (CACM 30:9, 1987).

    Uses only ``random()``, whose sequence is the same in every version of Python.
    """
    uniform = random.Random(sample.seed).random
    drawn: set[int] = set()
    for top in range(max(0, size - sample.n), size):
        index = int(uniform() * 2**53) * (top + 1) >> 53  # in integers, as a size may exceed any float
        drawn.add(top if index in drawn else index)
    return sorted(drawn)


def _point_at(index: int, choices: Sequence[Sequence[Choice]]) -> list[Choice]:
    """The point at this place of the product, in which the last axis varies fastest."""
    point = []
    for axis in reversed(choices):
        index, at = divmod(index, len(axis))
        point.append(axis[at])
    return point[::-1]
