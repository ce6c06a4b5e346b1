"""Pairs into train and val: no image in both, the fraction asked for, the seed in charge."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.fpe.splitting import ROUNDING, TOLERANCE, split_pairs

SEPARATE = [(2 * number, 2 * number + 1) for number in range(200)]


def star(hub, pairs):
    return [(hub, hub + leaf) for leaf in range(1, pairs + 1)]


def images(pairs, split, train):
    return {
        image for pair, inside in zip(pairs, split.train, strict=True) if inside == train for image in pair
    }


def test_the_seed_reaches_the_split():
    assert split_pairs(SEPARATE, 0.8, 1) == split_pairs(SEPARATE, 0.8, 1)
    assert split_pairs(SEPARATE, 0.8, 1).train != split_pairs(SEPARATE, 0.8, 2).train


def test_separate_pairs_meet_the_fraction_exactly():
    split = split_pairs(SEPARATE, 0.8, 0)
    assert split.fraction == 0.8
    assert split.by_graph
    assert split.leaked == ()


@pytest.mark.parametrize("seed", range(8))
def test_a_large_component_goes_where_it_fits(seed):
    pairs = star(10_000, 160) + SEPARATE[:40]
    split = split_pairs(pairs, 0.8, seed)
    assert split.by_graph
    assert abs(split.fraction - 0.8) <= TOLERANCE
    assert not images(pairs, split, True) & images(pairs, split, False)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sizes", "fraction"),
    [
        ((75, 25), 0.75),  # just as far off as it may be, which is more in floating-point numbers
        ((55, 30, 15), 0.85),  # the greatest that fit, and one more, are too few
        ((46, 44, 36, 34, 24, 16), 0.8),
    ],
)
def test_components_that_meet_the_fraction_are_found(sizes, fraction, seed):
    pairs = [pair for hub, size in enumerate(sizes) for pair in star(1000 * hub, size)]
    split = split_pairs(pairs, 0.8, seed)
    assert split.by_graph and split.leaked == ()
    assert split.fraction == pytest.approx(fraction, abs=TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_fall_back_is_for_where_no_choice_of_components_does(sizes, fraction):
    """By trying all of them."""
    sums = {sum(some) for count in range(len(sizes) + 1) for some in itertools.combinations(sizes, count)}
    nearest = min(abs(total / sum(sizes) - fraction) for total in sums)
    pairs = [pair for hub, size in enumerate(sizes) for pair in star(1000 * hub, size)]
    assert split_pairs(pairs, fraction, 0).by_graph == (nearest <= TOLERANCE + ROUNDING)


def test_one_component_is_split_by_pairs_and_says_which_images_leak():
    pairs = star(0, 200)
    split = split_pairs(pairs, 0.8, 0)
    assert not split.by_graph
    assert split.fraction == 0.8
    assert split.leaked == (0,)


def test_the_same_two_images_are_never_in_both():
    pairs = [pair for pair in star(0, 60) for pair in (pair, pair[::-1])]
    split = split_pairs(pairs, 0.5, 0)
    assert not split.by_graph
    assert split.train[::2] == split.train[1::2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 120)), min_size=1, max_size=80),
    st.sampled_from([0.5, 0.7, 0.8, 0.9]),
    st.integers(0, 3),
)
def test_no_image_in_both_or_the_fall_back(pairs, fraction, seed):
    split = split_pairs(pairs, fraction, seed)
    both = images(pairs, split, True) & images(pairs, split, False)
    assert split.leaked == tuple(sorted(both))
    if split.by_graph:
        assert not both
        assert abs(split.fraction - fraction) <= TOLERANCE + ROUNDING
