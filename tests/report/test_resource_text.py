from __future__ import annotations

from kwdag import records
from kwdag.report.resource_text import resource_lines
from kwdag.resources import table_of
from tests.test_resources import lay


def lines(root, **options) -> list[str]:
    return list(resource_lines(table_of(records.below(root)), **options))


def test_units_are_for_people_and_80_columns_suffice(tmp_path):
    for name, value, wall in (
        ("a", "/data/" + "x" * 90 + "/one.pt", 4980.0),
        ("b", "/data/two.pt", 200_000.0),
    ):
        up = lay(tmp_path, "fit", name, {"fit.model": value}, wall=wall, max_rss=1.2 * 2**30)
        lay(tmp_path, "evaluate", name, {"fit.model": value}, upstream=[up], wall=0.25, max_rss=None)
    found = lines(tmp_path, base="/data")
    assert found == [
        "Cost: 2 d 8 h in 4 jobs, 2 d 7 h from first to last (1.0 at a time)",
        "    node jobs    wall share    mean     cpu cores busy peak memory",
        "evaluate    2   0.5 s    0%  0.25 s  0.25 s       0.50           -",
        "     fit    2 2 d 8 h  100% 1 d 4 h 1 d 4 h       0.50     1.2 GiB",
        "",
        "Cost of fit.model",
        "            value jobs     wall      mean       cpu  memory    a row   in all",
        "           two.pt    2  2 d 7 h   1 d 3 h   1 d 3 h 1.2 GiB  2 d 7 h  2 d 7 h",
        "xxxxxx…xxx/one.pt    2 1 h 23 m 41 m 30 s 41 m 30 s 1.2 GiB 1 h 23 m 1 h 23 m",
        "",
        "wall, mean, cpu, memory: of the jobs with the value, without their ancestors",
        "a row: a final job and all that it rests on; in all: shared ancestors count once",
    ]
    assert max(map(len, found)) <= 80


def test_of_many_values_the_dearest_are_shown(tmp_path):
    for i in range(30):
        lay(tmp_path, "fit", f"j{i}", {"fit.seed": i}, wall=float(i))
    found = lines(tmp_path)
    start = found.index("Cost of fit.seed (the 12 dearest of 30 values)") + 2
    shown = [line.split()[0] for line in found[start : start + 12]]
    assert shown == [str(i) for i in range(18, 30)]


def test_jobs_without_a_record_are_counted(tmp_path):
    lay(tmp_path, "fit", "a", {}, wall=None, start=None, stop=None)
    lay(tmp_path, "fit", "b", {})
    assert lines(tmp_path)[:2] == ["Cost: 1 s in 2 jobs, 1 s from first to last (1.0 at a time)",
                                   "(1 job did not record what they took)"]  # fmt: skip


def test_no_jobs(tmp_path):
    assert lines(tmp_path) == ["No jobs"]
