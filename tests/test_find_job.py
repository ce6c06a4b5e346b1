from __future__ import annotations

import pytest

from kwdag.errors import KwdagError
from kwdag.find_job import find, pick

IDS = ["a_id_mvj222", "a_id_mvk333", "b_id_mva444", "b_id_zzz555"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_id_mvj222", "a_id_mvj222"),
        ("a_id_mvj", "a_id_mvj222"),
        ("mvj", "a_id_mvj222"),
        ("z", "b_id_zzz555"),
    ],
)
def test_a_unique_prefix_of_an_id_or_of_a_hash(name, expected):
    assert pick(name, IDS, "out") == expected


def test_a_whole_id_is_meant_even_when_others_begin_with_it():
    assert pick("a_id_mvj", [*IDS, "a_id_mvj"], "out") == "a_id_mvj"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_id", "out: 'a_id' stands for 2 jobs; a_id_mvj222, a_id_mvk333"),
        ("mv", "out: 'mv' stands for 3 jobs; a_id_mvj222, a_id_mvk333, b_id_mva444"),
        ("mvx", "out: no job 'mvx'; did you mean a_id_mvj222 or a_id_mvk333 or b_id_mva444?"),
        ("b_id_zzx", "out: no job 'b_id_zzx'; did you mean b_id_zzz555?"),
        ("7", "out: no job '7'; the jobs are of a, b"),
    ],
)
def test_what_is_not_unique_or_unknown(name, expected):
    with pytest.raises(KwdagError) as caught:
        pick(name, IDS, "out")
    assert str(caught.value) == expected


def test_of_many_candidates_a_few_are_named():
    with pytest.raises(KwdagError, match=r"'a' stands for 9 jobs; .*a_id_5 and 4 more$"):
        pick("a", [f"a_id_{i}" for i in range(1, 10)], "out")


def test_a_job_directory_is_a_name_too(chain):
    chain.schedule({"a.src": "in.txt"})
    found = find("elsewhere", f"{chain.job('b')}/")
    assert (found.root, found.node, found.dpath) == (str(chain.root), "b", str(chain.job("b")))
    with pytest.raises(KwdagError, match="no job directory"):
        find("elsewhere", str(chain.root))


def test_a_planned_job_needs_no_root(tmp_path):
    assert find(str(tmp_path / "none"), "a_id_x", ["a_id_xyz"]).dpath == f"{tmp_path}/none/a/a_id_xyz"
