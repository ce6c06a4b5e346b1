"""`kwdag manager` on real git and DVC repositories, whose remotes are plain directories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import dvc.repo  # noqa: F401  (it logs to the stdout of its import: not one that a test captures and closes)
import pytest

from kwdag import cli, jobdir

POINTS = [metadata.EntryPoint("manager", "pipelines.geowatch.manager:command", "kwdag.commands")]
#: What DVC does with a library of its own.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

CODE, EXPT = "Drop4-BAS", "Drop4_BAS_V002"
MODEL = f"{EXPT}_epoch=31-step=16384"
PACKAGE = f"models/fusion/{CODE}/packages/{EXPT}/{MODEL}.pt"
EVAL = f"models/fusion/{CODE}/eval/{EXPT}/{MODEL}/bas_poly_eval_id_aaaa/poly_eval.json"


@pytest.fixture
def kwdag(tmp_path, monkeypatch, capsys):
    """Call the manager on a folder; gives exit code, output, complaints."""
    others = metadata.entry_points
    own = {"kwdag.commands": POINTS}
    monkeypatch.setattr(
        metadata, "entry_points", lambda **asked: own.get(asked.get("group")) or others(**asked)
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DVC_EXPT_DPATH", raising=False)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody")

    def call(folder, *argv):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(["manager", *argv, f"--expt_dpath={folder}"])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def table(kwdag):
    """A table of `list` or `status` as rows."""

    def rows(folder, name, *argv, verb="list"):
        code, out, err = kwdag(folder, verb, "--json", *argv)
        assert code == 0, err
        return json.loads(out)[name]

    return rows


def write(path: Path, content: object = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def evaluation(**metrics: object) -> dict[str, object]:
    return {"info": [], "result": {"metrics": metrics}}


def run(*words: object) -> str:
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def laptop(tmp_path, monkeypatch):
    """A clone of an experiment repository, with a default DVC remote `store` and another one, `spare`."""
    from dvc.repo import Repo

    run("git", "init", "--quiet", "--bare", "-b", "main", tmp_path / "hub")
    run("git", "clone", "--quiet", tmp_path / "hub", tmp_path / "laptop")
    folder = tmp_path / "laptop"
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    with Repo.init(str(folder)) as repo, repo.config.edit() as config:
        config["remote"] = {name: {"url": str(tmp_path / name)} for name in ("store", "spare")}
        config["core"] |= {"remote": "store", "analytics": False}
    run("git", "-C", folder, "checkout", "--quiet", "-b", "main")
    run("git", "-C", folder, "add", "--all")
    run("git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "-m", "start")
    run("git", "-C", folder, "push", "--quiet", "-u", "origin", "main")
    return folder


@pytest.fixture
def cluster(laptop, tmp_path):
    """A clone of the same repository elsewhere, made before anything was shared."""
    run("git", "clone", "--quiet", tmp_path / "hub", tmp_path / "cluster")
    return tmp_path / "cluster"


def train(folder: Path) -> Path:
    """What two epochs of training leave behind: the first was packaged, the second was not."""
    runs = folder / f"training/host/user/{CODE}/runs/{EXPT}/version_0/checkpoints"
    for name in ("epoch=31-step=16384.ckpt", f"{MODEL}.pt", "epoch=32-step=16999-v1.ckpt", "last.ckpt"):
        write(runs / name, name)
    return runs


def test_a_package_travels_from_training_to_another_machine(kwdag, table, laptop, cluster):
    runs = train(laptop)
    staged = table(laptop, "staging")
    shown = ("expt", "model", "epoch", "step", "is_packaged", "is_copied")
    assert [[row[key] for key in shown] for row in staged] == [
        [EXPT, MODEL, 31, 16384, True, False],
        [EXPT, f"{EXPT}_epoch=32-step=16999-v1", 32, 16999, False, False],
    ]
    bystander = write(laptop / "notes.txt")
    run("git", "-C", laptop, "add", bystander)

    code, out, err = kwdag(laptop, "push", "packages", "--yes")
    assert (code, out) == (0, "1 copied, 1 tracked, 1 sent to store and committed and published\n")
    left_out = runs / "epoch=32-step=16999-v1.ckpt"
    assert f"{left_out}: left out: no package was made of this checkpoint\n" in err
    assert run("git", "-C", laptop, "show", "--name-only", "--format=").split("\n") == [
        str(Path(PACKAGE).parent / ".gitignore"), f"{PACKAGE}.dvc",
    ]  # fmt: skip
    assert [row["is_copied"] for row in table(laptop, "staging")] == [True, False]

    assert table(cluster, "versioned") == []
    assert kwdag(cluster, "pull packages", f"--model_pattern={EXPT}*", "--yes") == (
        0, "1 package pulled from store\n", "",
    )  # fmt: skip
    assert (cluster / PACKAGE).read_text() == f"{MODEL}.pt"
    [row] = table(cluster, "versioned")
    assert row == {
        "type": "pkg_fpath", "dataset_code": CODE, "expt": EXPT, "model": MODEL, "has_raw": True,
        "has_dvc": True, "needs_pull": False, "needs_push": False, "is_broken": False, "unprotected": True,
        "raw": PACKAGE,
    }  # fmt: skip
    assert kwdag(cluster, "pull", "packages", "--yes")[1] == "no packages need to be pulled\n"
    again = "0 copied, 1 tracked, 0 sent to store\n"
    assert kwdag(laptop, "push", "packages", "--yes")[:2] == (0, again)


def test_a_link_into_a_cache_that_was_cleaned_is_pulled_again(kwdag, table, laptop):
    run(sys.executable, "-m", "dvc", "--cd", laptop, "config", "cache.type", "symlink")
    write(laptop / PACKAGE, "weights")
    assert kwdag(laptop, "push", "packages", "--yes")[0] == 0
    [row] = table(laptop, "versioned")
    assert (row["unprotected"], row["is_broken"], row["needs_pull"]) == (False, False, False)
    shutil.rmtree(laptop / ".dvc/cache")
    [row] = table(laptop, "versioned")
    assert (row["has_raw"], row["is_broken"], row["needs_pull"]) == (False, True, True)
    assert kwdag(laptop, "pull", "packages", "--yes")[1] == "1 package pulled from store\n"
    assert (laptop / PACKAGE).read_text() == "weights"


def test_a_push_that_was_cut_off_after_dvc_add_goes_on(kwdag, table, laptop):
    from dvc.repo import Repo

    write(laptop / PACKAGE)
    with Repo(str(laptop)) as repo:
        repo.add([str(laptop / PACKAGE)])
    [row] = table(laptop, "versioned")
    assert (row["has_dvc"], row["needs_push"]) == (True, False)
    [row] = table(laptop, "versioned", "--dvc_remote=store")
    assert row["needs_push"]
    assert kwdag(laptop, "push", "packages", "--yes")[1] == (
        "0 copied, 1 tracked, 1 sent to store and committed and published\n"
    )
    assert not table(laptop, "versioned", "--dvc_remote=store")[0]["needs_push"]
    assert table(laptop, "versioned", "--dvc_remote=spare")[0]["needs_push"]
    assert kwdag(laptop, "push", "packages", "--yes", "--dvc_remote=spare")[1] == (
        "0 copied, 1 tracked, 1 sent to spare\n"
    )


def test_evaluations_travel_with_their_parameters(kwdag, table, laptop, cluster):
    done = laptop / f"models/fusion/{CODE}/pred/{EXPT}/{MODEL}/bas_poly_eval/bas_poly_eval_id_aaaa"
    write(done / "poly_eval.json", evaluation(bas_f1=0.5))
    write(done / "job_config.json", {"bas_poly.thresh": 0.1})
    write(done / jobdir.INVOKE)
    assert kwdag(laptop, "push", "evals", "--yes")[1] == "no evals to push\n", "the job is not done"
    write(done / "job_status.json", {"state": "done"})
    assert kwdag(laptop, "push", "evals", "--yes")[1] == (
        "1 copied, 1 tracked, 1 sent to store and committed and published\n"
    )
    assert kwdag(cluster, "pull", "evals", "--yes")[1] == "1 eval pulled from store\n"
    assert json.loads((cluster / EVAL).with_name("job_config.json").read_text()) == {"bas_poly.thresh": 0.1}
    assert [row["type"] for row in table(cluster, "versioned")] == ["eval_bas_poly"]


def test_data_that_nobody_has_are_a_failed_pull(kwdag, table, laptop, cluster, tmp_path):
    write(laptop / PACKAGE)
    kwdag(laptop, "push", "packages", "--yes")
    shutil.rmtree(tmp_path / "store")
    code, out, err = kwdag(cluster, "pull", "packages", "--yes")
    assert (code, out) == (1, "")
    assert err.startswith("kwdag: dvc pull: Checkout failed for following targets: ") and err.count("\n") == 1
    assert f"{MODEL}.pt" in err
    [row] = table(cluster, "versioned")
    assert (row["has_raw"], row["has_dvc"], row["needs_pull"]) == (False, True, True)


def test_a_git_hub_that_cannot_be_reached_keeps_the_push_for_later(kwdag, laptop, tmp_path):
    write(laptop / PACKAGE)
    (tmp_path / "hub").rename(tmp_path / "away")
    code, out, err = kwdag(laptop, "push", "packages", "--yes")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("kwdag: git push: ")
    (tmp_path / "away").rename(tmp_path / "hub")
    assert kwdag(laptop, "push", "packages", "--yes")[1].endswith("and published\n")


def test_broken_links_and_protected_files(table, tmp_path):
    folder = tmp_path / "expt" / Path(PACKAGE).parent
    cache = write(tmp_path / "cache", "data")
    for name in ("linked", "hard", "dangling", "plain"):
        write(folder / f"{name}.pt.dvc")
    (folder / "linked.pt").symlink_to(cache)
    os.link(cache, folder / "hard.pt")
    (folder / "dangling.pt").symlink_to(tmp_path / "nothing")
    write(folder / "plain.pt")
    (folder / "lost.pt").symlink_to(tmp_path / "nothing")
    write(folder / "notes.txt")
    rows = {row["model"]: row for row in table(tmp_path / "expt", "versioned")}
    flags = ("has_raw", "needs_pull", "needs_push", "is_broken", "unprotected")
    assert {name: "".join(str(int(row[flag])) for flag in flags) for name, row in rows.items()} == {
        "linked": "10000",
        "hard": "10000",
        "dangling": "01010",
        "plain": "10001",
        "lost": "00010",
    }


@pytest.fixture
def filled(tmp_path):
    """Predictions, packages and evaluations of three models in two datasets; no repository."""
    folder = tmp_path / "expt"
    for code, expt, model, f1, ffpa in (
        ("BAS-A", "V1", "V1_epoch=1-step=2", 0.5, 0.1),
        ("BAS-A", "V2", "V2_epoch=1-step=2", 0.75, 0.2),
        ("BAS-B", "V2", "V2_epoch=9-step=9", 0.75, float("nan")),
    ):
        base = folder / "models/fusion" / code
        write(base / "packages" / expt / f"{model}.pt")
        write(
            base / "eval" / expt / model / "poly_eval.json", evaluation(bas_f1=f1, bas_ffpa=ffpa, seconds=3)
        )
        write(base / "pred" / expt / f"{model}.pt" / "x/pred.kwcoco.zip", "12345")
    write(folder / "models/fusion/BAS-A/eval/V1/V1_epoch=1-step=2/x/pxl_eval.json", "{")
    return folder


def test_a_grid_of_training_jobs_has_a_package_each(table, tmp_path):
    run = tmp_path / f"expt/training/host/user/{CODE}/runs/V9/fit"
    for name, state in (("fit_id_aa", "done"), ("fit_id_bb", "done"), ("fit_id_cc", "failed")):
        write(run / name / "model.pt")
        write(run / name / jobdir.INVOKE)
        write(run / name / "job_status.json", {"state": state})
    rows = table(tmp_path / "expt", "staging")
    assert [row["model"] for row in rows] == ["V9_fit_id_aa", "V9_fit_id_bb"]
    assert {(row["epoch"], row["step"], row["is_packaged"]) for row in rows} == {(None, None, True)}
    assert table(tmp_path / "expt", "staging", verb="status") == [
        {
            "dataset_code": CODE,
            "count": 2,
            "is_packaged": 2,
            "is_copied": 0,
            "needs_package": 0,
            "needs_copy": 2,
        }
    ]


def test_status_counts_by_dataset_code_and_type(kwdag, filled):
    code, out, err = kwdag(filled, "status")
    assert (code, err) == (0, "")
    assert (
        out
        == f"""\
{filled}

