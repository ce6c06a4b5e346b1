"""Two roots: what changed between two runs of the same jobs."""

from __future__ import annotations

import json
import math
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag import jobdir
from kwdag.errors import RootError
from kwdag.reproduced import MISSING, UNKNOWN, compare_roots
from kwdag.tolerance import Change, Tolerance
from tests.test_resources import lay


@pytest.fixture
def twice(lab):
    """A pipeline run into two roots; a file outside decides what the second run finds."""
    lab.file("in.txt", "one\n")
    lab.file("factor.txt", "2\n")
    lab.node("a", "cat {src} > {dst}; echo {x} >> {dst}", ins=["src"], algo_params={"x": 1})
    factor = lab.folder / "factor.txt"
    lab.node("b", f"""echo '{{{{"metrics": {{{{"acc": '$(({{y}} * $(cat {factor})))'}}}}}}}}' > {{out}}""",
             ins=["src"], outs={"out": "b.json"}, algo_params={"y": 1})  # fmt: skip
    lab.edge("a.dst -> b.src")
    return lab


def run(lab, name, matrix=None):
    lab.root = lab.folder / name
    lab.schedule(matrix or {"a.src": "in.txt", "a.x": [1, 2], "b.y": [3, 4]})
    return lab.root


def node(found, name):
    return next(one for one in found.nodes if one.node == name)


def test_the_same_run_twice_differs_in_nothing(twice):
    found = compare_roots(str(run(twice, "one")), str(run(twice, "two")))
    assert not found.differs and [one.node for one in found.nodes] == ["a", "b"]
    assert [(one.both, one.compared, one.n_outputs) for one in found.nodes] == [(2, 2, 2), (4, 4, 4)]
    assert node(found, "b").n_metrics == 4 and found.params == found.surroundings == {}


def test_a_metric_that_changed(twice):
    one = run(twice, "one")
    twice.file("factor.txt", "3\n")
    found = compare_roots(str(one), str(run(twice, "two")))
    assert found.differs and not node(found, "a").differs
    changes = node(found, "b").metrics
    assert sorted((c.name, c.a, c.b) for c in changes) == [("acc", 6, 9)] * 2 + [("acc", 8, 12)] * 2
    assert {c.name for c in node(found, "b").outputs} == {"out"} and len(node(found, "b").outputs) == 4


def test_within_a_tolerance_metrics_are_the_same(twice):
    one = run(twice, "one")
    twice.file("factor.txt", "3\n")
    two = run(twice, "two")
    for tolerance, count in (
        (Tolerance(0.34), 0),
        (Tolerance(0.33), 4),
        (Tolerance(0, 3), 2),
        (Tolerance(0.1, 3), 0),
    ):
        found = compare_roots(str(one), str(two), tolerance, outputs=False)
        assert len(node(found, "b").metrics) == count and found.differs == bool(count)


def test_jobs_that_only_one_has_and_the_parameters_to_blame(twice):
    one = run(twice, "one", {"a.src": "in.txt", "a.x": [1, 2], "b.y": [3, 4]})
    found = compare_roots(
        str(one), str(run(twice, "two", {"a.src": "in.txt", "a.x": [1, 5], "b.y": [3, 4, 6]}))
    )
    a, b = found.nodes
    assert (len(a.only_a), len(a.only_b), a.both) == (1, 1, 1)
    assert (len(b.only_a), len(b.only_b), b.both) == (2, 4, 2)
    assert found.params == {"a.x": ([2], [1, 5]), "b.y": ([], [6])} or found.params["a.x"][0] == [2]
    assert found.differs


def test_states_that_differ(twice):
    one, two = run(twice, "one"), run(twice, "two")
    (job, other, *_) = sorted((two / "b").iterdir())
    status = json.loads((job / jobdir.STATUS).read_text())
    (job / jobdir.STATUS).write_text(json.dumps(status | {"state": "failed", "reason": "exit code 3"}))
    (other / jobdir.STATUS).write_text("{")
    found = compare_roots(str(one), str(two))
    assert [(c.job_id, c.a, c.b) for c in node(found, "b").states] == [
        (job.name, "done", "failed: exit code 3")
    ]
    assert found.damaged == (str(other),) and node(found, "b").compared == 2


def test_what_may_be_the_reason(twice):
    one = run(twice, "one")
    twice.file("in.txt", "two\n")
    two = run(twice, "two")
    for path in two.glob("*/*/job_status.json"):
        path.write_text(path.read_text().replace('"git": null', '"git": "abc"'))
    found = compare_roots(str(one), str(two))
    assert [c.name for c in node(found, "a").inputs] == [str(twice.folder / "in.txt")] * 2
    assert found.surroundings == {"git": ([], ["abc"])}


