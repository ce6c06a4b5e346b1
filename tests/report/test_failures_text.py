from __future__ import annotations

import json

from kwdag.culprits import Culprit
from kwdag.failures import find_failures
from kwdag.report.failures_text import accusation, failure_lines, failures_json, notes
from tests.test_failures import fail
from tests.test_resources import lay


def report(root, **options) -> list[str]:
    return list(failure_lines(find_failures([root]), base=str(root.parent), **options))


def culprit(inside, size, having, p=1e-4, **more) -> Culprit:
    return Culprit({"fit.lr": 0.1}, inside, size, having, 100, p, 7, **more)


def test_how_a_value_is_accused():
    assert accusation(culprit(40, 40, 40)) == (
        "all 40 have fit.lr=0.1, and every job with it failed so (p < 1e-3)"
    )
    assert accusation(culprit(40, 40, 60, 0.0123)) == (
        "all 40 have fit.lr=0.1, and 40 of the 60 jobs with it failed so (p = 0.012)"
    )
    assert accusation(culprit(38, 40, 38, 0.0)).startswith("38 of 40 have fit.lr=0.1, and every job with it")
    both = Culprit({"fit.lr": 0.1, "fit.m": "x"}, 5, 5, 5, 9, 0.01, 3, (("fit.n", 2),))
    assert accusation(both) == (
        "all 5 have fit.lr=0.1 and fit.m=x, and every job with both failed so (and so has fit.n=2) (p = 0.01)"
    )


def test_the_report(tmp_path):
    root = tmp_path / "out"
    for i in range(12):
        if i % 3 == 0:
            log = f"step {i}\nreading\n  indented\x07\nError: step {i} of /data/{i}.tif\n"
            fail(root, "fit", f"j{i}", {"fit.lr": 0.1}, log)
        else:
            lay(root, "fit", f"j{i}", {"fit.lr": i % 3})
    assert report(root, lines=3) == [
        "4 of 12 jobs failed in one way",
        "",
        "1. 4 jobs of fit: Error: step <n> of <path>",
        "   all 4 have fit.lr=0.1, and every job with it failed so (p = 0.012)",
        "   such as out/fit/fit_id_j0/job.log",
        "   | reading",
        "   |   indented\\x07",
        "   | Error: step 0 of /data/0.tif",
    ]
    assert not any("| " in line for line in report(root, lines=0))


def test_lines_of_our_own_keep_to_the_width(tmp_path):
    for i in range(12):
        config = {"fit.a_long_name_of_a_parameter": "/data/" + "x" * 200 if i % 2 else i}
        if i % 2:
            fail(tmp_path, "fit", f"j{i}", config, "ValueError: " + "word " * 60 + "\n")
        else:
            lay(tmp_path, "fit", f"j{i}", config)
    lines = [line for line in report(tmp_path) if "| " not in line and "such as" not in line]
    assert max(map(len, lines)) <= 80 + 30  # only a name with its value may stick out
    assert sum(len(line) > 80 for line in lines) <= 1
    assert not any(line.endswith("(p <") for line in lines)


def test_few_groups_of_many(tmp_path):
    for i, word in enumerate(["one", "one", "one", "two", "two", "three", "four", "five"]):
        fail(tmp_path, "fit", f"j{i}", {}, f"Error: {word}\n")
    lines = report(tmp_path, most=2, lines=0)
    assert lines[-1] == "\nand 3 smaller groups with 3 jobs; --most=N shows more"
    assert [line for line in lines if line[:1].isdigit()] == [
        "8 of 8 jobs failed in 5 ways", "1. 3 jobs of fit: Error: one", "2. 2 jobs of fit: Error: two",
    ]  # fmt: skip


def test_nothing_failed(tmp_path):
    lay(tmp_path / "out", "fit", "a", {})
    assert report(tmp_path / "out") == ["no job failed: 1 job below out"]


def test_where_all_failed_that_is_said(tmp_path):
    for i in range(3):
        fail(tmp_path, "fit", f"j{i}", {"fit.x": i}, "Error\n")
    (group,) = find_failures([tmp_path]).groups
    assert list(notes(group)) == ["no job of fit ended otherwise"]


def test_the_json_says_all(tmp_path):
    for i in range(10):
        if i < 5:
            fail(tmp_path, "fit", f"j{i}", {"fit.x": 1}, "Error: bad\n")
        else:
            lay(tmp_path, "fit", f"j{i}", {"fit.x": 2})
    found = json.loads(json.dumps(failures_json(find_failures([tmp_path]), 5)))
    assert (found["jobs"], found["failed"], found["waiting"]) == (10, 5, 0)
    (group,) = found["groups"]
    assert group["symptom"] == "Error: bad" and group["count"] == 5 == len(group["jobs"])
    assert group["culprit"]["values"] == {"fit.x": 1} and group["culprit"]["precision"] == 1.0
    assert group["example"]["log"] == ["Error: bad"] and group["example"]["id"] == "fit_id_j0"
