from __future__ import annotations

import json
import random

import pytest

from tests.cli.conftest import PIPELINE
from tests.test_failures import fail
from tests.test_resources import lay

RUN = ("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")


@pytest.fixture
def picky(kwdag, project):
    """Sixteen rows, of which all that have level 22 fail in their evaluation."""
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    params = (project / "params.yaml").read_text().replace("[1, 22]", "[1, 2, 3, 22, 4, 5]")
    (project / "params.yaml").write_text(params.replace("[a.txt, b.txt]", "[a.txt, b.txt, c.txt, d.txt]"))
    for name in "cd":
        (project / f"{name}.txt").write_text(name)
    kwdag(*RUN)
    return project


def test_the_guilty_value(kwdag, picky, golden):
    found = kwdag("failures", "out")
    assert (found.code, found.err) == (0, "")
    golden("failures", found.out)


def test_nothing_failed(kwdag, project):
    kwdag(*RUN)
    found = kwdag("failures", "out")
    assert (found.code, found.out, found.err) == (0, "no job failed: 8 jobs below out\n", "")


def test_the_default_root(kwdag, folder):
    fail(folder / "kwdag_output", "fit", "a", {}, "Error: x\n")
    assert "1 job of fit: Error: x" in kwdag("failures").out


def test_several_roots(kwdag, folder):
    for name in ("one", "two"):
        fail(folder / name, "fit", "a", {}, "Error: x\n")
    assert kwdag("failures", "one", "two").out.startswith("2 of 2 jobs failed in one way\n")


def test_the_json(kwdag, picky):
    found = json.loads(kwdag("failures", "out", "--json").out)
    assert (found["schema"], found["version"], found["failed"]) == ("kwdag.failures", 1, 4)
    assert found["groups"][0]["culprit"]["values"] == {"predict.level": 22}


def test_fewer_lines_and_groups(kwdag, folder):
    rng = random.Random(0)
    for i in range(9):
        fail(folder / "out", "fit", f"j{i}", {"fit.x": rng.random()}, f"a\nb\nError: {'abc'[i % 3]}\n")
        lay(folder / "out", "fit", f"k{i}", {"fit.x": rng.random()})
    short = kwdag("failures", "out", "--lines=1", "--most=1").out
    assert short.count("| ") == 1 and "and 2 smaller groups with 6 jobs" in short


@pytest.mark.parametrize(
    "argv, complaint",
    [
        (["none"], "none: no such folder"),
        (["outt"], "outt: no such folder; did you mean 'out'?"),
        (["file"], "file: this is a file, not the root folder of a run"),
        (["out", "--lines=x"], "failures: invalid value for '--lines': 'x' is not a whole number from 0 on"),
        (["out", "--linse=3"], "failures: no such option '--linse'; did you mean '--lines'?"),
    ],
)
def test_bad_input(kwdag, folder, argv, complaint):
    (folder / "out").mkdir()
    (folder / "file").write_text("")
    found = kwdag("failures", *argv)
    assert (found.code, found.out) == (2, "")
    assert found.err == f"kwdag: {complaint}\n"
