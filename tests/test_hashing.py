"""Identity: what makes a job this job. The ids here are frozen: a change orphans every earlier result."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.hashing import ID_CHARS, digest, job_id
from kwdag.plan import Item

TEXT = st.text(max_size=8)
IDENTITY = st.recursive(TEXT, lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXT, x, max_size=3))


def shuffled(value, seed):
    if isinstance(value, dict):
        items = [(key, shuffled(item, seed)) for key, item in value.items()]
        random.Random(seed).shuffle(items)
        return dict(items)
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


@given(IDENTITY, st.integers(0, 9))
def test_the_order_of_keys_does_not_enter(identity, seed):
    assert digest(identity) == digest(shuffled(identity, seed))


@given(IDENTITY, IDENTITY)
def test_equal_digests_mean_equal_identities(one, two):
    assert (digest(one) == digest(two)) == (one == two)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_a_digest_even_half_a_surrogate_pair(text):
    assert re.fullmatch("[0-9a-f]{64}", digest(text))


def test_an_id_holds_at_least_60_bits_in_lower_case():
    found = job_id("a.b", digest("x"))
    assert re.fullmatch(r"a\.b_id_[a-z2-7]+", found)
    assert ID_CHARS * 5 >= 60 and len(found) == len("a.b_id_") + ID_CHARS


GOLDEN = [
    # row, node -> the hash of its id
    ({"a.src": "in.txt"}, {"a": "iuqqbctrakule", "b": "igcmlkxe6msm3"}),
    ({"a.src": "in.txt", "a.x": 1}, {"a": "iuqqbctrakule", "b": "igcmlkxe6msm3"}),
    ({"a.src": "in.txt", "a.x": 2.5, "b.y": True}, {"a": "sovsel6henipk", "b": "snsrpptbowcz5"}),
    ({"a.src": "/root/below.txt", "a.x": [1, "ä ' \n"]}, {"a": "ipqyu2ooliddu", "b": "rp26n2agd6nt3"}),
    (
        {"a.src": "s3://bucket/x", "a.x": {"k": [None, 1e-7]}, "b.y": None},
        {"a": "47t6cdyvdf6hk", "b": "q4kleou6zz6bs"},
    ),
    ({"a.src": ["one", "/two"], "b.src": "else"}, {"a": "ogez4vjdhaiez", "b": "ew3gibjhs3h37"}),
]


def hashes(plan):
    return {job.node.name: job.id.partition("_id_")[2] for job in plan.jobs.values()}


@pytest.mark.parametrize(("row", "expected"), GOLDEN)
def test_golden_ids(chain, row, expected):
    assert hashes(chain.plan([row])) == expected


def test_golden_ids_of_a_gather_and_of_branches(lab):
    lab.scatter("s", "true").node("p", ins=["item"]).node("g", ins=["all"])
    lab.edge("s.items -> p.item").gather("p.dst", "g.all")
    (source,) = lab.plan([{}]).jobs.values()
    plan = lab.plan([{}], scattered={source.id: [Item("k1", {}), Item("ü", {})]})
    assert [job.id for job in plan.jobs.values()] == [
        "s_id_3n5hjhdbl2zaj",
        "p_id_ebmpr5uoeq4kv",
        "p_id_i2f34fdibhdz2",
        "g_id_tb4v23gre2ulz",
    ]


PROGRAM = """
from kwdag.yaml_pipeline import from_spec
from kwdag.resolve import build_plan
nodes = {"a": {"executable": "a", "in_paths": {"s", "t", "u"}, "out_paths": {"d": "d"},
               "optional": {"t", "u"}, "algo_params": {"x", "y", "z"}, "tags": {"z": "volatile"}},
         "b": {"executable": "b", "in_paths": {"s"}, "algo_params": {"p": 1, "q": 2}}}
wiring = from_spec({"nodes": nodes, "edges": ["a.d -> b.s"]}).wiring()
rows = [{"a.s": "s", "a.t": "t", "a.x": i, "a.y": {"k": 1, "l": [2]}, "a.z": i} for i in range(3)]
print(*build_plan(wiring, rows, "/root", workdir="/work").jobs)
"""


def test_ids_do_not_depend_on_pythons_hash_seed():
    def ids(seed):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, check=True, capture_output=True
        ).stdout

    assert len(ids("0").split()) == 6
    assert ids("0") == ids("1") == ids("random")