volatile: predictions on this disk, not versioned
  dataset_code  type      count  size
  BAS-A         pred_pxl      2  10 B
  BAS-B         pred_pxl      1   5 B

staging: checkpoints and packages of training, not versioned
  none

versioned: packages and evaluations
  dataset_code  type       count  has_raw  has_dvc  needs_pull  needs_push  is_broken  unprotected
  BAS-A         eval_poly      2        2        0           0           2          0            0
  BAS-A         eval_pxl       1        1        0           0           1          0            0
  BAS-A         pkg_fpath      2        2        0           0           2          0            0
  BAS-B         eval_poly      1        1        0           0           1          0            0
  BAS-B         pkg_fpath      1        1        0           0           1          0            0
"""
    )


def test_report_names_the_best_of_each_metric(kwdag, filled):
    code, out, err = kwdag(filled, "report")
    assert code == 0
    broken = filled / "models/fusion/BAS-A/eval/V1/V1_epoch=1-step=2/x/pxl_eval.json"
    assert err.startswith(f"{broken}: left out: ")
    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["type", "metric", "objective", "value", "dataset_code", "expt", "model", "of", "path"]
    assert [row[:8] for row in rows] == [
        ["eval_poly", "bas_f1", "maximize", "0.7500", "BAS-A", "V2", "V2_epoch=1-step=2", "3"],
        ["eval_poly", "bas_ffpa", "minimize", "0.1000", "BAS-A", "V1", "V1_epoch=1-step=2", "2"],
    ]


@pytest.mark.parametrize(
    ("options", "models"),
    [
        (["--model_pattern=V2*"], ["V2_epoch=1-step=2", "V2_epoch=9-step=9"]),
        (["--model_pattern=V2*", "--dataset_codes=BAS-A"], ["V2_epoch=1-step=2"]),
        (["--model_pattern=*step=2.pt"], ["V1_epoch=1-step=2", "V2_epoch=1-step=2"]),
        (["--model_pattern=list.txt"], ["V1_epoch=1-step=2"]),
        (["--dataset_codes", "BAS-A", "*-B", "--model-pattern=V1*"], ["V1_epoch=1-step=2"]),
        (["--dataset_codes=*-B"], ["V2_epoch=9-step=9"]),
        (["--model_pattern=nothing"], []),
    ],
)  # fmt: skip
def test_patterns_choose_models(table, filled, options, models, monkeypatch):
    monkeypatch.chdir(filled)
    write(filled / "list.txt", "somewhere/V1_epoch=1-step=2.pt\n\n")
    assert [
        row["model"] for row in table(filled, "versioned", *options) if row["type"] == "pkg_fpath"
    ] == models
    assert sorted({row["model"] for row in table(filled, "volatile", *options)}) == models


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("status --dataset_codes=BAS-C",
         "--dataset_codes: no dataset code 'BAS-C' in {here}; did you mean 'BAS-B'?"),
        ("status --model_pattern=none.txt", "--model_pattern: cannot read the list none.txt"),
        ("pull packages", "{here}: lies in no DVC repository; dvc init makes one"),
        ("push all", "manager push: invalid value for '{packages|evals}': 'all' is not one of"),
        ("evaluate --params={} --model_pattern=x", "--model_pattern: no package here fits"),
        ("evaluate --params=[]", "--params: must be a mapping with one `matrix`"),
        ("evaluate --params={} --root_dpath=x", "--root_dpath: the layout of the experiment folder says"),
        ("evaluate --params={}", "V1_epoch=1-step=2.pt: is no model package"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(kwdag, filled, argv, said):
    code, out, err = kwdag(filled, *argv.split(" "))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said.replace("{here}", str(filled)) in err


def test_remotes_must_exist_and_somebody_must_agree(kwdag, laptop):
    write(laptop / PACKAGE)
    assert kwdag(laptop, "push", "packages", "--dvc_remote=stor", "--yes") == (
        2, "", "kwdag: --dvc_remote: no remote 'stor'; did you mean 'store'?\n",
    )  # fmt: skip
    would = "push 1 package to store (0 to copy, 1 to track)"
    assert kwdag(laptop, "push", "packages") == (
        2, "", f"kwdag: would {would}, but nobody can be asked; --yes says yes\n",
    )  # fmt: skip
    assert not (laptop / f"{PACKAGE}.dvc").exists()


def test_the_folder_comes_from_the_environment_or_the_registry(kwdag, filled, monkeypatch, tmp_path):
    from pipelines.geowatch import registry_file

    assert kwdag("auto", "status")[2].startswith(
        "kwdag: --expt_dpath: no experiment folder is known; give it"
    )
    with registry_file.changing(registry_file.path()) as entries:
        entries["e"] = registry_file.Entry("e", str(filled), tags=("phase2_expt",))
    assert kwdag("auto", "status")[1].startswith(f"{filled}\n")
    monkeypatch.setenv("DVC_EXPT_DPATH", str(tmp_path / "none"))
    assert kwdag("auto", "status")[2] == f"kwdag: --expt_dpath: no such folder: {tmp_path / 'none'}\n"


@pytest.mark.parametrize(
    ("task", "key", "pipeline"),
    [("saliency", "bas_pxl.package_fpath", "bas"), ("classes", "sc_pxl.package_fpath", "sc")],
)
def test_evaluate_runs_each_package_where_it_belongs_and_gathers(
    kwdag, laptop, monkeypatch, task, key, pipeline
):
    from pipelines.geowatch import package
    from pipelines.geowatch.experiment import evaluating
    from pipelines.geowatch.schedule_evaluation import translate

    recipe = package.Recipe(task, ("red",), {"*": {"red": (0.0, 1.0)}}, 10.0, 2, "contiguous", 32, 4)
    package.save(laptop / PACKAGE, recipe, recipe.network())
    root = laptop / f"models/fusion/{CODE}/pred/{EXPT}/{MODEL}"
    called = []

    def run_one(command):
        called.append(command)
        done = root / "bas_poly_eval/bas_poly_eval_id_aaaa"
        write(done / "poly_eval.json", evaluation(bas_f1=0.5))
        write(done / "job_status.json", {"state": "done"})
        return 1

    monkeypatch.setattr(evaluating, "run", run_one)
    dataset = write(laptop / "data.kwcoco.json", "{}")
    models = {"trk.pxl.model": "other.pt", "act.pxl.model": "other.pt"}
    params = {"matrix": models | {"trk.poly.thresh": [0.1, 0.2], "trk.pxl.data.test_dataset": str(dataset)}}
    code, out, err = kwdag(
        laptop, "evaluate", f"--params={json.dumps(params)}", "--backend=tmux", "--devices", "0,1"
    )
    assert (code, out) == (1, "")
    assert err.endswith("1 evaluation gathered; kwdag manager report compares them\n")
    [[*_, module, given, where, backend, devices, number]] = called
    assert module == "pipelines.geowatch.schedule_evaluation"
    assert (where, backend, devices, number) == (f"--root_dpath={root}", "--backend=tmux", "--devices", "0,1")
    document = json.loads(given.removeprefix("--params="))
    assert document["pipeline"] == pipeline
    assert document["matrix"][key] == [str(laptop / PACKAGE)]
    assert (laptop / EVAL).is_file()
    if task == "saliency":
        truth = {"true_site_dpath": str(laptop), "true_region_dpath": str(laptop)}
        del document["matrix"]["act.pxl.model"]
        assert len(translate(document, truth=truth)["include"]) == 2
