"""The rank tests agree with scipy's where scipy's apply, and are right where those are not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kwdag.ranktests import association, holm, signed_rank, smallest_p

SEEDS = st.integers(0, 10_000)


def numbers(seed, shape, tied):
    random = np.random.default_rng(seed)
    return random.integers(-3, 4, shape).astype(float) if tied else random.normal(size=shape)


def groups(code):
    return (code[:, None] == np.unique(code)).astype(float)


# -- pairs ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_signed_ranks_agree_with_wilcoxon(seed, n):
    differences = numbers(seed, n, tied=False)
    expected = stats.wilcoxon(differences, method="exact")
    assert signed_rank(differences).p == pytest.approx(expected.pvalue)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 9))
def test_ties_and_zeros_are_counted_out(seed, n):
    found = signed_rank(differences := numbers(seed, n, tied=True))
    moved = differences[differences != 0]
    ranks = stats.rankdata(abs(moved))
    every = [abs(np.dot(signs, ranks)) for signs in itertools.product([-1, 1], repeat=len(moved))]
    observed = abs(np.dot(np.sign(moved), ranks))
    assert found.p == pytest.approx(np.mean([one >= observed - 1e-9 for one in every]) if len(moved) else 1)
    total = ranks.sum()
    assert found.size == pytest.approx(np.dot(np.sign(moved), ranks) / total if total else 0)


def test_many_pairs_take_the_normal_approximation():
    differences = numbers(0, 150, tied=True) + 0.2
    found = signed_rank(differences)
    assert found.method == "asymptotic"
    assert found.p == pytest.approx(stats.wilcoxon(differences).pvalue)


# -- groups and blocks -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 5), st.booleans())
def test_one_stratum_is_kruskal_wallis(seed, k, tied):
    score = numbers(seed, 240, tied)
    code = np.arange(240) % k
    found = association(groups(code), score, np.zeros(240, dtype=int))
    expected = stats.kruskal(*(score[code == i] for i in range(k)))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.size == pytest.approx(expected.statistic / 239)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(3, 5), st.booleans())
def test_blocks_are_friedmans(seed, k, tied):
    matrix = numbers(seed, (80, k), tied)
    found = association(groups(np.tile(np.arange(k), 80)), matrix.ravel(), np.repeat(np.arange(80), k))
    expected = stats.friedmanchisquare(*matrix.T)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.size == pytest.approx(expected.statistic / (80 * (k - 1)))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_ranks_of_a_number_are_spearmans(seed, tied):
    x, y = numbers(seed, 240, tied), numbers(seed + 1, 240, tied)
    found = association(stats.rankdata(x)[:, None], y, np.zeros(240, dtype=int))
    rho = stats.spearmanr(x, y)
    assert found.size == pytest.approx(rho.statistic**2)
    assert found.p == pytest.approx(rho.pvalue, abs=0.005)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_few_rows_are_permuted(seed):
    score, code = numbers(seed, 11, tied=False), np.arange(11) % 2
    found = association(groups(code), score, np.zeros(11, dtype=int))
    exact = stats.mannwhitneyu(score[code == 0], score[code == 1], method="exact").pvalue
    assert found.method == "permutation"
    assert found.p == pytest.approx(exact, abs=0.015 if exact < 0.1 else 0.07)


def test_only_rows_of_one_stratum_are_compared():
    """Within every stratum the second group is ahead; over all rows the first one is."""
    stratum = np.repeat(np.arange(10), 4)
    code = np.tile([0, 0, 0, 1], 10)
    code[20:] = np.tile([0, 1, 1, 1], 5)
    score = code + np.where(stratum < 5, 10.0, 0.0) + np.tile([0.1, 0.2, 0.3, 0.4], 10)
    assert association(groups(code), score, stratum).p < 0.001
    assert stats.mannwhitneyu(score[code == 0], score[code == 1]).pvalue > 0.05


def test_equal_numbers_show_nothing():
    assert association(groups(np.arange(6) % 2), np.ones(6), np.zeros(6, dtype=int)).p == 1
    assert signed_rank(np.zeros(5)).p == 1


# -- many tests, few rows --------------------------------------------------------------------------------


def test_holm_agrees_with_the_example_of_the_article():
    """By hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and never less than the one before."""
    assert holm(np.array([0.03, 0.01, 0.04, 0.005])) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm(np.array([])).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step(ps):
    adjusted, order = holm(np.array(ps)), np.argsort(ps, kind="stable")
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        for step, i in enumerate(order):
            if ps[i] * (len(ps) - step) > alpha:
                break
            rejected.add(int(i))
        assert rejected == set(np.flatnonzero(adjusted <= alpha).tolist())


@pytest.mark.parametrize(
    ("sizes", "p"),
    [
        ([[1, 1]] * 3, 0.25),
        ([[1, 1, 1]] * 3, 1 / 36),
        ([[3, 3]], 0.1),
        ([[4, 4]], 2 / 70),
        ([[2, 2], [1, 1]], 1 / 6),
        ([[1, 1]], 1.0),
    ],
)
def test_the_smallest_p_is_that_of_the_clearest_outcome(sizes, p):
    assert smallest_p(np.array(sizes)) == pytest.approx(p)
    code = np.concatenate([np.repeat(np.arange(len(row)), row) for row in sizes])
    stratum = np.repeat(np.arange(len(sizes)), np.sum(sizes, axis=1))
    clearest = association(groups(code), code.astype(float), stratum).p
    assert clearest == pytest.approx(p, abs=0.06 if p >= 0.1 else 0.01)
