from __future__ import annotations

import json

import pytest

RUN = ("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")


@pytest.fixture
def done(kwdag, project):
    assert kwdag(*RUN).code == 0
    return project


def test_the_report(kwdag, project, golden):
    (project / "b.txt").write_text("bbbb\n")  # four different sizes: the order of the rows is sure
    kwdag(*RUN)
    found = kwdag("aggregate", "--target=out")
    assert (found.code, found.err) == (0, "")
    golden("aggregate", found.out)


@pytest.mark.parametrize(
    "argv", [("out",), ("--target", "\n    - out\n"), ("--target=[out, ./out]",), ("o*",)]
)
def test_ways_of_naming_a_target(kwdag, done, argv):
    assert kwdag("aggregate", *argv).out == kwdag("aggregate", "--target=out").out


def test_the_json(kwdag, done):
    found = json.loads(kwdag("aggregate", "--target=out", "--json").out)
    assert (found["schema"], found["version"]) == ("kwdag.aggregate", 1)
    assert set(found) == {"schema", "version", "tables", "states", "exported", "skipped"}
    assert [row["metrics.evaluate.size"] for row in found["tables"]["evaluate"]] == [4, 5, 5, 6]
    assert found["states"] == {"evaluate": {"done": 4}}


def test_the_json_stays_json_when_tables_are_exported(kwdag, done):
    found = kwdag("aggregate", "--target=out", "--json", "--export_tables=1", "--output_dpath=tables")
    assert [path.endswith("tables/evaluate.csv") for path in json.loads(found.out)["exported"]] == [True]
    assert (done / "tables" / "evaluate.csv").is_file()


def test_tables_are_exported_when_asked(kwdag, done):
    assert kwdag("aggregate", "--target=out").code == 0
    assert not (done / "aggregate").exists()
    found = kwdag("aggregate", "--target=out", "--export_tables=csv", "--output_dpath=tables")
    assert found.out.splitlines()[-1].endswith("tables/evaluate.csv")
    assert len((done / "tables" / "evaluate.csv").read_text().splitlines()) == 5


def test_a_damaged_result_is_listed_and_gives_exit_code_3(kwdag, done):
    path = sorted(done.glob("out/evaluate/*/eval.json"))[0]
    path.write_text('{"metrics": {"si')
    found = kwdag("aggregate", "--target=out")
    assert found.code == 3
    assert path.parent.name in found.err
    assert "Top 3 / 3 for evaluate" in found.out


ACCEPTED = [
    "--pipeline=pipe.yaml", "--output_dpath=full", "--io_workers=0", "--io_workers=2", "--io_workers=avail",
    "--eval_nodes=evaluate", "--eval_nodes=[evaluate]", "--stdout_report={top_k: 2, concise: 0}",
    "--stdout_report=1", "--cache_resolved_results=False", "--primary_metric_cols=size",
    "--display_metric_cols=auto", "--export_tables=0", "--rois=unknown", "--query=size > 4",
]  # fmt: skip


@pytest.mark.parametrize("option", ACCEPTED)
def test_an_option_is_accepted(kwdag, done, option):
    found = kwdag("aggregate", "--target=out", option)
    assert (found.code, found.err) == (0, "")


def test_no_report(kwdag, done):
    assert kwdag("aggregate", "--target=out", "--stdout_report=0").out == ""
