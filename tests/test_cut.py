"""Files that were cut at any byte are read right or named as damaged, and the same command mends them."""

import json

import pytest

import kwdag
from kwdag import claims, jobdir


def cuts(path):
    """Cut a file at every byte in turn, and make it whole again."""
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        yield length, whole
    path.write_bytes(whole)


@pytest.fixture
def measured(lab):
    """A done job with a metric and parameters of several bytes a letter."""
    lab.node("a", """printf '{{"metrics": {{"v": %s}}}}\\n' 12345 > {dst}""", outs={"dst": "out.json"},
             algo_params={"x": "é日🦆"}, metrics=["v"])  # fmt: skip
    lab.matrix = {"a.x": ["é日🦆"]}
    assert lab.schedule(lab.matrix).complete
    return lab


def check_mended(lab):
    """The same call again brings a job that is done, and its metric."""
    lab.ran()
    assert lab.schedule(lab.matrix).complete
    assert lab.ran() == ["a"]
    assert jobdir.read_status(lab.job("a"))["metrics"] == {"v": 12345}
    assert lab.look(lab.matrix) == {lab.job("a").name: "done"}


@pytest.mark.every_backend
def test_a_cut_status(measured):
    path = measured.job("a") / jobdir.STATUS
    for length, whole in cuts(path):
        found = measured.look(measured.matrix)[path.parent.name]
        if length == len(whole) - 1:  # only the newline is lost
            assert found == "done"
        else:
            assert "is damaged" in found and jobdir.STATUS in found
    path.write_bytes(path.read_bytes()[:-20])
    check_mended(measured)


def test_a_cut_config(measured):
    path = measured.job("a") / jobdir.CONFIG
    config = jobdir.read_config(path.parent)
    assert config == {"a.x": "é日🦆"}
    for length, whole in cuts(path):
        if length == len(whole) - 1:
            assert jobdir.read_config(path.parent) == config
        else:
            with pytest.raises(jobdir.DamagedFile, match=jobdir.CONFIG):
                jobdir.read_config(path.parent)


def test_a_cut_result(measured):
    path = measured.job("a") / "out.json"
    for length, whole in cuts(path):
        found = measured.look(measured.matrix)[path.parent.name]
        assert found == "output 'dst' (out.json) is not as it was recorded"
        rows = kwdag.load_results(measured.root)["a"]
        values = [] if rows.empty else list(rows["metrics.a.v"])
        assert values == ([12345] if length == len(whole) - 1 else [])
    path.write_bytes(path.read_bytes()[:-4])
    check_mended(measured)


def test_a_cut_pipeline_record(measured):
    path = measured.root / jobdir.RUN_DPATH / jobdir.PIPELINE_RECORD
    record = jobdir.read_pipeline_record(measured.root)
    for length, whole in cuts(path):
        if length == len(whole) - 1:
            assert jobdir.read_pipeline_record(measured.root) == record
        else:
            with pytest.raises(jobdir.DamagedFile, match=jobdir.PIPELINE_RECORD):
                jobdir.read_pipeline_record(measured.root)
    path.write_bytes(path.read_bytes()[:-20])
    assert measured.schedule(measured.matrix).counts == {}
    assert jobdir.read_pipeline_record(measured.root) == record


def test_a_cut_claim(measured):
    dpath = measured.job("a")
    holder = claims.holder(str(dpath))
    assert holder["host"] == claims.host_id()
    for _ in cuts(dpath / f"{jobdir.CLAIM}1"):
        assert claims.holder(str(dpath)) == {}
        assert measured.look(measured.matrix) == {dpath.name: "done"}


def test_a_cut_list_of_branches(lab):
    items = json.dumps([{"key": key, "values": {"x": key}} for key in ("é", "b")], ensure_ascii=False)
    lab.scatter("s", f"printf '%s\\n' '{items}'".replace("{", "{{").replace("}", "}}"))
    lab.node("b", algo_params=["x"], ins=["key"]).edge("s.items -> b.key")
    assert lab.schedule({"s.__enabled__": 1}).counts == {"done": 3}
    job = lab.job("s")
    for _ in cuts(job / "items.json"):
        found = lab.look({"s.__enabled__": 1})
        assert found == {job.name: "output 'items' (items.json) is not as it was recorded"}
    (job / "items.json").write_text(items[:-1])
    lab.ran()
    assert lab.schedule({"s.__enabled__": 1}).complete
    assert set(lab.ran()) <= {"s", "b"}
    assert len(lab.look({"s.__enabled__": 1})) == 3


def test_a_cut_manifest_is_written_anew_before_its_job_runs(lab):
    lab.node("a", algo_params=["x"])
    lab.node("g", "cat $(cat {parts}) > {dst}", ins=["parts"]).gather("a.dst", "g.parts")
    matrix = {"a.x": [1, 2]}
    assert lab.schedule(matrix).complete
    job = lab.job("g")
    result = (job / "g.txt").read_text()
    for name in ("parts.txt", "parts.json"):
        path = job / jobdir.GATHER / name
        whole = path.read_bytes()
        for length in range(0, len(whole), 37):
            path.write_bytes(whole[:length])
            (job / jobdir.STATUS).unlink()
            assert lab.schedule(matrix).counts == {"done": 1}
            assert path.read_bytes() == whole
            assert (job / "g.txt").read_text() == result
