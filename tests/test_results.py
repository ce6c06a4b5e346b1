"""Job directories become rows; damaged ones are named and never stop the rest."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from kwdag import claims, results
from kwdag.results import Job
from tests.jobs import write_job

GOOD = json.dumps({"metrics": {"acc": 0.5}})


def load(dpath: Path) -> dict:
    data = json.loads((dpath / "out.json").read_text())
    return {f"metrics.fit.{name}": value for name, value in data["metrics"].items()}


@pytest.fixture
def job(tmp_path):
    """Writes one job directory by hand."""

    def write(name="fit_id_a", *, config="{}", state="done", status=None, result=GOOD, loader=load):
        dpath = tmp_path / "fit" / name
        dpath.mkdir(parents=True)
        files = {
            "job_config.json": config,
            "job_status.json": status
            or json.dumps({"schema": 1, "state": state, "exit_code": 0, "end": True}),
            "out.json": result,
        }
        for file, text in files.items():
            if text is not None:
                (dpath / file).write_text(text)
        return Job(name, str(dpath), loader)

    return write


def table_of(*jobs, **options):
    return results.load_node("fit", jobs, **options).columns.table()


def test_a_done_job_is_a_row_of_its_parameters_and_metrics(job):
    table = table_of(
        job(config='{"prep.size": 3, "fit.lr": 0.1}', result='{"metrics": {"acc": 1, "f1": 0.25}}')
    )
    assert list(table) == [
        "node", "job_id", "dpath", "params.prep.size", "params.fit.lr", "metrics.fit.acc", "metrics.fit.f1",
        "job.start", "job.stop", "job.wall", "job.cpu", "job.max_rss", "job.host", "job.backend",
    ]  # fmt: skip
    assert table.iloc[0].tolist()[3:7] == [3, 0.1, 1, 0.25]
    assert table["job_id"].tolist() == ["fit_id_a"]


def test_when_where_and_at_what_cost_a_job_ran_is_in_its_row(tmp_path):
    ran = {
        "start": 10.5,
        "stop": 12.0,
        "wall": 1.5,
        "cpu": 1,
        "max_rss": 2**20,
        "host": "h",
        "backend": "tmux",
    }
    jobs = [
        write_job(tmp_path, "a", **ran),
        write_job(tmp_path, "b"),
        write_job(tmp_path, "c", wall="x", host=1),
    ]
    table = table_of(*jobs)
    assert [table[f"job.{name}"].tolist()[0] for name in ran] == list(ran.values())
    assert table["job.start"].dtype == table["job.max_rss"].dtype == "float64"
    assert table.loc[1:, [f"job.{name}" for name in ran]].isna().all(axis=None)


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_a_job_that_is_not_done_is_absent_with_its_parameters(job, state):
    status = json.dumps({"state": state, "exit_code": 1, "reason": "exit\ncode 1"})
    found = results.load_node(
        "fit", [job("fit_id_a"), job("fit_id_b", status=status, config='{"fit.lr": 2}')]
    )
    assert found.columns.n_rows == 1
    assert found.states == {"done": 1, state: 1}
    assert found.skipped == []
    absent = found.absent.table()
    assert list(absent) == ["node", "job_id", "dpath", "state", "reason", "params.fit.lr"]
    assert absent.iloc[0].tolist()[1::2] == ["fit_id_b", state, 2]
    assert absent["reason"].tolist() == ["exit code 1"]


def test_nothing_absent_is_a_table_without_rows(job):
    absent = results.load_node("fit", [job()]).absent.table()
    assert list(absent) == ["node", "job_id", "dpath", "state", "reason"]
    assert len(absent) == 0


@pytest.mark.parametrize(("exit_code", "rows"), [(0, 1), (1, 0), (None, 0)])
def test_a_job_finished_by_hand_counts_by_its_exit_code(job, exit_code, rows):
    status = json.dumps({"state": "finished", "exit_code": exit_code, "end": True})
    assert results.load_node("fit", [job(status=status)]).columns.n_rows == rows


def test_a_job_without_status_is_pending_running_or_interrupted(tmp_path):
    jobs = [write_job(tmp_path, name) for name in "abc"]
    for one in jobs:
        Path(one.dpath, "job_status.json").unlink()
    claims.acquire(jobs[1].dpath, 0).release()
    claim = claims.acquire(jobs[2].dpath, 0)
    try:
        found = results.load_node("fit", jobs)
    finally:
        claim.release()
    assert found.states == {"pending": 1, "interrupted": 1, "running": 1}
    assert found.absent.lists["state"] == ["pending", "interrupted", "running"]
    assert found.absent.lists["params.fit.lr"] == ["a", "b", "c"]
    assert found.skipped == []
    assert found.absent.lists["reason"][0] == "no job_status.json: kwdag has neither run nor adopted it"


def raises(error):
    def loader(_dpath):
        raise error

    return loader


BROKEN = {
    "cut status": ({"status": '{"state": "do'}, "job_status.json is damaged"),
    "status is a list": ({"status": "[]"}, "job_status.json is damaged"),
    "cut config": ({"config": '{"a.b": '}, "job_config.json is damaged"),
    "no config": ({"config": None}, "job_config.json is missing"),
    "config is a number": ({"config": "3"}, "job_config.json is damaged"),
    "no result": ({"result": None}, "no file out.json"),
    "empty result": ({"result": ""}, "its result is not JSON"),
    "cut result": ({"result": GOOD[:-3]}, "its result is not JSON"),
    "unknown state": (
        {"status": '{"state": "doen"}'},
        "job_status.json names the state 'doen', which is unknown",
    ),
    "status nested too deep": ({"status": "[" * 100_000}, "job_status.json is damaged: nested too deep"),
    "result without the key": ({"result": "{}"}, "load_result raised KeyError: 'metrics'"),
    "no metrics": ({"result": '{"metrics": {}}'}, "its result holds no metrics"),
    "binary result": (
        {"loader": raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"))},
        "its result is not JSON",
    ),
    "loader returns a list": ({"loader": lambda dpath: [1]}, "load_result returned list, not a mapping"),
    "message of several lines": (
        {"loader": raises(ValueError("a\n b"))},
        "load_result raised ValueError: a b",
    ),
    "unreadable": ({"loader": raises(PermissionError(13, "Permission denied", "x"))}, "Permission denied: x"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_result_is_named_and_the_rest_is_loaded(job, case, workers):
    fields, reason = BROKEN[case]
    jobs = [job("fit_id_a"), job("fit_id_b", **fields), job("fit_id_c")]
    found = results.load_node("fit", jobs, io_workers=workers)
    assert found.columns.lists["job_id"] == ["fit_id_a", "fit_id_c"]
    assert [path for path, _ in found.skipped] == [jobs[1].dpath]
    assert reason in found.skipped[0].reason
    assert "\n" not in found.skipped[0].reason
    assert found.states == {"done": 2, "damaged": 1}
    assert found.absent.lists["state"] == ["damaged"]


def write(text):
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def replace_by(make):
    return lambda path: (path.unlink(), make(path))


#: What a declared result file may turn out to be; the loader of kwdag's own reads it.
FOUND = {
    "nothing": (Path.unlink, "no file out.json"),
    "empty": (write(""), "its result is not JSON"),
    "binary": (write(bytes(range(256))), "its result is not JSON"),
    "nested too deep": (write("[" * 100_000), "its result is nested too deep"),
    "deep in a value": (write('{"metrics": {"a": ' + "[" * 200 + "]" * 200 + "}}"), "it is nested too deep"),
    "a number that is none": (write('{"metrics": {"a": 1e999999}}'), "metrics.fit.a is a number too large"),
    "many digits": (write('{"metrics": {"a": %s}}' % ("9" * 5000)), "its result is not JSON: Exceeds"),
    "a long text": (write('{"metrics": {"a": "%s"}}' % ("x" * 10**7)), "fit.a is a text of 10,000,000 char"),
    "a long list": (write('{"metrics": {"a": [%s0]}}' % ("0," * 10**6)), "fit.a holds more than 1,000,000"),
    "many values": (
        write(json.dumps({"metrics": dict.fromkeys(map(str, range(20_000)), 1)})), "it holds 20,008 values",
    ),
    "no mapping": (write("3"), "its result holds no metrics"),
    "malformed info": (write('{"info": [{"properties": 3}]}'), "its result is not built as results are"),
    "a folder": (replace_by(Path.mkdir), "out.json is a folder, not a file"),
    "a pipe": (replace_by(os.mkfifo), "out.json is a pipe or a device, not a file"),
    "a device": (replace_by(lambda path: path.symlink_to("/dev/zero")), "out.json is a pipe or a device"),
    "a loop of links": (replace_by(lambda path: path.symlink_to(path)), "Too many levels of symbolic links"),
    "a link to nothing": (replace_by(lambda path: path.symlink_to("gone")), "no file out.json"),
    "unreadable": (replace_by(lambda path: path.symlink_to("/proc/self/mem")), "Input/output error"),
    "very large": (lambda path: os.truncate(path, 2**27), "out.json is larger than 64 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_whatever_lies_in_the_place_of_a_result_is_named(tmp_path, case):
    change, reason = FOUND[case]
    jobs = [write_job(tmp_path, name) for name in "abc"]
    change(Path(jobs[1].dpath, "out.json"))
    found = results.load_node("fit", jobs)
    assert found.columns.lists["job_id"] == ["fit_id_a", "fit_id_c"]
    assert len(found.skipped) == 1
    assert found.skipped[0].path == jobs[1].dpath
    assert reason in found.skipped[0].reason


@pytest.mark.parametrize("file", ["job_status.json", "job_config.json"])
@pytest.mark.parametrize(
    "case", ["a folder", "a pipe", "a device", "a loop of links", "very large", "unreadable"]
)
def test_whatever_lies_in_the_place_of_the_jobs_own_files_is_named(tmp_path, file, case):
    jobs = [write_job(tmp_path, name) for name in "ab"]
    FOUND[case][0](Path(jobs[0].dpath, file))
    found = results.load_node("fit", jobs)
    assert found.columns.lists["job_id"] == ["fit_id_b"]
    assert found.states == {"done": 1, "damaged": 1}


def test_a_literal_infinity_and_nan_are_values(tmp_path):
    job = write_job(tmp_path, "a", metrics={"a": float("inf"), "b": float("nan")})
    table = table_of(job)
    assert table["metrics.fit.a"].tolist() == [float("inf")]
    assert table["metrics.fit.b"].isna().all()


def test_a_result_cut_at_any_byte_is_named_or_read_right(job):
    text = json.dumps({"metrics": {"acc": 0.25, "n": 12}})
    jobs = [job(f"fit_id_{n:03}", result=text[:n]) for n in range(len(text) + 1)]
    found = results.load_node("fit", jobs)
    assert found.columns.lists["metrics.fit.acc"] == [0.25]
    assert len(found.skipped) == len(text)


def test_rows_come_in_order_of_job_ids_with_and_without_threads(job):
    jobs = [job(f"fit_id_{letter}") for letter in "cab"]
    for workers in (None, 0, 3):
        assert table_of(*jobs, io_workers=workers)["job_id"].tolist() == ["fit_id_a", "fit_id_b", "fit_id_c"]


def test_several_processes_read_what_one_reads(tmp_path, monkeypatch):
    jobs = [write_job(tmp_path, f"{n:03}", metrics={"acc": n}, state="failed" if n % 7 == 0 else "done")
            for n in range(100)]  # fmt: skip
    Path(jobs[3].dpath, "out.json").write_text("{")
    monkeypatch.setattr(results, "is_safe", lambda: True)
    forks = []
    monkeypatch.setattr(
        results,
        "forked_map",
        lambda f, j, n, real=results.forked_map: forks.append(n) or real(f, j, n, batch=9),
    )
    one, several = (results.load_node("fit", jobs, io_workers=n) for n in (0, 3))
    assert forks == [3]
    assert (one.columns.lists, one.absent.lists, one.states, one.skipped) == (
        several.columns.lists, several.absent.lists, several.states, several.skipped,
    )  # fmt: skip


def test_progress_is_told_to_the_end(tmp_path):
    jobs = [write_job(tmp_path, str(n)) for n in range(3)]
    told = []
    results.load_node("fit", jobs, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
    assert told == sorted(told)


def test_without_need_of_metrics_a_result_without_any_is_a_row(job):
    assert len(table_of(job(result='{"metrics": {}}'), need_metrics=False)) == 1


def test_own_columns_and_parameters_win_over_what_a_result_says(job):
    said = {"job_id": "x", "params.fit.lr": 2, "param_hashid": "x", "job.wall": 9, "metrics.fit.a": 3}
    table = table_of(job(config='{"fit.lr": 1}', loader=lambda dpath: said))
    row = table.iloc[0]
    assert (row["job_id"], row["params.fit.lr"]) == ("fit_id_a", 1)
    assert "param_hashid" not in table
    assert table["job.wall"].isna().all()


def test_reports_metrics_asks_the_first_readable_job(job):
    bad, good = job("fit_id_a", result="{"), job("fit_id_b")
    assert results.reports_metrics("fit", [bad, good])
    assert not results.reports_metrics("fit", [bad])
    assert not results.reports_metrics("fit", [job("fit_id_c", result='{"metrics": {}}'), good])


# -- a thousand bad ones ---------------------------------------------------------------------------


def spoil(path, random):
    """Leave something that is no result; returns nothing."""
    text = b'{"info": [], "result": {"metrics": {"acc": 0.123456, "loss": -1.5e-7}}}'
    kind = random.randrange(9)
    if kind == 0:
        path.write_bytes(text[: random.randrange(len(text))])
    elif kind == 1:
        path.write_bytes(random.randbytes(random.randrange(200)))
    elif kind == 2:
        path.write_bytes(
            random.choice([b"[", b'{"a":', b'{"metrics": {"a": [[']) * random.randrange(2_000, 50_000)
        )
    elif kind == 3:
        path.write_bytes(b'{"metrics": {"acc": %s}}' % random.choice([b"1e999999", b"-1e400", b"7" * 9999]))
    elif kind == 4:
        path.write_bytes(
            b'{"metrics": {"acc": "%s"}}' % (b"x" * 10**7 if random.random() < 0.05 else b"x" * 10**5)
        )
    elif kind == 5:
        random.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path)])()
    elif kind == 6:
        path.symlink_to(random.choice(["/dev/zero", "/proc/self/mem", "/dev/tty", "/dev/full", "gone/gone"]))
    elif kind == 7:
        path.touch()
        os.truncate(path, random.choice([2**26 + 1, 2**40]))
    else:
        path.write_bytes(
            random.choice([b"NaN", b"null", b'"metrics"', b'{"metrics": []}', b'{"metrics": {}}'])
        )


LOADS = """
import json, resource, sys
from pathlib import Path
from kwdag import results
from tests.jobs import FILE
jobs = [results.Job(path.name, str(path), FILE) for path in sorted(Path(sys.argv[1], "fit").iterdir())]
found = results.load_node("fit", jobs, io_workers=int(sys.argv[2]), cache=True)
own = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]  # ru_maxrss has the parent's
usage = [int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]
print(json.dumps([found.columns.lists["job_id"], [path for path, _ in found.skipped], usage]))
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_thousand_spoilt_results_among_good_ones(tmp_path, workers):
    """Every good one is a row, every bad one is named, and memory stays bounded (here at 100 MB)."""
    chance = random.Random(workers)
    good = [write_job(tmp_path, f"good{n:03}", metrics={"acc": n}) for n in range(200)]
    bad = [write_job(tmp_path, f"bad{n:04}") for n in range(1_000)]
    (tmp_path / "_kwdag").mkdir()
    for one in bad:
        path = Path(one.dpath, "out.json")
        path.unlink()
        spoil(path, chance)
    done = subprocess.run(
        [sys.executable, "-c", LOADS, tmp_path, str(workers)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rows, skipped, usage = json.loads(done.stdout)
    assert rows == [one.job_id for one in good]
    assert skipped == [one.dpath for one in bad]
    assert max(usage) < 100_000, usage  # in KiB
