"""Joining slicks and dropping copies, against brute force over all pairs."""

from __future__ import annotations

from itertools import combinations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cerulean.joining import Slick, groups, join, without_copies

NAMES = ("infra_slick", "recent_vessel")


def slick(
    west: float, south: float, east: float, north: float, score: float = 0.5, name: str = NAMES[0]
) -> Slick:
    return Slick(shapely.box(west, south, east, north), (name,), (score,), score, (0,))


SLICKS = st.lists(
    st.builds(
        lambda x, y, w, h, score, name: slick(x, y, x + w, y + h, score, name),
        *[st.integers(0, 30)] * 2, *[st.integers(1, 12)] * 2,
        st.sampled_from([0.3, 0.5, 0.8]), st.sampled_from(NAMES),
    ),
    max_size=9,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(SLICKS, st.sampled_from([0.0, 1.0, 4.0]), st.booleans())
def test_groups_are_those_of_all_pairs(slicks: list[Slick], distance: float, across: bool) -> None:
    number = list(range(len(slicks)))
    for _ in slicks:  # as often as the longest chain can be
        for i, j in combinations(range(len(slicks)), 2):
            near = slicks[i].geometry.distance(slicks[j].geometry) <= distance
            if near and (across or slicks[i].name == slicks[j].name):
                number[i] = number[j] = min(number[i], number[j])
    expected = [[one for one, n in zip(slicks, number, strict=True) if n == m] for m in sorted(set(number))]
    assert groups(slicks, distance, across) == expected


@settings(max_examples=100, deadline=None)
@given(SLICKS, st.sampled_from([0.0, 0.2, 0.6]))
def test_copies_are_those_of_all_pairs(slicks: list[Slick], threshold: float) -> None:
    kept, dropped = without_copies(slicks, threshold)
    assert sorted(map(id, kept + dropped)) == sorted(map(id, slicks))
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)

    def copy(one: Slick, surer: Slick) -> bool:
        both = one.geometry.intersection(surer.geometry).area
        union = one.geometry.union(surer.geometry).area
        return both / union > threshold or both / one.geometry.area > 0.5

    for surer, one in combinations(kept, 2):
        assert not copy(one, surer)
    for one in dropped:
        assert any(copy(one, surer) and surer.score >= one.score for surer in kept)
    assert without_copies(slicks, None)[1] == []


@pytest.mark.parametrize(("gap", "count"), [(999, 1), (1000, 1), (1001, 2)])
def test_polygons_within_the_distance_are_one(gap: int, count: int) -> None:
    pair = [slick(0, 0, 100, 100, 0.2), slick(100 + gap, 0, 200 + gap, 100, 0.9)]
    assert len(join(pair, 1000, 500)) == count
    assert len(join([pair[0], slick(100 + gap, 0, 200 + gap, 100, 0.9, NAMES[1])], 1000, 500)) == 2


def test_a_joined_slick_has_the_median_score_and_the_commonest_class() -> None:
    parts = [slick(0, 0, 10, 10, 0.9), slick(5, 0, 20, 10, 0.4, NAMES[1]), slick(8, 0, 30, 10, 0.5, NAMES[1])]
    (one,) = join(parts, 0, 0, across_classes=True)
    assert (one.name, one.score, one.max_confidence) == (NAMES[1], 0.5, 0.9)
    assert one.geometry.equals(shapely.box(0, 0, 30, 10))
    assert [(found.name, found.score) for found in join(parts, 0, 0)] == [(NAMES[0], 0.9), (NAMES[1], 0.45)]


def test_closing_fills_gaps_but_loses_no_part() -> None:
    parts = [slick(0, 0, 4000, 2000), slick(4600, 0, 8000, 2000), slick(4250, 1000, 4260, 1010)]
    (one,) = join(parts, 1000, 500)
    assert one.geometry.geom_type == "Polygon"
    assert one.geometry.contains(shapely.Point(4300, 500))  # between both
    assert one.geometry.buffer(1e-6).contains(shapely.union_all([part.geometry for part in parts]))
    assert shapely.box(-1, -1, 8001, 2001).contains(one.geometry)


def test_an_intersection_on_the_threshold_is_no_copy() -> None:
    # 20 of 100 shared: IoU 0.2 to the last bit; and half of the second inside the first.
    assert len(without_copies([slick(0, 0, 60, 1, 0.9), slick(40, 0, 100, 1)], 0.2)[0]) == 2
    assert len(without_copies([slick(0, 0, 60, 1, 0.9), slick(39, 0, 100, 1)], 0.2)[0]) == 1
    assert len(without_copies([slick(0, 0, 100, 1, 0.9), slick(98, 0, 102, 1)], 0.2)[0]) == 2
    assert len(without_copies([slick(0, 0, 100, 1, 0.9), slick(97, 0, 102, 1)], 0.2)[0]) == 1


def test_the_less_sure_one_goes_even_if_it_is_the_larger() -> None:
    small, large = slick(0, 0, 1, 1, 0.9), slick(0, 0, 3, 1, 0.8)
    assert without_copies([large, small], 0.2) == ([small], [large])
    assert without_copies([slick(0, 0, 1, 1, 0.7), large], 0.2)[0] == [large]
