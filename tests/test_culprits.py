from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from kwdag.culprits import ALPHA, STAGES, Suspects


def grid(n, rng, **values):
    """Random parameters of n jobs."""
    return [{f"fit.{name}": rng.choice(choices) for name, choices in values.items()} for _ in range(n)]


def where(configs, condition):
    return [i for i, config in enumerate(configs) if condition(config)]


def test_a_perfect_value():
    configs = [{"fit.lr": lr, "fit.wd": wd} for lr in (0.1, 0.2, 0.3) for wd in range(8)]
    found = Suspects(configs).culprit(where(configs, lambda c: c["fit.lr"] == 0.1))
    assert found.values == {"fit.lr": 0.1} and (found.precision, found.recall) == (1, 1)
    assert (found.inside, found.size, found.having, found.jobs) == (8, 8, 8, 24)


def test_precision_and_recall():
    rng = random.Random(0)
    configs = grid(300, rng, lr=[0.1, 0.2, 0.3], wd=[1, 2])
    bad = where(configs, lambda c: c["fit.lr"] == 0.1 and rng.random() < 0.7 or rng.random() < 0.02)
    found = Suspects(configs).culprit(bad)
    having = where(configs, lambda c: c["fit.lr"] == 0.1)
    both = set(having) & set(bad)
    assert found.values == {"fit.lr": 0.1}
    assert found.precision == len(both) / len(having) and found.recall == len(both) / len(bad)


def test_two_values_together():
    configs = [{"fit.a": a, "fit.b": b, "fit.c": c, "fit.n": n} for a in range(3) for b in range(3)
               for c in range(2) for n in range(5)]  # fmt: skip
    found = Suspects(configs).culprit(where(configs, lambda c: c["fit.a"] == 1 and c["fit.b"] == 2))
    assert found.values == {"fit.a": 1, "fit.b": 2} and found.f1 == 1


def test_a_single_value_that_explains_all_is_not_made_a_pair():
    configs = [{"fit.a": a, "fit.b": b} for a in range(4) for b in range(10)]
    assert Suspects(configs).culprit(where(configs, lambda c: c["fit.a"] == 1)).values == {"fit.a": 1}


def test_values_that_always_go_together_are_both_named():
    configs = [{"fit.a": i % 3, "fit.b": "xyz"[i % 3], "fit.c": i % 2} for i in range(60)]
    found = Suspects(configs).culprit(where(configs, lambda c: c["fit.a"] == 2))
    assert found.values == {"fit.a": 2} and found.always_with == (("fit.b", "z"),)


def test_one_and_one_point_zero_and_true_and_lists_are_values_of_their_own():
    values = [1, 1.0, True, [1, 2], {"k": 1}]
    configs = [{"fit.x": values[i % 5]} for i in range(50)]
    for place, value in enumerate(values):
        found = Suspects(configs).culprit(range(place, 50, 5))
        assert found.values["fit.x"] is value and found.inside == found.having == 10


def test_a_parameter_that_some_jobs_lack():
    configs = [{"fit.x": i % 2} if i % 3 else {} for i in range(60)]
    found = Suspects(configs).culprit(where(configs, lambda c: c.get("fit.x") == 1))
    assert found.values == {"fit.x": 1}
    assert Suspects(configs).culprit(where(configs, lambda c: not c)) is None  # no value is to blame


@pytest.mark.parametrize("size", [0, 10])
def test_none_or_all_of_the_jobs(size):
    assert Suspects([{"fit.x": i} for i in range(10)]).culprit(range(size)) is None


def test_a_seed_that_differs_everywhere_costs_no_power():
    configs = [{"fit.lr": i % 4, "fit.seed": i} for i in range(24)]
    found = Suspects(configs).culprit(range(0, 24, 4))
    # each seed occurs once: none of them could have been significant, so none of them counts as tried
    assert found.values == {"fit.lr": 0} and found.tried <= 4


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_the_chance_is_fishers(rows):
    configs = [{"fit.a": a, "fit.b": b} for a, b, _ in rows]
    bad = [i for i, (_, _, failed) in enumerate(rows) if failed]
    found = Suspects(configs).culprit(bad)
    if found is not None and len(found.values) == 1:
        ((name, value),) = found.values.items()
        having = set(where(configs, lambda c: c[name] == value and type(c[name]) is type(value)))
        a = len(having & set(bad))
        table = [[a, len(bad) - a], [len(having) - a, len(rows) - len(bad) - len(having) + a]]
        chance = fisher_exact(table, alternative="greater").pvalue
        assert found.p == pytest.approx(min(1, STAGES * found.tried * chance), rel=1e-6)
        assert found.p <= ALPHA


def test_chance_alone_is_seldom_accused():
    """At most the nominal rate over 300 random grids of several shapes."""
    rng = random.Random(11)
    accused = 0
    for _ in range(300):
        configs = grid(
            rng.choice([24, 60, 200]), rng, a=[1, 2], b=[1, 2, 3], c=list(range(5)), d=list(range(40))
        )
        bad = rng.sample(range(len(configs)), max(2, int(len(configs) * rng.choice([0.1, 0.3, 0.5]))))
        accused += Suspects(configs).culprit(bad) is not None
    assert accused <= 300 * ALPHA
    assert accused > 0  # a test that can never accuse would pass as well


def test_twenty_thousand_jobs_take_little_time():
    import time

    rng = random.Random(1)
    choices = {f"p{i}": list(range(rng.choice([2, 5, 20, 1000]))) for i in range(12)}
    configs = grid(20_000, rng, **choices)
    start = time.process_time()
    suspects = Suspects(configs)
    found = suspects.culprit(where(configs, lambda c: c["fit.p0"] == 1 and c["fit.p1"] == 1))
    assert found.values == {"fit.p0": 1, "fit.p1": 1}
    assert time.process_time() - start < 3
