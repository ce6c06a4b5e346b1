"""The seed's whole command on stand-in files: what it would run, for each flag and special value."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from kwdag.errors import KwdagError
from kwdag.pipeline_ref import load_pipeline
from pipelines.geowatch.aliases import FLAGS
from pipelines.geowatch.schedule_evaluation import main, translate

# As the user typed it; only program and paths are others.
SEED = """
        matrix:
            trk.pxl.model:
                - {expt}/packages/Drop4_BAS_Retrain_V002_epoch=31-step=16384.pt.pt
            trk.pxl.data.test_dataset:
                - {data}/Aligned-Drop4/data.kwcoco.json
            trk.pxl.data.window_scale_space: 15GSD
            trk.pxl.data.time_sampling:
                - "contiguous"
            trk.pxl.data.input_scale_space:
                - "15GSD"
            trk.poly.thresh:
                - 0.07
                - 0.1
                - 0.12
                - 0.175
            crop.src:
                - {data}/online_v1/kwcoco_for_sc_fielded.json
            crop.regions:
                - trk.poly.output
            act.pxl.data.test_dataset:
                - {expt}/crop/crop.kwcoco.json
            act.pxl.data.input_scale_space:
                - 3GSD
            act.pxl.data.time_steps:
                - 3
            act.pxl.data.chip_overlap:
                - 0.35
            act.poly.thresh:
                - 0.01
            act.poly.use_viterbi:
                - 0
            act.pxl.model:
                - {expt}/packages/Drop4_SC_RGB_scratch_V002_epoch=99-step=50300-v1.pt.pt
        include:
            - act.pxl.data.chip_dims: 256,256
              act.pxl.data.window_scale_space: 3GSD
              act.pxl.data.input_scale_space: 3GSD
              act.pxl.data.output_scale_space: 3GSD
