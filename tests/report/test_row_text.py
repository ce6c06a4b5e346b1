from __future__ import annotations

import shutil

import pandas as pd
import pytest

from kwdag.aggregation import load_results
from kwdag.errors import ResultError
from kwdag.report.row_text import row_lines
from kwdag.roles import Roles
from kwdag.row_files import files_of


@pytest.fixture
def ran(lab):
    """Two models on two data sets, ranked by accuracy; each fit draws a picture."""
    lab.file("a.txt", "a")
    lab.file("b.txt", "b")
    draw = "echo pic > {plots}/p.png; mkdir -p {plots}/deep; touch {plots}/deep/q.SVG"
    lab.node("fit", f"mkdir -p {{plots}}; {draw}; echo {{lr}} > {{dst}}",
             outs={"dst": "m.txt", "plots": "plots"}, algo_params={"lr": 0.1})  # fmt: skip
    lab.node("eval", """echo "reading {src}"; echo '{{"metrics": {{"acc": 0.5, "n": 3}}}}' > {out}""",
             ins=["model", "src"], outs={"out": "e.json"}, perf_params={"workers": 0},
             tags={"src": "dataset"})  # fmt: skip
    lab.edge("fit.dst -> eval.model")
    lab.schedule({"fit.lr": [0.1, 0.2], "eval.src": ["a.txt", "b.txt"]})
    return lab


def tables(lab) -> dict[str, pd.DataFrame]:
    return load_results(lab.root, eval_nodes="eval")


def roles(lab) -> Roles:
    from kwdag.yaml_pipeline import from_spec

    return Roles.of(from_spec(lab.spec).nodes.values())


def test_a_block_for_each_region(ran):
    found = tables(ran)
    hashid = found["eval"]["param_hashid"][0]
    lines = list(row_lines(found, hashid, roles(ran), base=str(ran.folder)))
    assert [line for line in lines if line.startswith(hashid)][0].startswith(f"{hashid} on a: place ")
    assert [line for line in lines if line.startswith(hashid)][1].startswith(f"{hashid} on b: place ")
    assert lines.count("---") == 1 and lines.count("metrics") == 2


def test_what_a_block_says(ran):
    found = tables(ran)
    row = found["eval"].iloc[0]
    lines = list(row_lines(found, row["job_id"], roles(ran), base=str(ran.folder)))
    text = "\n".join(lines)
    assert "metrics\n    acc  0.5\n    n    3\n" in text
    assert f"parameters\n    fit.lr  {row['params.fit.lr']}\n" in text
    source = row["region_id"] + ".txt"
    assert f"parameters that the hash leaves out\n    eval.src      {source}\n    eval.workers  0\n" in text
    assert f"job\n    id      {row['job_id']}\n    folder  root/eval/{row['job_id']}\n    began   20" in text
    assert f"outputs\n    out  root/eval/{row['job_id']}/e.json  (34 B)\n" in text
    assert "end of the log\n    reading " in text
    (up,) = {line.split()[0] for line in lines if line.strip().startswith("fit_id_")}
    assert f"rests on\n    {up} done  root/fit/{up}\n" in text
    assert text.endswith(f"pictures\n    root/fit/{up}/plots/p.png\n    root/fit/{up}/plots/deep/q.SVG")
    assert "command\n    echo eval >> " in text


def test_lines_fold_at_blanks_and_paths_stay_whole(ran):
    found = tables(ran)
    long = "/data/" + "x" * 120
    found["eval"] = found["eval"].assign(**{"params.fit.lr": [list(range(60)), long, long, long]})
    lines = list(row_lines(found, found["eval"]["job_id"][0], roles(ran), base=str(ran.folder)))
    start = next(i for i, line in enumerate(lines) if "fit.lr" in line)
    assert len(lines[start]) <= 80 and lines[start + 1].startswith(" " * 12 + "19, ")
    assert any(long in line for line in row_lines(found, found["eval"]["job_id"][1], roles(ran)))


def test_a_beginning_suffices(ran):
    found = tables(ran)
    ids = found["eval"]["job_id"]
    for name in (ids[0], ids[0][:-2], ids[0].rpartition("_id_")[2][:9], found["eval"]["param_hashid"][0][:8]):
        assert next(iter(row_lines(found, name)))


def test_which_row_is_meant(ran):
    found = tables(ran)
    hashids = sorted(set(found["eval"]["param_hashid"]))
    with pytest.raises(ResultError, match="inspect: 'eval_id_' stands for 4 rows; eval_id_.*, eval_id_"):
        row_lines(found, "eval_id_")
    with pytest.raises(ResultError, match=f"no row 'x{hashids[0]}'; did you mean '{hashids[0]}'"):
        row_lines(found, f"x{hashids[0]}")
    with pytest.raises(ResultError, match="inspect: no row '0000'$"):
        row_lines(found, "0000")
    with pytest.raises(ResultError, match="inspect: no row ''$"):
        row_lines(found, "")


def test_a_folder_that_is_gone(ran):
    found = tables(ran)
    shutil.rmtree(ran.root)
    lines = list(row_lines(found, found["eval"]["job_id"][0]))
    assert lines[-1].endswith("(which is gone)") and "command" not in lines


def test_an_output_that_is_missing_and_one_that_is_a_folder(ran):
    found = tables(ran)
    dpath = found["eval"]["dpath"][0]
    (ran.root / "eval" / dpath.rpartition("/")[2] / "e.json").unlink()
    assert any(line.endswith("e.json  (missing)") for line in row_lines(found, found["eval"]["job_id"][0]))
    (up, *_) = [path.name for path in (ran.root / "fit").iterdir()]
    files = files_of(str(ran.root / "fit" / up))
    assert {output.key: output.size for output in files.outputs} == {"dst": 4, "plots": 4}