def test_a_copied_root_is_the_same(twice):
    one = run(twice, "one")
    shutil.copytree(one, twice.folder / "copy", symlinks=True)
    assert not compare_roots(str(one), str(twice.folder / "copy")).differs


def made(root, content, digest, **more):
    """A job with one output."""
    job = lay(root, "fit", "a", {}, outputs={"out": [len(content), 0, digest]}, **more)
    dpath = root / "fit" / job
    (dpath / "o.bin").write_text(content)
    stamp = [len(content), (dpath / "o.bin").stat().st_mtime_ns, digest]
    lay(root, "fit", "a", {}, outputs={"out": stamp}, **more)
    text = "cd / || exit\nmake\nexit\nfi\n\njob=a\noutputs=('\"out\"' o.bin)\naside=(o.bin)\nupstream=()\n"
    (dpath / jobdir.INVOKE).write_text(text)
    return dpath


@pytest.mark.parametrize(
    "one, two, differs, unsure",
    [
        (("x", "h1"), ("x", "h1"), False, 0),
        (("x", "h1"), ("x", "h2"), True, 0),
        (("x", None), ("xy", None), True, 0),
        (("x", None), ("x", None), False, 0),  # as after a run by hand: the files themselves are read
        (("x", None), ("y", None), True, 0),
    ],
)
def test_the_content_of_outputs(tmp_path, one, two, differs, unsure):
    made(tmp_path / "a", *one)
    made(tmp_path / "b", *two)
    (found,) = compare_roots(str(tmp_path / "a"), str(tmp_path / "b")).nodes
    assert (bool(found.outputs), found.unsure) == (differs, unsure)


def test_an_output_that_changed_since_is_not_judged(tmp_path):
    made(tmp_path / "a", "x", None)
    dpath = made(tmp_path / "b", "x", None)
    (dpath / "o.bin").write_text("z and more")
    (found,) = compare_roots(str(tmp_path / "a"), str(tmp_path / "b")).nodes
    assert not found.outputs and found.unsure == 1
    assert UNKNOWN != MISSING


def test_metrics_and_outputs_that_one_lacks(tmp_path):
    lay(tmp_path / "a", "fit", "a", {}, metrics={"acc": 1, "nan": math.nan}, outputs={"x": [1, 0, "h"]})
    lay(tmp_path / "b", "fit", "a", {}, metrics={"nan": math.nan, "f1": 2}, outputs={})
    (found,) = compare_roots(str(tmp_path / "a"), str(tmp_path / "b")).nodes
    assert {(c.name, c.a, c.b) for c in found.metrics} == {("acc", 1, MISSING), ("f1", MISSING, 2)}
    assert [(c.a, c.b) for c in found.outputs] == [("there", MISSING)]


def test_the_largest_change_comes_first(tmp_path):
    for name, a, b in (("p", 1.0, 1.1), ("q", 1.0, 3.0), ("r", -1.0, 1.0), ("s", 0.5, "x"), ("t", 0, 0.0)):
        lay(tmp_path / "a", "fit", name, {}, metrics={"m": a})
        lay(tmp_path / "b", "fit", name, {}, metrics={"m": b})
    (found,) = compare_roots(str(tmp_path / "a"), str(tmp_path / "b")).nodes
    assert [c.job_id for c in found.metrics] == [f"fit_id_{name}" for name in "srqp"]


def test_roots_that_are_none(tmp_path):
    lay(tmp_path / "a", "fit", "a", {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(RootError, match="no such folder"):
        compare_roots(str(tmp_path / "a"), str(tmp_path / "none"))
    with pytest.raises(RootError, match="empty: no jobs below it"):
        compare_roots(str(tmp_path / "empty"), str(tmp_path / "a"))


numbers = st.one_of(st.floats(), st.integers(-(10**20), 10**20), st.just(10**400))


@given(numbers, numbers, st.floats(0, 10), st.floats(0, 10))
def test_the_tolerance_is_symmetric_and_grows(a, b, relative, absolute):
    some, exact = Tolerance(relative, absolute), Tolerance()
    assert some.same(a, b) == some.same(b, a) and some.same(a, a)
    assert some.same(a, b) >= exact.same(a, b)
    assert exact.same(a, b) == (a == b or (a != a and b != b))
    assert Change("j", "m", a, b).size >= 0


@pytest.mark.parametrize("a, b", [(1, "1"), (1, True), (None, 0), ([1], (1,)), (math.inf, 1e308)])
def test_what_is_never_the_same(a, b):
    assert not Tolerance(1, 1e300 if b != 1e308 else 1).same(a, b)
