"""Pairs of images into train and val so that no image is in both, as far as the pairs allow it.

Labels and tables do not belong here.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOLERANCE = 0.05  # how far the achieved fraction may lie from the one asked for

ROUNDING = 1e-9  # 0.8 - 0.75 is more than 0.05 to a computer

Pair = tuple[int, int]


@dataclass(frozen=True)
class Split:
    """Which pairs train.

    Attributes:
        train: for each pair, in the order given, whether it is in train; the others are in val.
        by_graph: whether components were split; False where that missed the fraction.
        leaked: the images that are in both, in order; none when ``by_graph``.
    """

    train: tuple[bool, ...]
    by_graph: bool
    leaked: tuple[int, ...]

    @property
    def fraction(self) -> float:
        return sum(self.train) / len(self.train)


def split_pairs(pairs: Sequence[Pair], fraction: float, seed: int) -> Split:
    """Split whole connected components of the graph whose edges are ``pairs``; the same for the same seed.

    Where no choice of components comes within `TOLERANCE` of ``fraction``, pairs are split at random; then
    images may be in both, but never the same two.

    Args:
        pairs: ids of two images each, at least one pair.
        fraction: of the pairs in train, 0 to 1.
    """
    chooser = random.Random(seed)
    groups = _components(pairs)
    chooser.shuffle(groups)
    for choose in (_fill, _nearest):  # the second leaves less to chance, and finds what there is
        split = _split(pairs, choose(groups, fraction * len(pairs)), by_graph=True)
        if abs(split.fraction - fraction) <= TOLERANCE + ROUNDING:
            return split
    repeated = _grouped(frozenset(pair) for pair in pairs)
    chooser.shuffle(repeated)
    return _split(pairs, _fill(repeated, fraction * len(pairs)), by_graph=False)


def _components(pairs: Sequence[Pair]) -> list[list[int]]:
    """The indices of the pairs of each connected component, in order of its first pair."""
    import networkx

    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_edges_from(pairs)
    component = {
        image: number
        for number, images in enumerate(networkx.connected_components(graph))
        for image in images
    }
    return _grouped(component[left] for left, _ in pairs)


def _grouped(keys: Iterable[object]) -> list[list[int]]:
    groups: dict[object, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    return list(groups.values())


def _fill(groups: Iterable[list[int]], target: float) -> set[int]:
    """The indices of the groups that fit below ``target`` in turn, and of one more if that comes closer."""
    chosen: set[int] = set()
    left_out: list[list[int]] = []
    for group in groups:
        if len(chosen) + len(group) <= target:
            chosen.update(group)
        else:
            left_out.append(group)
    nearest = min(left_out, key=len, default=[])
    if len(chosen) + len(nearest) - target < target - len(chosen):
        chosen.update(nearest)
    return chosen


def _nearest(groups: Sequence[list[int]], target: float) -> set[int]:
    """The indices of those groups that together come nearest to ``target``, of all choices of groups."""
    reached: dict[int, tuple[int, int]] = {0: (-1, 0)}  # by sum: the group added last, the sum before it
    for number, group in enumerate(groups):
        for total in list(reached):
            reached.setdefault(total + len(group), (number, total))
    total = min(reached, key=lambda total: (abs(total - target), total))
    chosen: set[int] = set()
    while total:
        number, total = reached[total]
        chosen.update(groups[number])
    return chosen


def _split(pairs: Sequence[Pair], train: set[int], by_graph: bool) -> Split:
    inside = tuple(index in train for index in range(len(pairs)))
    images: tuple[set[int], set[int]] = set(), set()
    for chosen, pair in zip(inside, pairs, strict=True):
        images[chosen].update(pair)
    return Split(inside, by_graph, tuple(sorted(images[0] & images[1])))
