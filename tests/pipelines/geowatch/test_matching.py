"""Matching of sites, against all matchings tried one by one."""

import datetime
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import box

from pipelines.geowatch import matching
from pipelines.geowatch.matching import Period, Presence

DAY = datetime.date(2020, 1, 1)
YEAR = Period(DAY, DAY + datetime.timedelta(365))


def days(first: int, last: int) -> Period:
    return Period(DAY + datetime.timedelta(first), DAY + datetime.timedelta(last))


def site(name: str, outline, period=YEAR, slices=()) -> Presence:
    return Presence(name, "positive_annotated", outline, tuple(slices), period)


def brute_force(alike: np.ndarray, tau: float) -> tuple[int, float]:
    """Pairs and summed similarity of the best matching among all."""
    rows, columns = alike.shape
    best = (0, 0.0)
    for chosen in itertools.product(range(-1, columns), repeat=rows):
        used = [(i, j) for i, j in enumerate(chosen) if j >= 0]
        if len({j for _, j in used}) == len(used) and all(alike[pair] >= tau for pair in used):
            best = max(best, (len(used), float(sum(alike[pair] for pair in used))))
    return best


SIMILARITIES = st.integers(0, 20).map(lambda n: n / 20)


@given(
    alike=st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(
        lambda shape: arrays(float, shape, elements=SIMILARITIES)
    ),
    tau=st.sampled_from([0.1, 0.3, 0.5, 0.9]),
)
def test_assignment_is_the_best_of_all_matchings(alike, tau):
    pairs = matching.assign(alike, tau)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(alike[pair] >= tau for pair in pairs)
    number, total = brute_force(alike, tau)
    assert len(pairs) == number
    assert sum(alike[pair] for pair in pairs) == pytest.approx(total)


def test_two_pairs_beat_one_better_pair():
    alike = np.array([[0.9, 0.3], [0.3, 0.0]])
    assert matching.assign(alike, 0.2) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (box(0, 0, 10, 10), 1.0),
        (box(0, 0, 5, 10), 0.5),
        (box(5, 0, 15, 10), 1 / 3),
        (box(10, 0, 20, 10), 0.0),  # an edge in common
        (box(20, 0, 30, 10), 0.0),
    ],
)
def test_similarity_is_the_iou_of_footprints(other, expected):
    alike = matching.similarities([site("a", box(0, 0, 10, 10))], [site("b", other)])
    assert alike[0, 0] == pytest.approx(expected)


def test_a_common_edge_matches_at_no_threshold():
    alike = matching.similarities([site("a", box(0, 0, 10, 10))], [site("b", box(10, 0, 20, 10))])
    assert matching.assign(alike, 0.0) == []


@pytest.mark.parametrize(
    ("truth", "proposal", "matches"),
    [
        (days(0, 99), days(0, 99), True),
        (days(0, 99), days(80, 179), True),  # 20 of 100 days of the truth
        (days(0, 99), days(81, 180), False),  # 19 of them
        (days(0, 9), days(0, 99), True),  # 10 of 100 days of the proposal
        (days(0, 8), days(0, 99), False),  # 9 of them
        (days(0, 9), days(10, 20), False),
    ],
)
def test_periods_must_overlap(truth, proposal, matches):
    square = box(0, 0, 10, 10)
    alike = matching.similarities([site("a", square, truth)], [site("b", square, proposal)])
    assert bool(alike[0, 0]) is matches


def test_rho_asks_for_a_share_of_the_observations():
    grows = [(DAY, box(0, 0, 2, 10)), (DAY + datetime.timedelta(9), box(0, 0, 10, 10))]
    truth = site("a", box(0, 0, 10, 10), slices=grows)
    proposal = site("b", box(0, 0, 10, 10), slices=[(DAY, box(0, 0, 10, 10))])
    alike = {rho: matching.similarities([truth], [proposal], rho=rho)[0, 0] for rho in (0.5, 0.51, 1.0)}
    assert alike == pytest.approx({0.5: 1.0, 0.51: 0.2, 1.0: 0.2})


@given(st.lists(st.tuples(*[st.integers(0, 8)] * 3), max_size=5))
def test_similarities_agree_with_pairwise_computation(corners):
    squares = [site(str(n), box(x, y, x + w + 1, y + 2)) for n, (x, y, w) in enumerate(corners)]
    alike = matching.similarities(squares, squares)
    for (i, a), (j, b) in itertools.product(enumerate(squares), repeat=2):
        union = a.footprint.union(b.footprint).area
        assert alike[i, j] == pytest.approx(a.footprint.intersection(b.footprint).area / union)