"""
OPTIONS = """--enable_pred_trk_pxl=1 --enable_pred_trk_poly=1 --enable_eval_trk_pxl=1 --enable_eval_trk_poly=1
    --enable_crop=0 --enable_pred_act_pxl=0 --enable_pred_act_poly=0 --enable_eval_act_pxl=0
    --enable_eval_act_poly=0 --enable_viz_pred_trk_poly=1 --enable_viz_pred_act_poly=0 --enable_links=1
    --devices=0,1 --queue_size=2 --queue_name=secondary-eval --backend=serial --skip_existing=0 --run=0"""

FILES = (
    "expt/packages/Drop4_BAS_Retrain_V002_epoch=31-step=16384.pt.pt",
    "expt/packages/Drop4_SC_RGB_scratch_V002_epoch=99-step=50300-v1.pt.pt",
    "expt/crop/crop.kwcoco.json",
    "data/Aligned-Drop4/data.kwcoco.json",
    "data/online_v1/kwcoco_for_sc_fielded.json",
)
ALL = frozenset(node for nodes in FLAGS.values() for node in nodes)
BAS = frozenset(node for node in ALL if node.startswith("bas"))
OFF_IN_SEED = ALL - BAS


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for folder in ("site_models", "region_models"):
        (tmp_path / "data/annotations" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["pytest"])
    return tmp_path


def seed(here, **changed):
    text = SEED.format(expt=here / "expt", data=here / "data")
    for old, new in changed.items():
        key = {"regions": "trk.poly.output", "dataset": f"{here}/expt/crop/crop.kwcoco.json"}[old]
        text = text.replace(f"- {key}", f"- {new}")
    return text


@pytest.fixture
def program(here, capsys):
    def call(*argv):
        with pytest.raises(SystemExit) as caught:
            main(list(argv))
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def rows(here, params, off=frozenset(), **options):
    return translate(params, None, off, options)["include"]


def nodes_of(rows):
    return {key.partition(".")[0] for row in rows for key in row if not key.endswith("__enabled__")}


def scrubbed(text, here):
    text = text.replace(str(here), "{here}").replace(sys.executable, "{python}")
    # networkx draws the nodes of one rank in an order that differs from run to run
    text = re.sub(r"(?ms)^╙.*?\n\n", "", text)
    return re.sub(r"-[0-9a-f]{8}\.sh", "-{hash}.sh", re.sub(r"_id_[a-z2-7]{13}\b", "_id_{id}", text))


def test_the_whole_command_of_the_seed_as_a_dry_run(program, here):
    code, out, err = program(f"--params={seed(here)}", *OPTIONS.split())
    assert (code, err) == (0, "")
    golden = Path(__file__).with_name("golden") / "seed_dry_run.txt"
    if os.environ.get("KWDAG_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(scrubbed(out, here))
    assert scrubbed(out, here) == golden.read_text()
    assert not (here / "kwdag_output").exists()


def test_the_rows_of_the_seed(here):
    found = rows(here, seed(here), OFF_IN_SEED)
    assert [row["bas_poly.thresh"] for row in found] == [0.07, 0.1, 0.12, 0.175]
    assert nodes_of(found) == {"bas_pxl", "bas_poly", "bas_poly_eval"}
    assert found[0] == {
        "bas_pxl.package_fpath": f"{here}/{FILES[0]}",
        "bas_pxl.test_dataset": f"{here}/data/Aligned-Drop4/data.kwcoco.json",
        "bas_pxl.window_space_scale": "15GSD",
        "bas_pxl.time_sampling": "contiguous",
        "bas_pxl.input_space_scale": "15GSD",
        "bas_poly.thresh": 0.07,
        "bas_poly_eval.true_site_dpath": f"{here}/data/Aligned-Drop4/../annotations/site_models",
        "bas_poly_eval.true_region_dpath": f"{here}/data/Aligned-Drop4/../annotations/region_models",
        **{f"{node}.__enabled__": 0 for node in OFF_IN_SEED if not node.startswith("sv_")},
    }


def test_everything_on_and_connected(program, here):
    params = seed(here, dataset="crop.dst")
    code, out, _ = program(f"--params={params}", "--queue_size=2")
    assert code == 0
    assert "plan        4 rows, 38 jobs" in out
    (row, *_) = rows(here, params)
    assert "sc_crop.regions" not in row and "sc_pxl.test_dataset" not in row
    assert (row["sc_pxl.chip_dims"], row["sc_pxl.window_space_scale"]) == ("256,256", "3GSD")


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", ["0", "False"])
def test_each_flag_switches_its_nodes(program, here, flag, value):
    params = seed(here, dataset="crop.dst")
    code, out, _ = program(f"--params={params}", f"--{flag}={value}", "--pipeline=joint_bas_sv_sc", "--json")
    assert code == 0
    actions = {(job["node"], job["action"] == "disabled") for job in json.loads(out)["jobs"]}
    assert {node for node, disabled in actions if disabled} <= set(FLAGS[flag])
    assert {node for node, disabled in actions if not disabled} == ALL - set(FLAGS[flag])


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_may_stand_without_a_value(program, here, flag):
    code, _, err = program(f"--params={seed(here)}", f"--{flag}", "--json")
    assert (code, err) == (0, "")


def test_parameters_of_a_step_that_is_off_stay_where_a_step_that_is_on_reads_what_it_made(here):
    off = ALL - {"bas_poly", "bas_poly_eval"}
    assert nodes_of(rows(here, seed(here), off)) == {"bas_pxl", "bas_poly", "bas_poly_eval"}
    # SC reads crops that are given: nothing of BAS is needed.
    off = ALL - {"sc_pxl", "sc_poly"}
    assert nodes_of(rows(here, seed(here), off)) == {"sc_pxl", "sc_poly"}
    # SC reads crops that an earlier run has made, around sites that it has found.
    found = nodes_of(rows(here, seed(here, dataset="crop.dst"), off))
    assert found == {"bas_pxl", "bas_poly", "sc_crop", "sc_pxl", "sc_poly"}


def test_crops_around_the_truth_need_no_bas(program, here):
    params = seed(here, regions="truth", dataset="crop.dst")
    found = rows(here, params, BAS)
    assert nodes_of(found) == {"sc_crop", "sc_pxl", "sc_poly", "sc_poly_eval"}
    (row,) = found
    assert row["sc_crop.regions"].endswith("annotations/region_models")
    assert row["sc_poly.site_summary"] == row["sc_crop.regions"] == row["sc_poly_eval.true_region_dpath"]
    flags = [f"--{flag}=0" for flag, nodes in FLAGS.items() if set(nodes) <= BAS]
    code, out, _ = program(f"--params={params}", *flags)
    assert code == 0 and "plan        1 row, 6 jobs" in out


def test_truth_and_the_output_of_bas_in_one_grid(here):
    params = seed(here, dataset="crop.dst").replace("- trk.poly.output", "[truth, trk.poly.output]")
    found = rows(here, params)
    assert len(found) == 8
    assert sum("sc_crop.regions" in row for row in found) == 4


def test_where_the_truth_is(here):
    found = rows(here, seed(here), OFF_IN_SEED, true_site_dpath="/s", true_region_dpath="/r")
    assert {row["bas_poly_eval.true_site_dpath"] for row in found} == {"/s"}
    params = seed(here).replace(
        "        include:", "            trk.poly.true_site_dpath: /mine\n        include:"
    )
    found = rows(here, params, OFF_IN_SEED, true_site_dpath="/s", true_region_dpath="/r")
    assert {row["bas_poly_eval.true_site_dpath"] for row in found} == {"/mine"}
    assert {row["bas_poly_eval.true_region_dpath"] for row in found} == {"/r"}


def test_without_truth_the_line_says_what_to_give(program, here):
    (here / "data/annotations/site_models").rmdir()
    code, out, err = program(f"--params={seed(here)}", *OPTIONS.split())
    assert (code, out) == (2, "")
    assert (
        err.startswith("error: --true_site_dpath: no folder 'site_models' beside '") and err.count("\n") == 1
    )


def test_a_model_as_a_glob_and_as_a_list(here):
    model = f"{here}/{FILES[0]}"
    for name in ("a", "b"):
        (here / f"expt/packages/more_{name}.pt").touch()
    (here / "expt/models.txt").write_text(
        "# two\n\npackages/more_b.pt\n" + f"{here}/expt/packages/more_a.pt\n"
    )
    for value, names in (("expt/packages/more_*.pt", "ab"), ("expt/models.txt", "ba")):
        found = rows(here, seed(here).replace(f"- {model}", f"- {here}/{value}"), OFF_IN_SEED)
        assert len(found) == 8
        models = dict.fromkeys(row["bas_pxl.package_fpath"] for row in found)
        assert [Path(path).stem for path in models] == [f"more_{name}" for name in names]


MODEL = "trk.pxl.model: {}\ntrk.pxl.data.test_dataset: x"
BAD = {
    "trk.poly.tresh: 0.1": "params, line 1: no parameter 'trk.poly.tresh'; did you mean 'trk.poly.thresh'?",
    "trk.ploy.thresh: 0.1": "no node in key 'trk.ploy.thresh'; did you mean 'trk.poly.thresh'?",
    "trk.poly.thresh: 1\nbas_poly.thresh: 2": "'trk.poly.thresh' and 'bas_poly.thresh' are the same",
    MODEL.format("no/*.pt"): "params, line 1: trk.pxl.model: no model matches 'no/*.pt'",
    MODEL.format("no.txt"): "list of models 'no.txt' cannot be read (No such file or directory)",
    MODEL.format("empty.txt"): "list of models 'empty.txt' is empty",
}


@pytest.mark.parametrize("params", BAD)
def test_bad_input_is_one_line_and_exit_code_2(program, here, params):
    (here / "empty.txt").write_text("\n# nothing\n")
    truth = ["--true_site_dpath=/s", "--true_region_dpath=/r"]
    code, out, err = program(f"--params={params}\n", *truth)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and BAD[params] in err


@pytest.mark.parametrize(("name", "key"), [
    (FILES[0], "trk.pxl.model"),
    ("data/Aligned-Drop4/data.kwcoco.json", "trk.pxl.data.test_dataset"),
])  # fmt: skip
def test_a_file_that_is_not_there_is_named_by_the_users_own_key_and_line(program, here, name, key):
    (here / "params.yaml").write_text(seed(here))
    line = next(at for at, text in enumerate(seed(here).splitlines(), 1) if f"{key}:" in text)
    truth = [f"--true_{one}_dpath={here}/data/annotations/{one}_models" for one in ("site", "region")]
    (here / name).unlink()
    code, out, err = program("--params=params.yaml", *truth, *OPTIONS.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"error: params.yaml, line {line}: {key}: no such file or folder: '{here}/{name}'")


def test_files_that_no_step_reads_may_be_missing(program, here):
    for name in FILES[1:3]:
        (here / name).unlink()
    assert program(f"--params={seed(here)}", *OPTIONS.split())[0] == 0
    more = OPTIONS.replace("--enable_pred_act_pxl=0", "--enable_pred_act_pxl=1").split()
    code, _, err = program(f"--params={seed(here)}", *more)
    assert code == 2 and "act.pxl." in err and err.count("\n") == 1
    code, _, err = program(f"--params={seed(here)}", "--true_site_dpath=/s", *OPTIONS.split())
    assert (code, err) == (2, "error: --true_site_dpath: no such file or folder: '/s'\n")


def test_other_bad_input(program, here):
    code, _, err = program(f"--params={seed(here)}", "--pipeline=bsa")
    assert code == 2 and err.startswith("error: --pipeline: no pipeline 'bsa'; known: bas, sc, crop_sc, ")
    code, _, err = program(f"--params={seed(here)}", "--pipeline=train_bas")
    assert code == 2 and "kwdag schedule --pipeline='pipelines.geowatch.train_bas()' runs it" in err
    code, _, err = program(f"--params={seed(here)}", "--queue_sise=2", *OPTIONS.split())
    assert code == 2 and "--queue_size" in err and err.count("\n") == 1
    with pytest.raises(KwdagError, match="every step is off"):
        translate(seed(here), None, ALL)


def test_the_pipeline_may_stand_in_the_params(here):
    text = "pipeline: pipelines.geowatch.bas()\n" + re.sub("(?m)^        ", "", seed(here))
    assert translate(text)["pipeline"] == "pipelines.geowatch.bas()"
    assert translate("slurm_options: {partition: big}\n" + text)["slurm_options"] == {"partition": "big"}


@pytest.mark.parametrize(("gpus", "expected"), [("0 1", {"gpus": 1}), ("", {})])
def test_models_ask_for_a_gpu_where_there_are_some(gpus, expected, here, tmp_path, monkeypatch):
    listing = tmp_path / "bin" / "nvidia-smi"
    listing.parent.mkdir()
    listing.write_text(f"#!/bin/sh\nprintf '%s\\n' {gpus}\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", str(listing.parent), prepend=os.pathsep)
    started = []
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: started.append(sys.argv))
    with pytest.raises(SystemExit):
        main([f"--params={seed(here)}", "--devices=0,1", "--backend=tmux"])
    (argv,) = started
    assert argv[3:] == ["--devices=0,1", "--backend=tmux"]
    made = load_pipeline(json.loads(argv[2].removeprefix("--params="))["pipeline"])
    asking = {
        name: dict(node.resources) for name, node in made.nodes.items() if "devices" in node.perf_params
    }
    assert asking == {"bas_pxl": expected, "sc_pxl": expected}
    assert not any(node.resources for name, node in made.nodes.items() if name not in asking)
