from __future__ import annotations

import json

import pytest

from tests.cli.conftest import PIPELINE

RUN = ("schedule", "--params=params.yaml", "--run=1")


@pytest.fixture
def twice(kwdag, project):
    """The same grid run twice, the second time with a program that counts one more."""
    kwdag(*RUN, "--root_dpath=one")
    program = project / "evaluate.sh"
    program.write_text(
        program.read_text().replace("$(wc -c < ", "$(echo x | cat - ").replace('$pred")', '$pred" | wc -c)')
    )
    kwdag(*RUN, "--root_dpath=two")
    return project


def hashids(kwdag, root="one") -> list[str]:
    """The param_hashids of a root, the best first."""
    rows = json.loads(kwdag("aggregate", root, "--json").out)["tables"]["evaluate"]
    return list(dict.fromkeys(row["param_hashid"] for row in reversed(rows)))


def test_two_runs_that_agree(kwdag, project, golden):
    for root in ("one", "two"):
        kwdag(*RUN, f"--root_dpath={root}")
    found = kwdag("compare", "one", "two")
    assert (found.code, found.err) == (0, "")
    golden("compare_same", found.out)


def test_two_runs_that_differ(kwdag, twice, golden):
    found = kwdag("compare", "one", "two")
    assert (found.code, found.err) == (1, "")
    golden("compare_roots", found.out)


def test_a_tolerance_and_outputs(kwdag, twice):
    assert kwdag("compare", "one", "two", "--rtol=0.5").code == 1
    assert kwdag("compare", "one", "two", "--outputs=0").code == 1
    assert kwdag("compare", "one", "two", "--rtol=0.5", "--no-outputs").code == 0
    assert kwdag("compare", "one", "two", "--atol=2", "--outputs=0").code == 0


def test_two_rows(kwdag, twice, golden):
    a, *_, b = hashids(kwdag)
    found = kwdag("compare", a[:8], b, "--root_dpath=one")
    assert (found.code, found.err) == (1, "")
    golden("compare_rows", found.out.replace(a, "{best}").replace(b, "{worst}"))
    assert kwdag("compare", a, a, "--root_dpath=one").code == 0


def test_what_a_row_was_measured_on_is_no_difference(kwdag, project):
    spec = PIPELINE.replace("in_paths: [src]", "in_paths: [src]\n    tags: {src: dataset}")
    (project / "pipe.yaml").write_text(spec)
    kwdag(*RUN, "--root_dpath=one")
    a, b = hashids(kwdag)
    found = kwdag("compare", a, b, "--root_dpath=one").out
    assert "predict.level" in found and "predict.src" not in found
    assert [line.split()[0] for line in found.splitlines()[-2:]] == ["a", "b"]


def test_two_jobs(kwdag, twice):
    a, b, *_ = sorted(path.name for path in (twice / "one" / "predict").iterdir())
    found = kwdag("compare", a, b, "--root_dpath=one")
    assert (found.code, found.out) == (1, kwdag("diff", a, b, "--root_dpath=one").out)
    assert kwdag("compare", a, a, "--root_dpath=one").code == 0
    assert kwdag("compare", f"one/predict/{a}", f"two/predict/{a}").code == 0


@pytest.mark.parametrize("kind", ["roots", "rows", "jobs"])
def test_the_json(kwdag, twice, kind):
    (job, *_) = [path.name for path in (twice / "one" / "predict").iterdir()]
    names = {"roots": ["one", "two"], "rows": hashids(kwdag)[:2], "jobs": [job, job]}[kind]
    found = json.loads(kwdag("compare", *names, "--root_dpath=one", "--json").out)
    assert (found["schema"], found["version"], found["kind"]) == ("kwdag.compare", 1, kind)
    assert found["differs"] is (kind != "jobs")


@pytest.mark.parametrize(
    "argv, complaint",
    [
        (["one"], "compare: missing argument 'B'"),
        (["one", "none"], "none: no such folder; did you mean 'one'?"),
        (["one", "empty"], "empty: no jobs below it"),
        (["x", "y", "--root_dpath=none"], "none: no such folder; did you mean 'one'?"),
        (["zzzzzzzzzzzz", "y", "--root_dpath=one"], "compare: no row 'zzzzzzzzzzzz'"),
        (["evaluate_id_", "predict_id_", "--root_dpath=one"], "one: 'evaluate_id_' stands for 4 jobs; "),
        (["one", "one", "--rtol=-1"], "compare: invalid value for '--rtol': -1.0 is not in the range x>=0"),
        (["one", "one", "--rtol=x"], "compare: invalid value for '--rtol': 'x' is not a valid float"),
        (["one", "one", "--outptus=1"], "compare: no such option '--outptus'; did you mean '--outputs'?"),
    ],
)
def test_bad_input(kwdag, project, argv, complaint):
    (project / "pipe.yaml").write_text(PIPELINE)
    kwdag(*RUN, "--root_dpath=one")
    (project / "empty").mkdir()
    found = kwdag("compare", *argv)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"kwdag: {complaint}") and len(found.err.splitlines()) == 1
