from __future__ import annotations

import json
import math

from kwdag.compare_rows import RowPair
from kwdag.report.compare_text import comparison_json, comparison_lines, rows_json, rows_lines
from kwdag.reproduced import compare_roots
from kwdag.tolerance import Tolerance
from tests.test_resources import lay


def lines(tmp_path, tolerance=None) -> list[str]:
    found = compare_roots(str(tmp_path / "a"), str(tmp_path / "b"), tolerance or Tolerance())
    return list(comparison_lines(found))[2:]


def test_nothing_differs(tmp_path):
    for root in "ab":
        lay(tmp_path / root, "fit", "x", {}, metrics={"acc": 1}, outputs={"o": [1, 0, "h"]})
    assert lines(tmp_path) == [
        "",
        "node both done in both only - only + states metrics outputs",
        " fit    1            1      -      -      -       -       -",
        "",
        "nothing differs: 1 job, 1 metric values and 1 outputs compared",
    ]


def test_all_kinds_of_differences(tmp_path):
    for i, (a, b) in enumerate([(0.5, 0.5), (0.5, 0.25), (1.0, math.nan), (1, "x")]):
        one, two = {"o": [1, 0, f"h{i}"]}, {"o": [1 + i, 0, "h0"]}
        lay(tmp_path / "a", "fit", f"j{i}", {}, metrics={"acc": a}, outputs=one, host="one")
        lay(tmp_path / "b", "fit", f"j{i}", {}, metrics={"acc": b}, outputs=two, host="two")
    lay(tmp_path / "a", "fit", "only", {"fit.lr": 0.1})
    for i in range(12):
        lay(tmp_path / "b", "fit", f"more{i:02}", {"fit.lr": i})
    lay(tmp_path / "a", "fit", "s", {}, state="failed", reason="exit code 3")
    lay(tmp_path / "b", "fit", "s", {})
    assert lines(tmp_path) == [
        "",
        "node both done in both only - only + states metrics outputs",
        " fit    5            4      1     12      1       3       3",
        "",
        "fit: states",
        "    fit_id_s: failed: exit code 3 | done",
        "",
        "fit: metrics",
        "    acc: in 3 of 4 jobs, most in fit_id_j2:",
        "        1.0 | nan",
        "",
        "fit: outputs",
        "    o: in 3 of 4 jobs, such as fit_id_j1: 1 bytes | 2 bytes",
        "",
        "fit: only in -",
        "    fit_id_only",
        "",
        "fit: only in +",
        *[f"    fit_id_more{i:02}" for i in range(10)],
        "    and 2 more",
        "",
        "parameters of the jobs that only one has",
        "- fit.lr: 0.1",
        "+ fit.lr: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more",
        "",
        "surroundings",
        "- host: h, one",
        "+ host: h, two",
        "",
        "differs: jobs that only one has, states, metrics, outputs "
        "(4 jobs, 4 metric values and 4 outputs compared)",
    ]


def test_the_tolerance_is_told(tmp_path):
    lay(tmp_path / "a", "fit", "x", {}, metrics={"acc": 1})
    lay(tmp_path / "b", "fit", "x", {}, metrics={"acc": 2})
    found = lines(tmp_path, Tolerance(0.01, 0.5))
    assert "fit: metrics (apart by more than 0.5 + 0.01 of the larger)" in found
    assert "        1 | 2 (50.00%)" in found


def test_the_json_of_roots(tmp_path):
    lay(tmp_path / "a", "fit", "x", {}, metrics={"acc": 1})
    lay(tmp_path / "b", "fit", "x", {}, metrics={"acc": 2})
    found = json.loads(json.dumps(comparison_json(compare_roots(str(tmp_path / "a"), str(tmp_path / "b")))))
    assert (found["kind"], found["differs"]) == ("roots", True)
    assert found["nodes"][0]["metrics"] == [{"job_id": "fit_id_x", "name": "acc", "a": 1, "b": 2}]


def test_two_rows():
    metrics = {"a": {"acc": (0.5, 0.625), "n": (3, 3)}, "b": {"acc": (None, 0.1234567), "tag": ("x", "y")}}
    pair = RowPair("fit", "aaa", "bbb", {"fit.lr": (0.1, None)}, metrics, True)
    assert list(rows_lines([pair])) == [
        "- aaa",
        "+ bbb",
        "",
        "fit: parameters",
        "- fit.lr: 0.1",
        "+ fit.lr: (none)",
        "",
        "fit: metrics",
        "region metric   -        + change",
        "     a    acc 0.5    0.625 +0.125",
        "     a      n   3        3      =",
        "     b    acc   - 0.123457",
        "     b    tag   x        y",
    ]
    assert json.loads(json.dumps(rows_json([pair])))["nodes"][0]["metrics"]["a"]["acc"] == [0.5, 0.625]
