"""Phases over time: Viterbi against brute force, and what a sequence may be."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.geowatch.iarpa import PHASES
from pipelines.geowatch.phases import (
    active_score,
    normalised,
    phases_of,
    phases_without_classes,
    smoothed,
    transitions,
    viterbi,
)

rows = st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), min_size=1, max_size=5).map(np.array)


def probability(path, likelihood, transition) -> float:
    product = likelihood[0, path[0]]
    for t in range(1, len(path)):
        product *= transition[path[t - 1], path[t]] * likelihood[t, path[t]]
    return float(product)


@settings(max_examples=60, deadline=None)
@given(likelihood=rows)
def test_viterbi_finds_the_likeliest_of_all_sequences(likelihood):
    transition = transitions(4)
    best = max(
        probability(path, likelihood, transition)
        for path in itertools.product(range(4), repeat=len(likelihood))
    )
    found = probability(viterbi(likelihood, transition), likelihood, transition)
    assert np.isclose(found, best, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 40))
def test_viterbi_never_goes_back_even_where_classes_are_certain(seed, frames):
    states = np.random.default_rng(seed).integers(0, 4, frames)
    path = [PHASES.index(phase) for phase in phases_of(np.eye(4)[states], use_viterbi=True)]
    assert path == sorted(path)


def test_transitions_are_probabilities_that_lead_forward():
    matrix = transitions(4)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert np.array_equal(np.tril(matrix, -1), np.zeros((4, 4)))
    assert (np.diff(matrix[0]) < 0).all()  # the farther, the less likely
    assert matrix[3, 3] == 1


def test_a_frame_without_data_says_nothing():
    scores = np.array([[0, 1, 0, 0], [np.nan] * 4, [0, 1, 0, 0], [0, 0, 1, 0]], float)
    np.testing.assert_allclose(normalised(scores).sum(axis=1), 1)
    assert phases_of(scores, use_viterbi=True) == [PHASES[i] for i in (1, 1, 1, 2)]


def test_smoothing_is_a_centred_mean():
    values = np.array([[0.0], [3.0], [6.0], [0.0]])
    assert smoothed(values, 1).ravel().tolist() == [0, 3, 6, 0]
    assert smoothed(values, 3).ravel().tolist() == [1.5, 3, 3, 3]
    assert smoothed(values, 2).ravel().tolist() == [1.5, 4.5, 3, 0]


def test_no_frames_have_no_phases():
    assert (
        phases_of(np.zeros((0, 4))) == phases_of(np.zeros((0, 4)), 3, True) == phases_without_classes(0) == []
    )


def test_a_site_is_active_in_preparation_and_construction():
    assert active_score(np.array([[0.5, 0.2, 0.1, 0.2]])).tolist() == [0.2 + 0.1]
    assert phases_without_classes(3) == ["Site Preparation", "Active Construction", "Active Construction"]
